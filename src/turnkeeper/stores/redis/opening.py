"""Looks at a server before it is used, and writes down how it is divided. What cannot be ours is not touched."""

from collections.abc import Mapping

import msgspec

from turnkeeper.errors import ConfigurationError, StoreNewerError, StoreUnreadableError
from turnkeeper.stores.redis.connections.proving import Durability
from turnkeeper.stores.redis.connections.server import evicting, misaddressed, parse_info
from turnkeeper.stores.redis.deployments.wire import Command, Terms, Wire
from turnkeeper.stores.redis.layout.keys import CLUSTER_PARTITIONS, META, PARTITIONS
from turnkeeper.stores.redis.scripts import raise_error

__all__ = ["MAX_PARTITIONS", "SCHEMA", "Durability", "ServerFacts", "check"]

SCHEMA = 1
"""Of the keys and their contents. Only ever grows."""

OLDEST = (6, 2)
"""The oldest server: `SET ... KEEPTTL`, `GETEX` and the Lua API of this version are what is tested."""

MAX_PARTITIONS = 256
"""More tags than that have fewer than 64 slots each, and a look at all of them costs more than it brings."""


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself."""

    version: str
    mode: str
    role: str
    policy: str
    maxmemory_bytes: int
    partitions: int


async def check(wire: Wire, *, durability: Durability, partitions: int | None) -> ServerFacts:
    """Return what a server is, if it can be ours; a new database is divided now. The wire holds others to the same.

    Args:
        wire: Open.
        durability: At `cache` the server may evict whatever it likes.
        partitions: What somebody asked for; None takes what is there, or the default.

    Raises:
        StoreUnreadableError: It is too old, a replica, evicts what is in flight, or holds something else.
        StoreNewerError: A newer Turnkeeper wrote it.
        ConfigurationError: It is divided into another number of partitions.
        StoreUnavailableError: It does not answer.
    """
    primaries = [parse_info(replies[0], wire.url) for replies in await wire.send_all([("INFO",)])]
    for primary in primaries:
        _check_server(wire, primary, durability)
    said = primaries[0]
    count = await _divide(wire, partitions)
    wire.demand(Terms(may_evict=durability == "cache", schema=SCHEMA, partitions=count))
    return ServerFacts(
        version=said["redis_version"],
        mode=said.get("redis_mode", "standalone"),
        role=said.get("role", "master"),
        policy=said.get("maxmemory_policy", ""),
        maxmemory_bytes=int(said.get("maxmemory", "0")),
        partitions=count,
    )


def _check_server(wire: Wire, said: Mapping[str, str], durability: Durability) -> None:
    version = tuple(int(part) for part in said["redis_version"].split(".")[:2])
    if version < OLDEST:
        raise StoreUnreadableError(f"{wire.url} runs Redis {said['redis_version']}; 6.2 or newer, or Valkey, is needed")
    if said.get("role") == "slave":
        raise StoreUnreadableError(f"{wire.url} is a replica, which cannot be written; give the address of its primary")
    if reason := misaddressed(wire.url, said, in_cluster=wire.in_cluster):
        raise StoreUnreadableError(reason)
    policy = said.get("maxmemory_policy", "noeviction")
    if policy.startswith("allkeys") and durability != "cache":
        raise StoreUnreadableError(evicting(wire.url, policy))


async def _divide(wire: Wire, wanted: int | None) -> int:
    kind, found = await wire.send([("TYPE", META), ("HMGET", META, "schema", "partitions")], key=META)
    raise_error(kind)
    if kind not in {b"none", b"hash"}:
        raise StoreUnreadableError(
            f"the key {META!r} holds something else ({kind!r}); nothing was written. Use another database number"
        )
    raise_error(found)
    if found == [None, None]:
        count = wanted or (CLUSTER_PARTITIONS if wire.in_cluster else PARTITIONS)
        divide: list[Command] = [
            ("HSETNX", META, "schema", SCHEMA),
            ("HSETNX", META, "partitions", count),
            ("HMGET", META, "schema", "partitions"),
        ]
        replies = await wire.send(divide, key=META)
        for reply in replies:
            raise_error(reply)
        found = replies[-1]
    schema, count = _numbers(found)
    if schema > SCHEMA:
        raise StoreNewerError(where=wire.url, found=schema, known=SCHEMA)
    if wanted is not None and wanted != count:
        raise ConfigurationError(
            f"{wire.url} is divided into {count} partitions and partitions={wanted} was asked for; leave the parameter "
            "out, or move the conversations to an empty database with another number. Nothing was changed."
        )
    return count


def _numbers(found: object) -> tuple[int, int]:
    """Return schema and partitions as the key says."""
    match found:
        case [bytes(schema), bytes(count)] if schema.isdigit() and count.isdigit():
            # A newer schema may divide otherwise: that it is newer is what a person has to hear.
            if 1 <= int(count) <= MAX_PARTITIONS or int(schema) > SCHEMA:
                return int(schema), int(count)
    raise StoreUnreadableError(
        f"the key {META!r} says schema and partitions are {found!r}, which Turnkeeper never wrote; nothing changed. "
        "Put its two numbers back from a backup, or use another database number"
    )
