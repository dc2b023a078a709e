"""Local deadlines, many on one timer: nearly all of them are called off, and an event loop's timer each costs more.

A deadline is noticed up to a tick late, never early.
"""

import asyncio
import time
from collections.abc import Callable

_TICK_SECONDS = 0.02
"""How late a deadline is noticed. The timer runs only while somebody waits."""


class Deadlines:
    """The deadlines of one event loop."""

    def __init__(self) -> None:
        """Begin without any."""
        self._calls: dict[object, tuple[float, Callable[[], object]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def set(self, key: object, seconds: float, call: Callable[[], object]) -> None:
        """Call it once after that much time, unless the key is called off before."""
        self._calls[key] = (time.monotonic() + seconds, call)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)

    def call_off(self, key: object) -> None:
        """Forget it. Safe to call twice."""
        self._calls.pop(key, None)

    def _tick(self) -> None:
        self._timer = None
        now = time.monotonic()
        over = [key for key, (at, _) in self._calls.items() if at <= now]
        for key in over:
            self._calls.pop(key)[1]()
        if self._calls and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)
