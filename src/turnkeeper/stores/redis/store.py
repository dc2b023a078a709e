"""The store on Redis or Valkey: one URL, and every promise of the ports in two round trips a turn."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from turnkeeper.errors import ConfigurationError
from turnkeeper.observe.masking import mask_url
from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.stores.redis.catalog import RedisCatalog
from turnkeeper.stores.redis.deliveries import RedisDeliveries
from turnkeeper.stores.redis.documents import RedisDocuments
from turnkeeper.stores.redis.medium import Medium
from turnkeeper.stores.redis.opening import MAX_PARTITIONS, Durability
from turnkeeper.stores.redis.single import SingleConnectionWire
from turnkeeper.stores.redis.turns import RedisTurns
from turnkeeper.stores.redis.wire import Wire

_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}


class RedisStore:
    """See `turnkeeper.ports.store.Store`. May be called from several threads' event loops."""

    def __init__(self, url: str, *, clock: Clock | None = None, wire: Wire | None = None) -> None:
        """Take where the server is. Nothing is connected yet.

        Args:
            url: `redis://`, `rediss://`, `valkey://`, `valkeys://` or `unix://`, with the parameters of redis-py and
                ours: `durability` (`memory`, or `cache` if conversations may be lost) and `partitions` (of a new
                database).
            clock: For tests. Leases, retention and timers follow the *server's* clock; one that is not the machine's
                is told to the server with every call.
            wire: Another way to the server than one plain connection.

        Raises:
            ConfigurationError: The URL cannot be read.
        """
        plain, durability, partitions = _read_url(url)
        used = clock or SystemClock()
        self._medium = Medium(
            wire or SingleConnectionWire(plain),
            clock=used,
            movable=not isinstance(used, SystemClock),
            durability=durability,
            partitions=partitions,
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


def _read_url(url: str) -> tuple[str, Durability, int | None]:
    """Return the URL as redis-py reads it, and what of it is ours."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigurationError(f"{mask_url(url)!r} is no URL") from None
    if parts.scheme not in _SCHEMES:
        raise ConfigurationError(f"{mask_url(url)!r}: write one of {', '.join(f'{one}://' for one in _SCHEMES)}")
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    durability = parameters.pop("durability", "memory")
    partitions = parameters.pop("partitions", None)
    if durability not in {"cache", "memory"}:
        raise ConfigurationError(f"{mask_url(url)!r}: durability is cache or memory, not {durability!r}")
    if partitions is not None and not (partitions.isdecimal() and 1 <= int(partitions) <= MAX_PARTITIONS):
        raise ConfigurationError(f"{mask_url(url)!r}: partitions is a number from 1 to {MAX_PARTITIONS}")
    scheme = _SCHEMES[parts.scheme]
    # Without a scheme, because `urlunsplit` takes the slashes off a scheme that it does not know, such as unix.
    rest = urlunsplit(parts._replace(scheme="", query=urlencode(parameters)))
    plain = f"{scheme}:{rest if rest.startswith('//') else '//' + rest}"
    return plain, "cache" if durability == "cache" else "memory", None if partitions is None else int(partitions)
