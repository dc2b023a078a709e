"""Do the ready policies speak of intents, statuses, jobs, timers and fields that there are?"""

from collections import Counter
from collections.abc import Iterable, Iterator

from turnkeeper.dialogue.checks.problem import Problem, does_not_exist
from turnkeeper.dialogue.checks.states import field_names
from turnkeeper.dialogue.declaring.declarations import Gathered, Policy
from turnkeeper.dialogue.declaring.declared import Corrections, LateReply, SeveralPeople, StartOver, StillWorking
from turnkeeper.dialogue.plan import BUILT_IN_INTENTS, Help, is_restart

NAMES = {
    StillWorking: "still_working",
    StartOver: "start_over",
    LateReply: "late_reply",
    Corrections: "corrections",
    SeveralPeople: "several_people",
    Help: "help",
}
"""How the declaration of a policy is called."""


def intents_of(policy: Policy) -> tuple[str, ...]:
    """Return the intents that a policy speaks of."""
    match policy:
        case StillWorking() | StartOver() | Corrections() | Help():
            return (policy.intent,) if policy.intent else ()
        case LateReply():
            return (policy.continue_intent, policy.new_intent)
        case SeveralPeople():
            return ()


def answered_intents(policies: Iterable[Policy]) -> set[str]:
    """Return the intents that policies answer by themselves."""
    return {intent for policy in policies if not isinstance(policy, StillWorking) for intent in intents_of(policy)}


def policy_problems(flow: Gathered) -> Iterator[Problem]:
    """Find policies that name what is not there, that were declared twice, or that a handler contradicts."""
    yield from _repeated(flow)
    intents = [intent.name for intent in flow.intents]
    for policy in flow.policies:
        what = NAMES[type(policy)]
        for intent in intents_of(policy):
            if intent not in intents and intent not in BUILT_IN_INTENTS:
                text = f"{what}: {does_not_exist('intent', intent, intents)} (intents are declared in Flow(intents=…))"
                yield Problem(where=policy.where, text=text)
        match policy:
            case StillWorking():
                yield from _restart(flow, policy)
            case StartOver():
                yield from _kept_fields(flow, what, policy.keep, policy.where)
                yield from _kept_timers(flow, policy)
            case Corrections():
                yield from _kept_fields(flow, what, policy.keep, policy.where)
            case LateReply() if policy.remind_after > policy.ask_after:
                text = (
                    f"{what} asks after {policy.ask_after}, so it never reminds after {policy.remind_after}; swap them"
                )
                yield Problem(where=policy.where, text=text)
            case _:
                pass
        if isinstance(policy, StartOver | Corrections | Help):
            yield from _contradicted(flow, what, policy)


def _repeated(flow: Gathered) -> Iterator[Problem]:
    counted = Counter(type(policy) for policy in flow.policies)
    for policy in reversed(flow.policies):
        if counted[type(policy)] > 1 and not isinstance(policy, StillWorking):
            counted[type(policy)] = 0
            name = NAMES[type(policy)]
            yield Problem(where=policy.where, text=f"{name} is declared twice, and only one can hold; drop one")


def _restart(flow: Gathered, policy: StillWorking) -> Iterator[Problem]:
    what = NAMES[StillWorking]
    named = [handler for handler in flow.handlers if handler.name == policy.restart]
    if not named:
        text = f"{what}: {policy.restart} is no handler of this flow; pass the function that @flow.on decorates"
        yield Problem(where=policy.where, text=text)
    elif len({handler.call for handler in named}) > 1:
        places = ", ".join(handler.where for handler in named)
        text = f"{what}: several handlers are called {policy.restart} ({places}); rename one"
        yield Problem(where=policy.where, text=text)
    elif not any(is_restart(handler, policy) for handler in named):
        text = f"{what}: handler {policy.restart} does not answer intent {policy.intent!r}, so it cannot restart it"
        yield Problem(where=policy.where, text=text)


def _kept_fields(flow: Gathered, what: str, keep: tuple[str, ...], where: str) -> Iterator[Problem]:
    fields = field_names(flow.state_type)
    for name in keep:
        if name not in fields:
            text = f"{what}, keep: {does_not_exist(f'field of {flow.state_type.__name__}', name, fields)}"
            yield Problem(where=where, text=text)


def _kept_timers(flow: Gathered, policy: StartOver) -> Iterator[Problem]:
    timers = [trigger.name for handler in flow.handlers for trigger in handler.triggers if trigger.kind == "timer"]
    for name in policy.keep_timers:
        if name not in timers:
            text = f"start_over, keep_timers: {does_not_exist('timer', name, timers)}"
            yield Problem(where=policy.where, text=text)


def _contradicted(flow: Gathered, what: str, policy: StartOver | Corrections | Help) -> Iterator[Problem]:
    for handler in flow.handlers:
        if any(trigger.kind == "intent" and trigger.name == policy.intent for trigger in handler.triggers):
            text = f"intent {policy.intent!r} is answered by handler {handler.name} and by {what} ({policy.where})"
            yield Problem(where=handler.where, text=f"{text}; drop one of the two")
