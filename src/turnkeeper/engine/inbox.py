"""Takes messages in: durable first, then run. Whoever brought one may wait for its replies."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from datetime import timedelta

from turnkeeper.engine.deadlines import Deadlines
from turnkeeper.engine.delivering.outbox import Outbox
from turnkeeper.engine.heartbeat import Heartbeat, Held
from turnkeeper.engine.results import Accepted, Handled, Taken
from turnkeeper.engine.running.commit import hand_out
from turnkeeper.engine.running.turn import TurnRunner
from turnkeeper.engine.settings import Settings, to_ms
from turnkeeper.engine.tokens import Tokens
from turnkeeper.engine.waiter import Waiter
from turnkeeper.engine.wire import decode_texts, encode
from turnkeeper.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    RetryableError,
    StoreUnavailableError,
    TurnkeeperError,
)
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import PERSONAL, Kind, Message
from turnkeeper.ports.faults import reach
from turnkeeper.ports.limits import MAX_HAND_OUT
from turnkeeper.ports.program import Program
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import (
    Begin,
    Begun,
    Busy,
    Duplicate,
    Full,
    Granted,
    Incoming,
    Mode,
    Outcome,
    Queued,
    Waiting,
)

logger = logging.getLogger(__name__)

_REPEATS = 3
"""How often an accept without an answer is repeated before its caller hears of it; the provider repeats it too."""

_FIRST_LOOK_SECONDS = 0.05
"""Before the first look whether another process has done the turn; doubled before each further one."""

_LONGEST_LOOK_SECONDS = 1.0
"""Between two looks. From the start where the turn runs in this process, which will tell: a look costs a message."""

_MODES = {"queue": Mode.QUEUE, "coalesce": Mode.QUEUE, "reject": Mode.REJECT, "interrupt": Mode.INTERRUPT}


_END_SECONDS = 5.0
"""How long `stop` waits, after its grace, for commits under way and for handlers that it cancelled."""

_ARRIVAL_SECONDS = 0.005
"""Between two looks, while stopping, whether the messages on their way into the store have arrived."""

_CLOSING = "this process is shutting down; send the message again"
_ACCEPTED = Accepted(outcome=Taken.ACCEPTED)


class Inbox:
    """The way in of one process."""

    def __init__(
        self,
        *,
        store: Store,
        programs: Mapping[str, Program],
        heartbeat: Heartbeat,
        outbox: Outbox,
        settings: Settings,
        tokens: Tokens,
    ) -> None:
        """Take the programs by flow name. `runner` is set once, before the first message."""
        self._store = store
        self._programs = programs
        self._heartbeat = heartbeat
        self._outbox = outbox
        self._settings = settings
        self._tokens = tokens
        self._lease_ms = to_ms(settings.lease)
        self._tasks: dict[Held, asyncio.Task[None]] = {}
        self._waiters: dict[tuple[str, str], list[Waiter]] = {}
        self._deadlines = Deadlines()
        self._asking: set[asyncio.Task[None]] = set()
        self._arriving = 0
        self._is_open = True
        self._is_ending = False
        self.runner: TurnRunner

    @property
    def running(self) -> int:
        """How many conversations this process is running turns of, or is about to."""
        return len(self._tasks) + self._arriving

    def serves(self, flow: str) -> bool:
        """Return whether this process has the program of a flow."""
        return flow in self._programs

    def program(self, flow: str) -> Program:
        """Return the program of a flow.

        Raises:
            ConfigurationError: This process does not serve that flow.
        """
        try:
            return self._programs[flow]
        except KeyError:
            known = ", ".join(self._programs)
            raise ConfigurationError(f"flow {flow!r} is not served here; this process serves: {known}") from None

    async def accept(self, conversation: ConversationId, message: Message) -> Accepted:
        """Make a message durable and start its turn if nobody else is at it. Safe to repeat with the same id.

        Raises:
            LimitError: The message is too large.
            RetryableError: Nothing was written.
            OutcomeUnknownError: It may have been taken; repeat it.
        """
        if not self._is_open:
            raise StoreUnavailableError(_CLOSING)
        return await self.bring(conversation, message)

    async def bring(self, conversation: ConversationId, message: Message) -> Accepted:
        """As `accept`, for what comes home from this process's own work, also while it shuts down."""
        program = self.program(conversation.flow)
        return _accepted(await self._begin(program, self._request(program, conversation, message)))

    async def handle(self, conversation: ConversationId, message: Message, *, within: timedelta) -> Handled:
        """Accept a message and wait for its turn's replies, wherever it runs.

        A duplicate gets the first one's replies. Safe to repeat. Raises as `accept`; once the message is durable
        nothing is raised any more, however the store fares while its turn is waited for.
        """
        if not self._is_open:
            raise StoreUnavailableError(_CLOSING)
        deadline = time.monotonic() + within.total_seconds()
        program = self.program(conversation.flow)
        waiter = Waiter(conversation.key, message.id)
        self._waiters.setdefault(waiter.key, []).append(waiter)
        try:
            answer = await self._begin(program, self._request(program, conversation, message))
            accepted = _accepted(answer)
            if not accepted.durable or accepted.done:
                return Handled(outcome=accepted.outcome, done=accepted.done, replies=accepted.replies)
            wait = _LONGEST_LOOK_SECONDS if isinstance(answer, Granted) else _FIRST_LOOK_SECONDS
            replies = await self._await_replies(waiter, conversation, message, deadline, wait)
            return Handled(outcome=accepted.outcome, done=replies is not None, replies=replies or ())
        finally:
            waiting = self._waiters[waiter.key]
            waiting.remove(waiter)
            if not waiting:
                del self._waiters[waiter.key]

    async def _await_replies(
        self, waiter: Waiter, conversation: ConversationId, message: Message, deadline: float, wait: float
    ) -> tuple[str, ...] | None:
        """Wait for a durable message's turn: told in this process, asked for where another one runs it."""
        while (left := deadline - time.monotonic()) > 0:
            replies = await waiter.wait(min(wait, left), self._deadlines)
            if replies is not None:
                return replies
            wait = min(wait * 2, _LONGEST_LOOK_SECONDS)
            try:
                accepted = await self.accept(conversation, message)
            except (RetryableError, OutcomeUnknownError) as exc:
                if not self._is_open:
                    return None
                logger.warning("reply_awaited_without_store", extra={"reason": str(exc)})
                continue
            if accepted.done:
                return accepted.replies
        return None

    async def take_over(self, conversation: ConversationId) -> bool:
        """Run what waits in a conversation that nobody runs; False if there was nothing to take.

        As much as possible is handed out, so that a STOP is heard before what it overtook is run again.
        """
        program = self.program(conversation.flow)
        request = Begin(
            conversation=conversation, token=self._tokens.fresh(), lease_ms=self._lease_ms, hand_out=MAX_HAND_OUT
        )
        return isinstance(await self._begin(program, request), Granted)

    def committed(self, conversation: ConversationId, taken: Sequence[Waiting], replies: tuple[str, ...]) -> None:
        """Tell whoever waits in this process for one of these messages."""
        for waiting in taken:
            for waiter in self._waiters.get((conversation.key, waiting.id), ()):
                waiter.tell(replies)

    def _request(self, program: Program, conversation: ConversationId, message: Message) -> Begin:
        busy = program.rules.busy
        is_personal = message.kind in PERSONAL
        mode = Mode.QUEUE
        if message.kind is Kind.OPT_OUT:
            mode = Mode.INTERRUPT
        elif is_personal:
            mode = _MODES[busy.policy]
        holds = is_personal and busy.policy == "coalesce" and message.kind is Kind.TEXT
        incoming = Incoming(
            id=message.id,
            payload=encode(message),
            wait_ms=to_ms(busy.wait) if holds else 0,
            max_wait_ms=to_ms(busy.max_wait) if holds else 0,
        )
        return Begin(
            conversation=conversation,
            token=self._tokens.fresh(),
            lease_ms=self._lease_ms,
            message=incoming,
            mode=mode,
            hand_out=MAX_HAND_OUT if mode is Mode.INTERRUPT else hand_out(program),
            run=self._is_open and self.running < self._settings.max_running,
        )

    async def _begin(self, program: Program, request: Begin) -> Begun:
        """Ask the store, and run what it grants. A grant whose asker is cancelled meanwhile is run all the same."""
        self._arriving += 1
        try:
            answer = await self._ask(request)
        except asyncio.CancelledError:
            self._later(self._begin_again(program, request))
            raise
        finally:
            self._arriving -= 1
        if isinstance(answer, Granted):
            if request.message is None:
                reach("in_recovery")
            await self._run(program, request.conversation, answer)
        return answer

    async def _ask(self, request: Begin) -> Begun:
        unknown: OutcomeUnknownError | None = None
        for left in range(_REPEATS, -1, -1):
            reach("before_begin")
            try:
                answer = await self._store.turns.begin(request)
            except OutcomeUnknownError as exc:
                if not left:
                    raise
                unknown = exc
                continue
            except RetryableError:
                if unknown is not None:  # this try wrote nothing; an earlier one may have
                    raise unknown from None
                raise
            if unknown is not None and isinstance(answer, Full | Busy):  # a try before this one may still arrive
                raise unknown
            reach("after_begin")
            return answer
        raise AssertionError("unreachable")

    async def _begin_again(self, program: Program, request: Begin) -> None:
        """Ask a second time, under the same token: the lease may be this process's since the first."""
        try:
            answer = await self._ask(request)
        except TurnkeeperError as exc:
            logger.warning("cancelled_begin_left", extra={"reason": str(exc)})
            return
        if isinstance(answer, Granted):
            await self._run(program, request.conversation, answer)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _run(self, program: Program, conversation: ConversationId, granted: Granted) -> None:
        """Start a drain, its lease kept from now on: the loop may be busy for long before the task has its turn."""
        held = Held(conversation=conversation, token=granted.token, timeout=program.rules.turn_timeout)
        if self._is_ending:
            await self.runner.give_back(held, Outcome.RETURNED, 0)
            return
        self._tasks[held] = held.task = asyncio.create_task(self._drain(program, held, granted))
        self._heartbeat.add(held)

    async def _drain(self, program: Program, held: Held, granted: Granted) -> None:
        try:
            await self.runner.drain(program, held, granted)
        except Exception:
            logger.exception("turn_broken")
        finally:
            self._heartbeat.discard(held)
            del self._tasks[held]
        if held.lane is not None and held.task is not None:
            await self._outbox.serve(held.lane, held.task)

    def start(self) -> None:
        """Take messages (again)."""
        self._is_open = self.runner.takes_next = True
        self._is_ending = False

    def close(self) -> None:
        """Take nothing more from outside, and end every drain after the turn that it is at."""
        self._is_open = self.runner.takes_next = False
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.wake()

    async def stop(self, grace: timedelta) -> None:
        """Let running turns end, and give back those that do not within the grace; a commit is never cut off."""
        self.close()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks.values()), timeout=grace.total_seconds())
        self._is_ending = True
        until = time.monotonic() + _END_SECONDS
        while self._arriving and time.monotonic() < until:  # noqa: ASYNC110 - an event would cost every message
            await asyncio.sleep(_ARRIVAL_SECONDS)
        for held, task in tuple(self._tasks.items()):
            if held.computing:
                task.cancel()
        for tasks in (self._asking, self._tasks.values()):
            if tasks:
                _, late = await asyncio.wait(tuple(tasks), timeout=_END_SECONDS)
                for task in late:
                    logger.error("turn_left", extra={"reason": "it did not end when it was cancelled"})
                    task.cancel()


def _accepted(answer: Begun) -> Accepted:
    """Return what a store's answer to a message means to whoever brought it."""
    match answer:
        case Granted() | Queued():
            return _ACCEPTED
        case Duplicate(done=done, reply=reply):
            return Accepted(outcome=Taken.DUPLICATE, done=done, replies=decode_texts(reply) if reply else ())
        case Full():
            return Accepted(outcome=Taken.FULL)
        case Busy():
            return Accepted(outcome=Taken.BUSY)
        case _:
            raise StoreUnavailableError(f"the store answered {type(answer).__name__} to a message")
