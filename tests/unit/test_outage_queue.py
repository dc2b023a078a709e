"""The policies `fail` and `queue`: what is acknowledged is applied once and in order, whatever the store does."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.outage_bench import ANA, BEN, PATIENCE_SECONDS, SETTINGS, Bench, Heard, heard
from turnkeeper import App, Flow, Turn
from turnkeeper.engine.results import Taken
from turnkeeper.errors import LimitError, OutcomeUnknownError, StoreFullError, StoreUnreadableError
from turnkeeper.model.message import NOTHING, Message
from turnkeeper.outage import StoreDownError
from turnkeeper.outage.queueing import Queueing
from turnkeeper.ports.limits import MAX_INBOX

pytestmark = pytest.mark.anyio


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a store, a clock and a folder."""
    return Bench(tmp_path / "local")


async def test_fail_refuses_at_once_and_recovers(bench: Bench) -> None:
    """While the store is away an accept fails without asking it; health says down; afterwards it is taken once."""
    app, switch = bench.server("fail")
    async with app.running():
        await bench.away(app, switch)
        asked = switch.calls
        with pytest.raises(StoreDownError):
            await app.accept(ANA, app.message("milk", id="m1"))
        assert switch.calls == asked
        assert app.health().status == "down"
        assert "switched off" in app.health().reason
        await bench.back(app, switch)

        await app.accept(ANA, app.message("milk", id="m1"))

        assert await heard(app) == ["milk"]
        assert app.health().status == "ok"


async def test_fail_says_when_something_may_have_been_written(bench: Bench) -> None:
    """The first answer was cut, the next try found nobody: it is unknown, never "nothing was written"."""
    app, switch = bench.server("fail", failures=100)
    async with app.running():
        switch.cuts, switch.goes = 1, True
        with pytest.raises(OutcomeUnknownError):
            await app.accept(ANA, app.message("milk", id="m1"))
        switch.is_away = False

        assert (await app.accept(ANA, app.message("milk", id="m1"))).outcome is Taken.DUPLICATE
        bench.clock.advance(SETTINGS.lease)  # it was granted to an answer that nobody heard
        assert await heard(app) == ["milk"]


async def test_queue_takes_messages_while_the_store_is_away(bench: Bench) -> None:
    """They are acknowledged, applied once and in order when it is back, marked late, with their time of receipt."""
    app, switch = bench.server("queue")
    async with app.running():
        await app.accept(ANA, app.message("one", id="m1"))
        assert await heard(app) == ["one"]
        await bench.away(app, switch)
        received_ms = bench.clock.now_ms()
        taken = [(await app.accept(ANA, app.message(word, id=word))).outcome for word in ("two", "three", "four")]
        again = await app.accept(ANA, app.message("three", id="three"))
        health = app.health()
        await bench.back(app, switch)

        assert taken == [Taken.ACCEPTED] * 3
        assert again.outcome is Taken.DUPLICATE
        assert (health.status, health.journal) == ("degraded", 3)
        assert await heard(app) == ["one", "two", "three", "four"]
        view = await app.inspect(app.conversation(ANA))
        assert view is not None
        inputs = [said for entry in view.log for said in entry.inputs]
        assert [said.late for said in inputs] == [False, True, True, True]
        assert inputs[1].at_ms == received_ms


async def test_queue_starts_without_the_store(bench: Bench) -> None:
    """A start while the store is away takes messages, and works once the store is there."""
    app, switch = bench.server("queue")
    switch.is_away = True
    async with app.running():
        await app.accept(ANA, app.message("one", id="m1"))
        assert app.health().status == "degraded"
        await bench.back(app, switch)

        assert await heard(app) == ["one"]


