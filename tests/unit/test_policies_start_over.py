"""Starting over works from anywhere: empty state, first status, nothing alive."""

from datetime import timedelta

import pytest

from tests.unit.flow_dinners import STATUSES, Dinners, dinners
from tests.unit.flow_harness import World
from turnkeeper.dialogue.turn import Turn

pytestmark = pytest.mark.anyio


async def stand_in(world: World, status: str) -> None:
    """Lead a conversation to a status as a person would."""
    if status == "idle":
        await world.says("pricing")
        return
    await world.says("plan")
    if status == "analyzing":
        return
    if status == "error":
        await world.fails(world.talk.jobs()[0])
        return
    await world.works(world.talk.jobs()[0])
    if status == "modifying":
        await world.says("swap salmon for tofu")
    if status == "confirmed":
        await world.says("confirm")


@pytest.mark.parametrize("words", ["start over", "restart", "please start over"])
@pytest.mark.parametrize("status", STATUSES)
async def test_start_over_from_every_status(status: str, words: str) -> None:
    """Jobs are cancelled, the question is gone, the state is empty but for what is kept."""
    world = World(dinners())
    await stand_in(world, status)
    stood = world.talk.status

    replies = await world.says(words)

    assert stood == status
    assert replies == ["Starting over."]
    assert world.talk.status == "idle"
    assert world.talk.jobs() == []
    assert world.talk.thread.jobs == ()
    assert world.talk.thread.question is None
    assert (world.talk.model.seen, world.talk.model.menu) == (0, None)


async def test_kept_fields_survive() -> None:
    """What the flow names in `keep` is as it was."""
    flow = dinners()

    @flow.action("household")
    async def household(turn: Turn[Dinners], value: int) -> None:
        turn.state.household = value

    world = World(flow)
    await world.presses("household", 4)

    await world.says("start over")

    assert world.talk.model.household == 4
    assert world.talk.model.seen == 0


async def test_a_result_of_before_is_dropped() -> None:
    """It would answer a question that nobody asks any more."""
    world = World(dinners())
    await world.says("plan")
    (job,) = world.talk.jobs()
    await world.says("start over")

    replies = await world.works(job)

    assert replies == []
    assert world.talk.status == "idle"
    assert world.talk.last.note == "dropped"


async def test_timers_stop_except_the_kept_ones() -> None:
    """A weekly rhythm outlives a new beginning, whatever its timers are named."""
    flow = dinners(without="start_over")
    flow.start_over("start_over", to="idle", keep_timers="weekly")

    @flow.timer("weekly")
    async def weekly(turn: Turn[Dinners]) -> None:
        turn.reply("Your cart is ready, text PLAN.")

    @flow.timer("nudge")
    async def nudge(turn: Turn[Dinners]) -> None:
        turn.reply("Still there?")

    @flow.action("arm")
    async def arm(turn: Turn[Dinners]) -> None:
        turn.after(timedelta(days=7), "weekly", name="weekly:monday")
        turn.after(timedelta(hours=1), "nudge")

    world = World(flow)
    await world.presses("arm")

    await world.says("start over")

    assert set(world.talk.timers()) == {"weekly:monday"}


async def test_an_operator_resets_in_silence() -> None:
    """The same without a word to the person, and without renewing the retention."""
    world = World(dinners())
    await stand_in(world, "modifying")

    replies = await world.admin("reset")

    assert replies == []
    assert world.talk.status == "idle"
    assert world.talk.jobs() == []
    assert world.talk.drafts[-1].active is False
