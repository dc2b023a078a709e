"""Jobs: started with a turn, run outside of turns, and their outcome comes back as a turn or is dropped."""

import sys
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from tests.unit.flow_dinners import Dinners, Menu, dinners
from tests.unit.flow_harness import World
from turnkeeper.dialogue.declaring.jobtype import Retry
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.running import FlowProgram
from turnkeeper.dialogue.turn import Job, Turn
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.errors import HandlerError, InvalidStateError, PermanentError
from turnkeeper.model.message import JobCall, JobFailed
from turnkeeper.model.struct import Struct
from turnkeeper.ports.program import JobInput
from turnkeeper.ports.turns import EffectKind

pytestmark = pytest.mark.anyio


class Order(Struct):
    """What a job takes."""

    items: list[str] = []
    due: date | None = None


class Results(Struct):
    """What came back."""

    status: str = ""
    seen: list[str] = []


def jobs_flow() -> Flow[Results]:
    """Return a flow with one job of rich arguments, and one that misbehaves."""
    flow = Flow("jobs", Results, start="idle", intents=(Intent("go", ("go",)), Intent("wrong", ("wrong {how}",))))

    @flow.job(retry=Retry(attempts=5, delay=timedelta(seconds=2)), timeout=timedelta(seconds=7))
    async def ship(job: Job, order: Order, /, count: int = 1, *, at: datetime | None = None) -> list[Order]:
        return [msgspec.structs.replace(order, items=[*order.items, f"{job.peer}/{job.attempt}/{at}"])] * count

    @flow.job(result_dropped=True)
    async def leave(job: Job, way: str) -> int:
        if way == "exit":
            sys.exit(3)
        return "no number"  # type: ignore[return-value] # it is what the test is about

    @flow.on("go", to="busy")
    async def go(turn: Turn[Results]) -> None:
        order = Order(items=["a"], due=date(2026, 11, 21))
        job_id = turn.start(ship, order, 2, at=datetime(2026, 11, 21, tzinfo=UTC))
        turn.state.seen.append(job_id)

    @flow.on("wrong")
    async def wrong(turn: Turn[Results]) -> None:
        how = turn.slots["how"]
        if how == "type":
            turn.start(ship, "no order")  # type: ignore[arg-type] # it is what the test is about
        elif how == "number":
            turn.start(ship, Order(), "many")  # type: ignore[arg-type] # it is what the test is about
        else:
            turn.start(ship)  # type: ignore[call-arg] # it is what the test is about

    @flow.result(ship, when="busy", to="idle")
    async def shipped(turn: Turn[Results], orders: list[Order]) -> None:
        turn.state.seen.extend(order.items[-1] for order in orders)

    @flow.failed(ship, when="busy", to="idle")
    async def not_shipped(turn: Turn[Results], error: JobFailed) -> None:
        turn.reply(f"{error.job}: {error.reason}")

    return flow


def job_input(world: World, call: JobCall) -> JobInput:
    """Return a job as the engine hands it out."""
    return JobInput(id="j1", conversation=world.talk.id, call=call, attempt=1, maybe_ran=False, started_ms=world.now_ms)


async def test_a_job_gets_its_arguments_and_its_result_comes_back_typed() -> None:
    """Structs, dates and datetimes survive both ways."""
    world = World(jobs_flow())
    await world.says("go")
    (job,) = world.talk.jobs()

    await world.works(job, attempt=2)

    last = "+15551234567/2/2026-11-21 00:00:00+00:00"
    assert world.talk.model.seen == [job.id, last, last]
    assert world.talk.status == "idle"


async def test_arguments_are_stored_by_name() -> None:
    """So that parameters with defaults can be added while calls wait; positional-only ones keep their place."""
    world = World(jobs_flow())
    await world.says("go")

    call = msgspec.json.decode(world.talk.jobs()[0].payload, type=JobCall)

    assert msgspec.json.decode(call.args) == [{"items": ["a"], "due": "2026-11-21"}]
    assert msgspec.json.decode(call.kwargs) == {"count": 2, "at": "2026-11-21T00:00:00Z"}


