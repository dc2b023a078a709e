"""One server as one event loop sees it: connects when somebody calls, again when the connection is gone.

Nothing is repeated here: a call belongs to the connection that it was written to.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError, TurnkeeperError
from turnkeeper.stores.redis.connections.multiplexer import MAX_CALLS_WAITING, Multiplexer
from turnkeeper.stores.redis.connections.server import Server, parse_server
from turnkeeper.stores.redis.deployments.wire import Command

FIRST_PAUSE_SECONDS = 0.02
"""After the first failure to connect; doubled after each further one. A restarted server is back in some 100 ms."""

LONGEST_PAUSE_SECONDS = 2.0
"""Between two attempts, so that a server that is back is used again while its callers still wait."""

GRACE_SECONDS = 1.0
"""For the answers that are due when a connection is closed on purpose: a hundred times what they usually take."""

_DOUBLINGS = 7
"""From the first pause to the longest."""

Dial = Callable[[], Awaitable[Multiplexer]]
"""Opens a connection to a server, wherever it is now."""

Ask = Callable[[], Sequence[Command]]
"""Returns what a server is asked when it was connected to; the first is INFO."""

Greet = Callable[[Server], None]
"""Looks at a server before it is used, and raises when it must not be."""


class Line:
    """See the module. Belongs to one event loop."""

    def __init__(self, dial: Dial, *, url: str, greet: Greet, greeting: Ask = lambda: (("INFO",),)) -> None:
        """Take how to reach the server, a name for texts, and what is asked and who looks at it after a connect."""
        self._dial = dial
        self._greet = greet
        self._greeting = greeting
        self._url = url
        self._open: Multiplexer | None = None
        self._connecting: asyncio.Task[Multiplexer] | None = None
        self._callers = 0
        self._failures = 0
        self._not_before = 0.0
        self._reason = ""
        self._end = self._until_the_loop_ends()

    def send(self, commands: Sequence[Command]) -> Awaitable[list[object]]:
        """Write commands and return their raw answers. See `Wire.send`."""
        line = self._open
        if line is not None and line.is_open:
            return line.call(commands)
        return self._connect_and_send(commands)

    async def _connect_and_send(self, commands: Sequence[Command]) -> list[object]:
        line = await self.connect()
        return await line.call(commands)

    async def connect(self) -> Multiplexer:
        """Return the connection, a new one if there is none; all callers of the moment share one attempt.

        Raises:
            StoreUnavailableError: It failed, or failed so recently that it is not tried yet. Nothing was sent.
            StoreUnreadableError: The server refuses us, or is not what it should be.
        """
        if self._open is not None and self._open.is_open:
            return self._open
        task = self._connecting
        if task is None:
            self._refuse_too_early()
            task = self._connecting = asyncio.create_task(self._connected(), name=f"connect to {self._url}")
            task.add_done_callback(self._note)
        if self._callers >= MAX_CALLS_WAITING:
            raise StoreUnavailableError(f"{self._url}: {self._callers} calls wait for a connection; nothing was sent")
        self._callers += 1
        try:
            await asyncio.wait({task})  # a caller that is cancelled must not cancel the attempt of the others
        finally:
            self._callers -= 1
        if task.cancelled():
            raise StoreUnavailableError(f"{self._url} was closed while it connected; nothing was sent")
        return task.result()

    async def close(self) -> None:
        """Let go of the connection, after the answers that are due. Safe to call twice."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        line, self._open = self._open, None
        if line is not None:
            await line.close(grace_seconds=GRACE_SECONDS)
        await self._end.aclose()
        self._end = self._until_the_loop_ends()
        self._failures, self._not_before = 0, 0.0

    def _refuse_too_early(self) -> None:
        left = self._not_before - asyncio.get_running_loop().time()
        if left > 0:
            raise StoreUnavailableError(f"{self._reason}; not tried again for {left * 1000:.0f} ms")

    async def _connected(self) -> Multiplexer:
        """Connect, and look at the server before anybody uses it."""
        line = await self._dial()
        try:
            await anext(self._end, None)
            self._greet(parse_server(await line.call(self._greeting()), line.url))
        except OutcomeUnknownError as exc:  # of the greeting; no caller has sent anything yet
            line.cut("it is not used")
            raise StoreUnavailableError(f"{line.url} accepted a connection and failed then; nothing was sent") from exc
        except BaseException:
            line.cut("it is not used")
            raise
        self._open = line
        return line

    def _note(self, task: asyncio.Task[Multiplexer]) -> None:
        """Say when the next attempt may be made: jittered, because many processes lost the same server."""
        self._connecting = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._failures = 0
            return
        pause = min(FIRST_PAUSE_SECONDS * 2.0**self._failures, LONGEST_PAUSE_SECONDS)
        self._failures = min(self._failures + 1, _DOUBLINGS)
        self._reason = str(error) if isinstance(error, TurnkeeperError) else repr(error)
        self._not_before = task.get_loop().time() + pause * random.uniform(0.5, 1)  # noqa: S311 - no secret

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        """Close the connection when its loop ends: a loop that ends closes its generators, and nothing else of ours."""
        try:
            while True:
                yield
        finally:
            if self._open is not None:
                with contextlib.suppress(RuntimeError):  # the loop is closed already
                    self._open.cut("its event loop ended")
