"""What happens at the same time: answers that come late, cancellations, blocked loops, two engines, a busy worker."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.echo_program import WHO, EchoProgram, rest, spin, text
from tests.unit.engine_bench import Bench
from tests.unit.engine_faults import Gate, block_loop, wrap
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.heartbeat import Heartbeat, Held
from turnkeeper.engine.results import Taken
from turnkeeper.engine.settings import Settings
from turnkeeper.engine.wire import encode
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Kind
from turnkeeper.ports.program import JobInput, Rules, Tools, TurnInput
from turnkeeper.ports.turns import Begin, Incoming, Mode
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.urls import open_store
from turnkeeper.testing import ManualClock

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=20)
AT_ONCE = Settings(work=False, heartbeat=False, grace=timedelta(0))


async def test_a_commit_whose_answer_was_lost_while_its_reply_was_sent_sends_it_once() -> None:
    """The answer repeated later says that the reply is claimed; it is already on its way."""
    bench = Bench(EchoProgram())
    bench.sms = gate = Gate()
    bench.engine = bench.another_engine()
    lost, late = asyncio.Event(), asyncio.Event()

    async def second_is_late(commit: Callable[..., Awaitable[Any]], request: Any) -> Any:
        answer = await commit(request)
        if b"two" in (request.state or b"") and not lost.is_set():
            lost.set()
            await late.wait()
            raise OutcomeUnknownError("the answer was cut")
        return answer

    wrap(bench.store.turns, "commit", second_is_late)
    await bench.engine.accept(WHO, text("one"))
    await spin()
    await bench.engine.accept(WHO, text("two"))
    await lost.wait()
    gate.passes.release()
    await spin(50)
    late.set()
    for _ in range(4):
        await asyncio.sleep(0.02)  # the commit is repeated in real time
    gate.passes.release()
    gate.passes.release()

    await rest(bench.engine)

    assert bench.sms.texts == ["echo one", "echo two"]
    assert [outgoing.maybe_sent for outgoing in bench.sms.sent] == [False, False]


async def test_a_cancelled_accept_does_not_leave_its_lease_to_nobody() -> None:
    """A client hangs up while its message is written: the message is durable, and its turn runs at once."""
    bench = Bench(EchoProgram())
    written, answer = asyncio.Event(), asyncio.Event()

    async def slow(begin: Callable[..., Awaitable[Any]], request: Any) -> Any:
        granted = await begin(request)
        if not written.is_set():
            written.set()
            await answer.wait()
        return granted

    wrap(bench.store.turns, "begin", slow)
    request = asyncio.create_task(bench.engine.accept(WHO, text("hello")))
    await written.wait()
    request.cancel()
    await asyncio.wait([request])

    await rest(bench.engine)

    assert await bench.heard() == ["hello"]
    assert bench.program.runs == [("hello",)]


async def test_a_durable_message_is_never_reported_as_refused() -> None:
    """A store that fails while the turn is waited for does not turn `durable` into an error."""
    gate = asyncio.Event()

    async def slow(turn: TurnInput, tools: Tools) -> None:
        await gate.wait()

    bench = Bench(EchoProgram(handle=slow))
    begins = 0

    async def fails_later(begin: Callable[..., Awaitable[Any]], request: Any) -> Any:
        nonlocal begins
        begins += 1
        if begins > 1:
            raise StoreUnavailableError("away")
        return await begin(request)

    wrap(bench.store.turns, "begin", fails_later)

    answer = await bench.engine.handle(WHO, text("hello"), within=timedelta(seconds=0.1))

    assert (answer.outcome, answer.done) == (Taken.ACCEPTED, False)
    assert begins > 1
    gate.set()
    await rest(bench.engine)


async def test_a_result_is_brought_home_again_instead_of_running_the_job_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A store that is away for a moment does not cost an expensive job twice."""
    monkeypatch.setattr("turnkeeper.engine.delivering.jobs._HOME_SECONDS", (0.0, 0.0))
    runs = 0

    async def expensive(job: JobInput) -> object:
        nonlocal runs
        runs += 1
        return 1

    bench = Bench(EchoProgram(work=expensive))
    refusals = 2

    async def refuses(begin: Callable[..., Awaitable[Any]], request: Any) -> Any:
        nonlocal refusals
        if request.message is not None and request.message.id.startswith("result:") and refusals:
            refusals -= 1
            raise StoreUnavailableError("away")
        return await begin(request)

    wrap(bench.store.turns, "begin", refuses)

    await bench.say("job x")

    assert runs == 1
    assert await bench.heard() == ["job x", "result letters 1"]


