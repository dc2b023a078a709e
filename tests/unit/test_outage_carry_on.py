"""The policy `carry_on`: conversations go on here, come back into the store, and never overwrite anybody."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.outage_bench import ANA, BEN, SETTINGS, TICK, Bench, Heard, Switch, heard
from turnkeeper import Flow, Job, JobFailed, Ref, Retry, Struct, Turn, minutes, seconds
from turnkeeper.engine.results import Taken
from turnkeeper.errors import StoreFullError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage import StoreDownError
from turnkeeper.outage.carry.writing_back import WayBack, WriteBack
from turnkeeper.ports.channel import Outgoing, Sent
from turnkeeper.testing.channel import FakeChannel

pytestmark = pytest.mark.anyio

WITHIN = timedelta(seconds=20)


class Kept(Struct):
    """A large text, kept apart."""

    text: Ref[str] | None = None


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a store, a clock and a folder."""
    return Bench(tmp_path / "local")


async def test_a_conversation_goes_on_and_comes_back(bench: Bench) -> None:
    """Answered from what this process knows; afterwards the store has the state, the log and the message ids."""
    app, switch = bench.server("carry_on")
    async with app.running():
        await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        second = await app.handle(ANA, app.message("two", id="m2"), within=WITHIN)
        third = await app.handle(ANA, app.message("three", id="m3"), within=WITHIN)
        health = app.health()
        lines = [line.text for line in await app.thread(ANA)]
        await bench.back(app, switch)

        assert (second.replies, third.replies) == (("2: two",), ("3: three",))
        assert (health.status, health.carried) == ("degraded", 1)
        assert lines == ["two", "2: two", "three", "3: three"]
        assert await heard(app) == ["one", "two", "three"]
        assert (await app.accept(ANA, app.message("two", id="m2"))).outcome is Taken.DUPLICATE
        fourth = await app.handle(ANA, app.message("four", id="m4"), within=WITHIN)
        assert fourth.replies == ("4: four",)
        view = await app.inspect(app.conversation(ANA))
        assert view is not None
        assert [said.id for entry in view.log for said in entry.inputs] == ["m1", "m2", "m3", "m4"]
        assert [entry.note for entry in view.log] == ["", "carried_on", ""]
    assert list(bench.folder.iterdir()) == []


async def test_one_outage_after_the_other(bench: Bench) -> None:
    """The store goes away again before anybody said a word: what was written back is known."""
    app, switch = bench.server("carry_on")
    async with app.running():
        await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        for word in ("two", "three", "four"):
            await bench.away(app, switch)
            await app.handle(ANA, app.message(word, id=word), within=WITHIN)
            await bench.back(app, switch)

        assert await heard(app) == ["one", "two", "three", "four"]
        assert app.health().conflicts == 0


async def test_a_person_who_is_not_known_begins_anew(bench: Bench) -> None:
    """Nobody spoke before: the conversation begins here and is the store's afterwards, without a conflict."""
    app, switch = bench.server("carry_on")
    async with app.running():
        await bench.away(app, switch)
        handled = await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        await bench.back(app, switch)

        assert handled.replies == ("1: one",)
        assert await heard(app) == ["one"]
        assert app.health().conflicts == 0


async def test_it_starts_without_the_store(bench: Bench) -> None:
    """A start while the store is away talks at once."""
    app, switch = bench.server("carry_on")
    switch.is_away = True
    async with app.running():
        handled = await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        await bench.back(app, switch)

        assert handled.replies == ("1: one",)
        assert await heard(app) == ["one"]


async def test_a_turn_that_was_running_is_answered_here(bench: Bench) -> None:
    """The message was in the store when it went away, its commit was refused: the turn runs here, once for all."""
    gate = asyncio.Event()
    flow = Flow("counting", Heard, start="listening")

    @flow.unknown
    async def listen(turn: Turn[Heard]) -> None:
        """Wait for the gate at the first word."""
        if turn.text == "slow":
            await gate.wait()
        turn.state.words.append(turn.text)
        turn.reply(f"{len(turn.state.words)}: {turn.text}")

    sms = FakeChannel("sms")
    app, switch = bench.server("carry_on", sms, flow=flow)
    async with app.running():
        await app.accept(ANA, app.message("slow", id="m1", channel="sms"))
        await app.accept(ANA, app.message("behind", id="m2", channel="sms"))
        await bench.away(app, switch)
        gate.set()
        await bench.until(lambda: len(sms.texts) == 2)
        await bench.back(app, switch)

        assert await heard(app) == ["slow", "behind"]
        bench.clock.advance(SETTINGS.lease + SETTINGS.send_lease)
        assert await heard(app) == ["slow", "behind"]
        assert app.health().conflicts == 0
    assert sms.texts == ["1: slow", "2: behind"]


