"""The bot that the simulation attacks: it writes down what it applied, and does whatever a message's words say.

Words: `job` starts a job (with `flop` one that always fails, with `stuck` one that hangs once), `bell` sets a timer,
`cancel` takes the last timer back, `step` remembers a step, `part` puts something large aside, `slow` takes longer than
a lease the first time, `hang` never ends the first time, `fail` fails once or twice, `poison` always.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from turnkeeper.model.message import JobCall, JobFailed, Kind, Message, Reply
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.program import Busyness, Draft, JobInput, JobRules, Rules, Tools, TurnInput
from turnkeeper.ports.turns import Effect, EffectKind, LogRecord, Part
from turnkeeper.testing.history import Turn

CHANNEL = "sms"

WORDS = ("", "", "", "", "", "job", "bell", "cancel", "step", "part", "fail", "job bell", "part step")
"""What messages say; the empty ones are the usual ones."""

RARE_WORDS = ("slow", "hang", "poison", "slow part", "poison job", "job flop", "job stuck")
"""What one message of a person may say."""

LOG_KEEP = 100_000
"""Every entry: the checker wants the whole log."""

JOB_TIMEOUT = timedelta(seconds=30)
TURN_TIMEOUT = timedelta(seconds=40)
MAX_ATTEMPTS = 6


class State(msgspec.Struct, omit_defaults=True):
    """What the bot remembers."""

    applied: list[str] = []
    timers: list[str] = []
    part: str = ""


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the bot writes into its log; with the record around it, it is a `Turn` of the history."""

    commit: str
    fence: int
    messages: list[str]
    positions: list[int] = []
    replies: list[tuple[str, str]] = []
    promises: list[str] = []
    called_off: list[str] = []
    answer: list[str] = []
    buried: bool = False
    silences: bool = False


_WISHES = {Kind.OPT_OUT: True, Kind.OPT_IN: False}

_decode_state = msgspec.json.Decoder(State).decode
_decode_entry = msgspec.json.Decoder(Entry).decode
_encode = msgspec.json.Encoder().encode


def applied_in(state: bytes) -> tuple[str, ...]:
    """Return the messages that a state says were applied."""
    return tuple(_decode_state(state).applied)


def turn_of(conversation: str, record: LogRecord) -> Turn:
    """Return what a log record tells."""
    entry = _decode_entry(record.data)
    return Turn(
        conversation=conversation,
        seq=record.seq,
        version=record.version,
        generation=record.generation,
        at_ms=record.at_ms,
        commit=entry.commit,
        fence=entry.fence,
        messages=tuple(entry.messages),
        positions=tuple(entry.positions),
        replies=tuple(entry.replies),
        promises=tuple(entry.promises),
        called_off=tuple(entry.called_off),
        answer=tuple(entry.answer),
        buried=entry.buried,
        unchanged=entry.buried,
        silences=entry.silences,
    )


class HandlerFailedError(Exception):
    """What a handler of this bot fails with."""


