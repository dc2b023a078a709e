"""The way back from `carry_on`, with something else happening at each of its calls, one after the other.

Every person of a run has a moment of their own: before or after the n-th call that is about them, of the store or of
the place on this machine. There are more moments than calls of the store, so none is left out.
"""

import contextlib
from pathlib import Path

import pytest

from tests.unit.outage_bench import Bench, heard
from tests.unit.outage_run import (
    OTHERS,
    Disturb,
    Run,
    Setup,
    ask,
    be_answered,
    be_erased,
    fail,
    fail_and_be_answered,
    fail_and_go_on,
    fill_the_disk,
    go_on,
    known,
    never_end,
    unknown,
    while_sending,
    with_a_lost_answer,
    with_one_waiting,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a store, a clock and a folder."""
    return Bench(tmp_path / "local")


async def explore(
    bench: Bench, setup: Setup, disturb: Disturb, monkeypatch: pytest.MonkeyPatch, *, is_here: bool
) -> Run:
    """Return a run that is over, in which the moments were calls of the place here, or of the store."""
    run = Run(bench, disturb)
    run.switch_places(monkeypatch)
    async with run.app.running(), contextlib.AsyncExitStack() as stack:
        if disturb in OTHERS:
            await stack.enter_async_context(run.other.running())
        await run.go(setup, run.here if is_here else run.switch)
        run.conflicts, _ = await run.app.conflicts()
        run.app_conflicts = run.app.health().conflicts
        run.found = {person.address: await heard(run.app, person.address) for person in run.people.values()}
    was_disturbed = [person.was_disturbed for person in run.people.values()]
    assert was_disturbed[0]
    assert is_here or not was_disturbed[-1], "there are more calls than moments"  # here it is looked again and again
    return run


ALONE = [
    *(
        (setup, disturb)
        for setup in (known, unknown, with_a_lost_answer, with_one_waiting)
        for disturb in (fail, fail_and_go_on, go_on, ask)
    ),
    *((while_sending, disturb) for disturb in (fail, fail_and_go_on, go_on, ask, be_answered, fail_and_be_answered)),
]


@pytest.mark.parametrize(("setup", "disturb"), ALONE)
async def test_what_nobody_else_moved_on_comes_back_whole(
    bench: Bench, setup: Setup, disturb: Disturb, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever happens at whichever call of the store: every word is there once and in order, and was answered once."""
    run = await explore(bench, setup, disturb, monkeypatch, is_here=False)

    assert list(run.conflicts) == []
    check_alone(run, bench, caplog)


HERE = [
    (known, fill_the_disk),
    (known, go_on),
    (known, ask),
    (with_a_lost_answer, fill_the_disk),
    (with_one_waiting, fill_the_disk),
    (while_sending, be_answered),
]


@pytest.mark.parametrize(("setup", "disturb"), HERE)
async def test_so_it_does_whatever_happens_at_a_call_of_the_place_here(
    bench: Bench, setup: Setup, disturb: Disturb, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The same, of the file in which the conversation lives."""
    run = await explore(bench, setup, disturb, monkeypatch, is_here=True)

    assert list(run.conflicts) == []
    check_alone(run, bench, caplog)


DEADLY = 8
"""Calls before or after which a process dies: all of them, with as many people as come back side by side."""


@pytest.mark.parametrize("is_back", [False, True])
@pytest.mark.parametrize(
    ("setup", "is_here"),
    [
        (known, False),
        (unknown, False),
        (with_a_lost_answer, False),
        (with_one_waiting, False),
        (known, True),
        (with_a_lost_answer, True),
    ],
)
async def test_what_a_process_left_that_was_killed_comes_back_whole(
    bench: Bench,
    setup: Setup,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    is_here: bool,
    is_back: bool,
) -> None:
    """Another process takes over, hears everybody go on, with the store or without, and brings all of it back."""
    run = Run(bench, never_end, calls=DEADLY)
    run.switch_places(monkeypatch)
    await run.app.start()
    await setup(run)
    await run.die_and_be_followed(run.here if is_here else run.switch, is_back=is_back)
    run.conflicts, _ = await run.app.conflicts()
    run.found = {person.address: await heard(run.app, person.address) for person in run.people.values()}
    await run.app.stop()

    strangers = [
        person for person in run.people.values() if not person.is_known
    ]  # back already, and unknown to the heir
    assert {one.conversation.person for one in run.conflicts} == {person.address for person in strangers}
    for person in strangers:
        assert run.found.pop(person.address) == person.said[:-1]
        del run.people[person.address]
    check_alone(run, bench, caplog)


@pytest.mark.parametrize("setup", [known, unknown, with_a_lost_answer, while_sending])
@pytest.mark.parametrize("disturb", OTHERS)
async def test_what_another_server_moved_on_loses_neither_side(
    bench: Bench, setup: Setup, disturb: Disturb, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every word is in the store or in the account of a conflict, each side in order, and was answered once."""
    run = await explore(bench, setup, disturb, monkeypatch, is_here=False)

    for person in run.people.values():
        found = run.found[person.address]
        accounts = b" ".join(
            bytes(entry) for one in run.conflicts if one.conversation.person == person.address for entry in one.log
        )
        assert [word for word in person.said if word not in found and f'"{word}"'.encode() not in accounts] == []
        assert len(set(found)) == len(found)
        here = [word for word in found if word != "there"]
        assert here == [word for word in person.said if word in here]
        assert accounts or len(found) == len(person.said)
    assert len({one.conversation.key for one in run.conflicts}) == len(run.conflicts) == run.app_conflicts
    run.check_answers()
    assert [message for message in caplog.messages if message.endswith("_broken")] == []
    assert list(bench.folder.iterdir()) == []


@pytest.mark.parametrize("is_here", [False, True])
@pytest.mark.parametrize("setup", [known, unknown, with_a_lost_answer])
async def test_who_was_erased_stays_erased(
    bench: Bench, setup: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, is_here: bool
) -> None:
    """Whenever it was asked for: no word is left in state, log and accounts, and nobody else is touched."""
    run = await explore(bench, setup, be_erased, monkeypatch, is_here=is_here)

    accounts = b" ".join(bytes(one.state) + b" ".join(map(bytes, one.log)) for one in run.conflicts)
    assert b"two" not in accounts
    for person in run.people.values():
        log = await bench.store.turns.history(run.app.conversation(person.address))
        if person.was_disturbed:
            assert run.found[person.address] == []
            assert [record for record in log if b"two" in record.data] == []
        else:
            assert run.found[person.address] == person.said
    assert [message for message in caplog.messages if message.endswith("_broken")] == []
    assert list(bench.folder.iterdir()) == []


def check_alone(run: Run, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost, doubled, out of order, in conflict, broken or left on the disk."""
    for person in run.people.values():
        of_store = [word for word in run.found[person.address] if word != "waiting"]
        assert of_store == [word for word in person.said if word != "waiting"], (person.call, person.is_after)
        assert sorted(run.found[person.address]) == sorted(person.said)
    run.check_answers()
    assert [message for message in caplog.messages if message.endswith("_broken")] == []
    assert list(bench.folder.iterdir()) == []
