"""Wakes up who waits for something in the store, whichever process of this host wrote it.

Commits of this process wake at once; those of other processes are seen by asking the file for its change counter
while somebody waits. A wake-up is a hint: whoever is woken looks again.
"""

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable

from turnkeeper.ports.clock import Clock

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
"""How late a commit of another process is noticed; asking costs about 2 µs."""

IDLE_POLLS = 40
"""Polls without anybody waiting after which the thread ends (2 s): starting one costs 100 µs."""


FAR_AWAY_MS = 1 << 62
"""Later than any time."""


class Waiter:
    """Somebody who waits. Make it before looking, so that nothing falls between the look and the wait."""

    __slots__ = ("before_ms", "event", "loop")

    def __init__(self, *, for_changes: bool) -> None:
        """Wait for changed states, or else for anything that gets due before `before_ms` (set it after the look)."""
        self.loop = asyncio.get_running_loop()
        self.event = asyncio.Event()
        self.before_ms = None if for_changes else FAR_AWAY_MS

    def wake(self) -> None:
        """Wake it from any thread; a closed loop has nobody who waits."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.event.set)

    async def wait(self, clock: Clock, seconds: float) -> None:
        """Return when woken, or after that much of the clock's time."""
        tasks = [
            asyncio.ensure_future(self.event.wait()),
            asyncio.ensure_future(clock.sleep(max(seconds, 0))),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Wakeups:
    """All waiters of one open store."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Take how to open a connection for the polling thread."""
        self._connect = connect
        self._lock = threading.Lock()
        self._waiters: set[Waiter] = set()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def add(self, waiter: Waiter) -> None:
        """Wake it from now on."""
        with self._lock:
            self._waiters.add(waiter)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._poll, name="turnkeeper-sqlite-poll", daemon=True)
                self._thread.start()

    def discard(self, waiter: Waiter) -> None:
        """Leave it alone. Safe to call twice."""
        with self._lock:
            self._waiters.discard(waiter)

    def committed(self, *, soonest_ms: int | None, has_published: bool) -> None:
        """Wake who may care about a commit of this process.

        Args:
            soonest_ms: The earliest time at which something that it wrote is due; None: nothing is.
            has_published: A state changed, appeared or went.
        """
        if not self._waiters:
            return
        with self._lock:
            for waiter in self._waiters:
                if waiter.before_ms is None:
                    if has_published:
                        waiter.wake()
                elif soonest_ms is not None and soonest_ms < waiter.before_ms:
                    waiter.wake()

    def close(self) -> None:
        """Wake everybody for the last time and end the thread."""
        self._stop.set()
        self._wake_all()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _wake_all(self) -> None:
        with self._lock:
            for waiter in self._waiters:
                waiter.wake()

    def _poll(self) -> None:
        try:
            with contextlib.closing(self._connect()) as connection:
                self._poll_with(connection)
        except sqlite3.Error as exc:  # the next waiter starts another thread; until then waits end by their time
            logger.warning("sqlite_poll_failed", extra={"reason": str(exc)})
            with self._lock:
                self._thread = None

    def _poll_with(self, connection: sqlite3.Connection) -> None:
        seen = -1
        idle = 0
        while not self._stop.wait(POLL_SECONDS):
            now = _data_version(connection)
            if now != seen:
                seen = now
                self._wake_all()
            idle = 0 if self._waiters else idle + 1
            if idle > IDLE_POLLS and self._end_if_idle():
                return

    def _end_if_idle(self) -> bool:
        with self._lock:
            if self._waiters:
                return False
            self._thread = None
            return True


def _data_version(connection: sqlite3.Connection) -> int:
    """Return a number that differs when another connection committed meanwhile."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)
