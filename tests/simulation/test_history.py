"""The checker of histories: a right one is clean, and each invariant sees what it is there for."""

from collections.abc import Sequence

import msgspec
import pytest

from turnkeeper.testing.history import (
    INVARIANTS,
    Answer,
    AnyEvent,
    Asked,
    Dead,
    Ending,
    Fault,
    Footprint,
    Got,
    Grant,
    Handback,
    Healed,
    Idle,
    Redriven,
    Reported,
    Rested,
    Setup,
    Sight,
    Turn,
    check,
    from_lines,
    to_line,
)

ANA = "echo:ana"


def asked(message: str, at_ms: int, answer: Answer = Answer.ACCEPTED, replies: tuple[str, ...] | None = None) -> Asked:
    """Return a delivery that took five milliseconds."""
    return Asked(
        conversation=ANA, message=message, started_ms=at_ms, ended_ms=at_ms + 5, answer=answer, replies=replies
    )


def turn(number: int, message: str) -> Turn:
    """Return the turn that took one message."""
    return Turn(
        conversation=ANA,
        seq=number,
        version=number,
        at_ms=number * 100 + 50,
        commit=f"c{number}",
        fence=number,
        messages=(message,),
        positions=(number,),
        replies=((f"e{number}", f"echo {message}"),),
        answer=(f"echo {message}",),
    )


def got(number: int, message: str, *, maybe_sent: bool = False) -> Got:
    """Return the reply of a turn on its arrival."""
    return Got(
        conversation=ANA, effect=f"e{number}", text=f"echo {message}", at_ms=number * 100 + 60, maybe_sent=maybe_sent
    )


def grant(fence: int) -> Grant:
    """Return the grant of a turn."""
    return Grant(
        conversation=ANA, fence=fence, owner=f"w{fence}", granted_ms=fence * 100 + 5, until_ms=fence * 100 + 1_005
    )


def reported(number: int, ending: Ending = Ending.COMMITTED) -> Reported:
    """Return what the worker heard of a turn's commit."""
    return Reported(conversation=ANA, commit=f"c{number}", ending=ending, answered_ms=number * 100 + 51)


LAST = Sight(
    conversation=ANA, at_ms=900, version=2, applied=("a", "b"), expires_ms=9_000, is_indexed=False, is_last=True
)

SETUP = Setup(lease_ms=1_000, send_lease_ms=1_000, retains=True)

RIGHT: tuple[AnyEvent, ...] = (
    SETUP,
    Fault(kind="kill", at_ms=90),
    asked("a", 100),
    asked("a", 120),
    asked("b", 200),
    asked("a", 300, Answer.DONE, ("echo a",)),
    turn(1, "a"),
    turn(2, "b"),
    got(1, "a"),
    got(1, "a", maybe_sent=True),
    got(2, "b"),
    grant(1),
    Handback(conversation=ANA, fence=1, at_ms=150),
    grant(2),
    reported(1, Ending.UNKNOWN),
    reported(1),
    reported(2),
    Healed(at_ms=300),
    Rested(at_ms=800),
    LAST,
    Idle(workers=2, window_ms=10_000, round_trips=20),
    Footprint(entries={"rows": 4}, is_baseline=True),
    Footprint(entries={"rows": 4}),
)


def without(*wrong: AnyEvent) -> list[AnyEvent]:
    """Return the right history without some events."""
    return [event for event in RIGHT if event not in wrong]


def instead(right: AnyEvent, wrong: AnyEvent) -> list[AnyEvent]:
    """Return the right history with one event exchanged."""
    return [wrong if event == right else event for event in RIGHT]


FORGOTTEN = (
    msgspec.structs.replace(turn(2, "b"), version=1, generation=7),
    msgspec.structs.replace(got(1, "a", maybe_sent=True), at_ms=251),
)
"""The second turn found no state, although the reply of the first one was on its way."""


def given_up_and_put_back(*later: AnyEvent) -> list[AnyEvent]:
    """Return a history whose second message was given up and put back by an operator, and what came of it."""
    buried = msgspec.structs.replace(turn(2, "b"), version=1, buried=True, unchanged=True)
    last = msgspec.structs.replace(LAST, version=1 + sum(isinstance(event, Turn) for event in later), applied=None)
    history = [buried if event == turn(2, "b") else last if event == LAST else event for event in RIGHT]
    history = [msgspec.structs.replace(reported(2), version=1) if event == reported(2) else event for event in history]
    return [*history, Redriven(conversation=ANA, source="b"), *later]


