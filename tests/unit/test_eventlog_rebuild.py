"""The event log: the state of every kept turn can be rebuilt, letter for letter."""

from datetime import timedelta

import msgspec
import pytest

from tests.unit.flow_harness import World
from turnkeeper.dialogue.eventlog import log_limits, rebuild
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.plan import LogRetention
from turnkeeper.dialogue.turn import Turn
from turnkeeper.errors import StateUndecodableError
from turnkeeper.model.event import FULL_STATE_EVERY
from turnkeeper.model.struct import Struct

pytestmark = pytest.mark.anyio


class Week(Struct):
    """A state that grows and shrinks."""

    last: dict[str, str] = {}
    items: list[str] = []
    note: str = "n" * 400


def week(*, entries: int = 100, age: timedelta = timedelta(days=30)) -> Flow[Week]:
    """Return a flow whose state changes with every turn."""
    flow = Flow("week", Week, start="start", log=LogRetention(entries=entries, age=age))

    @flow.action("change")
    async def change(turn: Turn[Week], number: int) -> None:
        turn.state.last = {"turn": str(number), f"key {number % 7}": "värde"}
        turn.state.items.append(f"item {number}")
        if len(turn.state.items) > 12:
            turn.state.items = turn.state.items[-3:]
        if number % 50 == 0:
            turn.state.note = str(number) * 200

    return flow


async def turns(world: World, count: int, *, pause: timedelta = timedelta(minutes=1)) -> dict[int, bytes]:
    """Run turns; returns the committed state of every version."""
    states: dict[int, bytes] = {}
    for number in range(1, count + 1):
        world.pass_time(pause)
        await world.presses("change", number)
        assert world.talk.state is not None
        states[world.talk.version] = world.talk.state
    return states


async def test_each_of_the_last_hundred_of_300_turns_can_be_rebuilt() -> None:
    """From what a store keeps by the limits of the draft, whatever it dropped."""
    world = World(week())
    states = await turns(world, 300)

    rebuilt = {version: rebuild(world.talk.records, version) for version in range(201, 301)}

    assert len(world.talk.records) == 100 + FULL_STATE_EVERY
    assert rebuilt == {version: states[version] for version in range(201, 301)}


@pytest.mark.parametrize("entries", [1, 16, 17, 40])
async def test_every_number_of_entries_can_be_kept(entries: int) -> None:
    """The promise does not depend on where the full states happen to stand."""
    world = World(week(entries=entries))
    states: dict[int, bytes] = {}
    for _ in range(40):
        states |= await turns(world, 1)
        versions = range(max(1, world.talk.version - entries + 1), world.talk.version + 1)

        rebuilt = [rebuild(world.talk.records, version) for version in versions]

        assert rebuilt == [states[version] for version in versions]


async def test_entries_kept_by_age_can_be_rebuilt_too() -> None:
    """With each entry the full state before it is kept, although that is older."""
    world = World(week(age=timedelta(days=3)))
    states = await turns(world, 60, pause=timedelta(hours=5))

    young = [record for record in world.talk.records if world.now_ms - record.at_ms <= 3 * 86_400_000]
    rebuilt = {record.version: rebuild(world.talk.records, record.version) for record in young}

    assert len(young) >= 14
    assert rebuilt == {version: states[version] for version in rebuilt}


async def test_most_entries_hold_a_difference() -> None:
    """A full state now and then, differences between: that is what keeps the log small."""
    world = World(week())
    await turns(world, 64)

    sizes = [(len(bytes(entry.full)), len(bytes(entry.delta))) for entry in world.talk.entries]
    full = [index + 1 for index, (whole, _) in enumerate(sizes) if whole > len(b"null")]

    assert full[0] == 1
    assert set(range(16, 65, 16)) <= set(full)
    assert len(full) <= 12


async def test_records_may_come_in_any_order() -> None:
    """Newest first as the store gives them, or sorted by a reader."""
    world = World(week())
    states = await turns(world, 30)

    backwards = rebuild(world.talk.records[::-1], 20)

    assert backwards == rebuild(world.talk.records, 20) == states[20]


async def test_a_log_that_does_not_reach_back_says_so() -> None:
    """Nothing is guessed."""
    world = World(week())
    await turns(world, 30)
    without_full = [record for record in world.talk.records if record.version > 16]

    with pytest.raises(StateUndecodableError, match="no full state"):
        rebuild(without_full, 20)


async def test_a_missing_entry_in_between_says_so() -> None:
    """A difference on the wrong state must not pass."""
    world = World(week())
    await turns(world, 30)
    holed = [record for record in world.talk.records if record.version != 18]

    with pytest.raises(StateUndecodableError):
        rebuild(holed, 20)


async def test_generations_are_told_apart() -> None:
    """Versions begin anew when a conversation was forgotten; the log goes on."""
    world = World(week())
    first = await turns(world, 5)
    await world.admin("expire")
    second = await turns(world, 3)

    old = rebuild(world.talk.records, 2, generation=1)
    new = rebuild(world.talk.records, 2)

    assert old == first[2]
    assert new == second[2]


async def test_an_entry_begins_with_the_users_names() -> None:
    """In this order, so that it reads as they wrote it down."""
    world = World(week())
    await turns(world, 1)

    names = list(msgspec.json.decode(world.talk.records[0].data))

    assert names[:8] == [
        "phone",
        "state",
        "message",
        "intent",
        "response_preview",
        "timestamp",
        "modifications_count",
        "error_count",
    ]


async def test_a_preview_has_a_hundred_characters() -> None:
    """The users' own number."""
    flow = Flow("talk", Week, start="start")

    @flow.action("speak")
    async def speak(turn: Turn[Week]) -> None:
        turn.reply("x" * 90)
        turn.reply("y" * 90)

    world = World(flow)

    await world.presses("speak")

    assert world.talk.last.response_preview == "x" * 90 + " " + "y" * 9


def test_a_store_keeps_more_than_is_promised() -> None:
    """By the distance to the full state before the oldest promised entry."""
    kept, age_ms = log_limits(LogRetention(entries=100, age=timedelta(days=30)))

    assert kept == 116
    assert age_ms == 31 * 86_400_000
