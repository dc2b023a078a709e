"""The engine on the memory store: what the promises look like from the outside."""

import asyncio
from datetime import timedelta
from typing import NoReturn

import msgspec
import pytest

from tests.unit.echo_program import WHO, EchoProgram, coalescing, rest, spin, text
from tests.unit.engine_bench import Bench
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.results import Taken
from turnkeeper.engine.settings import Settings
from turnkeeper.engine.wire import encode
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, StateNewerError, StoreUnavailableError
from turnkeeper.model.message import Kind
from turnkeeper.ports.program import Busyness, Rules, Tools, TurnInput
from turnkeeper.ports.turns import Begin, Granted, Incoming
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=20)


async def test_a_message_is_applied_and_answered() -> None:
    """State and reply of one turn appear together."""
    bench = Bench(EchoProgram())

    await bench.say("hello")

    assert await bench.heard() == ["hello"]
    assert bench.sms.texts == ["echo hello"]


async def test_fifty_messages_at_once_are_applied_in_order_of_acceptance() -> None:
    """Fifty concurrent messages to one conversation: fifty applied, in the order in which they were accepted."""
    bench = Bench(EchoProgram())

    await asyncio.gather(*(bench.engine.accept(WHO, text(f"n{number}")) for number in range(50)))
    await rest(bench.engine)

    assert await bench.heard() == [f"n{number}" for number in range(50)]
    assert bench.sms.texts == [f"echo n{number}" for number in range(50)]


async def test_twenty_deliveries_of_one_message_are_applied_once_and_answered_alike() -> None:
    """A provider that repeats gets the same answer twenty times, and the state sees the message once."""
    bench = Bench(EchoProgram())

    answers = await asyncio.gather(*(bench.engine.handle(WHO, text("hello", id="m1"), within=SOON) for _ in range(20)))

    assert {answer.replies for answer in answers} == {("echo hello",)}
    assert sorted(answer.outcome for answer in answers) == [Taken.ACCEPTED] + [Taken.DUPLICATE] * 19
    assert await bench.heard() == ["hello"]
    await rest(bench.engine)
    assert bench.sms.texts == ["echo hello"]


async def test_a_duplicate_after_the_turn_gets_the_first_reply() -> None:
    """The recorded reply is given again, without running anything."""
    bench = Bench(EchoProgram())
    await bench.say("hello", id="m1")

    again = await bench.engine.accept(WHO, text("hello", id="m1"))

    assert again.outcome is Taken.DUPLICATE
    assert again.done
    assert again.replies == ("echo hello",)
    assert len(bench.program.runs) == 1


async def test_a_failing_handler_is_tried_again_and_then_buried() -> None:
    """Five attempts with growing waits, then the dead letters; the conversation goes on."""
    calls = 0

    async def fail(turn: TurnInput, tools: Tools) -> None:
        nonlocal calls
        if turn.messages[0].text == "bad":
            calls += 1
            raise ValueError("no good")

    bench = Bench(EchoProgram(handle=fail))
    await bench.say("bad")
    await bench.say("good")
    assert await bench.store.catalog.find(status="listening") is not None
    assert calls == 1

    for _ in range(6):
        await bench.later(minutes=10)

    assert calls == 5
    dead = (await bench.store.deliveries.dead()).items
    assert [(letter.source_id, letter.attempts) for letter in dead] == [("bad", 5)]
    assert "ValueError: no good" in dead[0].error
    assert await bench.heard() == ["good"]


async def test_a_redriven_dead_letter_is_applied() -> None:
    """What an operator puts back is run again, although its receipt is kept."""
    broken = True

    async def fail(turn: TurnInput, tools: Tools) -> None:
        if broken:
            raise ValueError("no good")

    bench = Bench(EchoProgram(rules=Rules(max_attempts=1), handle=fail))
    await bench.say("m")
    broken = False
    dead = (await bench.store.deliveries.dead()).items

    assert await bench.store.deliveries.redrive([dead[0].id]) == 1
    await rest(bench.engine)

    assert await bench.heard() == ["m"]


async def test_a_worker_that_lost_its_lease_changes_nothing() -> None:
    """The late commit of a turn that somebody else took over is refused, and its reply is never sent."""
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(turn: TurnInput, tools: Tools) -> None:
        entered.set()
        await leave.wait()

    clock = ManualClock()
    store = MemoryStore(clock=clock)
    first = Bench(EchoProgram(handle=slow), store=store, clock=clock)
    second = Bench(EchoProgram(), store=store, clock=clock)
    await first.engine.accept(WHO, text("hello"))
    await entered.wait()
    clock.advance(timedelta(seconds=16))
    await rest(second.engine)
    assert second.sms.texts == ["echo hello"]

    leave.set()
    await rest(first.engine)

    assert first.sms.texts == []
    assert await second.heard() == ["hello"]