async def test_a_blocked_loop_keeps_its_lease_and_commits() -> None:
    """A handler that blocks the loop for several leases: the heartbeat's thread keeps the lease meanwhile."""
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    lease = timedelta(seconds=20)
    renewed = threading.Event()
    left: list[object] = []

    async def counted(renew: Callable[..., Awaitable[Any]], requests: Any) -> Any:
        answers = await renew(requests)
        renewed.set()
        return answers

    async def block(turn: TurnInput, tools: Tools) -> None:
        with ThreadPoolExecutor(1) as thief:
            for _ in range(12):
                clock.advance(lease / 4)
                renewed.clear()  # at most one renewal is under way that read the clock before this
                assert renewed.wait(SOON.total_seconds())
                left.extend(thief.submit(lambda: asyncio.run(store.deliveries.due())).result().items)

    wrap(store.turns, "renew", counted)
    program = EchoProgram(handle=block)
    settings = Settings(work=False, lease=lease, renew_every=timedelta(seconds=0.01))
    engine = Engine(store=store, programs={"echo": program}, channels={}, settings=settings)

    answer = await engine.handle(WHO, text("hello"), within=SOON)
    await engine.stop()

    assert answer.replies == ("echo hello",)
    assert left == []
    assert len(program.runs) == 1


async def test_a_deadline_noticed_too_late_does_not_cut_the_commit_off() -> None:
    """The loop was blocked beyond the turn's deadline: the handler has ended, so its draft counts."""

    async def block(turn: TurnInput, tools: Tools) -> None:
        block_loop(0.4)

    bench = Bench(
        EchoProgram(rules=Rules(turn_timeout=timedelta(seconds=0.05)), handle=block),
        settings=Settings(work=False, lease=timedelta(seconds=5), renew_every=timedelta(seconds=0.1)),
    )

    async def suspends(commit: Callable[..., Awaitable[Any]], request: Any) -> Any:
        await asyncio.sleep(0.05)
        return await commit(request)

    wrap(bench.store.turns, "commit", suspends)

    answer = await bench.engine.handle(WHO, text("hello"), within=SOON)
    await bench.engine.stop()

    assert answer.replies == ("echo hello",)
    assert len(bench.program.runs) == 1


async def test_a_slow_turn_of_this_process_is_not_looked_for() -> None:
    """Whoever waits for it is told; the store is not asked whether another process has done it."""

    async def think(turn: TurnInput, tools: Tools) -> None:
        await asyncio.sleep(0.09)

    async def count(begin: Callable[..., Awaitable[Any]], request: Any) -> Any:
        begun.append(request.token)
        return await begin(request)

    bench = Bench(EchoProgram(handle=think))
    begun: list[str] = []
    wrap(bench.store.turns, "begin", count)

    answer = await bench.engine.handle(WHO, text("hello"), within=SOON)

    assert answer.replies == ("echo hello",)
    assert len(begun) == 1


async def test_an_old_deadline_does_not_cancel_the_next_stint() -> None:
    """A cancellation that was on its way when the turn ended is not for the turn after it."""
    task = asyncio.current_task()
    held = Held(conversation=WHO, token="t", timeout=SOON, task=task)
    held.computing = True
    held.end()

    held.begin_stint(SOON)
    held.computing = True
    await spin()

    assert task is not None
    assert not task.cancelling()


async def test_the_heartbeat_beats_again_after_a_stop() -> None:
    """Stopped and used again, it renews; and one thread does it."""
    store = MemoryStore()
    await store.turns.begin(Begin(conversation=WHO, token="t", lease_ms=100, message=None))
    heartbeat = Heartbeat(store, lease=timedelta(seconds=0.2), every=timedelta(seconds=0.05))
    for _ in range(2):
        held = Held(conversation=WHO, token="nobody's", timeout=SOON)
        heartbeat.add(held)
        while not held.lost:  # noqa: ASYNC110 - the heartbeat's thread runs in real time
            await asyncio.sleep(0.01)
        heartbeat.discard(held)
        await heartbeat.stop()

    assert not [thread for thread in threading.enumerate() if thread.name == "turnkeeper-heartbeat"]


