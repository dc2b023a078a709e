"""The way to the primary that sentinels name: asked at each connect, never remembered.

A primary that is demoted says READONLY, or its connection is cut; either way the next call asks the sentinels anew.
"""

from turnkeeper.errors import StoreUnavailableError, StoreUnreadableError, TurnkeeperError
from turnkeeper.stores.redis.connections.addresses import Address, Place
from turnkeeper.stores.redis.connections.dialling import CONNECT_SECONDS, Dialler
from turnkeeper.stores.redis.connections.multiplexer import Multiplexer
from turnkeeper.stores.redis.deployments.single import ANSWER_SECONDS
from turnkeeper.stores.redis.deployments.wire import ErrorReply

SENTINEL_SECONDS = 1.0
"""For one sentinel; the next one is asked then. Three dead ones cost less than a server that does not answer."""


class Sentinels:
    """Those who watch one primary with replicas, and know which server it is."""

    def __init__(self, place: Place, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        """Take where they are and which service they watch.

        Raises:
            ConfigurationError: Its URL cannot be read.
        """
        self.url = place.url
        self._place = place
        self._dialler = Dialler(
            place.plain, name=place.url, answer_seconds=answer_seconds, connect_seconds=CONNECT_SECONDS
        )
        self._guards = Dialler(
            place.guard, name=place.url, answer_seconds=SENTINEL_SECONDS, connect_seconds=SENTINEL_SECONDS
        )

    async def dial(self) -> Multiplexer:
        """Return a new connection to the primary.

        Raises:
            StoreUnavailableError, StoreUnreadableError: See `primary`.
        """
        return await self._dialler.dial(await self.primary())

    async def primary(self) -> Address:
        """Return where the primary is now, as the first sentinel says that knows.

        Raises:
            StoreUnavailableError: No sentinel answers, or none knows a primary of this service at the moment.
            StoreUnreadableError: They refuse us, or TLS does not fit.
        """
        failed: list[TurnkeeperError] = []
        for sentinel in self._place.hosts:
            try:
                return await self._told(sentinel)
            except TurnkeeperError as exc:
                failed.append(exc)
        # What no patience helps against comes first, then what somebody answered.
        for kind in (StoreUnreadableError, _UnknownServiceError):
            for each in failed:
                if isinstance(each, kind):
                    raise each
        raise StoreUnavailableError(f"{self.url}: no sentinel answers; nothing was sent. The last: {failed[-1]}")

    async def _told(self, sentinel: Address) -> Address:
        """Return the primary that a sentinel names; asked on a connection that is closed again."""
        connection = await self._guards.dial(sentinel)
        try:
            (reply,) = await connection.call([("SENTINEL", "MASTERS")])
        finally:
            connection.cut("it was asked for the primary only")
        if isinstance(reply, ErrorReply):
            raise StoreUnreadableError(
                f"{self.url}: the sentinel {sentinel} refused us ({reply.text}); nothing was written. Give it "
                "sentinel_username= and sentinel_password=, the user +sentinel|masters, and only sentinels as hosts"
            )
        services = _services(reply)
        said = services.get(self._place.service, {})
        if "ip" in said and not {"s_down", "o_down"} & set(said.get("flags", "").split(",")):
            return Address(said["ip"], int(said["port"]))
        why = f"it is {said['flags']}" if said else f"it knows {', '.join(sorted(services)) or 'none'}"
        raise _UnknownServiceError(
            f"{self.url}: no sentinel knows a primary of {self._place.service!r} ({sentinel}: {why}); nothing was "
            "sent. Check the name of the service and the sentinels' addresses"
        )


class _UnknownServiceError(StoreUnavailableError):
    """A sentinel answers, and names nobody."""


def _services(reply: object) -> dict[str, dict[str, str]]:
    """Return what `SENTINEL MASTERS` says of each service, by its name."""
    found: dict[str, dict[str, str]] = {}
    for one in reply if isinstance(reply, list) else ():
        words = [word.decode(errors="replace") for word in one if isinstance(word, bytes)]
        said = dict(zip(words[::2], words[1::2], strict=False))
        found[said.get("name", "")] = said
    return found
