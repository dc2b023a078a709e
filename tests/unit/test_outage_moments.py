"""What happens while something else is awaited: moments of the way out and back in which something was lost once."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.outage_bench import ANA, BEN, TICK, Bench, Heard, heard
from turnkeeper import Flow, Turn
from turnkeeper.engine.wire import encode
from turnkeeper.errors import StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage.local import Place
from turnkeeper.outage.writing_back import WayBack, WriteBack
from turnkeeper.ports.turns import Begin, Incoming
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.testing.channel import FakeChannel

pytestmark = pytest.mark.anyio

WITHIN = timedelta(seconds=20)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a store, a clock and a folder."""
    return Bench(tmp_path / "local")


def gated_flow(gate: asyncio.Event, runs: list[str]) -> Flow[Heard]:
    """Return a flow that repeats every word, and waits for the gate before it does so with `slow`."""
    flow = Flow("counting", Heard, start="listening")

    @flow.unknown
    async def listen(turn: Turn[Heard]) -> None:
        """Repeat."""
        runs.append(turn.text)
        if turn.text == "slow":
            await gate.wait()
        turn.state.words.append(turn.text)
        turn.reply(f"{len(turn.state.words)}: {turn.text}")

    return flow


async def test_a_turn_that_ends_while_the_way_back_looks_is_not_run_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing new may begin meanwhile; what was begun ends, or its person would wait for a lease to run out."""
    gate, runs = asyncio.Event(), list[str]()
    sms = FakeChannel("sms")
    app, switch = bench.server("carry_on", sms, flow=gated_flow(gate, runs))
    attempt = WriteBack.attempt

    async def attempt_and_see_it_end(back: WriteBack, conversation: ConversationId, *, done: frozenset[str]) -> WayBack:
        gate.set()
        await bench.until(lambda: sms.texts == ["1: slow"])
        return await attempt(back, conversation, done=done)

    async with app.running():
        await bench.away(app, switch)
        await app.accept(ANA, app.message("slow", id="m1", channel="sms"))
        await bench.until(lambda: runs == ["slow"])
        monkeypatch.setattr(WriteBack, "attempt", attempt_and_see_it_end)
        await bench.back(app, switch)

        assert await heard(app) == ["slow"]
        assert app.health().conflicts == 0
    assert runs == ["slow"]


async def test_who_waits_for_the_answer_gets_it_however_soon_the_conversation_is_back(bench: Bench) -> None:
    """Two calls of the store fail and the next one works: the answer of here must not be gone by then."""
    app, switch = bench.server("carry_on")
    failures = iter(range(2))

    async def fail_twice(name: str) -> None:
        if name == "begin" and next(failures, None) is not None:
            raise StoreUnavailableError("just now")

    async def keep_ticking() -> None:
        while True:
            bench.clock.advance(TICK)
            await asyncio.sleep(0.001)

    async with app.running():
        switch.before = fail_twice
        ticking = asyncio.create_task(keep_ticking())
        handled = await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        ticking.cancel()

        assert (handled.done, handled.replies) == (True, ("1: one",))


async def test_a_store_that_goes_away_again_right_after_the_way_back_makes_no_conflict(bench: Bench) -> None:
    """It has what was said before, its answer was lost, and the person goes on here: nobody else moved it on."""
    sms = FakeChannel("sms")
    app, switch = bench.server("carry_on", sms)

    async def go_away(name: str) -> None:
        if name == "commit":
            switch.is_away = True
            switch.after = None
            raise StoreUnavailableError("its answer was lost")

    async with app.running():
        await app.handle(ANA, app.message("one", id="m1", channel="sms"), within=WITHIN)
        await bench.away(app, switch)
        await app.handle(ANA, app.message("two", id="m2", channel="sms"), within=WITHIN)
        switch.after = go_away
        switch.is_away = False
        await bench.until(lambda: switch.is_away)
        await app.handle(ANA, app.message("three", id="m3", channel="sms"), within=WITHIN)
        await bench.back(app, switch)

        assert app.health().conflicts == 0
        assert await heard(app) == ["one", "two", "three"]
        view = await app.inspect(app.conversation(ANA))
        assert view is not None
        assert [[said.text for said in entry.inputs] for entry in view.log] == [["one"], ["two"], ["three"]]
    assert sms.texts == ["1: one", "2: two", "3: three"]


async def test_a_full_disk_when_it_leaves_loses_no_state(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The conversation is erased here, and nothing else can be written: it lives in the store all the same."""
    app, switch = bench.server("carry_on")
    async with app.running():
        await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        await app.handle(ANA, app.message("two", id="m2"), within=WITHIN)
        store = app._reception.local(app.conversation(ANA))  # type: ignore[union-attr]  # noqa: SLF001
        assert isinstance(store, SqliteStore)

        async def full(*_: object, **__: object) -> bool:
            raise StoreUnavailableError("the disk is full")

        monkeypatch.setattr(store.documents, "delete", full)
        await bench.back(app, switch)
        await bench.away(app, switch)
        third = await app.handle(ANA, app.message("three", id="m3"), within=WITHIN)
        await bench.back(app, switch)

        assert third.replies == ("3: three",)
        assert await heard(app) == ["one", "two", "three"]