APPLIED_LATER = msgspec.structs.replace(
    turn(3, "b"), version=2, positions=(3,), replies=(), answer=("echo b",), at_ms=700
)
"""The turn that took the second message after it was put back."""

NO_GRANTS = tuple(event for event in RIGHT if not isinstance(event, Grant | Handback))

WRONG: tuple[tuple[int, str, Sequence[AnyEvent]], ...] = (
    (1, "an accepted message is nowhere", (*RIGHT, asked("c", 400))),
    (1, "a job never came back", instead(turn(2, "b"), msgspec.structs.replace(turn(2, "b"), promises=("result:j1",)))),
    (1, "given up without a dead letter", instead(turn(2, "b"), msgspec.structs.replace(turn(2, "b"), buried=True))),
    (1, "put back, and lost on its way", given_up_and_put_back()),
    (2, "two turns took one message", instead(turn(2, "b"), turn(2, "a"))),
    (2, "applied and buried", (*RIGHT, Dead(conversation=ANA, source="a"))),
    (
        2,
        "put back, and applied twice",
        given_up_and_put_back(
            APPLIED_LATER,
            msgspec.structs.replace(APPLIED_LATER, seq=4, version=3, commit="c4", fence=4, positions=(4,)),
        ),
    ),
    (
        3,
        "the later one first",
        [
            *without(asked("a", 100), asked("a", 120), asked("b", 200)),
            asked("b", 100),
            asked("a", 200),
        ],
    ),
    (3, "numbers of the inbox", instead(turn(2, "b"), msgspec.structs.replace(turn(2, "b"), positions=(1,)))),
    (4, "a gap", instead(turn(2, "b"), msgspec.structs.replace(turn(2, "b"), version=3))),
    (4, "a generation that was over", instead(turn(1, "a"), msgspec.structs.replace(turn(1, "a"), generation=7))),
    (4, "state and log differ", instead(LAST, msgspec.structs.replace(LAST, applied=("a",)))),
    (5, "a reply nobody committed", (*RIGHT, got(3, "c"))),
    (5, "a message nobody sent", without(asked("b", 200))),
    (
        5,
        "a message of somebody else",
        [*instead(turn(2, "b"), turn(2, "b")), msgspec.structs.replace(turn(1, "a"), conversation="echo:ben")],
    ),
    (
        5,
        "one id for two replies",
        instead(turn(2, "b"), msgspec.structs.replace(turn(2, "b"), replies=(("e2", "echo b"), ("e1", "echo a")))),
    ),
    (5, "a dead letter nobody asked for", (*RIGHT, Dead(conversation=ANA, source="e9"))),
    (6, "a reply not sent", without(got(2, "b"))),
    (6, "a reply was put back and never sent", [*without(got(2, "b")), Redriven(conversation=ANA, source="e2")]),
    (6, "a repetition that is not marked", (*RIGHT, msgspec.structs.replace(got(2, "b"), at_ms=900))),
    (6, "sent again instead of held", instead(SETUP, msgspec.structs.replace(SETUP, resends=False))),
    (6, "out of order", instead(got(2, "b"), msgspec.structs.replace(got(2, "b"), at_ms=110))),
    (7, "committed, and not in the log", (*RIGHT, reported(3))),
    (7, "fenced, and in the log", instead(reported(2), reported(2, Ending.FENCED))),
    (7, "fenced when repeated at once", instead(reported(1), reported(1, Ending.FENCED))),
    (7, "refused, and applied", instead(asked("b", 200), asked("b", 200, Answer.REFUSED))),
    (
        7,
        "refused, applied, and only then brought again",
        [*without(asked("b", 200)), asked("b", 200, Answer.REFUSED), asked("b", 260)],
    ),
    (8, "a fence twice", instead(turn(2, "b"), msgspec.structs.replace(turn(2, "b"), fence=1))),
    (
        8,
        "a fence that goes back when it begins anew",
        instead(turn(2, "b"), msgspec.structs.replace(turn(2, "b"), version=1, generation=7, fence=1)),
    ),
    (
        8,
        "a commit under a lease that somebody else had taken over",
        [*NO_GRANTS, grant(1), msgspec.structs.replace(grant(2), granted_ms=149, interrupted=True)],
    ),
    (8, "two owners", without(Handback(conversation=ANA, fence=1, at_ms=150))),
    (9, "another reply for the duplicate", (*RIGHT, asked("a", 400, Answer.DONE, ("echo b",)))),
    (9, "no reply for the duplicate", (*RIGHT, asked("a", 400, Answer.DONE, ()))),
    (
        10,
        "an end while something waits",
        (*RIGHT, Sight(conversation=ANA, at_ms=210, version=1, waiting=("b",), expires_ms=900)),
    ),
    (10, "no end at rest", instead(LAST, msgspec.structs.replace(LAST, expires_ms=None))),
    (
        10,
        "lost from the index",
        (*RIGHT, Sight(conversation=ANA, at_ms=210, version=1, unsent=("e1",), is_indexed=False)),
    ),
    (10, "forgotten with a reply unsent", [*without(turn(2, "b"), got(1, "a", maybe_sent=True), LAST), *FORGOTTEN]),
    (11, "no rest", without(Rested(at_ms=800))),
    (11, "late rest", instead(Rested(at_ms=800), Rested(at_ms=3_301))),
    (11, "busy without work", (*RIGHT, Idle(workers=1, window_ms=10_000, round_trips=12))),
    (11, "writing without work", (*RIGHT, Idle(workers=1, window_ms=10_000, writes=19))),
    (11, "burning without work", (*RIGHT, Idle(workers=2, window_ms=10_000, cpu_ms=1_021))),
    (12, "a row too many", (*RIGHT, Footprint(entries={"rows": 5}))),
)


