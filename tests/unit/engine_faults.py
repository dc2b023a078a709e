"""Stand-ins for what goes wrong around an engine: late or lost answers, a slow provider, a blocked loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.unit.echo_program import CHANNEL
from turnkeeper.ports.channel import Outgoing, Sent
from turnkeeper.testing.channel import FakeChannel


def wrap(port: object, name: str, around: Callable[[Callable[..., Awaitable[Any]], Any], Awaitable[Any]]) -> None:
    """Put a function around a method of a store's port: it gets the method and its first argument."""
    method = getattr(port, name)

    async def wrapped(*args: Any, **options: Any) -> Any:
        async def call(first: Any) -> Any:
            return await method(first, *args[1:], **options)

        return await around(call, args[0] if args else None)

    setattr(port, name, wrapped)


def block_loop(seconds: float) -> None:
    """Keep the event loop from running, as a handler does that computes or calls something synchronous."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.01)


class Gate(FakeChannel):
    """A channel whose sends wait until the test lets that many of them go."""

    def __init__(self) -> None:
        """Be closed."""
        super().__init__(CHANNEL)
        self.passes = asyncio.Semaphore(0)

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """Wait, then send."""
        await self.passes.acquire()
        return await super().send(outgoing)
