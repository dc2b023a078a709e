"""The wire to one primary: one shared connection for each event loop, and one for what must be proven."""

from collections.abc import Awaitable, Sequence
from typing import Self

from turnkeeper.stores.redis.connections.dialling import CONNECT_SECONDS, Dialler
from turnkeeper.stores.redis.connections.line import Dial
from turnkeeper.stores.redis.connections.loops import PerLoop
from turnkeeper.stores.redis.connections.node import Node
from turnkeeper.stores.redis.connections.proving import MEMORY, Proof
from turnkeeper.stores.redis.connections.server import Primaries
from turnkeeper.stores.redis.deployments.wire import Command, Terms

ANSWER_SECONDS = 10.0
"""Longer than a server saves or loses a replica, shorter than a provider waits for its 2xx."""


class SingleConnectionWire:
    """See `turnkeeper.stores.redis.deployments.wire.Wire`. For one server that is not part of a cluster."""

    in_cluster = False

    def __init__(self, dial: Dial, *, url: str, primaries: Primaries, proof: Proof = MEMORY) -> None:
        """Take how a connection to the primary is made.

        Args:
            dial: Connects to what is the primary at that moment.
            url: Names it in errors, without secrets.
            primaries: Knows which server was the primary.
            proof: What must have a write before it counts.
        """
        self.url = url
        self._primaries = primaries
        self._nodes = PerLoop(lambda: Node(dial, url=url, place="", primaries=primaries, proof=proof))

    @classmethod
    def to(cls, url: str, *, answer_seconds: float = ANSWER_SECONDS, proof: Proof = MEMORY) -> Self:
        """Return the wire to a server that a URL names, as redis-py reads it, without parameters of ours.

        Raises:
            ConfigurationError: It is no URL of a Redis server.
        """
        dialler = Dialler(url, answer_seconds=answer_seconds, connect_seconds=CONNECT_SECONDS)
        return cls(dialler.dial, url=dialler.url, primaries=Primaries(), proof=proof)

    @property
    def primary_changes(self) -> int:
        """See `Wire.primary_changes`."""
        return self._primaries.changes

    @property
    def restarts(self) -> int:
        """See `Wire.restarts`."""
        return self._primaries.restarts

    def demand(self, terms: Terms, /) -> None:
        """See `Wire.demand`."""
        self._primaries.demand(terms)

    def send(self, commands: Sequence[Command], *, key: str, durable: bool = False) -> Awaitable[list[object]]:
        """See `Wire.send`."""
        return self._nodes.get().send(commands, key=key, durable=durable)

    async def send_all(self, commands: Sequence[Command]) -> list[list[object]]:
        """See `Wire.send_all`."""
        return [await self._nodes.get().send(commands, key="", durable=False)]

    async def open(self) -> None:
        """See `Wire.open`."""
        await self._nodes.get().open()

    async def close(self) -> None:
        """See `Wire.close`. Connections of other loops close when their loop does."""
        self._primaries.demand(None)
        node = self._nodes.take()
        if node is not None:
            await node.close()