async def test_a_crash_counts_as_an_attempt() -> None:
    """A message whose worker vanished five times is buried without being run again."""
    bench = Bench(EchoProgram())
    await bench.engine.accept(WHO, text("warm up"))
    await rest(bench.engine)
    for number in range(5):
        begin = Begin(
            conversation=WHO,
            token=f"gone{number}",
            lease_ms=1000,
            message=None if number else _incoming("killer"),
        )
        assert isinstance(await bench.store.turns.begin(begin), Granted)
        bench.clock.advance(timedelta(seconds=2))

    await rest(bench.engine)

    dead = (await bench.store.deliveries.dead()).items
    assert [letter.source_id for letter in dead] == ["killer"]
    assert "ended without an answer" in dead[0].error
    assert await bench.heard() == ["warm up"]


def _incoming(words: str) -> Incoming:
    return Incoming(id=words, payload=encode(text(words)))


async def test_an_unreadable_message_is_buried() -> None:
    """Bytes that are no message end in the dead letters and hold nobody up."""
    bench = Bench(EchoProgram(rules=Rules(max_attempts=1)))
    begin = Begin(conversation=WHO, token="t", lease_ms=1000, message=Incoming(id="x", payload=b"\xff"), run=False)
    await bench.store.turns.begin(begin)

    await rest(bench.engine)
    await bench.say("good")

    assert [letter.source_id for letter in (await bench.store.deliveries.dead()).items] == ["x"]
    assert await bench.heard() == ["good"]


async def test_state_of_newer_code_leaves_the_message_waiting() -> None:
    """Old code gives the turn back without counting an attempt."""

    async def newer(turn: TurnInput, tools: Tools) -> None:
        raise StateNewerError(what="Heard", found=2, known=1)

    old = Bench(EchoProgram(handle=newer))
    await old.say("hello")
    for _ in range(10):
        await old.later(seconds=6)
    new = Bench(EchoProgram(), store=old.store, clock=old.clock)

    await new.later(seconds=6)

    assert await new.heard() == ["hello"]
    assert (await new.store.deliveries.dead()).items == ()


async def test_a_handler_that_hangs_is_ended_and_counts_as_an_error() -> None:
    """The hard turn timeout cancels it; the heartbeat's thread is what notices."""

    async def hang(turn: TurnInput, tools: Tools) -> None:
        await asyncio.Event().wait()

    clock = ManualClock()
    store = MemoryStore(clock=clock)
    program = EchoProgram(rules=Rules(turn_timeout=timedelta(milliseconds=1), max_attempts=1), handle=hang)
    engine = Engine(store=store, programs={"echo": program}, channels={}, settings=Settings(work=False))

    await engine.accept(WHO, text("hello"))
    while not (await store.deliveries.dead()).items:  # noqa: ASYNC110 - the heartbeat's thread runs in real time
        await asyncio.sleep(0.01)

    dead = (await store.deliveries.dead()).items
    assert "took longer than" in dead[0].error
    await engine.stop()


async def test_stopping_gives_running_turns_back_without_counting() -> None:
    """A deploy does not look like a crash: another worker runs the message as its first attempt, at once."""

    async def hang(turn: TurnInput, tools: Tools) -> None:
        await asyncio.Event().wait()

    clock = ManualClock()
    store = MemoryStore(clock=clock)
    settings = Settings(work=False, heartbeat=False, grace=timedelta(0))
    old = Engine(store=store, programs={"echo": EchoProgram(handle=hang)}, channels={}, settings=settings)
    await old.accept(WHO, text("hello"))
    await spin()
    await old.stop()
    attempts: list[int] = []

    async def note(turn: TurnInput, tools: Tools) -> None:
        attempts.append(turn.attempt)

    new = Bench(EchoProgram(handle=note), store=store, clock=clock)
    await rest(new.engine)

    assert attempts == [1]
    assert await new.heard() == ["hello"]
    with pytest.raises(StoreUnavailableError, match="shutting down"):
        await old.accept(WHO, text("too late"))


async def test_a_burst_is_one_turn_when_the_flow_coalesces() -> None:
    """The turn runs when the person stopped for the wait, with all texts; the wait survives in the store."""
    bench = Bench(EchoProgram(rules=coalescing()))
    await bench.say("one")
    await bench.later(seconds=1)
    await bench.say("two")
    await bench.later(seconds=1.9)
    assert bench.program.runs == []

    await bench.later(seconds=0.2)

    assert bench.program.runs == [("one", "two")]
    assert bench.sms.texts == ["echo one two"]


