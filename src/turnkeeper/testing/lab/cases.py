"""What a crash lab tries: every moment that the undisturbed run passed, with every fault that fits it.

A moment is a crash point, a call of the store, or a whole message; its name with its number within one entry of the
script is stable from run to run, so that a failure can be run again alone.
"""

import enum
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from turnkeeper.errors import ConfigurationError
from turnkeeper.ports.faults import POINTS


class Fault(enum.StrEnum):
    """What happens at a moment."""

    KILL = "kill"
    """The worker dies; another one starts when its lease is over, and the provider sends its message again."""

    KILL_TWICE = "kill twice"
    """As KILL, and the next worker dies while it recovers."""

    LOST = "answer lost"
    """The store does it, and its answer is lost."""

    REFUSED = "refused"
    """The store refuses before it does anything."""

    STOLEN = "lease over"
    """The clock jumps over the lease or claim, and somebody else takes it, while the worker goes on."""

    DOUBLED = "doubled"
    """The provider delivers the message to two workers at once."""

    REPEATED = "repeated"
    """The provider sends the message again when everything is done."""

    REORDERED = "reordered"
    """The provider sends all messages of the last day again, the newest first."""


WHOLE = "message"
"""The name of the moment that is a whole message."""

CALLS = (
    "turns.begin",
    "turns.commit",
    "turns.renew",
    "turns.release",
    "deliveries.claim",
    "deliveries.settle",
    "documents.get",
)
"""Calls of the store that a worker makes for a turn. Looking for what is due is left out: it changes nothing."""

_STEALABLE = frozenset({"turns.commit", "deliveries.settle"})
_ONLY_IN_RECOVERY = "in_recovery"


class Moment(msgspec.Struct, frozen=True, order=True):
    """The `nth` time that `name` happened while an entry of the script was handled; both count from 1."""

    item: int
    name: str
    nth: int

    def __str__(self) -> str:
        return f"{self.item}:{self.name}#{self.nth}"


class Case(msgspec.Struct, frozen=True):
    """One thing to try. As text it is what `only` and `--crash-lab-only` take."""

    moment: Moment
    fault: Fault

    def __str__(self) -> str:
        return f"{self.moment}:{self.fault.name.lower()}"


def number_moments(passed: Iterable[tuple[int, str]]) -> tuple[Moment, ...]:
    """Return what was passed, in order, numbered within each entry of the script."""
    counts: Counter[tuple[int, str]] = Counter()
    moments: list[Moment] = []
    for item, name in passed:
        counts[item, name] += 1
        moments.append(Moment(item, name, counts[item, name]))
    return tuple(moments)


def plan(moments: Sequence[Moment]) -> tuple[Case, ...]:
    """Return every case, in the order of the script."""
    return tuple(Case(moment, fault) for moment in moments for fault in _faults(moment.name))


def _faults(name: str) -> tuple[Fault, ...]:
    if name == WHOLE:
        return (Fault.REPEATED, Fault.REORDERED)
    if name in POINTS:
        return (Fault.KILL,) if name == _ONLY_IN_RECOVERY else (Fault.KILL, Fault.KILL_TWICE)
    return (
        Fault.LOST,
        Fault.REFUSED,
        *((Fault.STOLEN,) if name in _STEALABLE else ()),
        *((Fault.DOUBLED,) if name == "turns.begin" else ()),
    )


def choose_some(cases: Sequence[Case], *, limit: int) -> tuple[Case, ...]:
    """Return at most so many: of every fault at every kind of moment one first, then others, evenly over the script."""
    if len(cases) <= limit:
        return tuple(cases)
    seen: set[tuple[str, Fault]] = set()
    first: list[int] = []
    for index, case in enumerate(cases):
        kind = (case.moment.name, case.fault)
        if kind not in seen:
            seen.add(kind)
            first.append(index)
    others = [index for index in range(len(cases)) if index not in set(first)]
    chosen = _spread(first, limit) or []
    chosen += _spread(others, limit - len(chosen))
    return tuple(cases[index] for index in sorted(chosen))


def _spread(indices: Sequence[int], limit: int) -> list[int]:
    if len(indices) <= limit:
        return list(indices)
    return [indices[number * len(indices) // limit] for number in range(limit)]


def find_case(cases: Sequence[Case], text: str) -> Case:
    """Return the case that a report named.

    Raises:
        ConfigurationError: The script has no such moment (any more).
    """
    for case in cases:
        if str(case) == text:
            return case
    raise ConfigurationError(
        f"no case {text!r} in this script; a case is written as in a report, such as {str(cases[0])!r}"
    )
