"""The circuit breaker: after some failures in a row a store counts as away, and calls fail at once.

It repeats nothing: only a caller knows what is safe. May be used from several threads' event loops.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import msgspec

from turnkeeper.errors import OutcomeUnknownError, RetryableError, StoreUnavailableError, TurnkeeperError
from turnkeeper.ports.clock import Clock

logger = logging.getLogger(__name__)

T = TypeVar("T")

_TOGETHER_SECONDS = 0.1
"""Failures so close that were asked before the first of them count as one: a cut connection fails all its calls."""

_LONG_SECONDS = 2.0
"""A store that failed, and fails again after so long without one answer in between, counts as away: it hangs."""

_LOST = (StoreUnavailableError, OutcomeUnknownError, TimeoutError)
"""What tells that a store is away. A store that is busy or full answers."""


class StoreDownError(StoreUnavailableError):
    """The store was not asked, since it is away. Nothing was written."""

    def __init__(self, *, since_ms: int, away: timedelta, retry_in: timedelta, reason: str) -> None:
        """Take since when it is away, when it is asked again, and what it failed with."""
        self.since_ms = since_ms
        self.away = away
        self.retry_in = retry_in
        self.reason = reason
        super().__init__(
            f"the store has been away for {away.total_seconds():.1f} s and is asked again in "
            f"{retry_in.total_seconds():.1f} s; nothing was written, send it again then. Its last failure: {reason}"
        )


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """How a breaker stands. Times are ms since 1970 UTC, None while it is closed."""

    is_open: bool
    reason: str = ""
    since_ms: int | None = None
    retry_ms: int | None = None


class Breaker:
    """Closed: calls go through. Open: they fail at once, until a probe finds that the store is back."""

    def __init__(self, *, clock: Clock, failures: int, first_wait: timedelta, longest_wait: timedelta) -> None:
        """Take how many failures in a row open it, and the first and the longest wait between two probes."""
        self._clock = clock
        self._limit = failures
        self._waits = (first_wait.total_seconds(), longest_wait.total_seconds())
        self._lock = threading.Lock()
        self._waiters: set[asyncio.Future[None]] = set()
        self._failures = 0
        self._incidents = 0
        self._failed_at = 0.0
        self._is_open = False
        self._is_watched = False
        self._since = 0.0
        self._since_ms = 0
        self._retry_at = 0.0
        self._wait = 0.0
        self._reason = ""

    @property
    def is_open(self) -> bool:
        """Whether the store counts as away."""
        return self._is_open

    @property
    def circuit(self) -> Circuit:
        """How it stands."""
        with self._lock:
            if not self._is_open:
                return Circuit(is_open=False)
            left_ms = max(0, int((self._retry_at - self._clock.monotonic()) * 1000))
            return Circuit(
                is_open=True,
                reason=self._reason,
                since_ms=self._since_ms,
                retry_ms=self._clock.now_ms() + left_ms,
            )

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call, unless the store is away.

        Raises:
            StoreDownError: It was not made.
        """
        seen = self._admit()
        return await self._watched_call(call, seen)

    async def probe(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call whether or not the store counts as away; it tells."""
        return await self._watched_call(call, self._incidents)

    async def _watched_call(self, call: Callable[[], Awaitable[T]], seen: int) -> T:
        try:
            answer = await call()
        except _LOST as exc:
            self._note_failure(exc, seen)
            raise
        if self._failures:
            self._note_success(seen)
        return answer

    def _admit(self) -> int:
        """Return how many incidents there were; where nobody watches, one caller at a time is the probe."""
        if not self._is_open:
            return self._incidents
        with self._lock:
            now = self._clock.monotonic()
            if self._failures and (self._is_watched or now < self._retry_at):  # none: it is back since a moment
                raise StoreDownError(
                    since_ms=self._since_ms,
                    away=timedelta(seconds=now - self._since),
                    retry_in=timedelta(seconds=max(self._retry_at - now, 0)),
                    reason=self._reason,
                )
            self._retry_at = now + self._wait
            return self._incidents

    def _note_failure(self, exc: BaseException, seen: int) -> None:
        with self._lock:
            now = self._clock.monotonic()
            was_asked_before = seen < self._incidents
            if was_asked_before and (self._is_open or now - self._failed_at < _TOGETHER_SECONDS):
                return
            if not self._failures:
                self._since = now
            self._failures += 1
            self._incidents += 1
            self._failed_at = now
            self._reason = f"{type(exc).__name__}: {exc}"
            if self._is_open:
                self._wait = min(self._wait * 2, self._waits[1])
                self._retry_at = now + self._wait
                return
            if self._failures < self._limit and now - self._since < _LONG_SECONDS:
                return
            self._open(now)
        logger.warning("store_away", extra={"reason": self._reason, "failures": self._failures})
        self._wake()

    def trip(self, exc: BaseException) -> None:
        """Let the store count as away now: it could not even be opened."""
        with self._lock:
            if self._is_open:
                return
            self._failures += 1
            self._incidents += 1
            self._since = self._clock.monotonic()
            self._reason = f"{type(exc).__name__}: {exc}"
            self._open(self._clock.monotonic())
        logger.warning("store_away", extra={"reason": self._reason, "failures": self._failures})
        self._wake()

    def _open(self, now: float) -> None:
        self._is_open = True
        self._since_ms = self._clock.now_ms() - int((now - self._since) * 1000)
        self._wait = self._waits[0]
        self._retry_at = now + self._wait

    def _note_success(self, seen: int) -> None:
        """Close it, unless the call began before the last failure: it may answer with what was read before."""
        with self._lock:
            if seen < self._incidents:
                return
            was_open, self._is_open = self._is_open, False
            self._failures = 0
            away = self._clock.monotonic() - self._since
        if was_open:
            logger.info("store_back", extra={"away_ms": int(away * 1000)})
            self._wake()

    async def watch(self, probe: Callable[[], Awaitable[object]]) -> None:
        """Probe for as long as the store is away, until cancelled. No other caller pays for a probe then."""
        self._is_watched = True
        try:
            while True:
                await self.until(is_open=True)
                await self._clock.sleep(max(self._retry_at - self._clock.monotonic(), 0))
                if self._is_open:
                    await self._try(probe)
        finally:
            self._is_watched = False

    async def _try(self, probe: Callable[[], Awaitable[object]]) -> None:
        seen = self._incidents
        try:
            await self.probe(probe)
        except _LOST:
            return
        except RetryableError:  # busy or full: it answers
            self._note_success(seen)
        except TurnkeeperError as exc:  # it answers, but cannot be used: restarted empty, demoted, another password
            self._note_failure(exc, self._incidents)
        except Exception as exc:  # without the watch nobody would ever ask again
            logger.exception("probe_broken")
            self._note_failure(exc, self._incidents)

    async def until(self, *, is_open: bool) -> None:
        """Return once the store is away, or once it is back."""
        while self._is_open is not is_open:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            with self._lock:
                if self._is_open is is_open:
                    return
                self._waiters.add(future)
            try:
                await future
            finally:
                with self._lock:
                    self._waiters.discard(future)

    def _wake(self) -> None:
        with self._lock:
            waiters, self._waiters = self._waiters, set()
        for future in waiters:
            with contextlib.suppress(RuntimeError):  # its event loop is closed: nobody is there to be woken
                future.get_loop().call_soon_threadsafe(_finish, future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
