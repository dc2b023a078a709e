"""What nobody can read, store or end: it becomes a failure or a dead letter, never an endless loop."""

import asyncio
import sys
from datetime import timedelta

import msgspec
import pytest

from tests.unit.echo_program import CHANNEL, WHO, EchoProgram, coalescing, rest, spin, text
from tests.unit.engine_bench import Bench
from turnkeeper.engine.reasons import MAX_REASON_CHARACTERS, reason_of
from turnkeeper.engine.settings import Settings
from turnkeeper.engine.wire import encode
from turnkeeper.errors import HandlerError
from turnkeeper.model.message import Kind, Message
from turnkeeper.policy.retry import backoff_ms
from turnkeeper.ports.channel import OnUnknown, Outgoing, SendOutcome, Sent
from turnkeeper.ports.deliveries import DeadLetter
from turnkeeper.ports.program import Draft, JobInput, Rules, Tools, TurnInput
from turnkeeper.ports.turns import Begin, Effect, EffectKind, Incoming
from turnkeeper.testing.channel import FakeChannel

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Capture no log lines: the report of a parallel run cannot carry half a character, which some tests send."""
    caplog.set_level("CRITICAL")


class Poisoning(EchoProgram):
    """Its first turn asks for effects whose payloads nobody can read."""

    kinds: tuple[EffectKind, ...] = ()

    async def run(self, turn: TurnInput, tools: Tools, /) -> Draft:
        """Append, and poison once."""
        draft = await super().run(turn, tools)
        if turn.version:
            return draft
        effects = [
            Effect(id=f"{turn.effect_prefix}:p{number}", kind=kind, payload=b"\xff", name=f"n{number}")
            for number, kind in enumerate(self.kinds)
        ]
        return msgspec.structs.replace(draft, effects=(*effects, *draft.effects))


async def dead(bench: Bench) -> tuple[DeadLetter, ...]:
    """Return the dead letters."""
    return (await bench.store.deliveries.dead()).items


@pytest.mark.parametrize("kind", list(EffectKind))
async def test_an_effect_that_cannot_be_read_is_dead_and_holds_nobody_up(kind: EffectKind) -> None:
    """Undecodable bytes in the outbox, a job, a timer or a forward end in the dead letters at the first look."""
    program = Poisoning()
    program.kinds = (kind,)
    bench = Bench(program)

    await bench.say("hello")

    (letter,) = await dead(bench)
    assert letter.kind is kind
    assert "cannot be read" in letter.error
    assert bench.sms.texts == ["echo hello"]


async def test_a_message_nested_too_deeply_is_buried() -> None:
    """A decoder that runs out of stack is an unreadable message like any other."""
    bench = Bench(EchoProgram(rules=Rules(max_attempts=1)))
    deep = b'{"id":"deep","kind":"text","to":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    begin = Begin(conversation=WHO, token="t", lease_ms=1, message=Incoming(id="deep", payload=deep), run=False)
    await bench.store.turns.begin(begin)

    await rest(bench.engine)

    assert [letter.source_id for letter in await dead(bench)] == ["deep"]


async def test_an_unreadable_message_does_not_take_a_good_one_before_it_along() -> None:
    """Of several handed out together only the unreadable one is buried."""
    bench = Bench(EchoProgram(rules=msgspec.structs.replace(coalescing(), max_attempts=1)))
    for message_id, payload in (("good", encode(text("good"))), ("bad", b"\xff"), ("better", encode(text("better")))):
        incoming = Incoming(id=message_id, payload=payload)
        await bench.store.turns.begin(
            Begin(conversation=WHO, token=message_id, lease_ms=1, message=incoming, run=False)
        )

    await rest(bench.engine)

    assert [letter.source_id for letter in await dead(bench)] == ["bad"]
    assert await bench.heard() == ["good", "better"]


async def test_a_handler_that_raises_cancelled_error_by_itself_has_failed() -> None:
    """Nobody cancelled it: the attempt counts, and the message is buried after the last one."""
    runs = 0

    async def give_up(turn: TurnInput, tools: Tools) -> None:
        nonlocal runs
        runs += 1
        raise asyncio.CancelledError

    bench = Bench(EchoProgram(rules=Rules(max_attempts=2), handle=give_up))
    await bench.say("hello")
    await bench.later(minutes=10)

    assert runs == 2
    assert [letter.attempts for letter in await dead(bench)] == [2]


async def test_a_handler_that_exits_ends_its_attempt_only() -> None:
    """`sys.exit` in a handler does not take the server down."""

    async def leave(turn: TurnInput, tools: Tools) -> None:
        if turn.messages[0].text == "bad":
            sys.exit(3)

    bench = Bench(EchoProgram(rules=Rules(max_attempts=1), handle=leave))
    await bench.say("bad")
    await bench.say("good")

    assert [letter.error for letter in await dead(bench)] == ["SystemExit: 3"]
    assert await bench.heard() == ["good"]


@pytest.mark.parametrize("error", [asyncio.CancelledError(), SystemExit(3)])
async def test_a_job_that_cancels_itself_or_exits_has_failed(error: BaseException) -> None:
    """Its attempts count, and the flow hears of the failure."""
    attempts: list[int] = []

    async def leave(job: JobInput) -> object:
        attempts.append(job.attempt)
        raise error

    bench = Bench(EchoProgram(work=leave))
    await bench.say("job x")
    await bench.later(minutes=10)

    assert attempts == [1, 2]
    assert type(error).__name__ in (await bench.heard())[-1]


@pytest.mark.parametrize("result", [object(), "\ud800"])
async def test_a_job_result_that_cannot_be_encoded_is_a_failure(result: object) -> None:
    """The flow hears of it instead of waiting for ever."""

    async def odd(job: JobInput) -> object:
        return result

    bench = Bench(EchoProgram(work=odd))
    await bench.say("job x")
    await bench.later(minutes=10)

    assert (await bench.heard())[-1].startswith("failure letters")


async def test_a_job_that_returns_no_bytes_is_a_failure() -> None:
    """A program that breaks its own contract costs one job, not the worker."""

    class Odd(EchoProgram):
        async def work(self, job: JobInput, /) -> bytes:
            return 7  # type: ignore[return-value]

    bench = Bench(Odd())
    await bench.say("job x")

    assert "its result cannot be taken" in (await bench.heard())[-1]


async def test_a_failure_of_any_length_reaches_the_flow() -> None:
    """An exception with a megabyte of text is shortened, not lost."""

    async def shout(job: JobInput) -> object:
        raise ValueError("no" * 500_000 + "\ud800")

    bench = Bench(EchoProgram(work=shout, attempts=1))
    await bench.say("job x")

    (_, failure) = await bench.heard()
    assert failure.startswith("failure letters")
    assert len(failure) < 2 * MAX_REASON_CHARACTERS


async def test_a_message_is_buried_even_if_its_burial_fails() -> None:
    """What the program wants to say at the grave may fail; the message is dead all the same."""

    class Clumsy(EchoProgram):
        def bury(self, turn: TurnInput, error: str, /) -> Draft:
            raise ValueError("and this too")

    async def fail(turn: TurnInput, tools: Tools) -> None:
        if turn.messages[0].text == "bad":
            raise ValueError("no")

    bench = Bench(Clumsy(rules=Rules(max_attempts=1), handle=fail))
    await bench.say("bad")
    await bench.say("good")

    assert [letter.source_id for letter in await dead(bench)] == ["bad"]
    assert await bench.heard() == ["good"]


async def test_a_reply_that_is_no_unicode_fails_the_turn_with_its_reason() -> None:
    """A lone surrogate cannot be stored; the attempt fails at once instead of costing its lease."""

    class Odd(EchoProgram):
        async def run(self, turn: TurnInput, tools: Tools, /) -> Draft:
            return msgspec.structs.replace(await super().run(turn, tools), replies=("\ud800",))

    bench = Bench(Odd(rules=Rules(max_attempts=1)))

    await bench.say("hello")

    assert ["a reply cannot be stored" in letter.error for letter in await dead(bench)] == [True]


class Odd(FakeChannel):
    """A channel whose first attempt ends in a way of its own."""

    def __init__(self, end: object, *, on_unknown: OnUnknown = OnUnknown.RESEND) -> None:
        """Take what the first attempt raises or returns."""
        super().__init__(CHANNEL, on_unknown=on_unknown)
        self.end: object | None = end

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """End oddly once."""
        end, self.end = self.end, None
        if isinstance(end, BaseException):
            self.attempts.append(outgoing)
            raise end
        if end is not None:
            self.attempts.append(outgoing)
            return end  # type: ignore[return-value]
        return await super().send(outgoing)


@pytest.mark.parametrize("end", [SystemExit(1), asyncio.CancelledError(), ValueError("\ud800" * 10_000), "accepted"])
async def test_a_channel_that_raises_or_returns_nonsense_counts_as_unknown(end: object) -> None:
    """Nobody knows whether it was sent: again, marked."""
    bench = Bench(EchoProgram())
    bench.sms = Odd(end)
    bench.engine = bench.another_engine()
    await bench.say("hello")

    await bench.later(minutes=1)

    assert [(o.attempt, o.maybe_sent) for o in bench.sms.attempts] == [(1, False), (2, True)]
    assert bench.sms.texts == ["echo hello"]


async def test_a_send_that_hangs_is_unknown_after_its_timeout() -> None:
    """The lane goes on; the reply is sent again, marked."""

    class Hanging(FakeChannel):
        async def send(self, outgoing: Outgoing, /) -> Sent:
            if not self.attempts:
                self.attempts.append(outgoing)
                await asyncio.Event().wait()
            return await super().send(outgoing)

    settings = Settings(work=False, heartbeat=False, send_timeout=timedelta(milliseconds=20))
    bench = Bench(EchoProgram(), settings=settings)
    bench.sms = Hanging(CHANNEL)
    bench.engine = bench.another_engine()
    await bench.say("hello")

    await bench.later(minutes=1)

    assert [(o.attempt, o.maybe_sent) for o in bench.sms.attempts] == [(1, False), (2, True)]


async def test_a_send_that_kills_the_process_every_time_ends() -> None:
    """Claims that nobody settles count as attempts of a reply, too."""
    bench = Bench(EchoProgram(), channels=False, settings=Settings(work=False, heartbeat=False, send_attempts=2))
    await bench.say("hello")
    bench.clock.advance(timedelta(seconds=6))
    other = Bench(EchoProgram(), store=bench.store, clock=bench.clock, settings=bench.settings)
    for _ in range(2):
        (due,) = (await bench.store.deliveries.due()).items
        assert due.lane is not None
        assert await bench.store.deliveries.claim(due.lane, token="gone", lease=timedelta(seconds=1)) is not None
        bench.clock.advance(timedelta(seconds=6))

    await rest(other.engine)

    assert other.sms.attempts == []
    assert ["did not end in 2 attempts" in letter.error for letter in await dead(bench)] == [True]


async def test_a_held_reply_that_is_redriven_is_sent_marked() -> None:
    """An operator's word counts more than the channel's wish to hold."""
    bench = Bench(EchoProgram())
    bench.sms = FakeChannel(CHANNEL, on_unknown=OnUnknown.HOLD)
    bench.engine = bench.another_engine()
    bench.sms.then(SendOutcome.UNKNOWN)
    await bench.say("hello")
    (letter,) = await dead(bench)

    await bench.store.deliveries.redrive([letter.id])
    await rest(bench.engine)

    assert [(o.attempt, o.maybe_sent) for o in bench.sms.attempts] == [(1, False), (1, True)]
    assert await dead(bench) == ()


async def test_what_is_queued_here_is_not_sent_after_stop() -> None:
    """STOP also silences replies that this process had already claimed, but not its own answer."""
    gate = asyncio.Event()

    class Slow(FakeChannel):
        async def send(self, outgoing: Outgoing, /) -> Sent:
            if not self.attempts:
                self.attempts.append(outgoing)
                await gate.wait()
            return await super().send(outgoing)

    bench = Bench(EchoProgram())
    bench.sms = Slow(CHANNEL)
    bench.engine = bench.another_engine()
    for words in ("one", "two", "three"):
        await bench.engine.accept(WHO, text(words))
        await spin()
    bench.program.opt_out = True
    await bench.engine.accept(WHO, Message(id="s", kind=Kind.OPT_OUT, text="STOP", channel=CHANNEL))
    await spin(50)

    gate.set()
    await rest(bench.engine)

    assert bench.sms.texts == ["echo one", "echo STOP"]


def test_a_reason_is_bounded_and_can_be_stored_whatever_was_raised() -> None:
    """Even where the exception's own text fails."""

    class SilentError(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert reason_of(HandlerError("\ud800")) == "HandlerError: ?"
    assert len(reason_of(ValueError("x" * 10_000))) == MAX_REASON_CHARACTERS
    assert reason_of(SilentError()) == "SilentError: (its text cannot be read: ValueError)"


def test_a_back_off_that_grows_beyond_all_numbers_is_the_longest() -> None:
    """A factor of a billion does not end in an overflow."""
    second, hour = timedelta(seconds=1), timedelta(hours=1)

    assert backoff_ms(attempt=60, first=second, factor=1e9, longest=hour, chance=1) == 3_600_000
