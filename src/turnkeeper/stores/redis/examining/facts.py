"""Asks a server everything that decides whether conversations are safe there. What it may not ask is a fact too.

Nothing is written but one key, `PROBE`, that is removed again; the script cache gets one empty script.
"""

import math
import time
from collections.abc import Mapping, Sequence

import msgspec

from turnkeeper.errors import StoreUnreadableError
from turnkeeper.ports.clock import Clock
from turnkeeper.stores.redis.address import MAX_PARTITIONS
from turnkeeper.stores.redis.connections.server import misaddressed
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply, Wire
from turnkeeper.stores.redis.layout.keys import CLUSTER_PARTITIONS, META, slot, tags

PROBE = f"{{{META}}}:doctor"
"""The one key that is written, with a time to live, and removed again. In a cluster on the node that owns `META`."""

PINGS = 200
"""Enough for a 99th percentile that one slow answer does not make."""

WRITES = 20
"""Enough for a median."""

SAMPLE = 20
"""Conversations whose memory is measured."""

_ROUNDS = 20
"""Steps of a search for conversations: 20,000 keys at most, some milliseconds of the server."""

_SETTINGS = ("appendfsync", "save", "maxmemory", "maxmemory-policy", "min-replicas-to-write", "timeout")


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How many of our hash tags each primary of a cluster owns. `state` is empty where nobody may ask for it."""

    state: str
    assigned: int
    by_node: Mapping[str, int]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Another primary of a cluster that has some of our partitions. `info` is empty where it does not tell."""

    name: str
    info: Mapping[str, str]
    settings: Mapping[str, str]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a server told. `refused` names what the user may not ask; None elsewhere: not told.

    Attributes:
        info: The lines of INFO.
        settings: Of the server, by their names.
        node: Which one it is, in a cluster.
        others: The other primaries of the cluster on which something of ours is.
        refused: Commands that were forbidden, with the server's words.
        clock_ms: The server's clock minus this machine's.
        ping_ms, write_ms: Answers, quickest first; empty where it was forbidden.
        schema, partitions: As written down; None: this database is not ours yet.
        conversations_bytes: Memory of some conversations.
        spread: None outside of a cluster.
    """

    info: Mapping[str, str]
    settings: Mapping[str, str]
    refused: Mapping[str, str]
    clock_ms: float | None
    ping_ms: tuple[float, ...]
    write_ms: tuple[float, ...]
    schema: str | None
    partitions: str | None
    foreign_type: str | None
    conversations_bytes: tuple[int, ...]
    spread: Spread | None
    node: str = ""
    others: tuple[Node, ...] = ()


class _Asking:
    """Asks one question after the other, and remembers which were refused."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.refused: dict[str, str] = {}

    async def ask(self, *command: str | bytes | int, key: str = META) -> object:
        """Return the answer, None where it was refused."""
        (reply,) = await self._wire.send([command], key=key)
        if isinstance(reply, ErrorReply):
            self.refused[" ".join(str(word) for word in command[:2])] = reply.text
            return None
        return reply

    async def timed(self, commands: Sequence[Command], times: int) -> tuple[float, ...]:
        """Return how long the answers took in milliseconds, quickest first; nothing if one was refused."""
        took: list[float] = []
        for _ in range(times):
            began = time.perf_counter()
            for reply in await self._wire.send(commands, key=META):
                if isinstance(reply, ErrorReply):
                    self.refused[str(commands[0][0])] = reply.text
                    return ()
            took.append((time.perf_counter() - began) * 1000)
        return tuple(sorted(took))


async def gather(wire: Wire, *, clock: Clock) -> Facts:
    """Return what a server tells.

    Raises:
        StoreUnreadableError: It does not even say what it is, or is to be asked another way.
        StoreUnavailableError: It does not answer.
    """
    asking = _Asking(wire)
    info = _lines(await asking.ask("INFO"))
    if info is None:
        raise StoreUnreadableError(f"{wire.url} says nothing of itself ({asking.refused}); the user needs INFO")
    if reason := misaddressed(wire.url, info, in_cluster=wire.in_cluster):
        raise StoreUnreadableError(reason)
    schema, partitions, foreign_type = await _division(asking)
    count = int(partitions) if partitions and partitions.isdigit() and int(partitions) <= MAX_PARTITIONS else 0
    shares = _shares(await asking.ask("CLUSTER", "SLOTS")) if wire.in_cluster else []
    return Facts(
        info=info,
        settings=await _settings(asking),
        node=next((share[2] for share in shares if share[0] <= slot(META.encode()) <= share[1]), ""),
        others=await _others(asking, shares, count or CLUSTER_PARTITIONS),
        clock_ms=await _clock_difference(asking, clock),
        ping_ms=await asking.timed([("PING",)], PINGS),
        write_ms=await asking.timed([("SET", PROBE, "1", "PX", 60_000), ("DEL", PROBE)], WRITES),
        schema=schema,
        partitions=partitions,
        foreign_type=foreign_type,
        conversations_bytes=await _sizes(asking),
        spread=await _spread(asking, shares, count) if wire.in_cluster else None,
        refused=await _rights(asking),
    )


