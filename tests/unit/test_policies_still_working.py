"""A request that is repeated while its job runs: patience first, a restart once nothing of it is alive."""

from datetime import timedelta

import pytest

from tests.unit.flow_dinners import dinners
from tests.unit.flow_harness import World
from turnkeeper.dialogue.declaring.declared import StillWorking

pytestmark = pytest.mark.anyio

PATIENCE = StillWorking(intent="", when=(), job="", restart="").reply


async def test_a_repeat_after_29_seconds_asks_for_patience() -> None:
    """Nothing is started twice while the first attempt is young."""
    world = World(dinners())
    await world.says("plan")
    world.pass_time(timedelta(seconds=29))

    replies = await world.says("plan")

    assert replies == [PATIENCE]
    assert len(world.talk.jobs()) == 1
    assert world.talk.last.note == "still_working"


async def test_a_repeat_after_31_seconds_asks_for_patience_while_the_job_is_alive() -> None:
    """A slow job is no stuck job: it may still end well."""
    world = World(dinners())
    await world.says("plan")
    world.pass_time(timedelta(seconds=31))

    replies = await world.says("plan")

    assert replies == [PATIENCE]
    assert len(world.talk.jobs()) == 1


async def test_a_repeat_after_31_seconds_restarts_what_is_stuck() -> None:
    """No job is alive and the status still says that one is: it is started anew."""
    world = World(dinners())
    await world.says("plan")
    await world.presses("stop_job")
    world.pass_time(timedelta(seconds=31))

    replies = await world.says("plan")

    assert replies == ["Analyzing your cart…"]
    assert len(world.talk.jobs()) == 1
    assert world.talk.last.note == "restarted"


async def test_a_repeat_after_29_seconds_asks_for_patience_even_without_a_live_job() -> None:
    """Within the window the answer does not depend on what the job is doing."""
    world = World(dinners())
    await world.says("plan")
    await world.presses("stop_job")
    world.pass_time(timedelta(seconds=29))

    replies = await world.says("plan")

    assert replies == [PATIENCE]
    assert world.talk.jobs() == []


async def test_a_job_that_ended_is_not_waited_for() -> None:
    """Once the result is there, the request is an ordinary one again."""
    world = World(dinners())
    await world.says("plan")
    await world.works(world.talk.jobs()[0])

    replies = await world.says("plan")

    assert "isn't possible right now" in replies[0]