async def test_a_place_that_cannot_be_given_up_ends_no_way_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file cannot be removed: the next outage is written back as the one before."""
    app, switch = bench.server("carry_on")
    give_up = Place.give_up

    def fail(place: Place, *, is_empty: bool) -> None:
        monkeypatch.setattr(Place, "give_up", give_up)
        raise PermissionError(place.path)

    async with app.running():
        await bench.away(app, switch)
        await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        monkeypatch.setattr(Place, "give_up", fail)
        await bench.back(app, switch)
        await bench.until(lambda: Place.give_up is give_up)
        await bench.away(app, switch)
        await app.handle(ANA, app.message("two", id="m2"), within=WITHIN)
        await bench.back(app, switch)

        assert await heard(app) == ["one", "two"]


async def test_an_unreadable_message_in_the_store_stops_nobody(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Newer code took it in: it dies as it would have died there, which is told, and everybody comes back."""
    app, switch = bench.server("carry_on")
    async with app.running():
        for person in (ANA, BEN):
            await app.handle(person, app.message("one", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        for person in (ANA, BEN):
            await app.handle(person, app.message("two", id="m2"), within=WITHIN)
        broken = Incoming(id="broken", payload=b"\xff")
        await bench.store.turns.begin(
            Begin(conversation=app.conversation(ANA), token="gone", lease_ms=1, message=broken, run=False)
        )
        await bench.back(app, switch)

        assert await heard(app, BEN) == ["one", "two"]
        assert await heard(app) == ["one", "two"]
        (account,), _cursor = await app.conflicts()
        assert "failed for good here" in account.reason
    assert "write_back_broken" not in caplog.messages


async def test_a_slow_turn_of_the_stores_own_ends_although_the_way_back_waits_for_it(bench: Bench) -> None:
    """The conversation forked and a message waits there: its turn may take longer than the time between two looks."""
    gate, runs = asyncio.Event(), list[str]()
    app, switch = bench.server("carry_on", flow=gated_flow(gate, runs))
    other, _ = bench.server("fail", flow=gated_flow(gate, runs))
    async with app.running():
        await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        await app.handle(ANA, app.message("here", id="m2"), within=WITHIN)
        async with other.running():
            await other.handle(ANA, other.message("there", id="m3"), within=WITHIN)
        slow = Incoming(id="m4", payload=encode(app.message("slow", id="m4")))
        await bench.store.turns.begin(
            Begin(conversation=app.conversation(ANA), token="gone", lease_ms=1, message=slow, run=False)
        )
        switch.is_away = False
        await bench.until(lambda: "slow" in runs)
        for _ in range(50):  # ten looks
            bench.clock.advance(TICK)
            await asyncio.sleep(0.002)
        gate.set()
        await bench.back(app, switch)

        assert await heard(app) == ["one", "there", "slow"]
        assert app.health().conflicts == 1
    assert runs.count("slow") == 1
