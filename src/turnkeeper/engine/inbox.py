"""Takes messages in: durable first, then run. Whoever brought one may wait for its replies."""

import asyncio
import logging
import random
import time
from collections.abc import Coroutine, Mapping, Sequence
from datetime import timedelta

from turnkeeper.engine.results import Accepted, Handled, Taken
from turnkeeper.engine.settings import Settings, to_ms
from turnkeeper.engine.turn import TurnRunner, hand_out
from turnkeeper.engine.wire import decode_texts, encode
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import PERSONAL, Kind, Message
from turnkeeper.ports.faults import reach
from turnkeeper.ports.limits import MAX_HAND_OUT
from turnkeeper.ports.program import Program
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Begin, Begun, Busy, Duplicate, Full, Granted, Incoming, Mode, Queued, Waiting

logger = logging.getLogger(__name__)

_REPEATS = 3
"""How often an accept without an answer is repeated before its caller hears of it; the provider repeats it too."""

_LOOK_SECONDS = (0.05, 1.0)
"""First and longest wait between two looks whether another process has done the turn."""

_MODES = {"queue": Mode.QUEUE, "coalesce": Mode.QUEUE, "reject": Mode.REJECT, "interrupt": Mode.INTERRUPT}


class _Waiter:
    """Somebody who waits for a message's replies. Cheaper than `asyncio.wait` on every turn: one timer, no task."""

    __slots__ = ("_future", "_replies", "key")

    def __init__(self, conversation: str, message_id: str) -> None:
        self.key = (conversation, message_id)
        self._replies: tuple[str, ...] | None = None
        self._future: asyncio.Future[None] | None = None

    def tell(self, replies: tuple[str, ...]) -> None:
        """End the waiting."""
        self._replies = replies
        self._wake()

    def _wake(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, seconds: float) -> tuple[str, ...] | None:
        """Return the replies, None if there are none after that time."""
        if self._replies is None:
            loop = asyncio.get_running_loop()
            self._future = loop.create_future()
            timer = loop.call_later(seconds, self._wake)
            try:
                await self._future
            finally:
                timer.cancel()
        return self._replies


class Inbox:
    """The way in of one process."""

    def __init__(
        self, *, store: Store, programs: Mapping[str, Program], settings: Settings, entropy: random.Random
    ) -> None:
        """Take the programs by flow name. `runner` is set once, before the first message."""
        self._store = store
        self._programs = programs
        self._settings = settings
        self._entropy = entropy
        self._lease_ms = to_ms(settings.lease)
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters: dict[tuple[str, str], list[_Waiter]] = {}
        self._is_open = True
        self.runner: TurnRunner

    @property
    def running(self) -> int:
        """How many conversations this process is running turns of."""
        return len(self._tasks)

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
            raise StoreUnavailableError("this process is shutting down; send the message again")
        program = self.program(conversation.flow)
        answer = await self._begin(self._request(program, conversation, message))
        match answer:
            case Granted():
                self._spawn(self.runner.drain(program, conversation, answer))
                return Accepted(outcome=Taken.ACCEPTED)
            case Queued():
                return Accepted(outcome=Taken.ACCEPTED)
            case Duplicate(done=done, reply=reply):
                return Accepted(outcome=Taken.DUPLICATE, done=done, replies=decode_texts(reply) if reply else ())
            case Full():
                return Accepted(outcome=Taken.FULL)
            case Busy():
                return Accepted(outcome=Taken.BUSY)
            case _:
                raise StoreUnavailableError(f"the store answered {type(answer).__name__} to a message")

    async def handle(self, conversation: ConversationId, message: Message, *, within: timedelta) -> Handled:
        """Accept a message and wait for its turn's replies, wherever it runs.

        A duplicate gets the first one's replies. Safe to repeat. Raises as `accept`.
        """
        waiter = _Waiter(conversation.key, message.id)
        deadline = time.monotonic() + within.total_seconds()
        wait, longest = _LOOK_SECONDS
        self._waiters.setdefault(waiter.key, []).append(waiter)
        try:
            first = accepted = await self.accept(conversation, message)
            while True:
                if not accepted.durable:
                    return Handled(outcome=accepted.outcome, done=False)
                if accepted.done:
                    return Handled(outcome=first.outcome, done=True, replies=accepted.replies)
                left = deadline - time.monotonic()
                if left <= 0:
                    return Handled(outcome=first.outcome, done=False)
                replies = await waiter.wait(min(wait, left))
                if replies is not None:
                    return Handled(outcome=first.outcome, done=True, replies=replies)
                wait = min(wait * 2, longest)
                accepted = await self.accept(conversation, message)
        finally:
            waiting = self._waiters[waiter.key]
            waiting.remove(waiter)
            if not waiting:
                del self._waiters[waiter.key]

    async def take_over(self, conversation: ConversationId) -> bool:
        """Run what waits in a conversation that nobody runs; False if there was nothing to take."""
        program = self.program(conversation.flow)
        request = Begin(
            conversation=conversation,
            token=self._token(),
            lease_ms=self._lease_ms,
            hand_out=hand_out(program),
        )
        answer = await self._begin(request)
        if not isinstance(answer, Granted):
            return False
        reach("in_recovery")
        self._spawn(self.runner.drain(program, conversation, answer))
        return True

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
            token=self._token(),
            lease_ms=self._lease_ms,
            message=incoming,
            mode=mode,
            hand_out=MAX_HAND_OUT if mode is Mode.INTERRUPT else hand_out(program),
            run=len(self._tasks) < self._settings.max_running,
        )

    async def _begin(self, request: Begin) -> Begun:
        for left in range(_REPEATS, -1, -1):
            reach("before_begin")
            try:
                answer = await self._store.turns.begin(request)
            except OutcomeUnknownError:
                if not left:
                    raise
                continue
            reach("after_begin")
            return answer
        raise AssertionError("unreachable")

    def _token(self) -> str:
        return f"{self._entropy.getrandbits(96):024x}"

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            logger.error("turn_broken", exc_info=exc)

    async def stop(self, grace: timedelta) -> None:
        """Take nothing more, let running turns end, and give back those that do not within the grace."""
        self._is_open = False
        if self._tasks:
            _, late = await asyncio.wait(tuple(self._tasks), timeout=grace.total_seconds())
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def start(self) -> None:
        """Take messages (again)."""
        self._is_open = True
