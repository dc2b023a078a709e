"""The store's clock: the machine's, but it never runs backwards.

After the machine's clock stepped back, this one goes on at half speed until it is caught up. Standing still instead
would keep the lease of a dead worker for as long as the step was.
"""

import threading

from turnkeeper.ports.clock import Clock


class StoreTime:
    """One per open store; may be read from any thread."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock that it follows."""
        self._clock = clock
        self._lock = threading.Lock()
        self._latest_ms = 0
        self._ahead_from_ms = 0
        self._stepped_at_ms = 0

    def read(self, at_least_ms: int = 0) -> int:
        """Return milliseconds since 1970 UTC, never less than before.

        Args:
            at_least_ms: A time that another process is known to have seen.
        """
        with self._lock:
            machine_ms = self._clock.now_ms()
            now_ms = max(machine_ms, self._ahead_from_ms + (machine_ms - self._stepped_at_ms) // 2)
            floor_ms = max(self._latest_ms, at_least_ms)
            if now_ms < floor_ms:
                now_ms = floor_ms
                self._ahead_from_ms = floor_ms
                self._stepped_at_ms = machine_ms
            self._latest_ms = now_ms
            return now_ms
