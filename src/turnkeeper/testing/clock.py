"""A clock that moves when a test says so, and never by itself."""

import asyncio
import contextlib
import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""Where every new clock stands: a Monday morning, the same one in every run."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_Sleeper = tuple[timedelta, asyncio.Future[None]]


class ManualClock:
    """Implements `turnkeeper.ports.clock.Clock`. May be read, moved and slept on from several threads."""

    def __init__(self, start: datetime = START) -> None:
        """Take where it stands at first, as an aware datetime."""
        self._start = start
        self._passed = timedelta(0)
        self._lock = threading.Lock()
        self._sleepers: set[_Sleeper] = set()
        self._watchers: set[asyncio.Future[None]] = set()

    @property
    def now(self) -> datetime:
        """The time, aware, in the time zone of the start (UTC)."""
        return self._start + self._passed

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return (self.now - _EPOCH) // timedelta(milliseconds=1)

    def monotonic(self) -> float:
        """See `Clock.monotonic`. Counts from 0 at the start."""
        return self._passed.total_seconds()

    def advance(self, by: timedelta, /) -> None:
        """Move on, and wake everybody whose sleep is over by then.

        The woken ones run when their event loop comes to them: await something of theirs.

        Raises:
            ValueError: `by` is negative.
        """
        if by < timedelta(0):
            raise ValueError(f"a clock runs forwards; cannot move it by {by}")
        with self._lock:
            self._passed += by
            over = {sleeper for sleeper in self._sleepers if sleeper[0] <= self._passed}
            self._sleepers -= over
        for _, future in over:
            _wake(future)

    async def sleep(self, seconds: float, /) -> None:
        """See `Clock.sleep`: returns once `advance` has moved the clock that far."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            sleeper = (self._passed + timedelta(seconds=seconds), future)
            is_over = sleeper[0] <= self._passed
            watchers: set[asyncio.Future[None]] = set()
            if not is_over:
                self._sleepers.add(sleeper)
                watchers, self._watchers = self._watchers, set()
        if is_over:
            await asyncio.sleep(0)
            return
        for watcher in watchers:
            _wake(watcher)
        try:
            await future
        finally:
            with self._lock:
                self._sleepers.discard(sleeper)

    async def until_somebody_sleeps(self) -> None:
        """Return when somebody waits for this clock, at once if somebody does: then it may be moved."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._sleepers:
                return
            self._watchers.add(future)
        try:
            await future
        finally:
            with self._lock:
                self._watchers.discard(future)


def _wake(future: asyncio.Future[None]) -> None:
    with contextlib.suppress(RuntimeError):  # its event loop is closed: nobody is there to be woken
        future.get_loop().call_soon_threadsafe(_finish, future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