async def _others(asking: _Asking, shares: Sequence[tuple[int, int, str]], partitions: int) -> tuple[Node, ...]:
    """Return what the nodes tell that have a partition, and not the key that everything else is asked of."""
    homes: dict[str, str] = {}
    for first, last, node in shares:
        for tag in tags(partitions):
            if first <= slot(tag.encode()) <= last:
                homes.setdefault(node, f"{{{tag}}}:")
    own = slot(META.encode())
    return tuple(
        [
            Node(
                name=node,
                info=_lines(await asking.ask("INFO", key=key)) or {},
                settings=await _settings(asking, key=key),
            )
            for node, key in homes.items()
            if not any(first <= own <= last and node == name for first, last, name in shares)
        ]
    )


async def _settings(asking: _Asking, *, key: str = META) -> dict[str, str]:
    settings: dict[str, str] = {}
    for name in _SETTINGS:
        match await asking.ask("CONFIG", "GET", name, key=key):
            case [bytes(found), bytes(value)]:
                settings[found.decode()] = value.decode()
            case None:
                break  # it is the command that is forbidden
    return settings


async def _clock_difference(asking: _Asking, clock: Clock) -> float | None:
    before = clock.now_ms()
    match await asking.ask("TIME"):
        case [bytes(seconds), bytes(micros)]:
            return int(seconds) * 1000 + int(micros) / 1000 - (before + clock.now_ms()) / 2
    return None


async def _division(asking: _Asking) -> tuple[str | None, str | None, str | None]:
    """Return schema, partitions, and what else the key holds that should say so."""
    kind = await asking.ask("TYPE", META)
    if kind not in {b"hash", b"none", None}:
        return None, None, kind.decode() if isinstance(kind, bytes) else str(kind)
    match await asking.ask("HMGET", META, "schema", "partitions"):
        case [None, None] | None:
            return None, None, None
        case [schema, partitions]:  # half of it is there if somebody changed it
            return _word(schema), _word(partitions), None
    return None, None, None


def _word(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


async def _sizes(asking: _Asking) -> tuple[int, ...]:
    """Return the memory of some conversations: all keys of each, state included."""
    sizes = []
    for head in await _heads(asking):
        tag, _, name = head.partition("}:h:")
        keys = [f"{tag}}}:{letter}:{name}" for letter in "hiramoqlpg"]
        keys += [_plain(name), f"{tag}}}:{_plain(name)}"]  # the state; in a cluster with its tag
        found = [await asking.ask("MEMORY", "USAGE", key, key=head) for key in keys]
        if "MEMORY USAGE" in asking.refused:
            return ()
        sizes.append(sum(size for size in found if isinstance(size, int)))
    return tuple(sizes)


async def _heads(asking: _Asking) -> list[str]:
    heads: list[str] = []
    cursor = b"0"
    for _ in range(_ROUNDS):
        match await asking.ask("SCAN", cursor, "MATCH", "{*}:h:*", "COUNT", 1000):
            case [bytes(following), list(found)]:
                heads += [one.decode() for one in found if isinstance(one, bytes) and b":stage:" not in one]
                cursor = following
            case _:
                return []
        if cursor == b"0" or len(heads) >= SAMPLE:
            break
    return heads[:SAMPLE]


def _plain(name: str) -> str:
    return name.replace("%3A", ":").replace("%7B", "{").replace("%7D", "}").replace("%25", "%")


async def _spread(asking: _Asking, shares: Sequence[tuple[int, int, str]], partitions: int) -> Spread:
    state = _lines(await asking.ask("CLUSTER", "INFO")) or {}
    owners: dict[str, int] = {}
    for first, last, node in shares:
        owners[node] = owners.get(node, 0)
        for tag in tags(partitions) if partitions else ():
            owners[node] += first <= slot(tag.encode()) <= last
    return Spread(
        state=state.get("cluster_state", ""),
        assigned=sum(last - first + 1 for first, last, _ in shares),
        by_node=owners,
    )


def _shares(reply: object) -> list[tuple[int, int, str]]:
    shares = []
    for share in reply if isinstance(reply, list) else []:
        match share:
            case [int(first), int(last), [bytes(host), int(port), *_], *_]:
                shares.append((first, last, f"{host.decode()}:{port}"))
    return shares


async def _rights(asking: _Asking) -> dict[str, str]:
    """Return what was refused, scripts included: one that does nothing is loaded, one that cannot exist is called."""
    await asking.ask("SCRIPT", "LOAD", "return 0")
    await asking.ask("EVALSHA", "0" * 40, 1, META)
    refused = dict(asking.refused)
    if any(text.startswith("NOSCRIPT") or "No matching script" in text for text in refused.values()):
        refused.pop(f"EVALSHA {'0' * 40}", None)
    return refused


def _lines(reply: object) -> dict[str, str] | None:
    if not isinstance(reply, bytes):
        return None
    lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines() if ":" in line)
    return {name: value for name, _, value in lines}


def percentile(sorted_ms: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    return sorted_ms[max(0, math.ceil(share * len(sorted_ms)) - 1)]
