"""The state over time: lost, newer, unreadable, imported; and messages that are given up."""

import msgspec
import pytest

from tests.unit.flow_dinners import dinners
from tests.unit.flow_harness import World
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.plan import OnLost
from turnkeeper.dialogue.turn import Turn
from turnkeeper.errors import PermanentError, StateNewerError, StateUndecodableError
from turnkeeper.model.message import Kind
from turnkeeper.model.struct import Struct

pytestmark = pytest.mark.anyio


class Old(Struct):
    """A state with a status of its own."""

    status: str = ""
    count: int = 0
    lost: list[bool] = []


def counting(**settings: object) -> Flow[Old]:
    """Return a flow that counts."""
    flow = Flow("counting", Old, start="one", **settings)  # type: ignore[arg-type]

    @flow.action("count", to=("one", "two"))
    async def count(turn: Turn[Old]) -> None:
        turn.state.count += 1
        turn.state.lost.append(turn.lost)
        turn.go("two" if turn.state.count % 2 else "one")

    return flow


async def lost_after(turns: int, on_lost: OnLost) -> World:
    """Return a conversation whose state the store evicted."""
    world = World(counting(on_lost=on_lost))
    for _ in range(turns):
        await world.presses("count")
    world.talk.lost = True
    return world


async def test_a_lost_state_is_rebuilt_from_the_log() -> None:
    """State and thread are as they were, and the handler is told."""
    world = await lost_after(21, "rebuild")

    await world.presses("count")

    assert world.talk.model.count == 22
    assert world.talk.model.lost[-2:] == [False, True]
    assert world.talk.thread.message_count == 22


async def test_a_lost_state_without_a_log_begins_anew() -> None:
    """There is nothing to rebuild it from; the handler is told that something was there."""
    world = await lost_after(5, "rebuild")
    world.talk.records.clear()

    await world.presses("count")

    assert (world.talk.model.count, world.talk.model.lost) == (1, [True])


async def test_a_flow_may_begin_anew_instead() -> None:
    """Its own choice."""
    world = await lost_after(5, "restart")

    await world.presses("count")

    assert (world.talk.model.count, world.talk.model.lost) == (1, [True])


async def test_a_flow_may_stop_instead() -> None:
    """The message fails, and ends in the dead letters for somebody to look at."""
    world = await lost_after(5, "fail")

    with pytest.raises(PermanentError, match="on_lost='fail'"):
        await world.presses("count")


async def test_an_operator_can_end_that_standstill() -> None:
    """By letting the conversation begin anew."""
    world = await lost_after(5, "fail")

    await world.admin("reset")
    await world.presses("count")

    assert world.talk.model.count == 1


async def test_newer_state_is_left_alone() -> None:
    """The message waits for newer code."""
    newer, older = World(counting(schema=2)), World(counting(schema=1))
    await newer.presses("count")
    older.talk.state, older.talk.version = newer.talk.state, 1

    with pytest.raises(StateNewerError):
        await older.presses("count")


@pytest.mark.parametrize(
    "state", [b"{", b'{"count":"many"}', b'{"_":{"g":1,"v":1,"f":1,"c":"x","e":{"status":1}},"count":1}']
)
async def test_unreadable_state_is_left_alone(state: bytes) -> None:
    """Nothing is decided about a conversation that cannot be read."""
    world = World(counting())
    world.talk.state, world.talk.version = state, 1

    with pytest.raises(StateUndecodableError):
        await world.presses("count")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (b'{"status":"two","count":7}', "two"),
        (b'{"status":"moon","count":7}', "one"),
        (b'{"_":{"g":1,"v":1,"f":1,"c":"x","at":"two"},"count":7}', "two"),
    ],
)
async def test_a_state_that_somebody_else_wrote_is_taken_over(state: bytes, status: str) -> None:
    """It says itself where it stands; a status that the flow does not have is the first one."""
    world = World(counting())
    world.talk.state, world.talk.version = state, 1

    draft = await world.program.run(world.talk.input([world.message("count", Kind.ACTION)]), world.talk)

    entry = msgspec.json.decode(draft.log or b"")
    assert entry["before"] == status
    assert world.program.plan.codec.decode(draft.state or b"").state.count == 8


