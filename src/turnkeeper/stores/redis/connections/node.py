"""One server as one event loop sees it: a connection for everything, and one of its own for what must be proven."""

from collections.abc import Awaitable, Sequence

from turnkeeper.stores.redis.connections.line import Dial, Greet, Line
from turnkeeper.stores.redis.connections.proving import PROVEN, Proof, ProvenLine
from turnkeeper.stores.redis.connections.server import Primaries, Server
from turnkeeper.stores.redis.deployments.wire import Command

_FSYNC: Command = ("CONFIG", "GET", "appendfsync")


class Node:
    """See the module. Nothing is connected before the first call."""

    def __init__(
        self, dial: Dial, *, url: str, place: str, primaries: Primaries, proof: Proof, in_cluster: bool = False
    ) -> None:
        """Take how to reach it; `place` names it among several, wherever it is at the moment."""

        def greet(server: Server) -> None:
            primaries.greet(server, place=place)

        def proven_line(also: Greet) -> Line:
            def both(server: Server) -> None:
                greet(server)
                also(server)

            return Line(dial, url=url, greet=both, greeting=lambda: (*primaries.questions(), _FSYNC))

        self._line = Line(dial, url=url, greet=greet, greeting=primaries.questions)
        self._proven = None
        if proof.durability in PROVEN:
            self._proven = ProvenLine(proven_line, proof, url=url, in_cluster=in_cluster)

    def send(self, commands: Sequence[Command], *, key: str, durable: bool) -> Awaitable[list[object]]:
        """See `Wire.send`."""
        if durable and self._proven is not None:
            return self._proven.send(commands, key=key)
        return self._line.send(commands)

    async def open(self) -> None:
        """Connect. Safe to call twice."""
        await self._line.connect()
        if self._proven is not None:
            await self._proven.connect()

    async def close(self) -> None:
        """Let go of the connections. Safe to call twice."""
        if self._proven is not None:
            await self._proven.close()
        await self._line.close()
