"""Timers: set, replaced, cancelled, fired once; silence noticed; conversations forgotten with a last word."""

from datetime import timedelta

import pytest

from tests.unit.flow_harness import START_MS, World
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.plan import Retention
from turnkeeper.dialogue.turn import Turn
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.model.message import Kind
from turnkeeper.model.struct import Struct

pytestmark = pytest.mark.anyio

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Diary(Struct):
    """What timers left behind."""

    notes: list[str] = []


def diary(*, retention: Retention = "sliding", with_forget: bool = True) -> Flow[Diary]:
    """Return a flow that reminds, notices silence and says goodbye."""
    flow = Flow(
        "diary",
        Diary,
        start="open",
        intents=(
            Intent("remind", ("remind me in {hours} hours",)),
            Intent("cancel", ("forget it",)),
            Intent("hi", ("hi",)),
        ),
        quiet_after=timedelta(hours=2),
        forget_after=timedelta(days=30),
        retention=retention,
    )

    @flow.on("remind")
    async def remind(turn: Turn[Diary]) -> None:
        turn.after(timedelta(hours=int(turn.slots["hours"])), "reminder", {"hours": turn.slots["hours"]})

    @flow.on("cancel")
    async def cancel(turn: Turn[Diary]) -> None:
        turn.state.notes.append(f"cancelled {turn.cancel('reminder')}")

    @flow.on("hi")
    async def hi(turn: Turn[Diary]) -> None:
        turn.state.notes.append(f"quiet for {turn.quiet_for}")

    @flow.timer("reminder", when="open")
    async def reminder(turn: Turn[Diary], value: dict[str, str]) -> None:
        turn.reply(f"You wanted to hear from me after {value['hours']} hours.")

    @flow.on_quiet(to="quiet")
    async def quiet(turn: Turn[Diary]) -> None:
        turn.reply("Still there?")

    if with_forget:

        @flow.on_forget()
        async def goodbye(turn: Turn[Diary]) -> None:
            turn.reply("Goodbye!")

    return flow


async def test_a_timer_comes_back_with_its_value() -> None:
    """On the way that the person used last; it renews nothing."""
    world = World(diary())
    await world.says("remind me in 1 hours")
    world.pass_time(timedelta(hours=1))

    replies = await world.fires_timers()

    assert replies == ["You wanted to hear from me after 1 hours."]
    assert world.sent[-1].channel == "sms"
    assert world.talk.drafts[-1].active is False
    assert world.talk.last.intent == "reminder"


async def test_a_timer_of_the_same_name_replaces_the_earlier_one() -> None:
    """There is one reminder, not two."""
    world = World(diary())
    await world.says("remind me in 1 hours")

    await world.says("remind me in 3 hours")

    assert world.talk.timers()["reminder"].due_ms == START_MS + 3 * HOUR_MS
    assert len([timer for timer in world.talk.thread.timers if timer.name == "reminder"]) == 1


async def test_a_cancelled_timer_does_not_fire() -> None:
    """And cancelling what is not there says so."""
    world = World(diary())
    await world.says("remind me in 1 hours")

    await world.says("forget it")
    await world.says("forget it")

    assert "reminder" not in world.talk.timers()
    assert world.talk.model.notes == ["cancelled True", "cancelled False"]


async def test_a_replaced_timer_that_was_already_on_its_way_is_dropped() -> None:
    """It may lie in the inbox while it is replaced."""
    world = World(diary())
    await world.says("remind me in 1 hours")
    old = world.talk.timers()["reminder"]
    await world.says("remind me in 3 hours")

    replies = await world.talk.turn(world.message("reminder", Kind.TIMER, source=old.id))

    assert replies == []
    assert world.talk.last.note == "dropped"


async def test_a_timer_in_another_status_is_dropped() -> None:
    """Where no handler takes it, it belongs to something that is over."""
    world = World(diary())
    await world.says("remind me in 3 hours")
    world.pass_time(timedelta(hours=3))

    replies = await world.fires_timers()

    assert replies == ["Still there?"]
    assert world.talk.last.note == "dropped"


async def test_silence_is_noticed_once() -> None:
    """Each message starts the count anew; after the notice nothing more comes."""
    world = World(diary())
    await world.says("hi")
    world.pass_time(timedelta(hours=1, minutes=59))
    await world.says("hi")
    world.pass_time(timedelta(hours=1, minutes=59))
    early = await world.fires_timers()
    world.pass_time(timedelta(minutes=1))

    noticed = await world.fires_timers()
    world.pass_time(timedelta(hours=10))
    later = await world.fires_timers()

    assert (early, noticed, later) == ([], ["Still there?"], [])
    assert world.talk.status == "quiet"


