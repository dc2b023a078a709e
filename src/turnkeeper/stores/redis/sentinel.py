"""The wire to the primary that sentinels name: asked at each connect, never remembered.

A primary that is demoted says READONLY, or its connection is cut; either way the next call asks the sentinels anew.
"""

from collections.abc import Awaitable, Sequence

from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from turnkeeper.errors import StoreUnavailableError, StoreUnreadableError
from turnkeeper.stores.redis.connections.addresses import Address, Place
from turnkeeper.stores.redis.connections.dialling import CONNECT_SECONDS, Dialler
from turnkeeper.stores.redis.connections.loops import PerLoop
from turnkeeper.stores.redis.connections.multiplexer import Multiplexer
from turnkeeper.stores.redis.connections.node import Node
from turnkeeper.stores.redis.connections.proving import MEMORY, Proof
from turnkeeper.stores.redis.connections.server import Primaries
from turnkeeper.stores.redis.single import ANSWER_SECONDS
from turnkeeper.stores.redis.wire import Command

SENTINEL_SECONDS = 1.0
"""For one sentinel; the next one is asked then. Three dead ones cost less than a server that does not answer."""


class SentinelWire:
    """See `turnkeeper.stores.redis.wire.Wire`. For one primary with replicas, watched by sentinels."""

    in_cluster = False

    def __init__(self, place: Place, *, answer_seconds: float = ANSWER_SECONDS, proof: Proof = MEMORY) -> None:
        """Take where the sentinels are and which service they watch.

        Raises:
            ConfigurationError: Its URL cannot be read.
        """
        self.url = place.url
        self._place = place
        self._dialler = Dialler(place.plain, answer_seconds=answer_seconds, connect_seconds=CONNECT_SECONDS)
        self._primaries = Primaries(are_found=True)
        self._nodes = PerLoop(lambda: Node(self._dial, url=self.url, place="", primaries=self._primaries, proof=proof))

    @property
    def primary_changes(self) -> int:
        """See `Wire.primary_changes`."""
        return self._primaries.changes

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
        node = self._nodes.take()
        if node is not None:
            await node.close()

    async def primary(self) -> Address:
        """Return where the primary is now.

        Raises:
            StoreUnavailableError: No sentinel answers, or none knows a primary of this service at the moment.
            StoreUnreadableError: They refuse us.
        """
        sentinels = Sentinel(  # type: ignore[no-untyped-call]  # redis-py
            [(each.host, each.port) for each in self._place.hosts],
            sentinel_kwargs={
                **self._dialler.encryption(),
                "username": self._place.guard_user,
                "password": self._place.guard_password,
                "socket_connect_timeout": SENTINEL_SECONDS,
                "socket_timeout": SENTINEL_SECONDS,
                "retry": Retry(NoBackoff(), 0),
            },
        )
        try:
            host, port = await sentinels.discover_master(self._place.service)
        except MasterNotFoundError as exc:
            raise StoreUnavailableError(
                f"{self.url}: no sentinel knows a primary of {self._place.service!r} ({exc}); nothing was sent. Check "
                "the name of the service and the sentinels' addresses"
            ) from exc
        except (AuthenticationError, ResponseError) as exc:
            said, password = str(exc), self._place.guard_password
            is_quoted = bool(password) and str(password) in said  # one without AUTH repeats what it was sent
            raise StoreUnreadableError(
                f"{self.url}: the sentinels refused us ({said.replace(str(password), '***') if is_quoted else said}); "
                "nothing was written. Give them sentinel_username= and sentinel_password=, and only sentinels as hosts"
            ) from (None if is_quoted else exc)
        except (RedisError, OSError) as exc:
            raise StoreUnavailableError(f"{self.url}: no sentinel answers ({exc}); nothing was sent") from exc
        finally:
            for sentinel in sentinels.sentinels:
                await sentinel.aclose()
        return Address(str(host), int(port))

    async def _dial(self) -> Multiplexer:
        return await self._dialler.dial(await self.primary())