async def test_a_busy_conversation_rejects_when_the_flow_says_so() -> None:
    """The second message is not taken, and the caller is told."""
    leave = asyncio.Event()

    async def slow(turn: TurnInput, tools: Tools) -> None:
        await leave.wait()

    bench = Bench(EchoProgram(rules=Rules(busy=Busyness(policy="reject")), handle=slow))
    await bench.engine.accept(WHO, text("one"))
    await spin()

    second = await bench.engine.accept(WHO, text("two"))

    assert second.outcome is Taken.BUSY
    assert not second.durable
    leave.set()
    await rest(bench.engine)
    assert await bench.heard() == ["one"]


async def test_the_newest_message_interrupts_when_the_flow_says_so() -> None:
    """The overtaken turn is fenced off: its answer can never be sent; the newest message is answered."""
    gates: dict[str, asyncio.Event] = {"one": asyncio.Event(), "two": asyncio.Event()}
    gates["two"].set()

    async def gated(turn: TurnInput, tools: Tools) -> None:
        await gates[turn.messages[-1].text].wait()

    bench = Bench(EchoProgram(rules=Rules(busy=Busyness(policy="interrupt")), handle=gated))
    await bench.engine.accept(WHO, text("one"))
    await spin()
    await bench.engine.accept(WHO, text("two"))
    await spin()

    gates["one"].set()
    await rest(bench.engine)

    assert await bench.heard() == ["two"]
    assert bench.sms.texts == ["echo two"]
    assert (await bench.engine.accept(WHO, text("one"))).outcome is Taken.DUPLICATE


async def test_stop_interrupts_any_flow() -> None:
    """STOP is heard even while a turn hangs."""
    gate = asyncio.Event()

    async def gated(turn: TurnInput, tools: Tools) -> None:
        if turn.messages[-1].kind is Kind.TEXT:
            await gate.wait()

    bench = Bench(EchoProgram(handle=gated))
    await bench.engine.accept(WHO, text("one"))
    await spin()

    await bench.engine.accept(WHO, text("STOP", kind=Kind.OPT_OUT))
    await spin(50)

    assert bench.program.runs[-1] == ("STOP",)
    assert await bench.heard() == ["STOP"]
    gate.set()
    await rest(bench.engine)
    assert await bench.heard() == ["STOP"]


async def test_a_message_for_an_unknown_flow_is_refused_with_the_known_ones() -> None:
    """The error says what this process serves."""
    bench = Bench(EchoProgram())

    with pytest.raises(ConfigurationError, match="serves: echo"):
        await bench.engine.accept(msgspec.structs.replace(WHO, flow="other"), text("hello"))


async def test_a_step_is_remembered_over_a_rerun() -> None:
    """What `remember` kept is handed to the next attempt of the same message, and only to it."""
    seen: list[dict[str, bytes]] = []

    async def remember(turn: TurnInput, tools: Tools) -> None:
        seen.append(dict(turn.memos))
        if turn.attempt == 1:
            await tools.remember("llm", b'"dear"')
            raise ValueError("after the expensive part")

    bench = Bench(EchoProgram(handle=remember))
    await bench.say("one")
    await bench.later(minutes=1)
    await bench.say("two")

    assert seen[:2] == [{}, {"llm": b'"dear"'}]
    assert seen[2] == {}


async def test_lost_answers_of_begin_and_commit_change_nothing() -> None:
    """An answer that is lost is asked for again, under the same ids: applied once."""
    bench = Bench(EchoProgram())
    turns = bench.store.turns
    lost = {"begin": 1, "commit": 1}
    begin, commit = turns.begin, turns.commit

    async def losing_begin(request: Begin) -> object:
        answer = await begin(request)
        if lost["begin"]:
            lost["begin"] -= 1
            raise OutcomeUnknownError("the answer was cut")
        return answer

    async def losing_commit(request: object) -> object:
        answer = await commit(request)  # type: ignore[arg-type]
        if lost["commit"]:
            lost["commit"] -= 1
            raise OutcomeUnknownError("the answer was cut")
        return answer

    turns.begin = losing_begin  # type: ignore[assignment, method-assign]
    turns.commit = losing_commit  # type: ignore[assignment, method-assign]

    answer = await bench.engine.handle(WHO, text("hello"), within=SOON)
    await rest(bench.engine)

    assert answer.replies == ("echo hello",)
    assert lost == {"begin": 0, "commit": 0}
    assert await bench.heard() == ["hello"]
    assert bench.sms.texts == ["echo hello"]


def test_settings_refuse_a_renewal_that_one_lost_answer_defeats() -> None:
    """`renew_every` must fit twice into the lease."""

    def make() -> NoReturn:
        Settings(lease=timedelta(seconds=10), renew_every=timedelta(seconds=5))
        raise AssertionError

    with pytest.raises(ConfigurationError, match="less than half the lease"):
        make()