async def test_it_comes_back_only_when_its_turn_is_over(bench: Bench) -> None:
    """The store is back in the middle of a turn here, and the same turn ends on the store's side: it counts once."""
    gate = asyncio.Event()
    flow = Flow("counting", Heard, start="listening")

    @flow.unknown
    async def listen(turn: Turn[Heard]) -> None:
        """Wait for the gate."""
        await gate.wait()
        turn.state.words.append(turn.text)
        turn.reply(f"{len(turn.state.words)}: {turn.text}")

    sms = FakeChannel("sms")
    app, switch = bench.server("carry_on", sms, flow=flow)
    async with app.running():
        await app.accept(ANA, app.message("slow", id="m1", channel="sms"))
        await bench.away(app, switch)
        await bench.until(lambda: app.health().carried == 1)
        switch.is_away = False
        await bench.until(lambda: app.health().since_ms is None)
        for _ in range(20):
            bench.clock.advance(TICK)
            await asyncio.sleep(0.002)
        carried = app.health().carried
        gate.set()
        await bench.back(app, switch)

        assert carried == 1
        assert await heard(app) == ["slow"]
        assert app.health().conflicts == 0
    assert sms.texts == ["1: slow"]


async def test_a_commit_whose_answer_was_lost_is_answered_once(bench: Bench) -> None:
    """The store has the turn, nobody heard; its replies are sent here, and not again by the store."""
    sms = FakeChannel("sms")
    flow = Flow("counting", Heard, start="listening")
    switches: list[Switch] = []

    @flow.unknown
    async def listen(turn: Turn[Heard]) -> None:
        """Let the answer to its commit be the last one, and lost."""
        if turn.text == "cut":
            switches[0].cuts, switches[0].goes = 1, True
        turn.state.words.append(turn.text)
        turn.reply(f"{len(turn.state.words)}: {turn.text}")

    app, switch = bench.server("carry_on", sms, flow=flow)
    switches.append(switch)
    async with app.running():
        await app.accept(ANA, app.message("one", id="m1", channel="sms"))
        assert await app.at_rest(ANA, within=WITHIN)  # else its reply may be sent again, marked
        await app.accept(ANA, app.message("cut", id="m2", channel="sms"))
        await bench.until(lambda: app.health().since_ms is not None)
        await bench.until(lambda: len(sms.texts) == 2)
        await app.handle(ANA, app.message("three", id="m3", channel="sms"), within=WITHIN)
        await bench.back(app, switch)
        bench.clock.advance(SETTINGS.lease + SETTINGS.send_lease)

        assert await heard(app) == ["one", "cut", "three"]
        assert app.health().conflicts == 0
    assert sms.texts == ["1: one", "2: cut", "3: three"]


class SlowGateway(FakeChannel):
    """A gateway that takes its time, with one text or with all."""

    def __init__(self, *, slow: str = "") -> None:
        super().__init__("sms")
        self.slow = slow
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """Send, when it may."""
        self.is_asked.set()
        if outgoing.reply.text == self.slow or not self.slow:
            await self.may_answer.wait()
        return await super().send(outgoing)


async def test_a_reply_behind_one_that_is_being_sent_goes_out_here(bench: Bench) -> None:
    """It was committed, its lane is this process's own: nobody waits for the store, and nothing is sent twice."""
    sms = SlowGateway()
    app, switch = bench.server("carry_on", sms)
    async with app.running():
        await app.accept(ANA, app.message("one", id="m1", channel="sms"))
        await sms.is_asked.wait()
        assert (await app.handle(ANA, app.message("two", id="m2", channel="sms"), within=WITHIN)).done
        await bench.gone(app, switch)
        sms.may_answer.set()
        await bench.until(lambda: len(sms.texts) == 2)
        await bench.back(app, switch)
        bench.clock.advance(SETTINGS.lease + SETTINGS.send_lease)

        assert await heard(app) == ["one", "two"]
        assert app.health().conflicts == 0
    assert sorted(sms.texts) == ["1: one", "2: two"]


