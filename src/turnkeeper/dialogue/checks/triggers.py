"""Does something cause every handler, does every intent and outcome find one, and never two at once?"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from turnkeeper.dialogue.checks.policies import answered_intents
from turnkeeper.dialogue.checks.problem import Problem, does_not_exist
from turnkeeper.dialogue.declaring.declarations import Gathered
from turnkeeper.dialogue.declaring.declared import ANYWHERE, Handler, Trigger
from turnkeeper.dialogue.plan import BUILT_IN_INTENTS
from turnkeeper.dialogue.understanding.intents import AMBIGUOUS, ANSWER, CHOICE, UNKNOWN

OUTCOMES = {"result": "result", "failure": "failed"}
"""Kinds of triggers that end a job, and their decorators."""


def trigger_problems(flow: Gathered) -> Iterator[Problem]:
    """Find handlers without a cause, causes without a handler, and causes with two."""
    yield from _uncaused(flow)
    yield from _unanswered_intents(flow)
    yield from _unanswered_jobs(flow)
    yield from _without_time(flow)
    yield from _ambiguous(flow)
    for handler in flow.handlers:
        if handler.aside and handler.to:
            text = f"handler {handler.name} is an aside, which keeps the status, and has a `to`; drop one of the two"
            yield Problem(where=handler.where, text=text)


def _uncaused(flow: Gathered) -> Iterator[Problem]:
    intents = [intent.name for intent in flow.intents]
    for handler in flow.handlers:
        for trigger in handler.triggers:
            if trigger.kind != "intent":
                continue
            if trigger.name in {ANSWER, CHOICE} and not trigger.question:
                text = f'handler {handler.name} takes {trigger.name!r} to no question; say which: question="…"'
                yield Problem(where=handler.where, text=text)
            elif trigger.name in {UNKNOWN, AMBIGUOUS}:
                text = f"handler {handler.name}: {trigger.name!r} is no intent; declare it by @flow.unknown"
                yield Problem(where=handler.where, text=text)
            elif trigger.name not in BUILT_IN_INTENTS and trigger.name not in intents:
                text = f"handler {handler.name}: {does_not_exist('intent', trigger.name, intents)}"
                yield Problem(where=handler.where, text=f"{text} (intents are declared in Flow(intents=…))")
    jobs = {id(job) for job in flow.jobs}
    for use in flow.job_uses:
        if id(use.job) not in jobs:
            text = f"job {use.job.name} is not part of this flow; flow.include(…) the router that declares it"
            yield Problem(where=use.where, text=f"{text} ({use.job.where})")


def _unanswered_intents(flow: Gathered) -> Iterator[Problem]:
    answered = {trigger.name for handler in flow.handlers for trigger in handler.triggers if trigger.kind == "intent"}
    answered.update(answered_intents(flow.policies), BUILT_IN_INTENTS)
    for intent in flow.intents:
        if intent.name not in answered:
            text = f"intent {intent.name!r} is understood and then nobody answers it; add @flow.on({intent.name!r}, …)"
            yield Problem(where=flow.where, text=f"{text}, or drop it from Flow(intents=…)")


def _unanswered_jobs(flow: Gathered) -> Iterator[Problem]:
    answered = {(trigger.kind, trigger.name) for handler in flow.handlers for trigger in handler.triggers}
    for job in flow.jobs:
        missing = [
            decorator
            for kind, decorator in OUTCOMES.items()
            if not job.result_dropped and (kind, job.name) not in answered
        ]
        for decorator in missing:
            lost = "its result would be lost" if decorator == "result" else "nobody would hear that it gave up"
            text = f"job {job.name} has no handler for its outcome, {lost}; add @flow.{decorator}({job.name}, …)"
            yield Problem(where=job.where, text=f"{text}, or declare @flow.job(result_dropped=True)")


def _without_time(flow: Gathered) -> Iterator[Problem]:
    for handler in flow.handlers:
        for kind, argument, value in (
            ("quiet", "quiet_after", flow.quiet_after),
            ("forget", "forget_after", flow.forget_after),
        ):
            if handler.triggers[0].kind == kind and value is None:
                text = f"handler {handler.name} waits for a time that is not set; give Flow({argument}=…)"
                yield Problem(where=handler.where, text=text)


def _ambiguous(flow: Gathered) -> Iterator[Problem]:
    by_trigger: defaultdict[Trigger, list[Handler]] = defaultdict(list)
    for handler in flow.handlers:
        for trigger in dict.fromkeys(handler.triggers):
            by_trigger[trigger].append(handler)
    for trigger, handlers in by_trigger.items():
        for one, other in combinations(handlers, 2):
            shared = _shared(one, other)
            if shared and one.guard is other.guard:
                text = (
                    f"handlers {one.name} ({one.where}) and {other.name} both answer {_named(trigger)} "
                    f"{shared}; narrow one's `when`, or tell them apart by a guard"
                )
                yield Problem(where=other.where, text=text)


def _shared(one: Handler, other: Handler) -> str:
    """Return in which statuses two handlers meet on equal terms; empty: nowhere."""
    if (one.when == ANYWHERE) != (other.when == ANYWHERE):
        return ""
    if one.when == ANYWHERE:
        return "anywhere"
    statuses = [status for status in one.when if status in other.when]
    return f"in {', '.join(map(repr, statuses))}" if statuses else ""


def _named(trigger: Trigger) -> str:
    name = f"{trigger.kind} {trigger.name!r}" if trigger.name else trigger.kind
    return f"{name} to question {trigger.question!r}" if trigger.question else name
