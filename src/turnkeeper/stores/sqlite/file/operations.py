"""Hands operations from event loops to a thread, and their answers back.

Answers go back in one call per event loop and batch: waking a loop costs more than most operations.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from turnkeeper.errors import StoreBusyError, StoreUnavailableError

OPERATION_SECONDS = 5.0
"""How long an operation waits for a lock that another process holds: the operation timeout that every store has."""

ANSWERS_AT_ONCE = 12
"""Callers woken in one round of an event loop, so that a large group does not keep others waiting: about 1 ms."""

MAX_QUEUED = 10_000
"""Operations that may wait for one thread: some two seconds of work; beyond it the caller must slow down."""

C = TypeVar("C")
"""What the thread offers to an operation: a transaction, or a view."""
T = TypeVar("T")


class Operation(Generic[C]):
    """Something to do on the thread, and who waits for it. `run` may be called twice, so it keeps nothing outside."""

    __slots__ = ("deadline", "future", "loop", "run")

    def __init__(self, run: "Callable[[C], Any]") -> None:
        """Take what to do; the caller must be inside a running event loop."""
        self.run = run
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.deadline = time.monotonic() + OPERATION_SECONDS


class Outcome(Generic[C]):
    """An operation's value or error."""

    __slots__ = ("error", "operation", "value")

    def __init__(self, operation: Operation[C], value: object = None, error: Exception | None = None) -> None:
        """Take either; an error wins."""
        self.operation = operation
        self.value = value
        self.error = error


def deliver(outcomes: "Sequence[Outcome[C]]") -> None:
    """Answer everybody. A caller who was cancelled, or whose loop is closed, needs no answer any more."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome[C]]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome.operation.loop, []).append(outcome)
    for loop, group in by_loop.items():
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_answer, loop, group)


def _answer(loop: asyncio.AbstractEventLoop, outcomes: "Sequence[Outcome[Any]]") -> None:
    if len(outcomes) > ANSWERS_AT_ONCE:
        loop.call_soon(_answer, loop, outcomes[ANSWERS_AT_ONCE:])
    for outcome in outcomes[:ANSWERS_AT_ONCE]:
        future = outcome.operation.future
        if future.done():
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.value)


class OperationQueue(Generic[C]):
    """From any event loop to one or a few threads."""

    def __init__(self, *, where: str) -> None:
        """Take the store's name for error texts."""
        self._where = where
        self._waiting: queue.SimpleQueue[Operation[C] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._refusal: Exception | None = None

    async def ask(self, run: "Callable[[C], T]") -> T:
        """Have it done and return its value, or raise its error.

        Raises:
            StoreBusyError: Too many operations wait. Nothing was done.
            StoreUnavailableError: The store is closed. Nothing was done.
        """
        operation: Operation[C] = Operation(run)
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            if self._waiting.qsize() >= MAX_QUEUED:
                raise StoreBusyError(f"{self._where}: {MAX_QUEUED} operations wait already; send fewer at once")
            self._waiting.put(operation)
        value: T = await operation.future
        return value

    @property
    def has_more(self) -> bool:
        """Whether `take` has something to return, or to say, at once."""
        return not self._waiting.empty()

    def take(self, limit: int) -> "list[Operation[C]]":
        """Wait for at least one operation and return what is there, at most `limit`; empty: closed and drained."""
        first = self._waiting.get()
        if first is None:
            self._waiting.put(None)  # for the next thread, and for the next call
            return []
        taken = [first]
        self._top_up(taken, limit)
        return taken

    def _top_up(self, taken: "list[Operation[C]]", limit: int) -> None:
        for _ in range(min(limit - len(taken), self._waiting.qsize())):
            try:
                operation = self._waiting.get_nowait()
            except queue.Empty:  # another reader was faster
                return
            if operation is None:
                self._waiting.put(None)
                return
            taken.append(operation)

    def close(self, refusal: Exception | None = None) -> None:
        """Take nothing more, with this error; what is queued can still be taken. Safe to call twice."""
        with self._lock:
            if self._refusal is None:
                self._refusal = refusal or StoreUnavailableError(
                    f"{self._where} was closed; nothing was done, call open() to use it again"
                )
                self._waiting.put(None)