class Bot:
    """Implements `turnkeeper.ports.program.Program`."""

    name = "echo"

    def __init__(self, *, clock: Clock, chance: random.Random, policy: str, retain_ms: int | None) -> None:
        """Take what decides how long things take."""
        self._clock = clock
        self._chance = chance
        self._retain_ms = retain_ms
        self.rules = Rules(
            busy=Busyness(policy=policy, wait=timedelta(milliseconds=200), max_wait=timedelta(seconds=1)),
            turn_timeout=TURN_TIMEOUT,
            max_attempts=MAX_ATTEMPTS,
            backoff=timedelta(milliseconds=50),
            max_backoff=timedelta(seconds=1),
        )

    async def run(self, turn: TurnInput, tools: Tools, /) -> Draft:
        """Do what the words say."""
        state = _decode_state(turn.state) if turn.state else State()
        heard = turn.messages[turn.superseded :]
        words = {word for message in heard for word in message.text.split()} if heard[-1].kind is Kind.TEXT else set()
        await self._dawdle(turn, tools, state, words)
        state.applied.extend(message.id for message in turn.messages)
        entry = Entry(
            commit=turn.commit_id,
            fence=turn.fence,
            messages=[message.id for message in turn.messages],
            positions=[_seq(turn)],
            silences=heard[-1].kind is Kind.OPT_OUT,
        )
        effects, parts, retired = self._effects(turn, heard, words, state, entry)
        return Draft(
            state=_encode(state),
            status="listening",
            log=_encode(entry),
            log_keep=LOG_KEEP,
            retain_ms=self._retain_ms,
            effects=tuple(effects),
            cancel=tuple(entry.called_off),
            replies=tuple(entry.answer),
            parts=parts,
            retired=retired,
            opt_out=_WISHES.get(heard[-1].kind),
            cancel_all=entry.silences,
        )

    async def _dawdle(self, turn: TurnInput, tools: Tools, state: State, words: set[str]) -> None:
        """Take time, remember, look at the part, fail."""
        if self._chance.random() < 0.3:
            await self._clock.sleep(self._chance.random() * 0.05)
        if "slow" in words and turn.attempt == 1:
            await self._clock.sleep(22)
        if "hang" in words and turn.attempt == 1:
            await asyncio.Event().wait()
        if "step" in words and "step" not in turn.memos:
            await tools.remember("step", b"done")
        if "part" in words and state.part and await tools.part(state.part) != state.part.encode():
            raise HandlerFailedError(f"part {state.part} is not what it was")
        if "poison" in words or ("fail" in words and turn.attempt <= 2):
            raise HandlerFailedError(turn.messages[0].id)

    def _effects(
        self, turn: TurnInput, heard: Sequence[Message], words: set[str], state: State, entry: Entry
    ) -> tuple[list[Effect], tuple[Part, ...], tuple[str, ...]]:
        prefix = turn.effect_prefix
        effects: list[Effect] = []

        def add(kind: EffectKind, payload: bytes, *, due_ms: int = 0, name: str = "") -> str:
            effects.append(Effect(id=f"{prefix}:{len(effects)}", kind=kind, payload=payload, due_ms=due_ms, name=name))
            return effects[-1].id

        for number in range(2 if "job" in words else 1):
            text = f"{number} {' '.join(message.id for message in heard)}"
            reply = Reply(channel=CHANNEL, to=turn.conversation.person, text=text)
            entry.replies.append((add(EffectKind.REPLY, _encode(reply)), text))
            entry.answer.append(text)
        if "job" in words:
            name = next((word for word in ("flop", "stuck") if word in words), "count")
            call = JobCall(name=name, args=msgspec.Raw(_encode([heard[-1].id])))
            entry.promises.append(f"result:{add(EffectKind.JOB, _encode(call))}")
        if "cancel" in words and state.timers:
            entry.called_off.append(state.timers.pop())
        if "bell" in words:
            due_ms = turn.now_ms + self._chance.randrange(10_000)
            timer = add(EffectKind.TIMER, _encode({"name": prefix, "data": 1}), due_ms=due_ms, name=prefix)
            state.timers.append(timer)
            entry.promises.append(f"timer:{timer}")
        if "part" not in words:
            return effects, (), ()
        retired = (state.part,) if state.part else ()
        state.part = f"{prefix}:p"
        return effects, (Part(id=state.part, data=state.part.encode()),), retired

    def bury(self, turn: TurnInput, _error: str, /) -> Draft:
        """Say sorry."""
        effect = f"{turn.effect_prefix}:0"
        message = turn.messages[0].id
        reply = Reply(channel=CHANNEL, to=turn.conversation.person, text=f"sorry {message}")
        entry = Entry(
            commit=turn.commit_id,
            fence=turn.fence,
            messages=[message],
            positions=[_seq(turn)],
            replies=[(effect, reply.text)],
            buried=True,
        )
        return Draft(
            state=None,
            status="listening",
            log=_encode(entry),
            log_keep=LOG_KEEP,
            retain_ms=self._retain_ms,
            effects=(Effect(id=effect, kind=EffectKind.REPLY, payload=_encode(reply)),),
        )

    def job_rules(self, _name: str, /) -> JobRules | None:
        """Treat all jobs alike."""
        return JobRules(
            attempts=4, delay=timedelta(milliseconds=100), max_delay=timedelta(seconds=1), timeout=JOB_TIMEOUT
        )

    async def work(self, job: JobInput, /) -> bytes:
        """Take time, and fail now and then; or always, or never end the first time."""
        if job.call.name == "stuck" and job.attempt == 1:
            await asyncio.Event().wait()
        await self._clock.sleep(self._chance.choice((0.0, 0.01, 1.0, 20.0)) if job.attempt == 1 else 0.01)
        if job.call.name == "flop" or self._chance.random() < 0.2:
            raise HandlerFailedError(job.id)
        return b"1"

    def failure(self, failed: JobFailed, /) -> bytes:
        """Encode it."""
        return _encode(failed)


def _seq(turn: TurnInput) -> int:
    """Return the number that the first message had in the inbox: the end of the effects' prefix."""
    return int(turn.effect_prefix.rpartition(":")[2])
