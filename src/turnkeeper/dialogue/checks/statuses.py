"""Does every status exist, can it be reached, and can everything that stands in one be?

A status exists if it is the start, if some `to` leads there, or if `flow.status` declares it. It can be reached if a
path leads there from the start.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from turnkeeper.dialogue.checks.problem import Problem, does_not_exist, nearest
from turnkeeper.dialogue.declaring.declarations import Gathered
from turnkeeper.dialogue.declaring.declared import ANYWHERE, Handler, LateReply, StartOver, StillWorking
from turnkeeper.dialogue.plan import is_restart


def statuses_of(flow: Gathered) -> tuple[str, ...]:
    """Return every status that exists: the start first, then in the order in which they were first named."""
    named = [
        flow.start,
        *(status.name for status in flow.statuses),
        *(name for handler in flow.handlers for name in (*_without_anywhere(handler.when), *handler.to)),
    ]
    existing = _existing(flow)
    return tuple(name for name in dict.fromkeys(named) if name in existing)


def status_problems(flow: Gathered) -> Iterator[Problem]:
    """Find statuses that do not exist or cannot be reached, and handlers that no status lets run."""
    existing = _existing(flow)
    yield from _not_existing(flow, existing)
    yield from _misspelt(flow, existing)
    yield from _unreachable(flow)
    for handler in flow.handlers:
        if not handler.when:
            text = f"handler {handler.name} has when=(), so it can never run; name a status, or leave `when` out"
            yield Problem(where=handler.where, text=text)


def leads(handlers: Iterable[Handler], policies: Iterable[object], statuses: Iterable[str]) -> Mapping[str, set[str]]:
    """Return where each status can lead, through handlers and policies."""
    everywhere = tuple(statuses)
    found: dict[str, set[str]] = {status: set() for status in everywhere}
    moves = [(handler.when, handler.to) for handler in handlers]
    for policy in policies:
        if isinstance(policy, StartOver):
            moves.append((ANYWHERE, (policy.to,)))
        if isinstance(policy, StillWorking):
            moves.extend((policy.when, handler.to) for handler in handlers if is_restart(handler, policy))
    for when, to in moves:
        for status in everywhere if when == ANYWHERE else when:
            found.setdefault(status, set()).update(to)
    return found


def reachable_from(start: str, leading: Mapping[str, set[str]]) -> set[str]:
    """Return the statuses to which a path leads, the start included."""
    found = {start}
    waiting = deque(found)
    while waiting:
        for status in leading.get(waiting.popleft(), ()):
            if status not in found:
                found.add(status)
                waiting.append(status)
    return found


def _existing(flow: Gathered) -> set[str]:
    return {
        flow.start,
        *(status.name for status in flow.statuses),
        *(name for handler in flow.handlers for name in handler.to),
    }


def _without_anywhere(when: tuple[str, ...]) -> tuple[str, ...]:
    return () if when == ANYWHERE else when


def _not_existing(flow: Gathered, existing: set[str]) -> Iterator[Problem]:
    named: list[tuple[str, str, tuple[str, ...], str]] = [
        (f"handler {handler.name}", "when", _without_anywhere(handler.when), handler.where) for handler in flow.handlers
    ]
    for policy in flow.policies:
        match policy:
            case StillWorking():
                named.append((f"still_working({policy.intent!r})", "when", policy.when, policy.where))
            case LateReply():
                named.append(("late_reply", "resting", policy.resting, policy.where))
            case StartOver():
                named.append((f"start_over({policy.intent!r})", "to", (policy.to,), policy.where))
            case _:
                pass
    named.extend(
        (
            f"intent {intent.name!r}",
            "when",
            tuple(name for name in intent.when or () if name not in ANYWHERE),
            flow.where,
        )
        for intent in flow.intents
    )
    for what, argument, names, where in named:
        for name in names:
            if name not in existing:
                advice = "a status exists if some `to` leads there, or if flow.status(…) declares it"
                yield Problem(
                    where=where,
                    text=f"{what}, {argument}: {does_not_exist('status', name, sorted(existing))} ({advice})",
                )


def _misspelt(flow: Gathered, existing: set[str]) -> Iterator[Problem]:
    """Find statuses that only a `to` names, with a name so near to another one that it must be a slip."""
    meant = {flow.start, *(status.name for status in flow.statuses)}
    meant.update(name for handler in flow.handlers for name in _without_anywhere(handler.when))
    for handler in flow.handlers:
        for name in handler.to:
            other = nearest(name, existing) if name not in meant else None
            if other is not None and other in meant:
                yield Problem(
                    where=handler.where,
                    text=f"handler {handler.name} leads to {name!r}, where nothing goes on; did you mean {other!r}? "
                    f"If not, declare it: flow.status({name!r})",
                )


def _unreachable(flow: Gathered) -> Iterator[Problem]:
    statuses = statuses_of(flow)
    reached = reachable_from(flow.start, leads(flow.handlers, flow.policies, statuses))
    for status in statuses:
        if status in reached:
            continue
        where = next(
            place
            for place, names in (
                *((declared.where, (declared.name,)) for declared in flow.statuses),
                *((handler.where, handler.when) for handler in flow.handlers),
                *((handler.where, handler.to) for handler in flow.handlers),
            )
            if status in names
        )
        text = f"no path leads from {flow.start!r} to status {status!r}; name it in the `to` of a handler that can run"
        yield Problem(where=where, text=text)
    for handler in flow.handlers:
        known = [status for status in _without_anywhere(handler.when) if status in statuses]
        if known and not reached.intersection(known):
            text = f"handler {handler.name} can never run: no path leads to {' or '.join(map(repr, known))}"
            yield Problem(where=handler.where, text=text)