def test_a_right_history_is_clean() -> None:
    """Nothing is found where nothing is, and everything is counted."""
    verdict = check(RIGHT)

    assert verdict.violations == ()
    assert verdict.is_clean
    assert verdict.counters["messages"] == 2
    assert verdict.counters["deliveries_of_messages"] == 4
    assert verdict.counters["replies_repeated"] == 1
    assert verdict.faults == {"kill": 1}


@pytest.mark.parametrize(("number", "name", "history"), WRONG, ids=[f"I{number} {name}" for number, name, _ in WRONG])
def test_each_invariant_sees_what_it_is_there_for(number: int, name: str, history: Sequence[AnyEvent]) -> None:
    """One wrong thing in a right history is found by the invariant that is meant."""
    verdict = check(history)

    assert number in verdict.found, verdict.violations


def test_every_invariant_is_attacked_here() -> None:
    """An invariant that never fires is not known to work."""
    assert {number for number, _, _ in WRONG} == {invariant.number for invariant in INVARIANTS}
    assert len(INVARIANTS) == 12
    assert all(invariant.meaning for invariant in INVARIANTS)


def test_what_nobody_wants_to_hear_need_not_be_sent() -> None:
    """A person who said STOP is not sent what was still on its way."""
    stop = msgspec.structs.replace(turn(2, "b"), silences=True)
    unheard = (got(1, "a"), got(1, "a", maybe_sent=True))
    history = [event for event in instead(turn(2, "b"), stop) if event not in unheard]

    assert check(history).is_clean


def test_what_was_put_back_may_come_out_of_order() -> None:
    """A dead letter that an operator put back is applied later than what was said after it, once."""
    assert check(given_up_and_put_back(APPLIED_LATER)).violations == ()


@pytest.mark.parametrize("called_off", [("t1",), ()])
def test_what_was_called_off_may_come_back_after_the_end(called_off: tuple[str, ...]) -> None:
    """A sender had it in hand then; what was not called off keeps the state from ending."""
    first = msgspec.structs.replace(turn(1, "a"), promises=("t1",), called_off=called_off)
    late = msgspec.structs.replace(turn(3, "t1"), version=1, generation=7, replies=(), answer=None)

    assert (10 in check([*instead(turn(1, "a"), first), late]).found) is (not called_off)


def test_the_next_turn_may_be_granted_with_the_commit() -> None:
    """A commit that hands out the next turn ends one lease and begins another in the same moment."""
    history = [*NO_GRANTS, grant(1), Handback(conversation=ANA, fence=1, at_ms=150)]

    assert check([*history, msgspec.structs.replace(grant(2), granted_ms=150)]).violations == ()


def test_a_history_survives_being_written_down() -> None:
    """Events are the same after a journey through lines of JSON."""
    lines = [to_line(event) for event in RIGHT]

    assert list(from_lines(lines)) == list(RIGHT)


def test_a_commit_is_outgrown_only_by_the_next_one() -> None:
    """A repeated commit may hear "fenced" once another one was committed, not before."""
    late = msgspec.structs.replace(reported(1, Ending.FENCED), answered_ms=250)

    assert check(instead(reported(1), late)).is_clean


def test_a_long_history_keeps_few_words() -> None:
    """All violations are counted; only the first ones of each invariant are told."""
    verdict = check([*RIGHT, *(asked(f"lost{number}", 400) for number in range(1_000))])

    assert verdict.found == {1: 1_000}
    assert verdict.total == 1_000
    assert len(verdict.violations) == 25
