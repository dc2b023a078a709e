"""What happens while something else is awaited: moments of the way out and back in which something was lost once."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.unit.outage_bench import ANA, BEN, SETTINGS, TICK, Bench, Heard, counting_flow, heard
from turnkeeper import Flow, Turn
from turnkeeper.engine.results import Accepted
from turnkeeper.engine.wire import encode
from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage.carry.local import LocalSide, Place
from turnkeeper.outage.carry.writing_back import WayBack, WriteBack
from turnkeeper.ports.channel import Outgoing, Sent
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

    async def fail_twice(name: str, _: str) -> None:
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

    async def go_away(name: str, _: str) -> None:
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


async def test_a_message_for_somebody_else_goes_where_they_live(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Two places of one process: what a conversation of the one forwards arrives in the other, or in the store."""
    caplog.set_level(logging.INFO, "turnkeeper.outage")
    flow = counting_flow()
    flow.several_people(greeting="Hi {name}!")
    old, its_switch = bench.server("carry_on", flow=flow)
    new, switch = bench.server("carry_on", flow=flow)
    await old.start()
    await bench.away(old, its_switch)
    await old.handle(ANA, old.message("old", id="m1"), within=WITHIN)
    async with new.running():
        await bench.away(new, switch)
        await new.handle(BEN, new.message("hello", id="m2"), within=WITHIN)
        await old.stop()
        await bench.until(lambda: "carrying_adopted" in caplog.messages)
        await new.handle(ANA, new.message("This is Carl", id="m3"), within=WITHIN)
        await new.handle(ANA, new.message("mine", id="m4"), within=WITHIN)
        await bench.back(new, switch)

        carl = msgspec.structs.replace(new.conversation(ANA), member="carl")
        view = await new.inspect(carl)
        assert view is not None
        assert [said.text for entry in view.log for said in entry.inputs] == ["This is Carl", "mine"]
        assert new.health().conflicts == 0


