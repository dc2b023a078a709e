"""One of a thing for each event loop: the heartbeat's thread has a loop of its own, and so a connection of its own."""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class PerLoop(Generic[T]):
    """See the module. May be used from several threads."""

    def __init__(self, make: Callable[[], T]) -> None:
        """Take what makes one."""
        self._make = make
        self._lock = threading.Lock()
        self._found: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()
        self._latest: tuple[asyncio.AbstractEventLoop, T] | None = None  # replaced whole, so that no lock is needed

    def get(self) -> T:
        """Return the running loop's own."""
        loop = asyncio.get_running_loop()
        latest = self._latest
        if latest is not None and latest[0] is loop:
            return latest[1]
        with self._lock:
            found = self._found.get(loop)
            if found is None:
                # What belongs to a loop refers to it, so that the weak keys alone let none of them go.
                for over in [each for each in self._found if each.is_closed()]:
                    del self._found[over]
                found = self._found[loop] = self._make()
        self._latest = (loop, found)
        return found

    def take(self) -> T | None:
        """Return the running loop's own and forget it. Those of other loops end with their loop."""
        self._latest = None
        with self._lock:
            return self._found.pop(asyncio.get_running_loop(), None)
