"""Are the flow's own settings values that can be meant?"""

from collections.abc import Iterator
from datetime import timedelta
from typing import get_args

from turnkeeper.codecs.walk import Naive
from turnkeeper.dialogue.checks.problem import Problem
from turnkeeper.dialogue.declaring.declarations import Gathered
from turnkeeper.dialogue.plan import OnLost, Retention

BUSY_POLICIES = ("queue", "coalesce", "reject", "interrupt")
MAX_LOG_ENTRIES = 10_000
"""Entries of one conversation's log: at 200 bytes each that is 2 MB, and a year of thirty turns a day."""


def setting_problems(flow: Gathered) -> Iterator[Problem]:
    """Find settings that are out of range or contradict each other."""
    for name, value, accepted in (
        ("naive", flow.naive, get_args(Naive)),
        ("retention", flow.retention, get_args(Retention)),
        ("on_lost", flow.on_lost, get_args(OnLost)),
        ("busy.policy", flow.rules.busy.policy, BUSY_POLICIES),
    ):
        if value not in accepted:
            yield Problem(where=flow.where, text=f"{name}={value!r} is unknown; use {' or '.join(map(repr, accepted))}")
    for name, duration in _durations(flow):
        if duration is not None and duration <= timedelta(0):
            yield Problem(where=flow.where, text=f"{name} is {duration}; it must be longer than nothing")
    for job in flow.jobs:
        if job.rules.timeout <= timedelta(0):
            yield Problem(
                where=job.where, text=f"job {job.name}: timeout is {job.rules.timeout}; it could never end in time"
            )
    if flow.quiet_after is not None and flow.forget_after is not None and flow.quiet_after >= flow.forget_after:
        text = f"quiet_after ({flow.quiet_after}) must be shorter than forget_after ({flow.forget_after})"
        yield Problem(where=flow.where, text=f"{text}, or the conversation is forgotten before it is quiet")
    if not 1 <= flow.log.entries <= MAX_LOG_ENTRIES:
        yield Problem(where=flow.where, text=f"log.entries is {flow.log.entries}; use 1 to {MAX_LOG_ENTRIES}")
    if flow.rules.max_attempts < 1:
        yield Problem(where=flow.where, text=f"max_attempts is {flow.rules.max_attempts}; a message must be tried once")


def _durations(flow: Gathered) -> tuple[tuple[str, timedelta | None], ...]:
    return (
        ("quiet_after", flow.quiet_after),
        ("forget_after", flow.forget_after),
        ("log.age", flow.log.age),
        ("busy.wait", flow.rules.busy.wait),
        ("busy.max_wait", flow.rules.busy.max_wait),
        ("turn_timeout", flow.rules.turn_timeout),
        ("backoff", flow.rules.backoff),
        ("max_backoff", flow.rules.max_backoff),
    )
