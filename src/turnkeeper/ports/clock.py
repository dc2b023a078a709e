"""Time, so that it can be moved in a test.

Leases, retention and timers follow the *store's* clock; this one feeds the stores that live in this process.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for local deadlines."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """Return after that much of this clock's time."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()

    async def sleep(self, seconds: float, /) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(seconds)