async def test_queue_keeps_the_order_while_it_replays(bench: Bench) -> None:
    """The store is back, but a message in the journal cannot be taken yet: a newer one does not overtake it."""
    app, switch = bench.server("queue")
    async with app.running():
        await bench.away(app, switch)
        await app.accept(ANA, app.message("one", id="one"))
        await app.accept(ANA, app.message("two", id="two"))
        switch.is_away = False
        await bench.until(lambda: app.health().since_ms is None)
        late = [await app.accept(ANA, app.message(f"new {number}", id=f"n{number}")) for number in range(5)]
        await bench.until(lambda: app.health().journal == 0)

        assert all(accepted.durable for accepted in late)
        assert await heard(app) == ["one", "two", "new 0", "new 1", "new 2", "new 3", "new 4"]


async def test_a_message_whose_answer_was_lost_counts_once(bench: Bench) -> None:
    """The store took it, nobody heard; it goes into the journal too, and the store recognises it."""
    app, switch = bench.server("queue", failures=2)
    async with app.running():
        switch.cuts = 4
        accepted = await app.accept(ANA, app.message("one", id="m1"))
        await bench.until(lambda: app.health().journal == 0)
        bench.clock.advance(SETTINGS.lease)

        assert accepted.outcome is Taken.ACCEPTED
        assert await heard(app) == ["one"]


async def test_a_killed_process_leaves_its_journal_to_the_next(bench: Bench) -> None:
    """Killed while the store was away: whoever starts next has the messages, and the file is gone afterwards."""
    app, switch = bench.server("queue")
    switch.is_away = True
    await app.start()
    await app.accept(ANA, app.message("one", id="m1"))
    await app.accept(BEN, app.message("uno", id="m1"))
    await app.stop()
    left = sorted(bench.folder.glob("journal-*.db"))
    heir, other = bench.server("queue")
    other.is_away = True
    async with heir.running():
        assert heir.health().journal == 2
        await heir.accept(ANA, heir.message("two", id="m2"))
        await bench.back(heir, other)
        assert await heard(heir) == ["one", "two"]
        assert await heard(heir, BEN) == ["uno"]

    assert len(left) == 1
    assert list(bench.folder.glob("journal-*")) == []


async def test_the_journal_of_a_living_process_is_left_alone(bench: Bench) -> None:
    """Two processes share the folder; each has its own file, and neither takes the other's messages."""
    first, first_switch = bench.server("queue")
    second, second_switch = bench.server("queue")
    first_switch.is_away = second_switch.is_away = True
    async with first.running():
        await first.accept(ANA, first.message("one", id="m1"))
        async with second.running():
            await second.accept(ANA, second.message("two", id="m2"))

            assert (first.health().journal, second.health().journal) == (1, 1)

            await bench.back(first, first_switch)
            await bench.back(second, second_switch)
            assert sorted(await heard(first)) == ["one", "two"]


async def test_a_dead_neighbours_journal_is_taken_over_while_running(bench: Bench) -> None:
    """A process that lives looks for what another one left behind."""
    app, switch = bench.server("queue")
    neighbour, its_switch = bench.server("queue")
    async with app.running():
        its_switch.is_away = True
        await neighbour.start()
        await neighbour.accept(ANA, neighbour.message("one", id="m1"))
        await neighbour.stop()
        bench.clock.advance(timedelta(seconds=10))
        await bench.until(lambda: not list(bench.folder.glob("journal-*.db"))[1:])
        await bench.until_heard(app, ["one"])

        assert not switch.is_away


async def test_a_full_journal_refuses_and_writes_nothing(bench: Bench) -> None:
    """Beyond its limit a message is refused; those in it are applied."""
    app, switch = bench.server("queue", journal_messages=2)
    async with app.running():
        await bench.away(app, switch)
        await app.accept(ANA, app.message("one", id="one"))
        await app.accept(ANA, app.message("two", id="two"))
        with pytest.raises(StoreFullError, match="journal_messages"):
            await app.accept(ANA, app.message("three", id="three"))
        await bench.back(app, switch)

        assert await heard(app) == ["one", "two"]


