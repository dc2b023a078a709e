"""What a run of a script came to, and how two of them differ.

A fault may delay a turn by some seconds, so two times that are that close to each other count as the same; nothing
else may differ.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from turnkeeper.ports.channel import Outgoing

Normalise = Callable[[object], object]
"""Takes a state as JSON values and returns what of it must be the same in every run."""

_ENVELOPE = "_"
"""The state's first member: fence and commit ids, which differ from run to run."""

MAX_DIFFERENCES = 12
"""Told of one run; what follows them is mostly their consequence."""

MAX_SHOWN_CHARACTERS = 160
"""Of a value in a report."""

_GENERATION = re.compile(r":\d{13}:")
"""The part of an id that says when its conversation began, in ms since 1970; a fault in the first turn moves it."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """One turn as the log has it: which messages it was about, who handled them, what was answered."""

    messages: tuple[str, ...]
    handler: str
    status: str
    note: str
    replies: tuple[str, ...]

    def __str__(self) -> str:
        return f"{'+'.join(self.messages)} -> {self.handler or self.note or '-'} ({self.status})"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one conversation. `parts` are the large values beside its state, by id."""

    status: str
    state: object
    version: int
    log: tuple[Applied, ...]
    parts: Mapping[str, object]
    waiting: int
    unsent: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    Attributes:
        conversations: By name.
        dead: Why each dead letter died, by its source.
        sent: Everything handed to providers, in order, each provider for itself.
        outside: What the bot did outside, as its author tells.
        unserved: Channels of replies that were not sent because the lab has no such channel.
    """

    conversations: Mapping[str, Told]
    dead: Mapping[str, str]
    sent: tuple[Outgoing, ...]
    outside: object = None
    unserved: frozenset[str] = frozenset()


def timeless(text: str) -> str:
    """Return a text with the ids in it as if every conversation began at the same time."""
    return _GENERATION.sub(":0:", text)


def read_state(state: bytes | None, normalise: Normalise) -> object:
    """Return a state without its envelope, as it is to be compared."""
    decoded: object = None if state is None else msgspec.json.decode(timeless(state.decode()))
    if isinstance(decoded, dict):
        decoded = {name: value for name, value in decoded.items() if name != _ENVELOPE}
    return normalise(decoded)


def compare(wanted: Result, found: Result, *, within: timedelta) -> tuple[str, ...]:
    """Return what is wrong with a run, in words; nothing if it came to the same. Times may differ by `within`."""
    problems: list[str] = []
    for name in sorted(wanted.conversations.keys() | found.conversations.keys()):
        one, other = wanted.conversations.get(name), found.conversations.get(name)
        if one is None or other is None:
            problems.append(f"{name}: {'must not be there' if one is None else 'is missing'}")
        else:
            problems += [f"{name}: {problem}" for problem in _compare_told(one, other, within)]
    problems += [f"dead letter {source!r} that the undisturbed run does not have" for source in _new(wanted, found)]
    problems += _compare_sent(wanted.sent, found.sent)
    if wanted.outside != found.outside:
        problems.append(f"outside: expected {_short(wanted.outside)}, found {_short(found.outside)}")
    return tuple(problems[:MAX_DIFFERENCES])


def _new(wanted: Result, found: Result) -> list[str]:
    return [source for source in found.dead if source not in wanted.dead]


def _compare_told(wanted: Told, found: Told, within: timedelta) -> Iterator[str]:
    applied = [message for turn in found.log for message in turn.messages]
    twice = sorted({message for message in applied if applied.count(message) > 1})
    allowed = [message for turn in wanted.log for message in turn.messages]
    yield from (f"message {message!r} was applied twice" for message in twice if allowed.count(message) < 2)  # noqa: PLR2004
    said = [reply for turn in wanted.log for reply in turn.replies]
    says = [reply for turn in found.log for reply in turn.replies]
    if said != says:
        yield f"replies {_first_difference(said, says)}"
    for turn in range(max(len(wanted.log), len(found.log))):
        one = wanted.log[turn] if turn < len(wanted.log) else None
        other = found.log[turn] if turn < len(found.log) else None
        if one != other:
            if said == says or str(one) != str(other):  # else the replies tell it
                yield f"turn {turn + 1} of the log: expected {one}, found {other}"
            break
    if wanted.status != found.status:
        yield f"status: expected {wanted.status!r}, found {found.status!r}"
    yield from _differences(wanted.state, found.state, "state", within)
    yield from _differences(dict(wanted.parts), dict(found.parts), "parts", within)
    if wanted.version != found.version:
        yield f"version: expected {wanted.version}, found {found.version}"
    if (wanted.waiting, wanted.unsent) != (found.waiting, found.unsent):
        yield f"not at rest: {found.waiting} messages wait, {found.unsent} deliveries are unsent"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"


def _first_difference(wanted: Sequence[str], found: Sequence[str]) -> str:
    for index in range(max(len(wanted), len(found))):
        one = wanted[index] if index < len(wanted) else None
        other = found[index] if index < len(found) else None
        if one != other:
            return f"{index + 1}: expected {_short(one)}, found {_short(other)}"
    return "are the same"


def _differences(wanted: object, found: object, path: str, within: timedelta) -> Iterator[str]:
    """Yield where two JSON values differ."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in sorted(wanted.keys() | found.keys()):
            yield from _differences(wanted.get(name), found.get(name), f"{path}.{name}", within)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]", within)
    elif wanted != found and not _are_close(wanted, found, within):
        yield f"{path}: expected {_short(wanted)}, found {_short(found)}"


def _are_close(wanted: object, found: object, within: timedelta) -> bool:
    """Return whether both are times that a delay explains."""
    if not isinstance(wanted, str) or not isinstance(found, str):
        return False
    try:
        return abs(datetime.fromisoformat(wanted) - datetime.fromisoformat(found)) <= within
    except (ValueError, TypeError):  # no times, or one with and one without a zone
        return False


def _compare_sent(wanted: Sequence[Outgoing], found: Sequence[Outgoing]) -> Iterator[str]:
    """Yield what is wrong with what the provider got: first deliveries as expected, repetitions marked."""
    unmarked: set[str] = set()
    for outgoing in found:
        effect = timeless(outgoing.id)
        if not outgoing.maybe_sent:
            if effect in unmarked:
                yield f"{effect} was sent twice without maybe_sent: {_short(outgoing.reply.text)}"
            unmarked.add(effect)
    for to, expected in _lanes(wanted).items():
        got = _lanes(found).get(to, [])
        if expected != got:
            yield f"deliveries to {to} {_first_difference(expected, got)}"
    yield from (f"deliveries to {to}, whom nothing is sent to" for to in _lanes(found) if to not in _lanes(wanted))


def _lanes(sent: Sequence[Outgoing]) -> dict[str, list[str]]:
    """Return the effects that reached each person, in the order of their first arrivals; people know no order."""
    lanes: dict[str, dict[str, None]] = {}
    for outgoing in sent:
        lanes.setdefault(outgoing.reply.to, {})[timeless(outgoing.id)] = None
    return {to: list(effects) for to, effects in lanes.items()}
