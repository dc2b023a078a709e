"""Which of several handlers runs: question before none, status before anywhere, guard before none."""

import pytest

from tests.unit.flow_harness import World
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.turn import Turn
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.model.struct import Struct

pytestmark = pytest.mark.anyio


class Door(Struct):
    """A state with something to look at."""

    is_open: bool = False


def doors() -> World:
    """Return a flow in which several handlers take the same."""
    flow = Flow("doors", Door, start="outside", intents=(Intent("knock", ("knock",)), Intent("ask", ("ask",))))

    @flow.action("toggle")
    async def toggle(turn: Turn[Door]) -> None:
        turn.state.is_open = not turn.state.is_open

    @flow.action("enter", to="inside")
    async def enter(turn: Turn[Door]) -> None:
        turn.reply("in")

    @flow.on("knock")
    async def anywhere(turn: Turn[Door]) -> None:
        turn.reply("anywhere")

    @flow.on("knock", when="outside")
    async def outside(turn: Turn[Door]) -> None:
        turn.reply("outside")

    @flow.on("knock", when="outside", guard=lambda turn: turn.state.is_open)
    async def outside_open(turn: Turn[Door]) -> None:
        turn.reply("outside, open")

    @flow.on("ask")
    async def ask(turn: Turn[Door]) -> None:
        turn.ask("Really?", question="really")

    @flow.on("affirmative")
    async def yes(turn: Turn[Door]) -> None:
        turn.reply("yes to something")

    @flow.on("affirmative", question="really")
    async def really(turn: Turn[Door]) -> None:
        assert turn.question is not None
        turn.reply(f"yes to {turn.question.text}")

    @flow.on("affirmative", guard=lambda turn: turn.state.is_open)
    async def yes_open(turn: Turn[Door]) -> None:
        turn.reply("yes, open")

    return World(flow)


async def test_an_explicit_status_wins_over_anywhere() -> None:
    """It knows more."""
    world = doors()

    outside = await world.says("knock")
    await world.presses("enter")
    inside = await world.says("knock")

    assert (outside, inside) == (["outside"], ["anywhere"])


async def test_a_guard_that_holds_wins_over_none() -> None:
    """And one that does not is as if the handler were not declared."""
    world = doors()
    await world.presses("toggle")

    is_open = await world.says("knock")
    await world.presses("toggle")
    closed = await world.says("knock")

    assert (is_open, closed) == (["outside, open"], ["outside"])


async def test_the_handler_of_the_question_wins() -> None:
    """Also over one with a guard that holds."""
    world = doors()
    await world.presses("toggle")
    await world.says("ask")

    replies = await world.says("yes")

    assert replies == ["yes to Really?"]