async def test_a_full_disk_refuses_and_the_rest_is_applied(bench: Bench) -> None:
    """What was acknowledged stays; what the disk has no room for is refused, and taken when there is room."""
    app, switch = bench.server("queue")
    async with app.running():
        await bench.away(app, switch)
        await app.accept(ANA, app.message("one", id="one"))
        reception = app._reception  # noqa: SLF001 - SQLite's limit belongs to the connection that writes
        assert isinstance(reception, Queueing)
        journal = reception._journal  # noqa: SLF001
        assert journal is not None
        await journal._run(lambda: journal._connection.execute("PRAGMA max_page_count = 1").fetchone())  # noqa: SLF001
        with pytest.raises(StoreFullError, match="disk"):
            await asyncio.gather(*(app.accept(ANA, app.message("x" * 9_000, id=f"x{n}")) for n in range(10)))
        taken = app.health().journal
        await bench.back(app, switch)

        words = await heard(app)
        assert words[0] == "one"
        assert len(words) == taken


async def test_more_messages_than_an_inbox_holds_are_applied_in_order(bench: Bench) -> None:
    """The inbox is full in the middle of the replay, behind a turn that lasts; it waits, and nothing is skipped."""
    flow, gate = Flow("counting", Heard, start="listening"), asyncio.Event()

    @flow.unknown
    async def listen(turn: Turn[Heard]) -> None:
        await gate.wait()
        turn.state.words.append(turn.text)

    app, switch = bench.server("queue", flow=flow)
    words = [f"word {number}" for number in range(MAX_INBOX + 30)]
    async with app.running():
        await bench.away(app, switch)
        for word in words:
            await app.accept(ANA, app.message(word, id=word))
        switch.is_away = False
        await bench.until(lambda: app.health().since_ms is None)
        await filled(app, left=30)
        gate.set()
        await bench.back(app, switch)

        assert await heard(app) == words


async def filled(app: App, *, left: int) -> None:
    """Return once a replay has no more than so many messages left. The clock stands still, and no lease ends."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (app.health().journal or 0) > left:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0)


async def test_what_no_store_takes_is_refused_at_the_door(bench: Bench) -> None:
    """A message that is too large would stay in the journal for ever."""
    app, switch = bench.server("queue")
    async with app.running():
        await bench.away(app, switch)
        large = Message(id="m1", kind=app.message("x").kind, text="x" * 300_000, data=NOTHING)
        with pytest.raises(LimitError):
            await app.accept(ANA, large)

        assert app.health().journal == 0


async def test_handle_waits_for_the_store_as_long_as_it_may(bench: Bench) -> None:
    """Accepted, not done: the replies come later. If the store is back in time, they are there."""
    app, switch = bench.server("queue")
    async with app.running():
        await bench.away(app, switch)
        soon = await app.handle(ANA, app.message("one", id="m1"), within=timedelta(milliseconds=20))
        waiting = asyncio.create_task(app.handle(ANA, app.message("two", id="m2"), within=timedelta(seconds=20)))
        await bench.until(lambda: app.health().journal == 2)
        await bench.back(app, switch)
        later = await waiting

        assert (soon.outcome, soon.done) == (Taken.ACCEPTED, False)
        assert later.replies == ("2: two",)


async def test_an_outage_is_told_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """One warning when it begins, one line when it is over, never a line per message."""
    caplog.set_level(logging.INFO, "turnkeeper.outage")
    app, switch = bench.server("queue")
    async with app.running():
        await bench.away(app, switch)
        for number in range(50):
            await app.accept(ANA, app.message(f"word {number}", id=f"m{number}"))
        await bench.back(app, switch)
        await bench.until(lambda: "journal_replayed" in caplog.messages)

    told = [record.message for record in caplog.records if record.name.startswith("turnkeeper.outage")]
    assert sorted(told) == ["journal_replayed", "store_away", "store_back"]


async def test_a_folder_that_cannot_be_written_is_told_at_the_start(bench: Bench) -> None:
    """Better no start than a promise that cannot be kept."""
    bench.folder.write_text("a file")
    app, _ = bench.server("queue")

    with pytest.raises(StoreUnreadableError, match="Outage"):
        await app.start()
