"""What a server says of itself when it is connected to, and how it is told from the one that was there before."""

import logging
import threading
from collections.abc import Mapping, Sequence

import msgspec

from turnkeeper.errors import StoreUnavailableError, StoreUnreadableError
from turnkeeper.stores.redis.wire import ErrorReply

logger = logging.getLogger(__name__)

PRIMARY = "master"
"""What Redis calls a primary."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """One server at the moment when it was connected to."""

    url: str
    version: tuple[int, int]
    run_id: str
    role: str
    replicas: int
    has_aof: bool
    fsync: str | None
    """`always`, `everysec` or `no`; None if nobody asked or the user may not know."""


def parse_info(reply: object, url: str) -> Mapping[str, str]:
    """Return the lines of INFO by their names.

    Raises:
        StoreUnreadableError: The server does not tell this user.
        StoreUnavailableError: It is not ready.
    """
    if isinstance(reply, ErrorReply):
        if reply.code == "NOAUTH":
            raise StoreUnreadableError(f"{url} asks for a password; nothing was written. Add one to the URL")
        if reply.code == "NOPERM":
            raise StoreUnreadableError(f"{url}: the user may not use INFO ({reply.text}); nothing was written")
        raise StoreUnavailableError(f"{url} is not ready ({reply.text}); nothing was sent")
    if not isinstance(reply, bytes):
        raise StoreUnreadableError(f"{url} answers INFO with {reply!r}: it is no Redis server. Nothing was written")
    lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines() if ":" in line)
    return {name: value for name, _, value in lines}


def parse_server(replies: Sequence[object], url: str) -> Server:
    """Return what INFO says, and `CONFIG GET appendfsync` behind it if that was asked.

    Raises:
        StoreUnreadableError: The server does not tell this user.
        StoreUnavailableError: It is not ready.
    """
    said = parse_info(replies[0], url)
    fsync: str | None = None
    match replies[1:]:
        case [[_, bytes(value)]]:
            fsync = value.decode()
    major, _, rest = said.get("redis_version", "0.0").partition(".")
    return Server(
        url=url,
        version=(int(major), int(rest.partition(".")[0])),
        run_id=said.get("run_id", ""),
        role=said.get("role", PRIMARY),
        replicas=int(said.get("connected_slaves", "0")),
        has_aof=said.get("aof_enabled") == "1",
        fsync=fsync,
    )


class Primaries:
    """Remembers who answered as a primary, so that a change is told: once, in the log and as a number.

    What another server acknowledged may be missing on the new one, as far as the durability level allows.
    """

    def __init__(self, *, are_found: bool = False) -> None:
        """Begin with nobody. `are_found`: a sentinel or a cluster says who it is, and may be behind the times."""
        self.changes = 0
        self._are_found = are_found
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def greet(self, server: Server, *, place: str) -> None:
        """Note who is at a place now.

        Raises:
            StoreUnreadableError: A replica, where somebody configured a primary.
            StoreUnavailableError: A replica, where a primary was or is said to be.
        """
        with self._lock:
            before = self._known.get(place)
            if server.role != PRIMARY:
                text = f"{server.url} is a replica, which cannot be written"
                if before is None and not self._are_found:
                    raise StoreUnreadableError(f"{text}; give the address of its primary")
                raise StoreUnavailableError(f"{text}, and is said to be the primary, or was; nothing was sent, repeat")
            self._known[place] = server.run_id
            if before in {None, server.run_id}:
                return
            self.changes += 1
        logger.warning(
            "redis.primary_changed",
            extra={"url": server.url, "run_id": server.run_id, "before": before, "changes": self.changes},
        )