async def test_members_that_the_code_does_not_know_survive() -> None:
    """Newer code wrote them and wants them back."""
    world = World(counting())
    world.talk.state, world.talk.version = b'{"count":7,"future":{"a":[1,2]}}', 1

    draft = await world.program.run(world.talk.input([world.message("count", Kind.ACTION)]), world.talk)

    assert b'"future":{"a":[1,2]}' in (draft.state or b"")


async def test_a_status_of_newer_code_does_not_stop_the_conversation() -> None:
    """Only what is declared for anywhere runs there."""
    world = World(counting())
    await world.presses("count")
    envelope = world.talk.decoded.envelope
    thread = world.talk.thread
    thread.status = "three"
    changed = msgspec.structs.replace(envelope, engine=msgspec.Raw(msgspec.json.encode(thread)))
    world.talk.state = world.program.plan.codec.encode(world.talk.model, changed).data

    draft = await world.program.run(world.talk.input([world.message("count", Kind.ACTION)]), world.talk)

    assert draft.status == "one"


async def test_a_buried_message_is_answered_counted_and_logged() -> None:
    """The person is told, the state stays, the conversation goes on."""
    world = World(dinners())
    await world.says("plan")
    message = world.message("plan something impossible")

    draft = world.program.bury(world.talk.input([message]), "ZeroDivisionError: no")
    await world.talk.apply(draft)

    assert draft.replies == (world.program.plan.texts.buried,)
    assert world.talk.status == "analyzing"
    entry = world.talk.last
    assert (entry.note, entry.error, entry.error_count) == ("dead", "ZeroDivisionError: no", 1)
    assert entry.message == "plan something impossible"
    assert world.talk.thread.error_count == 1


async def test_a_buried_result_ends_its_job() -> None:
    """Else the flow would wait for it for ever; nobody is told, for nobody said anything."""
    world = World(dinners())
    await world.says("plan")
    (job,) = world.talk.jobs()
    message = world.message("make_menu", Kind.RESULT, source=job.id)

    draft = world.program.bury(world.talk.input([message]), "TypeError: no")
    await world.talk.apply(draft)

    assert draft.replies == ()
    assert world.talk.thread.jobs == ()


@pytest.mark.parametrize("state", [None, b"{"])
async def test_a_message_can_be_buried_without_a_readable_state(state: bytes | None) -> None:
    """What cannot be read stays as it is."""
    world = World(dinners())
    world.talk.state = state

    draft = world.program.bury(world.talk.input([world.message("plan")]), "StateUndecodableError: no")

    assert draft.state is None
    assert draft.replies == (world.program.plan.texts.buried,)
    assert b'"note":"dead"' in (draft.log or b"")


async def test_an_operators_undo_says_nothing() -> None:
    """The state is put back, the person hears nothing, retention is not renewed."""
    world = World(dinners())
    await world.says("plan")
    await world.works(world.talk.jobs()[0])
    await world.says("skip monday")

    replies = await world.admin("undo")

    assert replies == []
    assert world.talk.model.skipped == []
    assert world.talk.last.undoes == 3
    assert world.talk.drafts[-1].active is False


async def test_an_admin_message_that_nobody_knows_is_logged() -> None:
    """Newer tools may send what older workers do not know."""
    world = World(dinners())

    await world.admin("polish")

    assert world.talk.last.note == "ignored"


async def test_the_envelope_repeats_what_the_engine_knows() -> None:
    """So that a head can be rebuilt from the state."""
    world = World(counting())

    await world.presses("count")

    envelope = world.talk.decoded.envelope
    assert (envelope.generation, envelope.version, envelope.fence) == (1, 1, 1)
    assert envelope.commit_id == "commit-0"
    assert world.talk.state is not None
    assert world.talk.state.startswith(b'{"_":')
