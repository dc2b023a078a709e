"""Stands between workers and Redis, and cuts exactly a request or exactly an answer, delays, or stops to forward.

It reads no Redis: what a client writes at once is a request, what the server sends after it is its answer.
"""

import asyncio
import contextlib
from pathlib import Path

from tests.chaos.world import Fault, World

CHUNK_BYTES = 256 * 1024
REQUEST_CUT = 0.004
ANSWER_CUT = 0.004
ANSWER_DELAYED = 0.008
DELAY_SECONDS = 0.25
HALF_OPEN_SECONDS = 1.5
"""Longer than a lease: whoever waits on such a connection loses what it holds."""


class Proxy:
    """Forwards connections to a Unix socket, `target`; `requests` counts. Behind a closed dam answers wait."""

    def __init__(self, world: World, target: Path) -> None:
        """Take where Redis listens."""
        self._world = world
        self.target = target
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self.requests = 0
        self.dam = asyncio.Event()
        self.dam.set()

    @property
    def port(self) -> int:
        """The TCP port that workers use."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0, backlog=256)

    async def close(self) -> None:
        """Cut everything and listen no more."""
        self.break_all()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_unix_connection(str(self.target))
        except OSError:
            writer.close()
            return
        link = _Link(self, self._world, (reader, writer), upstream)
        self._links.add(link)
        try:
            await link.carry()
        finally:
            self._links.discard(link)

    def stick_one(self) -> None:
        """Let one connection take everything and forward nothing from its next request on."""
        if self._links:
            self._world.chance.choice(sorted(self._links, key=id)).is_to_stick = True

    def break_all(self) -> None:
        """Cut every connection, with whatever waits behind the dam."""
        for link in tuple(self._links):
            link.cut()


_Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One connection of a worker."""

    def __init__(self, proxy: Proxy, world: World, client: _Pipe, server: _Pipe) -> None:
        self._proxy = proxy
        self._world = world
        self._client = client
        self._server = server
        self._loses_answer = False
        self._is_stuck = False
        self.is_to_stick = False
        self._tasks: list[asyncio.Task[None]] = []

    async def carry(self) -> None:
        """Forward both ways until one end is gone."""
        self._tasks = [asyncio.create_task(self._requests()), asyncio.create_task(self._answers())]
        with contextlib.suppress(OSError):
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End both connections at once, without sending what is left."""
        for task in self._tasks:
            task.cancel()
        for _, writer in (self._client, self._server):
            writer.transport.abort()

    async def _requests(self) -> None:
        reader, _ = self._client
        _, writer = self._server
        while request := await reader.read(CHUNK_BYTES):
            self._proxy.requests += 1
            if self.is_to_stick:
                self._is_stuck = True
                await asyncio.sleep(HALF_OPEN_SECONDS)
                return
            if self._world.happens(Fault.REQUEST_CUT, REQUEST_CUT):
                writer.write(request[: self._world.chance.randrange(len(request))])  # a part of it, or nothing at all
                await writer.drain()
                return
            if self._world.happens(Fault.ANSWER_CUT, ANSWER_CUT):
                self._loses_answer = True
            writer.write(request)
            await writer.drain()

    async def _answers(self) -> None:
        reader, _ = self._server
        _, writer = self._client
        while answer := await reader.read(CHUNK_BYTES):
            if self._loses_answer:
                return
            if self._world.happens(Fault.ANSWER_DELAYED, ANSWER_DELAYED):
                await asyncio.sleep(self._world.chance.uniform(0, DELAY_SECONDS))
            await self._proxy.dam.wait()
            if not self._is_stuck:
                writer.write(answer)
                await writer.drain()
