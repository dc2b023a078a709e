"""Somebody in this process who waits for the replies to a message.

It is a hint only: a turn that runs in another process tells nobody here, so whoever waits also asks the store.
"""

import asyncio

from turnkeeper.engine.deadlines import Deadlines


class Waiter:
    """Somebody who waits for a message's replies. Cheaper than `asyncio.wait` on every turn: no timer, no task."""

    __slots__ = ("_future", "_replies", "key")

    def __init__(self, conversation: str, message_id: str) -> None:
        self.key = (conversation, message_id)
        self._replies: tuple[str, ...] | None = None
        self._future: asyncio.Future[None] | None = None

    def tell(self, replies: tuple[str, ...]) -> None:
        """End the waiting."""
        self._replies = replies
        self.wake()

    def wake(self) -> None:
        """Have it look around, told or not."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, seconds: float, deadlines: Deadlines) -> tuple[str, ...] | None:
        """Return the replies, None if there are none after that time."""
        if self._replies is None:
            self._future = asyncio.get_running_loop().create_future()
            deadlines.set(self, seconds, self.wake)
            try:
                await self._future
            finally:
                deadlines.call_off(self)
        return self._replies
