"""The tables, the lock before them and the clock beside them.

Every transition is one synchronous function under one lock, so that callers on several threads' event loops see
whole turns only. Nothing is awaited while the lock is held.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import msgspec

from turnkeeper.ports.clock import Clock
from turnkeeper.stores.memory.lifetime import sweep
from turnkeeper.stores.memory.tables import Tables

T = TypeVar("T")

_TICK_SECONDS = 0.001
"""The store's clock counts milliseconds: what is left of a wait below one is nothing."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look of somebody who waits: is it enough, and when will the clock alone change the answer?"""

    is_enough: bool
    next_ms: int | None = None


class Medium:
    """Where the four ports of one store meet."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._tables = Tables()
        self._lock = threading.Lock()
        self._last_ms = 0
        self._listeners: set[asyncio.Future[None]] = set()

    def change(self, work: Callable[[Tables, int], T]) -> T:
        """Run a transition with the time of the store, then wake whoever waits for a change."""
        with self._lock:
            now = self._now()
            sweep(self._tables, now)
            answer = work(self._tables, now)
            listeners, self._listeners = self._listeners, set()
        for listener in listeners:
            with contextlib.suppress(RuntimeError):  # the loop of a waiter that is gone
                listener.get_loop().call_soon_threadsafe(_wake, listener)
        return answer

    def read(self, work: Callable[[Tables, int], T]) -> T:
        """Run a function that changes nothing that anybody can see."""
        with self._lock:
            return work(self._tables, self._now())

    async def look(self, work: Callable[[Tables, int], tuple[T, Look]], *, wait: timedelta) -> T:
        """Read until it is enough or the wait is over, again after every change and when the clock says so."""
        deadline = self.clock.monotonic() + wait.total_seconds()
        while True:
            with self._lock:
                now = self._now()
                answer, look = work(self._tables, now)
                left = deadline - self.clock.monotonic()
                if look.is_enough or left < _TICK_SECONDS:
                    return answer
                changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._listeners.add(changed)
            pause = left if look.next_ms is None else min(left, (look.next_ms - now) / 1000)
            try:
                await self._sleep(changed, pause)
            finally:
                with self._lock:
                    self._listeners.discard(changed)

    async def _sleep(self, changed: asyncio.Future[None], seconds: float) -> None:
        """Return after that much of the clock's time, or after a change."""
        passed = asyncio.ensure_future(self.clock.sleep(seconds))
        try:
            await asyncio.wait({changed, passed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            passed.cancel()

    def _now(self) -> int:
        """Return the time of the store, which never runs backwards."""
        self._last_ms = max(self._last_ms, self.clock.now_ms())
        return self._last_ms


def _wake(listener: asyncio.Future[None]) -> None:
    if not listener.done():
        listener.set_result(None)
