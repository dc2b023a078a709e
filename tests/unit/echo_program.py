"""A program without a dialogue: it appends what it hears, and does what a test tells it to."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec

from turnkeeper.engine.engine import Engine
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import JobCall, JobFailed, Kind, Message, Reply
from turnkeeper.ports.program import Busyness, Draft, JobInput, JobRules, Rules, Tools, TurnInput
from turnkeeper.ports.turns import Effect, EffectKind

CHANNEL = "sms"
WHO = ConversationId(flow="echo", person="ana")

Handle = Callable[[TurnInput, Tools], Awaitable[None]]
Work = Callable[[JobInput], Awaitable[object]]


def text(words: str, *, id: str | None = None, kind: Kind = Kind.TEXT) -> Message:  # noqa: A002 - the field's name
    """Return a message of a person on the fake channel."""
    return Message(id=id or words, kind=kind, text=words, channel=CHANNEL)


async def nothing(turn: TurnInput, tools: Tools) -> None:
    """Do nothing more."""


async def letters(job: JobInput) -> object:
    """Return how many letters the job's only argument has."""
    return len(msgspec.json.decode(job.call.args)[0])


class EchoProgram:
    """Keeps a JSON list of what it heard, and repeats every text; "job …" starts a job, "in …" a timer."""

    name = "echo"

    def __init__(
        self, *, rules: Rules | None = None, handle: Handle = nothing, work: Work = letters, attempts: int = 2
    ) -> None:
        """Take what a test wants to happen inside a turn or a job."""
        self.rules = rules or Rules()
        self.handle = handle
        self._work = work
        self._attempts = attempts
        self.runs: list[tuple[str, ...]] = []
        self.opt_out = False

    async def run(self, turn: TurnInput, tools: Tools, /) -> Draft:
        """Append and repeat."""
        heard = turn.messages[turn.superseded :]
        self.runs.append(tuple(message.text for message in heard))
        await self.handle(turn, tools)
        state = msgspec.json.decode(turn.state, type=list[str]) if turn.state else []
        said = " ".join(message.text for message in heard)
        label = {Kind.RESULT: "result", Kind.FAILURE: "failure", Kind.TIMER: "timer"}.get(heard[-1].kind)
        if label is not None:
            said = f"{label} {said} {bytes(heard[-1].data).decode()}"
        state.append(said)
        return Draft(
            state=msgspec.json.encode(state),
            status="listening",
            log=msgspec.json.encode(said),
            effects=self._effects(turn, said, is_text=label is None),
            replies=(f"echo {said}",),
            opt_out=True if self.opt_out else None,
            cancel_all=self.opt_out,
        )

    def _effects(self, turn: TurnInput, said: str, *, is_text: bool) -> tuple[Effect, ...]:
        reply = Reply(channel=CHANNEL, to=turn.conversation.person, text=f"echo {said}")
        effects = [Effect(id=f"{turn.effect_prefix}:0", kind=EffectKind.REPLY, payload=msgspec.json.encode(reply))]
        if is_text and said.startswith("job "):
            call = JobCall(name="letters", args=msgspec.Raw(msgspec.json.encode([said[4:]])))
            effects.append(Effect(id=f"{turn.effect_prefix}:1", kind=EffectKind.JOB, payload=msgspec.json.encode(call)))
        if is_text and said.startswith("in "):
            payload = msgspec.json.encode({"name": "bell", "data": 1})
            due_ms = turn.now_ms + int(said[3:]) * 1000
            effects.append(
                Effect(id=f"{turn.effect_prefix}:1", kind=EffectKind.TIMER, payload=payload, due_ms=due_ms, name="bell")
            )
        return tuple(effects)

    def bury(self, turn: TurnInput, error: str, /) -> Draft:
        """Log it."""
        return Draft(state=None, status="listening", log=msgspec.json.encode(f"dead: {error}"))

    def job_rules(self, name: str, /) -> JobRules | None:
        """Know one job."""
        if name != "letters":
            return None
        return JobRules(attempts=self._attempts, delay=timedelta(seconds=1), timeout=timedelta(seconds=5))

    async def work(self, job: JobInput, /) -> bytes:
        """Do what the test wants."""
        return msgspec.json.encode(await self._work(job))

    def failure(self, failed: JobFailed, /) -> bytes:
        """Encode it."""
        return msgspec.json.encode(failed)


def coalescing() -> Rules:
    """Return rules that join bursts."""
    return Rules(busy=Busyness(policy="coalesce", wait=timedelta(seconds=2), max_wait=timedelta(seconds=10)))


async def rest(engine: Engine) -> None:
    """Let the engine do whatever is due, until nothing is."""
    for _ in range(10_000):
        if not await engine.look():
            return
        await asyncio.sleep(0)
    raise AssertionError("the engine did not come to rest")


async def spin(times: int = 20) -> None:
    """Let other tasks run."""
    for _ in range(times):
        await asyncio.sleep(0)
