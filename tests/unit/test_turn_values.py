"""Large values and expensive steps: what costs a round trip, what is remembered, what comes back."""

import re

import pytest

from tests.unit.flow_harness import World
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.turn import Turn
from turnkeeper.errors import HandlerError, PartGoneError
from turnkeeper.model.message import Kind
from turnkeeper.model.ref import Ref
from turnkeeper.model.struct import Struct
from turnkeeper.ports.limits import PART_GRACE

pytestmark = pytest.mark.anyio


class Analysis(Struct):
    """A large value."""

    dinners: list[str] = []


class Shelf(Struct):
    """A state that refers to it."""

    analysis: Ref[Analysis] | None = None
    history: list[Ref[Analysis]] = []
    answer: str = ""


class Calls:
    """Counts how often something expensive ran."""

    def __init__(self) -> None:
        self.count = 0

    async def think(self) -> Analysis:
        """Return a new value each time."""
        self.count += 1
        return Analysis(dinners=[f"call {self.count}"])


def shelf(calls: Calls) -> Flow[Shelf]:
    """Return a flow that stores, loads and remembers."""
    flow = Flow("shelf", Shelf, start="start")

    @flow.action("store")
    async def store(turn: Turn[Shelf], name: str) -> None:
        unused = turn.ref(Analysis(dinners=["unused"]))
        turn.state.analysis = turn.ref(Analysis(dinners=[name]))
        loaded = await turn.load(turn.state.analysis)
        assert (loaded.dinners, unused.size_bytes > 0) == ([name], True)

    @flow.action("load")
    async def load(turn: Turn[Shelf]) -> None:
        assert turn.state.analysis is not None
        turn.state.answer = (await turn.load(turn.state.analysis)).dinners[0]

    @flow.action("think")
    async def think(turn: Turn[Shelf]) -> None:
        analysis = await turn.step("llm", calls.think)
        turn.reply(analysis.dinners[0])

    @flow.action("twice")
    async def twice(turn: Turn[Shelf]) -> None:
        await turn.step("llm", calls.think)
        await turn.step("llm", calls.think)

    @flow.action("plain")
    async def plain(turn: Turn[Shelf]) -> None:
        async def number():  # type: ignore[no-untyped-def] # noqa: ANN202 - no annotation is the point
            return {"n": [1, 2]}

        async def untold():  # type: ignore[no-untyped-def] # noqa: ANN202 - no annotation is the point
            return Analysis()

        turn.reply(str(await turn.step("number", number)))
        turn.reply(str(await turn.step("told", untold, of=Analysis)))
        await turn.step("untold", untold)

    return flow


async def test_a_part_is_stored_with_the_turn_that_refers_to_it() -> None:
    """What nothing refers to is not stored; loading in the same turn costs nothing."""
    world = World(shelf(Calls()))

    await world.presses("store", "pasta")

    draft = world.talk.drafts[-1]
    assert [part.data for part in draft.parts] == [b'{"dinners":["pasta"]}']
    assert world.talk.model.analysis.id == draft.parts[0].id
    assert world.talk.loads == 0


async def test_a_part_is_loaded_only_when_touched() -> None:
    """One round trip, typed."""
    world = World(shelf(Calls()))
    await world.presses("store", "pasta")

    await world.presses("load")

    assert world.talk.model.answer == "pasta"
    assert world.talk.loads == 1


async def test_a_part_that_is_replaced_is_retired() -> None:
    """It stays for a while, so that an undo finds it."""
    world = World(shelf(Calls()))
    await world.presses("store", "pasta")
    first = world.talk.model.analysis

    await world.presses("store", "soup")

    assert world.talk.drafts[-1].retired == (first.id,)
    assert world.talk.drafts[-1].adopted == ()


async def test_a_part_that_is_gone_is_named() -> None:
    """The reference outlived its retention."""
    world = World(shelf(Calls()))
    await world.presses("store", "pasta")
    world.talk.parts.clear()
    world.pass_time(PART_GRACE)

    with pytest.raises(PartGoneError, match=re.escape(world.talk.model.analysis.id)):
        await world.presses("load")


async def test_a_step_is_remembered_over_a_rerun() -> None:
    """A crash before the commit does not pay twice."""
    calls = Calls()
    world = World(shelf(calls))
    message = world.message("think", kind=Kind.ACTION)

    first = await world.talk.turn(message, commit=False)
    again = await world.talk.turn(message, attempt=2)

    assert first == again == ["call 1"]
    assert calls.count == 1


async def test_a_step_name_is_used_once_in_a_turn() -> None:
    """Else the second would get the first one's result."""
    world = World(shelf(Calls()))

    with pytest.raises(HandlerError, match="own name"):
        await world.presses("twice")


async def test_a_step_that_would_come_back_as_something_else_is_refused() -> None:
    """At its first run and not in the first crash."""
    world = World(shelf(Calls()))

    with pytest.raises(HandlerError, match="returned Analysis and would come back as dict"):
        await world.presses("plain")
