"""The port between the engine and what it runs: a flow, seen as bytes in, draft out.

The engine knows leases, commits and deliveries; the program knows state, handlers and words. A program may run
more than once for one message (a crash, a lost lease): only a committed draft counts.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import JobCall, JobFailed, Message
from turnkeeper.ports.turns import Effect, LogRecord, Part


class TurnInput(msgspec.Struct, frozen=True, kw_only=True):
    """One turn to compute.

    Attributes:
        conversation: Whose turn.
        messages: What it is about: one message; several when bursts are coalesced (all count, in order) or when
            the last one interrupted the others (`superseded` of them are only logged).
        superseded: How many of the first messages were overtaken by the last one.
        effect_prefix: Effect and part ids of this turn are `{effect_prefix}:{n}`; stable over re-runs.
        commit_id: Goes into the state's envelope.
        now_ms: The store's clock.
        attempt: Counts from 1; above 1 the handler ran before without a commit.
        waiting: Messages behind these.
    """

    conversation: ConversationId
    messages: tuple[Message, ...]
    effect_prefix: str
    commit_id: str
    fence: int
    version: int
    generation: int
    state: bytes | None
    now_ms: int
    created_ms: int
    active_ms: int | None
    attempt: int = 1
    superseded: int = 0
    waiting: int = 0
    lost: bool = False
    opted_out: bool = False
    memos: Mapping[str, bytes] = {}


class Tools(Protocol):
    """What a running turn may ask of the store; each call costs one round trip."""

    async def part(self, part_id: str, /) -> bytes | None:
        """Return a part's bytes, None if it is gone."""
        ...

    async def remember(self, step: str, data: bytes, /) -> None:
        """Keep a step's result for a re-run of this message. A lost lease cancels the caller."""
        ...

    async def history(self, *, before: int | None = None, limit: int = 100) -> Sequence[LogRecord]:
        """Return log entries, newest first."""
        ...


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn wants committed; the fields are those of `ports.turns.Commit`.

    Attributes:
        state: None leaves state and version as they are.
        replies: Texts of this turn, given again to a duplicate of its message.
    """

    state: bytes | None
    status: str
    active: bool = True
    forget: bool = False
    retain_ms: int | None = None
    slide: bool = True
    log: bytes | None = None
    log_keep: int = 116
    log_keep_ms: int = 30 * 86_400_000
    effects: tuple[Effect, ...] = ()
    cancel: tuple[str, ...] = ()
    cancel_all: bool = False
    replies: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    adopted: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    opt_out: bool | None = None


class Busyness(msgspec.Struct, frozen=True, kw_only=True):
    """What a person's message does while a turn runs: `policy` is queue, coalesce, reject or interrupt.

    `wait` and `max_wait` matter for coalesce: hold until the person stopped for `wait`, at most `max_wait`.
    """

    policy: str = "queue"
    wait: timedelta = timedelta(seconds=2)
    max_wait: timedelta = timedelta(seconds=10)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How the engine treats this program's turns. Times are hard limits, counted in real time."""

    busy: Busyness = Busyness()
    turn_timeout: timedelta = timedelta(minutes=5)
    max_attempts: int = 5
    backoff: timedelta = timedelta(seconds=1)
    max_backoff: timedelta = timedelta(minutes=5)


class JobRules(msgspec.Struct, frozen=True, kw_only=True):
    """How a job is retried: after `delay * factor ** (attempt - 1)`, at most `max_delay`, with jitter."""

    attempts: int = 3
    factor: float = 2.0
    delay: timedelta = timedelta(seconds=1)
    max_delay: timedelta = timedelta(minutes=5)
    timeout: timedelta = timedelta(minutes=5)


class JobInput(msgspec.Struct, frozen=True, kw_only=True):
    """A job to run now. `id` is the idempotency key for the outside world; `maybe_ran` says it may be a repeat."""

    id: str
    conversation: ConversationId
    call: JobCall
    attempt: int
    maybe_ran: bool
    started_ms: int


class Program(Protocol):
    """A flow as the engine sees it."""

    @property
    def name(self) -> str:
        """The flow's name, the first part of its conversations' keys."""
        ...

    @property
    def rules(self) -> Rules:
        """How its turns are run."""
        ...

    async def run(self, turn: TurnInput, tools: Tools, /) -> Draft:
        """Compute one turn. Raising commits nothing.

        Raises:
            StateNewerError: The message must wait for newer code.
        """
        ...

    def bury(self, turn: TurnInput, error: str, /) -> Draft:
        """Return what to commit when the first message is given up: state None, a log entry, perhaps an apology."""
        ...

    def job_rules(self, name: str, /) -> JobRules | None:
        """Return how to run a job, None if this code does not know it (a newer worker will)."""
        ...

    async def work(self, job: JobInput, /) -> bytes:
        """Run a job; return its encoded result. Raising is a failed attempt.

        Raises:
            PermanentError: Retrying is pointless; the job fails now.
        """
        ...

    def failure(self, failed: JobFailed, /) -> bytes:
        """Encode why a job gave up, for its failure message."""
        ...
