"""STOP, START and YES: the person is left alone, at once and for good, until they come back."""

from datetime import timedelta

import msgspec
import pytest

from tests.unit.flow_dinners import Dinners, dinners
from tests.unit.flow_harness import World
from turnkeeper.dialogue.turn import Turn
from turnkeeper.model.message import Kind, TimerCall
from turnkeeper.ports.turns import EffectKind

pytestmark = pytest.mark.anyio


async def stopped() -> World:
    """Return a conversation whose person said STOP while a job ran."""
    world = World(dinners())
    await world.says("plan")
    await world.says("STOP")
    return world


async def test_stop_confirms_once_and_cancels_everything() -> None:
    """The status stays as it is, nothing of the conversation is alive."""
    world = World(dinners())
    await world.says("plan")

    replies = await world.says("Stop.")

    draft = world.talk.drafts[-1]
    assert replies == [world.program.plan.texts.opted_out]
    assert (draft.opt_out, draft.cancel_all, draft.active) == (True, True, True)
    assert [effect.kind for effect in draft.effects] == [EffectKind.REPLY]
    assert world.talk.status == "analyzing"
    assert world.talk.thread.jobs == ()
    assert world.talk.last.intent == "opt_out"


@pytest.mark.parametrize("words", ["STOP", "plan", "hello?", "help"])
async def test_afterwards_nobody_answers(words: str) -> None:
    """What is said is logged, no handler runs, the state stays."""
    world = await stopped()
    version, seen = world.talk.version, world.talk.model.seen

    replies = await world.says(words)

    assert replies == []
    assert (world.talk.version, world.talk.model.seen) == (version, seen)
    assert world.talk.last.note == "opted_out"
    assert world.talk.last.message == words


async def test_results_and_timers_of_before_are_dropped() -> None:
    """Even one that was under way when STOP came."""
    world = World(dinners())
    await world.says("plan")
    (job,) = world.talk.jobs()
    await world.says("STOP")

    replies = await world.works(job)

    assert replies == []
    assert world.talk.last.note == "dropped"


@pytest.mark.parametrize("words", ["START", "yes", "Unstop"])
async def test_start_or_yes_brings_the_person_back(words: str) -> None:
    """They are welcomed where they were, and can go on at once."""
    world = await stopped()

    replies = await world.says(words)
    then = await world.says("how much is it?")

    assert replies == [world.program.plan.texts.opted_in]
    assert world.talk.drafts[-2].opt_out is False
    assert then == ["It is free."]


async def test_start_and_yes_are_words_like_others_before_a_stop() -> None:
    """They opt in only who had opted out."""
    world = World(dinners())
    await world.says("plan")
    await world.works(world.talk.jobs()[0])

    start = await world.says("START")
    yes = await world.says("yes")

    assert "didn't get that" in start[0]
    assert yes == ["Confirmed!"]


async def test_a_plain_wish_to_be_left_alone_is_honoured() -> None:
    """The law asks for more than the reserved words."""
    world = World(dinners())

    replies = await world.says("please stop texting me")

    assert replies == [world.program.plan.texts.opted_out]
    assert world.opted_out


async def test_without_carrier_words_stop_is_a_word_like_others() -> None:
    """A web chat has no carrier."""
    world = World(dinners(carrier_words=False))

    replies = await world.says("stop")

    assert "didn't get that" in replies[0]
    assert not world.opted_out


async def test_an_operator_still_can_act() -> None:
    """Silence is towards the person; erasing and resetting go on."""
    world = await stopped()

    await world.admin("expire")

    assert world.talk.state is None
    assert world.talk.last.note == "forgotten"


async def test_what_is_to_be_forgotten_is_forgotten_in_silence_too() -> None:
    """The timer behind `on_forget` outlives a STOP; the person hears nothing of it."""
    flow = dinners()
    seen: list[str] = []

    @flow.on_forget()
    async def goodbye(turn: Turn[Dinners]) -> None:
        seen.append(turn.status)

    world = World(flow)
    await world.says("plan")
    await world.says("STOP")
    world.pass_time(timedelta(days=30))

    await world.fires_timers()

    assert seen == ["analyzing"]
    assert world.talk.state is None


async def test_silence_is_not_noticed_after_a_stop() -> None:
    """Nobody asks "still there?" of somebody who said STOP, not even of a text in the same burst."""
    flow = dinners()

    @flow.on_quiet()
    async def quiet(turn: Turn[Dinners]) -> None:
        turn.reply("Still there?")

    world = World(flow)
    await world.says("plan")

    replies = await world.talk.turn(world.message("STOP", Kind.OPT_OUT), world.message("and how much is it?"))

    assert replies == [world.program.plan.texts.opted_out]
    assert world.talk.timers() == {}


async def test_everything_logged_meanwhile_leaves_the_state_in_the_log() -> None:
    """However much is said to nobody: the newest state can be rebuilt."""
    world = await stopped()
    state = world.talk.state

    for number in range(130):
        await world.says(f"hello {number}")

    assert world.talk.state == state
    assert bytes(world.talk.entries[-1].full) == state
    assert msgspec.json.decode(world.talk.records[-1].data)["note"] == "opted_out"


async def test_a_timer_of_an_opted_out_person_is_dropped() -> None:
    """It was cancelled with everything else, and one that slipped through changes nothing."""
    world = await stopped()
    call = TimerCall(name="_quiet")

    replies = await world.talk.turn(world.message(call.name, Kind.TIMER, source="long-gone"))

    assert replies == []
    assert world.talk.last.note == "dropped"
