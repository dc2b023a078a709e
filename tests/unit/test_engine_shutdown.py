"""Stopping: a deploy looks like nothing at all, to the person, to the provider and to the next process."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.echo_program import WHO, EchoProgram, rest, spin, text
from tests.unit.engine_bench import Bench
from tests.unit.engine_faults import Gate, wrap
from turnkeeper.engine.results import Taken
from turnkeeper.engine.settings import Settings
from turnkeeper.errors import StoreUnavailableError
from turnkeeper.ports.program import Tools, TurnInput

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=20)
AT_ONCE = Settings(work=False, heartbeat=False, grace=timedelta(0))


async def test_stopping_never_cuts_a_commit_off() -> None:
    """A commit on its way is waited for: its reply is sent here and now, unmarked."""
    bench = Bench(EchoProgram(), settings=AT_ONCE)
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(commit: Callable[..., Awaitable[Any]], request: Any) -> Any:
        answer = await commit(request)
        entered.set()
        await leave.wait()
        return answer

    wrap(bench.store.turns, "commit", slow)
    await bench.engine.accept(WHO, text("hello"))
    await entered.wait()
    stopping = asyncio.create_task(bench.engine.stop())
    await spin(50)
    leave.set()
    await stopping

    assert [(outgoing.reply.text, outgoing.maybe_sent) for outgoing in bench.sms.sent] == [("echo hello", False)]


async def test_stopping_ends_after_the_turn_and_leaves_what_waits_to_others() -> None:
    """A long queue does not hold a deploy up, and the next process goes on at once."""
    gate = asyncio.Event()

    async def slow(turn: TurnInput, tools: Tools) -> None:
        await gate.wait()

    bench = Bench(EchoProgram(handle=slow))
    for number in range(5):
        await bench.engine.accept(WHO, text(f"n{number}"))
    await spin()
    stopping = asyncio.create_task(bench.engine.stop())
    await spin()
    gate.set()
    await stopping
    assert await bench.heard() == ["n0"]
    other = Bench(EchoProgram(), store=bench.store, clock=bench.clock)

    await rest(other.engine)

    assert await other.heard() == [f"n{number}" for number in range(5)]


async def test_whoever_waits_for_a_reply_is_told_when_the_process_stops() -> None:
    """A server does not wait for its own clients' deadlines before it ends."""

    async def hang(turn: TurnInput, tools: Tools) -> None:
        await asyncio.Event().wait()

    bench = Bench(EchoProgram(handle=hang), settings=AT_ONCE)
    waiting = asyncio.create_task(bench.engine.handle(WHO, text("hello"), within=timedelta(hours=1)))
    await spin()
    await bench.engine.stop()

    answer = await asyncio.wait_for(waiting, 5)

    assert (answer.outcome, answer.done) == (Taken.ACCEPTED, False)


async def test_stopping_cuts_off_a_send_and_leaves_it_marked() -> None:
    """A provider that does not answer holds nobody up; what follows in the lane was not tried."""
    bench = Bench(EchoProgram(), settings=AT_ONCE)
    bench.sms = Gate()
    bench.engine = bench.another_engine()
    await bench.engine.accept(WHO, text("one"))
    await spin()
    await bench.engine.accept(WHO, text("two"))
    await spin()
    await asyncio.wait_for(bench.engine.stop(), 10)
    other = Bench(EchoProgram(), store=bench.store, clock=bench.clock)

    await other.later(seconds=2)

    assert [(o.reply.text, o.maybe_sent) for o in other.sms.sent] == [("echo one", True), ("echo two", False)]


async def test_stopping_ends_although_the_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts that nobody can record are left to their claims' end."""
    monkeypatch.setattr("turnkeeper.engine.delivering.outbox._END_SECONDS", 0.05)
    bench = Bench(EchoProgram(), settings=AT_ONCE)

    async def away(settle: Callable[..., Awaitable[Any]], request: Any) -> Any:
        raise StoreUnavailableError("away")

    wrap(bench.store.deliveries, "settle", away)
    await bench.engine.accept(WHO, text("hello"))
    await spin(50)

    await asyncio.wait_for(bench.engine.stop(), 10)

    assert bench.sms.texts == ["echo hello"]
