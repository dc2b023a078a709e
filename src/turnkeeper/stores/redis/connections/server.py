"""What a server says of itself when it is connected to, and how it is told from the one that was there before."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence

import msgspec

from turnkeeper.errors import StoreUnavailableError, StoreUnreadableError
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply, Terms
from turnkeeper.stores.redis.layout.keys import META

logger = logging.getLogger(__name__)

PRIMARY = "master"
"""What Redis calls a primary."""

_INFO: Command = ("INFO",)

_UPTIME_SECONDS = 1.0
"""Servers tell their uptime in whole seconds, and round it."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """One server at the moment when it was connected to.

    Attributes:
        fsync: `always`, `everysec` or `no`; None if nobody asked or the user may not know.
        history, former_history: The ids under which it replicates and has replicated before: those of a replica that
            became the primary begin with the primary's.
        started, seen: When it was started and connected to, in seconds of this process's monotonic clock.
        division: Schema and partitions; None if nobody asked, or another node of the cluster has them.
    """

    url: str
    version: tuple[int, int]
    run_id: str
    role: str
    replicas: int
    has_aof: bool
    fsync: str | None
    policy: str = "noeviction"
    history: str = ""
    former_history: str = ""
    division: tuple[int, int] | None = None
    started: float = 0.0
    seen: float = 0.0

    def follows(self, before: "Server") -> bool:
        """Return whether its data began as that one's: it was its replica, or is the same, restarted."""
        return bool(before.history) and self.former_history == before.history

    def took_over(self, before: "Server") -> bool:
        """Return whether it is another server than that one, and not the same after a restart.

        One address may lead to one after the other; whoever ran already when that one was seen is another.
        """
        return self.url != before.url or (self.follows(before) and self.started + _UPTIME_SECONDS < before.seen)


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
    """Return what INFO says, and what was asked behind it: `CONFIG GET appendfsync`, and how the database is divided.

    Raises:
        StoreUnreadableError: The server does not tell this user.
        StoreUnavailableError: It is not ready.
    """
    said = parse_info(replies[0], url)
    fsync, division = None, None
    for reply in replies[1:]:
        match reply:
            case [b"appendfsync", bytes(value)]:
                fsync = value.decode()
            case [bytes(schema), bytes(count)] if schema.isdigit() and count.isdigit():
                division = int(schema), int(count)
    now = time.monotonic()
    major, _, rest = said.get("redis_version", "0.0").partition(".")
    return Server(
        url=url,
        version=(int(major), int(rest.partition(".")[0])),
        run_id=said.get("run_id", ""),
        role=said.get("role", PRIMARY),
        replicas=int(said.get("connected_slaves", "0")),
        has_aof=said.get("aof_enabled") == "1",
        fsync=fsync,
        policy=said.get("maxmemory_policy", "noeviction"),
        history=said.get("master_replid", ""),
        former_history=said.get("master_replid2", ""),
        division=division,
        started=now - int(said.get("uptime_in_seconds", "0")),
        seen=now,
    )


def evicting(url: str, policy: str) -> str:
    """Return why a server may not have a policy by which it evicts what it likes."""
    return (
        f"{url} has maxmemory-policy {policy}: it may evict accepted messages and unsent replies. Set volatile-ttl (or "
        "noeviction), or say ?durability=cache if conversations may be lost at any time"
    )


def misaddressed(url: str, said: Mapping[str, str], *, in_cluster: bool) -> str:
    """Return what to write instead if a URL leads to a server that is to be asked another way, else nothing."""
    mode = said.get("redis_mode")
    if mode == "sentinel":
        return f"{url} is a sentinel, which keeps nothing; write redis+sentinel://host:26379/service/0 in its place"
    if mode == "cluster" and not in_cluster:
        return f"{url} is a node of a cluster; write redis+cluster:// in its place"
    return ""


class Primaries:
    """Remembers who answered as a primary, so that a change is told: once, in the log and as a number.

    What another server acknowledged may be missing on the new one, as far as the durability level allows.
    """

    def __init__(self, *, are_found: bool = False) -> None:
        """Begin with nobody. `are_found`: a sentinel or a cluster says who it is, and may be behind the times."""
        self.changes = 0
        self.restarts = 0
        self._are_found = are_found
        self._terms: Terms | None = None
        self._known: dict[str, Server] = {}
        self._refused: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()

    def demand(self, terms: Terms | None) -> None:
        """See `Wire.demand`. None: nothing, until the store is opened again."""
        self._terms = terms

    def questions(self) -> Sequence[Command]:
        """Return what a server is asked when it is connected to. One that was restarted empty is told the division."""
        if self._terms is None:
            return (_INFO,)
        return (
            _INFO,
            ("HSETNX", META, "schema", self._terms.schema),
            ("HSETNX", META, "partitions", self._terms.partitions),
            ("HMGET", META, "schema", "partitions"),
        )

    def greet(self, server: Server, *, place: str) -> None:
        """Note who is at a place now.

        Raises:
            StoreUnreadableError: A replica, where somebody configured a primary.
            StoreUnavailableError: A replica, where a primary was or is said to be; or it does not fit what start-up
                found right.
        """
        with self._lock:
            before, seen = self._known.get(place), list(self._known.values())
            if server.role != PRIMARY:
                text = f"{server.url} is a replica, which cannot be written"
                if before is None and not self._are_found:
                    raise StoreUnreadableError(f"{text}; give the address of its primary")
                raise StoreUnavailableError(f"{text}, and is said to be the primary, or was; nothing was sent, repeat")
            self._refuse_unfit(server, place)
            self._known[place] = server
            if before is not None and before.run_id == server.run_id:
                return
            if before is None or not server.follows(before):
                before = next((each for each in seen if server.follows(each)), before)
            if before is None:
                return
            is_other = server.took_over(before)
            self.changes += is_other
            self.restarts += not is_other
        logger.warning(
            "redis.primary_changed" if is_other else "redis.server_restarted",
            extra={
                "url": server.url,
                "run_id": server.run_id,
                "before": before.run_id,
                "changes": self.changes,
                "restarts": self.restarts,
            },
        )

    def _refuse_unfit(self, server: Server, place: str) -> None:
        terms = self._terms
        if terms is None:
            return
        if server.policy.startswith("allkeys") and not terms.may_evict:
            reason = evicting(server.url, server.policy)
        elif server.division not in {None, (terms.schema, terms.partitions)}:
            reason = (
                f"{server.url} says (schema, partitions) are {server.division}, and they were "
                f"{(terms.schema, terms.partitions)} when the store was opened: it is another database, or a newer "
                "Turnkeeper has changed it. Put the right server in its place, or restart this process"
            )
        else:
            return
        if self._refused.get(place) != (server.run_id, reason):  # told once, however often it is connected to
            self._refused[place] = server.run_id, reason
            logger.error("redis.primary_refused", extra={"url": server.url, "run_id": server.run_id, "reason": reason})
        raise StoreUnavailableError(f"{reason}. Nothing was sent to it")