async def test_a_reply_that_is_answered_for_during_the_way_back_is_not_sent_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its verdict comes when the way back no longer looks for it, and the conversation is still fenced off."""
    sms = SlowGateway(slow="1: one")
    app, switch = bench.server("carry_on", sms)
    attempt = WriteBack.attempt

    async def attempt_and_be_answered(
        back: WriteBack, conversation: ConversationId, *, done: frozenset[str]
    ) -> WayBack:
        way = await attempt(back, conversation, done=done)
        sms.may_answer.set()
        await bench.until(lambda: "1: one" in sms.texts)
        for _ in range(20):  # its verdict takes a few steps of the loop
            await asyncio.sleep(0)
        return way

    monkeypatch.setattr(WriteBack, "attempt", attempt_and_be_answered)
    async with app.running():
        await app.accept(ANA, app.message("one", id="m1", channel="sms"))
        await sms.is_asked.wait()
        assert (await app.handle(ANA, app.message("two", id="m2", channel="sms"), within=WITHIN)).done
        await bench.gone(app, switch)
        await bench.until(lambda: sms.texts == ["2: two"])
        await bench.back(app, switch)
        bench.clock.advance(SETTINGS.lease + SETTINGS.send_lease)
        assert await heard(app) == ["one", "two"]
    assert sorted(sms.texts) == ["1: one", "2: two"]


async def test_jobs_and_timers_run_here_and_what_is_left_goes_back(bench: Bench) -> None:
    """A job of the outage ends in it; a timer for later is the store's afterwards and rings once."""
    flow = Flow("counting", Heard, start="listening")

    @flow.job(retry=Retry(attempts=2, delay=seconds(1)), timeout=minutes(5))
    async def shout(job: Job, text: str) -> str:
        """Shout."""
        return text.upper()

    @flow.unknown
    async def listen(turn: Turn[Heard]) -> None:
        """Start a job and a timer."""
        turn.state.words.append(turn.text)
        turn.start(shout, turn.text)
        turn.after(minutes(30), "ring")

    @flow.result(shout)
    async def shouted(turn: Turn[Heard], text: str) -> None:
        """Note it."""
        turn.state.words.append(text)

    @flow.failed(shout)
    async def not_shouted(turn: Turn[Heard], failed: JobFailed) -> None:
        """Note that."""
        turn.state.words.append("failed")

    @flow.timer("ring")
    async def rang(turn: Turn[Heard]) -> None:
        """Note it."""
        turn.state.words.append("rang")

    app, switch = bench.server("carry_on", flow=flow)
    async with app.running():
        await bench.away(app, switch)
        await app.accept(ANA, app.message("hush", id="m1"))
        await bench.back(app, switch)
        assert await heard(app) == ["hush", "HUSH"]
        bench.clock.advance(timedelta(minutes=30))
        await bench.until_heard(app, ["hush", "HUSH", "rang"])


async def test_a_killed_process_goes_on_from_its_file(bench: Bench) -> None:
    """The process dies in the outage; the next one goes on where it was, and writes all of it back."""
    app, switch = bench.server("carry_on")
    await app.start()
    await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
    await bench.away(app, switch)
    await app.handle(ANA, app.message("two", id="m2"), within=WITHIN)
    await app.stop()
    heir, other = bench.server("carry_on")
    other.is_away = True
    async with heir.running():
        again = await heir.handle(ANA, heir.message("two", id="m2"), within=WITHIN)
        third = await heir.handle(ANA, heir.message("three", id="m3"), within=WITHIN)
        await bench.back(heir, other)

        assert again.outcome is Taken.DUPLICATE
        assert third.replies == ("3: three",)
        assert await heard(heir) == ["one", "two", "three"]
        assert heir.health().conflicts == 0
    assert list(bench.folder.iterdir()) == []