async def test_a_conversation_never_moves_in_beside_an_older_copy_of_itself(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was adopted while it lived here, came back from here, and the store goes away before the copy is looked at."""
    caplog.set_level(logging.INFO, "turnkeeper.outage")
    old, its_switch = bench.server("carry_on")
    new, switch = bench.server("carry_on")
    close = LocalSide.close
    closed: list[Path] = []

    async def close_and_hear_more(side: LocalSide) -> None:
        await close(side)
        closed.append(side.path)
        if len(closed) == 1:
            await bench.gone(new, switch)
            accepting.append(asyncio.create_task(new.accept(ANA, new.message("again", id="m3"))))
            await asyncio.sleep(0)

    accepting: list[asyncio.Task[Accepted]] = []
    await old.start()
    await bench.away(old, its_switch)
    await old.handle(ANA, old.message("old", id="m1"), within=WITHIN)
    async with new.running():
        await bench.away(new, switch)
        await new.handle(ANA, new.message("new", id="m2"), within=WITHIN)
        await old.stop()
        await bench.until(lambda: "carrying_adopted" in caplog.messages)
        monkeypatch.setattr(LocalSide, "close", close_and_hear_more)
        switch.is_away = False
        await bench.until(lambda: len(closed) == 1 and len(accepting) == 1)
        assert (await accepting[0]).durable
        await bench.back(new, switch)
        await bench.until(lambda: new.health().conflicts == 1)

        assert await heard(new) == ["new", "again"]
        (conflict,), _ = await new.conflicts()
        assert b'"old"' in bytes(conflict.state)


async def test_what_is_taken_over_may_be_more_than_the_limit(bench: Bench) -> None:
    """The limit is for what comes: what is on the disk already is carried all the same, and comes back."""
    old, its_switch = bench.server("carry_on")
    await old.start()
    await bench.away(old, its_switch)
    for person in (ANA, BEN):
        await old.handle(person, old.message("one", id="m1"), within=WITHIN)
    await old.stop()
    heir, switch = bench.server("carry_on", carried_conversations=1)
    switch.is_away = True
    async with heir.running():
        carried = heir.health().carried
        await bench.back(heir, switch)

        assert carried == 2
        assert await heard(heir) == await heard(heir, BEN) == ["one"]


async def test_a_place_that_cannot_be_read_keeps_nobody_from_another_one(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Newer code may have left it: the application starts, says so, leaves it as it is and goes on with the rest."""
    old, its_switch = bench.server("carry_on")
    await old.start()
    await bench.away(old, its_switch)
    await old.handle(ANA, old.message("one", id="m1"), within=WITHIN)
    place = next(bench.folder.glob("carry-*.db"))
    await old.stop()
    owner = place.name.split("-")[1]
    broken = [bench.folder / f"carry-{owner}-{name}.db" for name in ("000000000000", "ffffffffffff")]
    for path in broken:
        path.write_bytes(b"not a database" * 1000)
    heir, switch = bench.server("carry_on")
    async with heir.running():
        await bench.until_heard(heir, ["one"])
        await bench.back(heir, switch)
    assert caplog.messages.count("place_not_adopted") >= 2
    assert [path.read_bytes()[:14] for path in broken] == [b"not a database"] * 2


async def test_what_was_erased_on_its_way_back_is_erased(bench: Bench) -> None:
    """Nobody knew the person before: the store erased nothing, and then the words of here arrived there."""
    app, switch = bench.server("carry_on")
    name = app.conversation(ANA)
    erasing: list[asyncio.Task[object]] = []
    answered: list[str] = []

    async def erase(called: str, _: str) -> None:
        if called == "begin" and not erasing:
            erasing.append(asyncio.create_task(app.store.turns.forget(name, person=True)))
            while "forget" not in answered:  # noqa: ASYNC110 - a few steps of the loop
                await asyncio.sleep(0)

    async def note(called: str, _: str) -> None:
        answered.append(called)

    async with app.running():
        await bench.away(app, switch)
        await app.handle(ANA, app.message("secret", id="m1"), within=WITHIN)
        switch.before, switch.after = erase, note
        await bench.back(app, switch)
        await erasing[0]

        assert await heard(app) == []
        assert [record for record in await bench.store.turns.history(name) if b"secret" in record.data] == []


class SlowFirst(FakeChannel):
    """A gateway that takes its time with the first text."""

    def __init__(self) -> None:
        super().__init__("sms")
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """Send, when it may."""
        self.is_asked.set()
        await self.may_answer.wait()
        return await super().send(outgoing)


async def test_a_reply_whose_claim_is_answered_after_it_was_sent_here_is_not_sent_again(bench: Bench) -> None:
    """The store hangs over a claim, counts as away, goes on, and answers: the reply is no longer its sender's."""
    sms = SlowFirst()
    app, switch = bench.server("carry_on", sms)
    claims: list[str] = []

    async def hang(name: str, _: str) -> None:
        if name == "claim" and not claims:
            claims.append(name)
            await bench.gone(app, switch)
            await app.accept(ANA, app.message("two", id="m3", channel="sms"))
            await bench.until(lambda: "3: two" in sms.texts)

    async with app.running():
        await app.accept(ANA, app.message("one", id="m1", channel="sms"))
        await sms.is_asked.wait()
        assert (await app.handle(ANA, app.message("behind", id="m2", channel="sms"), within=WITHIN)).done
        switch.after = hang
        sms.may_answer.set()
        await bench.until(lambda: bool(claims) and "3: two" in sms.texts)
        await bench.back(app, switch)
        bench.clock.advance(SETTINGS.lease + SETTINGS.send_lease)

        assert await heard(app) == ["one", "behind", "two"]
    assert sorted(sms.texts) == ["1: one", "2: behind", "3: two"]


async def test_what_may_be_in_the_store_is_not_said_to_be_nowhere(bench: Bench) -> None:
    """Its answers were lost there and there is no room here: nobody is told that nothing was written."""
    app, switch = bench.server("carry_on", carried_conversations=1, failures=100)
    async with app.running():
        switch.is_away = True
        await app.accept(BEN, app.message("one", id="m1"))
        switch.is_away, switch.cuts = False, 4

        with pytest.raises(OutcomeUnknownError):
            await app.accept(ANA, app.message("one", id="m1"))


async def test_a_turn_behind_one_that_forgot_everything_is_answered_here(bench: Bench) -> None:
    """It was handed out with that one's commit, and was running when the store went away."""
    gate = asyncio.Event()
    flow = Flow("counting", Heard, start="listening")

    @flow.unknown
    async def listen(turn: Turn[Heard]) -> None:
        """Forget everything, or wait."""
        if turn.text == "bye":
            await gate.wait()
            turn.forget()
            return
        running.append(turn.text)
        await may_end.wait()
        turn.state.words.append(turn.text)
        turn.reply(f"{len(turn.state.words)}: {turn.text}")

    running: list[str] = []
    may_end = asyncio.Event()
    sms = FakeChannel("sms")
    app, switch = bench.server("carry_on", sms, flow=flow)
    async with app.running():
        await app.accept(ANA, app.message("bye", id="m1", channel="sms"))
        await app.accept(ANA, app.message("hello", id="m2", channel="sms"))
        gate.set()
        await bench.until(lambda: bool(running))
        await bench.gone(app, switch)
        may_end.set()
        await bench.until(lambda: sms.texts == ["1: hello"])
        await bench.back(app, switch)
        bench.clock.advance(SETTINGS.lease + SETTINGS.send_lease)

        assert await heard(app) == ["hello"]
        assert app.health().conflicts == 0
    assert sms.texts == ["1: hello"]
