"""What a chaos run must have tried before its verdict means anything: messages, faults, and every kind of them.

The numbers hold for three minutes and in proportion for other times. A storm that has not got there goes on for
longer, so that a slow machine is no failure; what is still missing then is one.
"""

import math
from collections.abc import Mapping

from tests.chaos.world import ON_ANY_REDIS, ON_REDIS, ON_REPLICATED_REDIS, Fault

FULL_SECONDS = 180.0
MESSAGES = 20_000
"""Written in so many seconds: two thirds of what people want to write."""
FAULTS = 5_000
OFTEN = 5
"""How often each kind of fault must have happened."""
MOST_SHARE = 0.5
"""Of all faults, that one kind may be: a run that only repeats messages proves nothing."""

SHARES: Mapping[str, float] = {"sqlite": 1.0, "redis": 0.75, "replicated": 0.25}
"""How the time of a run on both is spent: all of it on SQLite, and all of it on Redis, a quarter with a replica."""

EXTRA_SHARE = 1 / 2
"""Of its time, that a storm may go on: a run on both stays below ten minutes."""
LEAST_EXTRA_SECONDS = 12.0
"""One round of everything that is done to a store, for runs that are shorter than that."""


def extra_seconds(seconds: float) -> float:
    """Return for how long a storm of so many seconds may go on when not enough was tried."""
    return max(LEAST_EXTRA_SECONDS, seconds * EXTRA_SHARE)


def least(fault: Fault, *, seconds: float) -> int:
    """Return how often a kind must have happened in so many seconds: more often, if it has a part of the time only."""
    share = 1.0
    if fault in ON_REDIS - ON_ANY_REDIS:
        share = SHARES["redis"]
    elif fault in ON_REPLICATED_REDIS - ON_ANY_REDIS:
        share = SHARES["replicated"]
    return max(1, math.ceil(OFTEN * seconds / (FULL_SECONDS * share)))


def what_is_missing(
    *, seconds: float, messages: int, faults: Mapping[str, int], expected: frozenset[Fault]
) -> list[str]:
    """Return what was not tried enough in a run that was to last so many seconds; nothing if all of it was."""
    total = sum(faults.values())
    problems = [
        f"not tried enough: {what}, {count:,} of at least {needed:,}"
        for what, count, needed in (
            ("messages", messages, math.ceil(MESSAGES * seconds / FULL_SECONDS)),
            ("faults", total, math.ceil(FAULTS * seconds / FULL_SECONDS)),
            *(
                (fault.value, faults.get(fault.value, 0), least(fault, seconds=seconds))
                for fault in Fault
                if fault in expected
            ),
        )
        if count < needed
    ]
    return problems + [
        f"tried too much: {kind} is {count:,} of {total:,} faults"
        for kind, count in faults.items()
        if count > total * MOST_SHARE
    ]