async def test_stop_is_heard_first_after_a_crash() -> None:
    """The worker that took STOP died: whoever takes over hears it before what it had overtaken."""
    bench = Bench(EchoProgram())
    await bench.engine.accept(WHO, text("warm up"))
    await rest(bench.engine)
    for message, mode in ((text("one"), Mode.QUEUE), (text("STOP", kind=Kind.OPT_OUT), Mode.INTERRUPT)):
        await bench.store.turns.begin(
            Begin(
                conversation=WHO,
                token=message.id,
                lease_ms=1000,
                message=Incoming(id=message.id, payload=encode(message)),
                mode=mode,
            )
        )

    await bench.later(seconds=2)

    assert await bench.heard() == ["warm up", "STOP"]


async def test_two_engines_of_one_process_share_a_conversation() -> None:
    """Both accept, each message is applied once and in order, each reply is sent once."""
    bench = Bench(EchoProgram())
    other = bench.another_engine()

    for number in range(20):
        await (other if number % 2 else bench.engine).accept(WHO, text(f"n{number}"))
    for _ in range(3):
        await rest(bench.engine)
        await rest(other)

    assert await bench.heard() == [f"n{number}" for number in range(20)]
    assert bench.sms.texts == [f"echo n{number}" for number in range(20)]


async def test_a_process_never_runs_more_jobs_than_it_may() -> None:
    """Also when more than that are due at one look."""
    gate = asyncio.Event()
    running = most = 0

    async def slow(job: JobInput) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        return 1

    bench = Bench(EchoProgram(work=slow), settings=Settings(work=False, heartbeat=False, max_jobs=3))
    for number in range(10):
        await bench.engine.accept(ConversationId(flow="echo", person=f"p{number}"), text("job x"))
    await spin(100)
    await bench.engine.look()
    await spin(100)
    gate.set()

    await rest(bench.engine)

    assert most == 3
    assert (await bench.store.catalog.counts()).unsent == 0


async def test_jobs_without_room_do_not_hide_what_else_is_due() -> None:
    """More jobs than one page holds wait for room; a timer that is due behind them is brought all the same."""
    gate = asyncio.Event()

    async def slow(job: JobInput) -> object:
        await gate.wait()
        return 1

    bench = Bench(EchoProgram(work=slow), settings=Settings(work=False, heartbeat=False, max_jobs=1))
    for number in range(400):
        await bench.engine.accept(ConversationId(flow="echo", person=f"p{number}"), text("job x"))
    await bench.engine.accept(WHO, text("in 1"))
    for seconds in (0, 0, 0, 2, 0, 0):  # the messages that were accepted beyond `max_running`, then the timer
        bench.clock.advance(timedelta(seconds=seconds))
        await bench.engine.look()
        await spin(2000)

    heard = await bench.heard()

    gate.set()
    await bench.engine.stop()
    assert heard == ["in 1", "timer bell 1"]


@pytest.mark.parametrize("store_kind", ["memory", "sqlite"])
async def test_a_worker_without_room_does_not_spin(store_kind: str, tmp_path: Any) -> None:
    """Something is due and cannot be started here: the worker looks a few times a second, not all the time."""
    store = open_store("memory://" if store_kind == "memory" else f"sqlite:///{tmp_path / 'x.db'}")
    gate = asyncio.Event()

    async def slow(turn: TurnInput, tools: Tools) -> None:
        await gate.wait()

    looks = 0

    plain = store.deliveries.due

    async def due(**given: Any) -> Any:
        nonlocal looks
        looks += 1
        return await plain(**given)

    store.deliveries.due = due  # type: ignore[method-assign]
    engine = Engine(
        store=store,
        programs={"echo": EchoProgram(handle=slow)},
        channels={},
        settings=Settings(max_running=1, grace=timedelta(seconds=1)),
    )
    await engine.start()
    await engine.accept(WHO, text("one"))
    await engine.accept(ConversationId(flow="echo", person="bob"), text("two"))
    before, began = looks, time.monotonic()
    for _ in range(60):
        await asyncio.sleep(0.01)

    seen, took_seconds = looks - before, time.monotonic() - began

    gate.set()
    await engine.stop()
    await store.close()
    assert 1 <= seen <= 2 + 5 * took_seconds


def test_settings_refuse_what_cannot_work() -> None:
    """A send must end while its claim lasts, and nobody looks without a pause."""
    with pytest.raises(ConfigurationError, match="send_timeout"):
        Settings(send_timeout=timedelta(seconds=30))
    with pytest.raises(ConfigurationError, match="poll"):
        Settings(poll=timedelta(0))
