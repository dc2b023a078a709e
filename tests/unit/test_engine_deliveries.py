"""Replies, jobs and timers: what the engine does after a commit."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from tests.unit.echo_program import WHO, EchoProgram, rest, spin, text
from tests.unit.engine_bench import Bench
from tests.unit.engine_faults import Gate
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.settings import Settings
from turnkeeper.errors import PermanentError
from turnkeeper.model.message import Kind
from turnkeeper.ports.channel import OnUnknown, Outgoing, SendOutcome, Sent
from turnkeeper.ports.program import JobInput
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing.channel import FakeChannel
from turnkeeper.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_a_refused_send_is_repeated_later_under_the_same_id_unmarked() -> None:
    """RETRY means surely not sent: the repetition carries no `maybe_sent`."""
    bench = Bench(EchoProgram())
    bench.sms.then(SendOutcome.RETRY)
    await bench.say("hello")
    assert bench.sms.sent == []

    await bench.later(minutes=1)

    assert [(o.attempt, o.maybe_sent) for o in bench.sms.attempts] == [(1, False), (2, False)]
    assert len({o.id for o in bench.sms.attempts}) == 1
    assert bench.sms.texts == ["echo hello"]


async def test_an_unknown_send_is_repeated_marked() -> None:
    """A repetition after an uncertain attempt says so."""
    bench = Bench(EchoProgram())
    bench.sms.then(SendOutcome.UNKNOWN)
    await bench.say("hello")

    await bench.later(minutes=1)

    assert [(o.attempt, o.maybe_sent) for o in bench.sms.attempts] == [(1, False), (2, True)]


async def test_an_unknown_send_is_held_where_the_channel_wishes() -> None:
    """HOLD: not again by itself; the dead letter can be redriven, marked."""
    bench = Bench(EchoProgram())
    bench.sms = FakeChannel("sms", on_unknown=OnUnknown.HOLD)
    bench.engine = bench.another_engine()
    bench.sms.then(SendOutcome.UNKNOWN)
    await bench.say("hello")
    await bench.later(hours=1)
    assert len(bench.sms.attempts) == 1

    dead = (await bench.store.deliveries.dead()).items

    assert [letter.error for letter in dead] == ["an earlier attempt may have been sent; held, as the channel wishes"]


async def test_a_rejected_send_is_dead_and_the_lane_goes_on() -> None:
    """What the provider will never take does not hold up what follows."""
    bench = Bench(EchoProgram())
    bench.sms.then(SendOutcome.REJECTED)

    await bench.say("one")
    await bench.say("two")

    assert bench.sms.texts == ["echo two"]
    assert len((await bench.store.deliveries.dead()).items) == 1


async def test_replies_keep_their_order_over_a_back_off() -> None:
    """A new reply does not overtake one that waits for its repetition."""
    bench = Bench(EchoProgram())
    bench.sms.then(SendOutcome.RETRY)
    await bench.say("one")
    await bench.say("two")
    assert bench.sms.sent == []

    await bench.later(minutes=1)

    assert bench.sms.texts == ["echo one", "echo two"]
    assert [outgoing.maybe_sent for outgoing in bench.sms.attempts] == [False, False, False]


async def test_the_providers_retry_after_is_kept() -> None:
    """A rate limit of a minute is not tried again after a second."""
    bench = Bench(EchoProgram())
    bench.sms.then(SendOutcome.RETRY, retry_after=timedelta(minutes=1))
    await bench.say("hello")

    await bench.later(seconds=59)
    assert len(bench.sms.attempts) == 1
    await bench.later(seconds=2)

    assert bench.sms.texts == ["echo hello"]


async def test_a_reply_that_is_never_taken_is_dead_after_the_last_attempt() -> None:
    """Repetition ends; an operator sees it."""
    bench = Bench(EchoProgram(), settings=Settings(work=False, heartbeat=False, send_attempts=3))
    bench.sms.then(*[SendOutcome.RETRY] * 3)
    await bench.say("hello")

    for _ in range(5):
        await bench.later(minutes=10)

    assert len(bench.sms.attempts) == 3
    assert len((await bench.store.deliveries.dead()).items) == 1


async def test_another_process_sends_what_a_dead_one_claimed_marked() -> None:
    """A claim that ran out may have been sent: whoever takes it over says so."""
    bench = Bench(EchoProgram())
    stuck = asyncio.Event()

    class Stuck(FakeChannel):
        async def send(self, outgoing: Outgoing, /) -> Sent:
            await stuck.wait()
            return await super().send(outgoing)

    dead = Engine(
        store=bench.store, programs={"echo": bench.program}, channels={"sms": Stuck("sms")}, settings=bench.settings
    )
    await dead.accept(WHO, text("hello"))
    await spin(50)

    await bench.later(seconds=31)

    assert [(outgoing.reply.text, outgoing.maybe_sent) for outgoing in bench.sms.sent] == [("echo hello", True)]


async def test_a_channel_of_another_process_is_left_to_it() -> None:
    """A process without the channel neither sends nor buries the reply."""
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    without = Bench(EchoProgram(), store=store, clock=clock, channels=False)
    await without.say("hello")
    for _ in range(20):
        await without.later(seconds=6)
    assert (await store.deliveries.dead()).items == ()
    other = Bench(EchoProgram(), store=store, clock=clock)

    await other.later(seconds=6)

    assert other.sms.texts == ["echo hello"]


async def test_a_jobs_result_comes_back_as_a_turn() -> None:
    """The job runs after the commit; what it returns is a message of its own."""
    bench = Bench(EchoProgram())

    await bench.say("job abcd")

    assert await bench.heard() == ["job abcd", "result letters 4"]
    assert bench.sms.texts == ["echo job abcd", "echo result letters 4"]


async def test_what_was_said_while_a_job_ran_is_not_overwritten() -> None:
    """A slow background task can never overwrite what the person said meanwhile."""
    gate = asyncio.Event()

    async def slow(job: JobInput) -> object:
        await gate.wait()
        return 1

    bench = Bench(EchoProgram(work=slow))
    await bench.engine.accept(WHO, text("job x"))
    await spin(50)
    await bench.engine.look()
    await spin(50)
    await bench.engine.accept(WHO, text("meanwhile"))
    await spin(50)
    gate.set()
    await rest(bench.engine)

    assert await bench.heard() == ["job x", "meanwhile", "result letters 1"]


async def test_a_failing_job_is_tried_again_and_its_failure_comes_back_as_a_turn() -> None:
    """After the last attempt the flow hears why."""
    attempts: list[int] = []

    async def fail(job: JobInput) -> object:
        attempts.append(job.attempt)
        raise ValueError("no cart")

    bench = Bench(EchoProgram(work=fail))
    await bench.say("job x")
    await bench.later(minutes=1)

    heard = await bench.heard()

    assert attempts == [1, 2]
    assert len(heard) == 2
    assert heard[1].startswith("failure letters")
    assert "ValueError: no cart" in heard[1]


async def test_a_permanent_error_fails_a_job_at_once() -> None:
    """Retrying is pointless when the job says so."""
    attempts: list[int] = []

    async def fail(job: JobInput) -> object:
        attempts.append(job.attempt)
        raise PermanentError("no such shop")

    bench = Bench(EchoProgram(work=fail))

    await bench.say("job x")

    assert attempts == [1]
    assert "no such shop" in (await bench.heard())[1]


async def test_a_job_whose_process_dies_every_time_fails_as_a_crash() -> None:
    """Claims that nobody settles count as attempts, so that a poisonous job ends."""
    bench = Bench(EchoProgram())
    await bench.engine.accept(WHO, text("job x"))
    await spin(50)
    for _ in range(2):
        (due,) = (await bench.store.deliveries.due()).items
        assert due.lane is not None
        claim = await bench.store.deliveries.claim(due.lane, token="gone", lease=timedelta(seconds=1))
        assert claim is not None
        bench.clock.advance(timedelta(seconds=2))

    await rest(bench.engine)

    heard = await bench.heard()
    assert heard[-1].startswith("failure letters")
    assert '"kind":"crash"' in heard[-1]


async def test_a_job_of_newer_code_is_left_to_newer_workers() -> None:
    """A rolling deploy: the old process gives the job back without counting an attempt."""
    program = EchoProgram()
    program.job_rules = lambda name, /: None  # type: ignore[method-assign]
    old = Bench(program)
    await old.say("job x")
    for _ in range(10):
        await old.later(seconds=6)
    new = Bench(EchoProgram(), store=old.store, clock=old.clock)

    await new.later(seconds=6)

    assert await new.heard() == ["job x", "result letters 1"]


async def test_a_timer_comes_back_as_a_turn_at_its_time_and_once() -> None:
    """Not a second early; never twice."""
    bench = Bench(EchoProgram())
    await bench.say("in 60")

    await bench.later(seconds=59)
    assert await bench.heard() == ["in 60"]
    await bench.later(seconds=1)
    await bench.later(hours=1)

    assert await bench.heard() == ["in 60", "timer bell 1"]


async def test_what_a_sender_has_in_hand_and_not_begun_is_not_sent_after_stop() -> None:
    """Also claimed replies are dropped then: nobody who said STOP is sent what this process had queued before."""
    bench = Bench(EchoProgram())
    bench.sms = gate = Gate()
    engine = bench.another_engine()
    for words in ("one", "two", "three"):
        await engine.accept(WHO, text(words))
        await spin()
    gate.passes.release()  # "one" is sent, "two" and "three" are claimed together, and "two" is on its way
    await spin()
    bench.program.opt_out = True
    await engine.accept(WHO, text("STOP", kind=Kind.OPT_OUT))
    await spin()

    for _ in range(10):
        gate.passes.release()
    await rest(engine)

    assert gate.texts[:2] == ["echo one", "echo two"]
    assert "echo three" not in gate.texts
    assert (await bench.store.catalog.counts()).unsent == 0


async def test_an_opted_out_person_is_not_sent_what_waits() -> None:
    """A reply in back-off is dropped when the person opts out meanwhile."""
    bench = Bench(EchoProgram())
    bench.sms.then(SendOutcome.RETRY)
    await bench.say("hello")
    exported = await bench.store.catalog.export(WHO)
    assert exported is not None
    assert len(exported.deliveries) == 1
    bench.program.opt_out = True
    await bench.engine.accept(WHO, text("STOP", kind=Kind.OPT_OUT))
    await rest(bench.engine)

    await bench.later(minutes=1)

    assert "echo hello" not in bench.sms.texts
    assert msgspec.json.decode(exported.state or b"[]") == ["hello"]