@pytest.mark.parametrize(
    ("how", "parts"),
    [
        ("type", ["turn.start(ship)", "'order'", "Order", "str"]),
        ("number", ["turn.start(ship)", "'count'", "int", "str"]),
        ("missing", ["turn.start(ship)", "missing a required argument", "order"]),
    ],
)
async def test_wrong_arguments_are_named(how: str, parts: list[str]) -> None:
    """Before anything is started."""
    world = World(jobs_flow())

    with pytest.raises(HandlerError) as raised:
        await world.says(f"wrong {how}")

    assert all(part in str(raised.value) for part in parts)
    assert world.talk.state is None


async def test_a_stored_call_that_does_not_fit_any_more_fails_for_good() -> None:
    """Retrying would change nothing."""
    world = World(jobs_flow())
    call = JobCall(name="ship", args=msgspec.Raw(b"[]"), kwargs=msgspec.Raw(b'{"gone":1}'))

    with pytest.raises(PermanentError, match="arguments do not fit"):
        await world.program.work(job_input(world, call))


@pytest.mark.parametrize(
    ("way", "error"), [("exit", (HandlerError, "sys.exit")), ("wrong", (InvalidStateError, "int"))]
)
async def test_a_job_that_misbehaves_fails(way: str, error: tuple[type[Exception], str]) -> None:
    """`sys.exit` must not end the worker, and a wrong result must not be stored."""
    world = World(jobs_flow())
    kwargs = msgspec.Raw(msgspec.json.encode({"way": way}))

    with pytest.raises(error[0], match=error[1]):
        await world.program.work(job_input(world, JobCall(name="leave", kwargs=kwargs)))


def test_the_engine_learns_how_to_run_a_job() -> None:
    """Rules as declared; None for a job that only newer code knows."""
    program = FlowProgram(jobs_flow().check())

    rules = program.job_rules("ship")

    assert rules is not None
    assert (rules.attempts, rules.delay, rules.timeout) == (5, timedelta(seconds=2), timedelta(seconds=7))
    assert program.job_rules("unheard_of") is None


async def test_a_failure_reaches_its_handler_and_is_counted() -> None:
    """In the log too."""
    world = World(jobs_flow())
    await world.says("go")

    replies = await world.fails(world.talk.jobs()[0], "out of stock")

    assert replies == ["ship: out of stock"]
    assert world.talk.thread.error_count == 1
    assert world.talk.last.error_count == 1
    assert world.talk.last.intent == "ship"


async def test_a_result_in_another_status_is_dropped_and_logged() -> None:
    """The person said "confirm" meanwhile: nothing is overwritten, and the job is over."""
    world = World(dinners())
    await world.says("plan")
    (job,) = world.talk.jobs()
    await world.fails(job)
    version = world.talk.version

    replies = await world.ends(job, Menu())

    assert replies == []
    assert world.talk.status == "error"
    assert (world.talk.last.note, world.talk.last.intent) == ("dropped", "make_menu")
    assert world.talk.drafts[-1].active is False
    assert world.talk.version == version + 1


async def test_a_live_result_without_a_handler_here_ends_the_job() -> None:
    """It is not taken for alive for ever."""
    flow = dinners()

    @flow.action("leave", to="idle")
    async def leave(turn: Turn[Dinners]) -> None:
        turn.reply("Never mind.")

    world = World(flow)
    await world.says("plan")
    (job,) = world.talk.jobs()
    await world.presses("leave")

    replies = await world.works(job)

    assert replies == []
    assert world.talk.last.note == "dropped"
    assert world.talk.thread.jobs == ()


async def test_the_effects_of_a_turn_have_stable_ids() -> None:
    """A re-run of the same message gives the same ids, so that nothing is sent twice."""
    world = World(dinners())
    message = world.message("plan")

    first = await world.program.run(world.talk.input([message]), world.talk)
    again = await world.program.run(world.talk.input([message], attempt=2), world.talk)

    assert [effect.id for effect in first.effects] == ["dinners:+15551234567:1:1:0", "dinners:+15551234567:1:1:1"]
    assert [effect.kind for effect in first.effects] == [EffectKind.REPLY, EffectKind.JOB]
    assert first.effects == again.effects