async def test_a_large_part_is_there_and_a_new_one_comes_back(bench: Bench) -> None:
    """What the state refers to is remembered with it; what is stored here is the store's afterwards."""
    flow = Flow("keeping", Kept, start="listening")

    @flow.unknown
    async def keep(turn: Turn[Kept]) -> None:
        """Read the old part, and store a new one."""
        before = await turn.load(turn.state.text) if turn.state.text is not None else ""
        turn.state.text = turn.ref(before + turn.text)
        turn.reply(before + turn.text)

    app, switch = bench.server("carry_on", flow=flow)
    async with app.running():
        await app.handle(ANA, app.message("one ", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        second = await app.handle(ANA, app.message("two ", id="m2"), within=WITHIN)
        await bench.back(app, switch)
        third = await app.handle(ANA, app.message("three ", id="m3"), within=WITHIN)

        assert second.replies == ("one two ",)
        assert third.replies == ("one two three ",)
        assert app.health().conflicts == 0


async def test_a_living_neighbours_conversations_are_left_alone(bench: Bench) -> None:
    """Two processes share the folder: each carries its own people, and both write back."""
    app, switch = bench.server("carry_on")
    neighbour, its_switch = bench.server("carry_on")
    async with app.running(), neighbour.running():
        await bench.away(app, switch)
        await bench.away(neighbour, its_switch)
        await app.handle(ANA, app.message("here", id="m1"), within=WITHIN)
        await neighbour.handle(BEN, neighbour.message("there", id="m1"), within=WITHIN)
        bench.clock.advance(timedelta(seconds=10))
        await asyncio.sleep(0.05)
        counts = (app.health().carried, neighbour.health().carried)
        await bench.back(app, switch)
        await bench.back(neighbour, its_switch)

        assert counts == (1, 1)
        assert await heard(app) == ["here"]
        assert await heard(app, BEN) == ["there"]


async def test_more_conversations_than_may_live_here_are_refused(bench: Bench) -> None:
    """Beyond the limit a message is refused as under `fail`; those that live here go on."""
    app, switch = bench.server("carry_on", carried_conversations=1)
    async with app.running():
        await bench.away(app, switch)
        await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        with pytest.raises(StoreFullError, match="carried_conversations"):
            await app.accept(BEN, app.message("uno", id="m1"))
        again = await app.handle(ANA, app.message("two", id="m2"), within=WITHIN)

        assert again.replies == ("2: two",)


async def test_a_stop_that_was_heard_here_counts_everywhere(bench: Bench) -> None:
    """STOP in the outage: the store knows it afterwards."""
    app, switch = bench.server("carry_on")
    async with app.running():
        await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        await app.handle(ANA, app.message("STOP", id="m2"), within=WITHIN)
        await bench.back(app, switch)

        view = await app.inspect(app.conversation(ANA))
        assert view is not None
        assert view.exported.opted_out


async def test_many_conversations_at_once(bench: Bench) -> None:
    """Forty people talk on; each finds the conversation as it was left, in the store."""
    app, switch = bench.server("carry_on")
    people = [f"+1555123{number:04d}" for number in range(40)]
    async with app.running():
        for person in people[:20]:
            await app.handle(person, app.message("before", id="m0"), within=WITHIN)
        await bench.away(app, switch)
        await asyncio.gather(*(app.handle(one, app.message("during", id="m1"), within=WITHIN) for one in people))
        await bench.back(app, switch)

        for number, person in enumerate(people):
            assert await heard(app, person) == (["before", "during"] if number < 20 else ["during"])
        assert app.health().conflicts == 0


async def test_an_outage_is_told_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """One warning when it begins, a line when it is over, never a line per message."""
    caplog.set_level(logging.INFO, "turnkeeper.outage")
    app, switch = bench.server("carry_on")
    async with app.running():
        await bench.away(app, switch)
        for number in range(20):
            await app.handle(BEN, app.message(f"word {number}", id=f"m{number}"), within=WITHIN)
        await bench.back(app, switch)
        await bench.until(lambda: "carried_back" in caplog.messages)

    told = [record.message for record in caplog.records if record.name.startswith("turnkeeper.outage")]
    assert sorted(told) == ["carried_back", "carrying_on", "store_away", "store_back"]


async def test_the_store_can_still_be_asked_for_nothing(bench: Bench) -> None:
    """Looking at the store itself fails at once and says why: only conversations of here can be shown."""
    app, switch = bench.server("carry_on")
    async with app.running():
        await bench.away(app, switch)

        with pytest.raises(StoreDownError):
            await app.info()
