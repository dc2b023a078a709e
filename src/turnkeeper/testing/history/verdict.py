"""Judges a history by the twelve invariants.

A history without an event that an invariant needs satisfies it: whoever runs a lab sees by the counters what was tried.
"""

from collections.abc import Iterable

import msgspec

from turnkeeper.testing.history.applying import (
    nothing_is_applied_twice,
    nothing_is_lost,
    order_is_that_of_acceptance,
    versions_have_no_gaps,
)
from turnkeeper.testing.history.books import gather
from turnkeeper.testing.history.events import AnyEvent
from turnkeeper.testing.history.finding import Check, per_book
from turnkeeper.testing.history.holding import one_owner_at_a_time, what_is_in_flight_does_not_end
from turnkeeper.testing.history.resting import everything_comes_to_rest, nothing_stays_behind
from turnkeeper.testing.history.telling import (
    duplicates_hear_the_first_reply,
    replies_are_those_of_commits,
    replies_arrive_in_order,
    reports_agree_with_the_log,
)

_MAX_KEPT = 25
"""Violations of one invariant that are kept in words; all are counted."""


class Invariant(msgspec.Struct, frozen=True, kw_only=True):
    """Something that holds of every history. `meaning` is a sentence for people."""

    number: int
    name: str
    check: Check

    @property
    def meaning(self) -> str:
        """What it says, in a sentence."""
        return (self.check.__doc__ or "").strip().partition("\n")[0]


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must not be. `conversation` is empty where none is meant."""

    invariant: int
    name: str
    conversation: str
    text: str

    def __str__(self) -> str:
        where = f" {self.conversation}:" if self.conversation else ""
        return f"I{self.invariant} {self.name}:{where} {self.text}"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the promises.

    Attributes:
        violations: In words, the first ones of each invariant.
        found: How many, by the invariant's number; only those that were violated.
        counters: What happened, for a table.
        faults: How often each kind of fault was there.
    """

    violations: tuple[Violation, ...]
    found: dict[int, int]
    counters: dict[str, int]
    faults: dict[str, int]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was violated."""
        return not self.found

    @property
    def total(self) -> int:
        """How many violations there are."""
        return sum(self.found.values())


def _invariants() -> tuple[Invariant, ...]:
    checks: tuple[tuple[str, Check], ...] = (
        ("nothing_is_lost", per_book(nothing_is_lost)),
        ("nothing_is_applied_twice", per_book(nothing_is_applied_twice)),
        ("order_is_that_of_acceptance", per_book(order_is_that_of_acceptance)),
        ("versions_have_no_gaps", per_book(versions_have_no_gaps)),
        ("replies_are_those_of_commits", per_book(replies_are_those_of_commits)),
        ("replies_arrive_in_order", per_book(replies_arrive_in_order)),
        ("reports_agree_with_the_log", per_book(reports_agree_with_the_log)),
        ("one_owner_at_a_time", per_book(one_owner_at_a_time)),
        ("duplicates_hear_the_first_reply", per_book(duplicates_hear_the_first_reply)),
        ("what_is_in_flight_does_not_end", what_is_in_flight_does_not_end),
        ("everything_comes_to_rest", everything_comes_to_rest),
        ("nothing_stays_behind", nothing_stays_behind),
    )
    return tuple(Invariant(number=at, name=name, check=check) for at, (name, check) in enumerate(checks, 1))


INVARIANTS = _invariants()
"""The twelve, in the order of their numbers."""


def check(history: Iterable[AnyEvent]) -> Verdict:
    """Judge a history. Linear in its length; the history is read once."""
    books = gather(history)
    violations: list[Violation] = []
    found: dict[int, int] = {}
    for invariant in INVARIANTS:
        for finding in invariant.check(books):
            count = found[invariant.number] = found.get(invariant.number, 0) + 1
            if count <= _MAX_KEPT:
                violations.append(
                    Violation(
                        invariant=invariant.number,
                        name=invariant.name,
                        conversation=finding.conversation,
                        text=finding.text,
                    )
                )
    return Verdict(violations=tuple(violations), found=found, counters=books.counters(), faults=books.faults)
