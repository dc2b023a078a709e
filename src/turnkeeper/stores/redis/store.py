"""The store on Redis or Valkey: one URL, and every promise of the ports in two round trips a turn."""

from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.stores.redis.address import read_address
from turnkeeper.stores.redis.catalog import RedisCatalog
from turnkeeper.stores.redis.deliveries import RedisDeliveries
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.stores.redis.deployments.single import ANSWER_SECONDS
from turnkeeper.stores.redis.deployments.wire import Wire
from turnkeeper.stores.redis.documents import RedisDocuments
from turnkeeper.stores.redis.medium import Medium
from turnkeeper.stores.redis.opening import Durability
from turnkeeper.stores.redis.turns import RedisTurns


class RedisStore:
    """See `turnkeeper.ports.store.Store`. May be called from several threads' event loops."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        wire: Wire | None = None,
        durability: Durability | None = None,
        replicas: int | None = None,
    ) -> None:
        """Take where the server or servers are. Nothing is connected yet.

        Args:
            url: `redis://`, `rediss://`, `valkey://`, `valkeys://`, `unix://`, `redis+sentinel://host,host/service` or
                `redis+cluster://host,host`, with parameters; see `turnkeeper.stores.redis.address`.
            clock: For tests. Leases, retention and timers follow the *server's* clock; one that is not the machine's
                is told to the server with every call.
            wire: Another way to the server than the one that the URL asks for.
            durability: What must have a write before it counts; wins over the URL's. Without both: `memory`.
            replicas: How many of them, at the levels `replica` and `disk+replica`; wins over the URL's. Without
                both: 1.

        Raises:
            ConfigurationError: The URL cannot be read.
        """
        address = read_address(url)
        level: Durability = durability or address.durability or "memory"
        used = clock or SystemClock()
        if wire is None:
            answer_seconds = address.answer_seconds or ANSWER_SECONDS
            wire = open_wire(
                address.url,
                durability=level,
                replicas=replicas if replicas is not None else address.replicas or 1,
                answer_seconds=answer_seconds,
            )
        self._medium = Medium(
            wire,
            clock=used,
            movable=not isinstance(used, SystemClock),
            durability=level,
            partitions=address.partitions,
        )
        self._turns = RedisTurns(self._medium)
        self._deliveries = RedisDeliveries(self._medium)
        self._documents = RedisDocuments(self._medium)
        self._catalog = RedisCatalog(self._medium)

    @property
    def turns(self) -> RedisTurns:
        """See `Store.turns`."""
        return self._turns

    @property
    def deliveries(self) -> RedisDeliveries:
        """See `Store.deliveries`."""
        return self._deliveries

    @property
    def documents(self) -> RedisDocuments:
        """See `Store.documents`."""
        return self._documents

    @property
    def catalog(self) -> RedisCatalog:
        """See `Store.catalog`."""
        return self._catalog

    async def open(self) -> None:
        """See `Store.open`.

        Raises:
            StoreUnreadableError: The server is too old, a replica, evicts what is in flight, or is somebody else's.
            StoreNewerError: A newer Turnkeeper wrote it.
            ConfigurationError: It has another number of partitions than the URL says.
        """
        await self._medium.open()

    async def close(self) -> None:
        """See `Store.close`. Later operations raise `StoreUnavailableError`; `open` makes it usable again."""
        await self._medium.close()