async def test_a_quiet_timer_that_is_early_waits_for_the_rest() -> None:
    """The last activity is checked again when it fires: a touch may have come between."""
    world = World(diary())
    await world.says("hi")
    timer = world.talk.timers()["_quiet"]
    world.pass_time(timedelta(hours=1))
    await world.admin("touch")
    world.pass_time(timedelta(hours=1))
    del world.talk.pending[timer.id]

    replies = await world.talk.turn(world.message("_quiet", Kind.TIMER, source=timer.id))

    assert replies == []
    assert world.talk.timers()["_quiet"].due_ms == world.now_ms + HOUR_MS
    assert world.talk.last.note == "not_quiet"


async def test_a_conversation_is_forgotten_with_a_last_word() -> None:
    """The handler runs, its reply is sent, state and timers are gone."""
    world = World(diary())
    await world.says("hi")
    world.pass_time(timedelta(hours=3))
    await world.fires_timers()
    world.pass_time(timedelta(days=30))

    replies = await world.fires_timers()

    assert replies == ["Goodbye!"]
    assert world.talk.state is None
    assert world.talk.drafts[-1].forget is True
    assert world.talk.timers() == {}


async def test_sliding_retention_counts_from_the_last_activity() -> None:
    """Fixed retention from the beginning, however much is said."""
    sliding, fixed = World(diary()), World(diary(retention="fixed"))
    for world in (sliding, fixed):
        await world.says("hi")
        world.pass_time(timedelta(days=1))
        await world.says("hi")

    assert sliding.talk.timers()["_forget"].due_ms == START_MS + 31 * DAY_MS
    assert fixed.talk.timers()["_forget"].due_ms == START_MS + 30 * DAY_MS
    assert (sliding.talk.drafts[-1].slide, fixed.talk.drafts[-1].slide) == (True, False)
    assert sliding.talk.drafts[-1].retain_ms == 30 * DAY_MS


async def test_without_on_forget_there_is_no_timer() -> None:
    """Retention is the store's affair then, and costs nothing."""
    world = World(diary(with_forget=False))

    await world.says("hi")

    assert set(world.talk.timers()) == {"_quiet"}


async def test_touch_renews_and_changes_nothing() -> None:
    """No new version, no handler, but the retention counts anew."""
    world = World(diary())
    await world.says("hi")
    version = world.talk.version

    await world.admin("touch")

    draft = world.talk.drafts[-1]
    assert (draft.state, draft.active, draft.retain_ms) == (None, True, 30 * DAY_MS)
    assert world.talk.version == version
    assert world.talk.status == "open"


async def test_how_long_it_was_quiet_is_known() -> None:
    """From the last turn that somebody outside caused."""
    world = World(diary())
    await world.says("hi")
    world.pass_time(timedelta(minutes=7))

    await world.says("hi")

    assert world.talk.model.notes == ["quiet for None", "quiet for 0:07:00"]


async def test_a_timer_set_and_cancelled_over_an_earlier_one_cancels_both() -> None:
    """The one that the store still holds must not fire instead."""
    flow = diary()

    @flow.action("twist")
    async def twist(turn: Turn[Diary]) -> None:
        turn.after(timedelta(hours=5), "reminder", {"hours": "5"})
        turn.cancel("reminder")

    world = World(flow)
    await world.says("remind me in 1 hours")

    await world.presses("twist")

    assert "reminder" not in world.talk.timers()


async def test_a_pending_question_outlives_a_timer_that_stays_in_the_status() -> None:
    """And ends with the status in which it was asked."""
    flow = diary()

    @flow.action("ask")
    async def ask(turn: Turn[Diary]) -> None:
        turn.ask("Shall I?", question="shall")
        turn.after(timedelta(minutes=1), "reminder", {"hours": "0"})

    @flow.on("affirmative", question="shall")
    async def yes(turn: Turn[Diary]) -> None:
        turn.reply("I shall.")

    world = World(flow)
    await world.presses("ask")
    world.pass_time(timedelta(minutes=1))
    await world.fires_timers()
    after_reminder = world.talk.thread.question
    world.pass_time(timedelta(hours=2))
    await world.fires_timers()

    assert after_reminder is not None
    assert world.talk.status == "quiet"
    assert world.talk.thread.question is None
