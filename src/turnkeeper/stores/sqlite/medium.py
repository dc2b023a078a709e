"""Where the four ports of one store meet: the open file, opened when first needed and again after a fork.

Waiting is done here too: look, and look again when something was written or the clock says so.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from turnkeeper.errors import OutcomeUnknownError, RetryableError, StoreUnavailableError
from turnkeeper.ports.clock import Clock
from turnkeeper.stores.sqlite.file.opening import Durability
from turnkeeper.stores.sqlite.file.readers import View
from turnkeeper.stores.sqlite.file.session import Session
from turnkeeper.stores.sqlite.file.wakeups import FAR_AWAY_MS, Waiter
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps.purge import purge

logger = logging.getLogger(__name__)

T = TypeVar("T")

_TICK_SECONDS = 0.001
"""The store's clock counts milliseconds: what is left of a wait below one is nothing."""

_TIDY_SECONDS = 1.0
"""Between two steps of a purge: 50 conversations a second, 100,000 in half an hour, for 0.1 % of one core."""

_TIDY_PAUSE_SECONDS = 60.0
"""Between two purges of everything: nothing that is over is in anybody's way."""

_abandoned: list[Session] = []
"""Sessions of the parent process, kept in a child: to close them there would touch the parent's locks."""


class Look(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One look of somebody who waits: is it enough, and when will the clock alone change the answer?"""

    answer: T
    is_enough: bool
    now_ms: int
    next_ms: int | None = None


class Medium:
    """One store's file, from `open` to `close`."""

    def __init__(self, path: Path, *, clock: Clock, durability: Durability) -> None:
        """Take what `SqliteStore` takes."""
        self.path = path
        self.durability: Durability = durability
        self.clock = clock
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._is_closed = False
        self._tidy_at = float("-inf")
        self._tidy_from = 0

    async def open(self) -> None:
        """Open the file, also after `close`, and say whether that worked. Safe to call twice."""
        self._is_closed = False
        await self.write(lambda _: None)

    async def close(self) -> None:
        """Finish what was queued and close the file. Safe to call twice."""
        self._is_closed = True
        session = self._session
        if session is None or session.process != os.getpid():
            return
        session.begin_close()
        await asyncio.to_thread(session.join)

    def write(self, run: Callable[[Transaction], T]) -> Awaitable[T]:
        """See `Session.write`."""
        return self._opened().write(run)

    def read(self, run: Callable[[View], T]) -> Awaitable[T]:
        """See `Session.read`."""
        return self._opened().read(run)

    async def look(self, work: Callable[[View], Look[T]], *, wait: timedelta, for_changes: bool) -> T:
        """Read until it is enough or the wait is over, again after every commit that matters and at `next_ms`.

        Args:
            work: Reads.
            wait: Of the store's clock.
            for_changes: Whether changed states matter, or else what gets due.
        """
        session = self._opened()
        deadline = self.clock.monotonic() + wait.total_seconds()
        if wait <= timedelta(0):
            return (await session.read(work)).answer
        waiter = Waiter(for_changes=for_changes)
        session.wakeups.add(waiter)
        try:
            while True:
                waiter.event.clear()
                found = await session.read(work)
                left = deadline - self.clock.monotonic()
                if found.is_enough or left < _TICK_SECONDS:
                    return found.answer
                if found.next_ms is not None:
                    left = min(left, (found.next_ms - found.now_ms) / 1000)
                if not for_changes:
                    waiter.before_ms = found.now_ms + int(left * 1000)
                await waiter.wait(self.clock, left)
                if not for_changes:
                    waiter.before_ms = FAR_AWAY_MS
        finally:
            session.wakeups.discard(waiter)

    async def tidy(self) -> None:
        """Purge a little, if the last time was long enough ago. It can wait: what fails now is done later."""
        now = self.clock.monotonic()
        if now < self._tidy_at:
            return
        self._tidy_at = now + _TIDY_SECONDS
        start = self._tidy_from
        try:
            self._tidy_from = await self.write(lambda transaction: purge(transaction, start))
            if not self._tidy_from:
                self._tidy_at = now + _TIDY_PAUSE_SECONDS
        except (RetryableError, OutcomeUnknownError) as exc:
            logger.debug("sqlite_purge_failed", extra={"reason": str(exc)})

    def _opened(self) -> Session:
        session = self._session
        if session is not None and not session.is_closed and session.process == os.getpid():
            return session
        return self._reopened()

    def _reopened(self) -> Session:
        if self._is_closed:
            raise StoreUnavailableError(f"{self.path} was closed; nothing was done, call open() to use it again")
        if self._session is not None and self._session.process != os.getpid():
            _abandoned.append(self._session)
            self._session = None
            self._lock = threading.Lock()  # the parent may have held it when it forked
        with self._lock:
            if self._session is None or self._session.is_closed:
                self._session = Session(self.path, clock=self.clock, durability=self.durability)
            return self._session
