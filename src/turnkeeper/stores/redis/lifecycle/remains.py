"""Reads and brings in what hangs on no conversation: names of collections, and who opted out.

It walks all keys, on a cluster once for each partition: for leaving a store, not for anything that is served.
"""

from collections.abc import AsyncIterator, Sequence

from turnkeeper.errors import StoreUnreadableError
from turnkeeper.ports.remains import OptOut, Remains, is_own
from turnkeeper.stores.redis.address import read_address
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply, Wire
from turnkeeper.stores.redis.layout.keys import META, Keys
from turnkeeper.stores.redis.scripts import raise_error

_STEP = 1000
"""Keys that one step of the walk looks at: half a millisecond of the server."""


async def read_remains(url: str) -> Remains:
    """Return what is there.

    Raises:
        StoreUnreadableError: The user may not walk the keys.
    """
    wire = open_wire(read_address(url).url)
    collections: set[str] = set()
    opt_outs: set[OptOut] = set()
    try:
        keys = await _keys(wire)
        if not wire.in_cluster:
            collections |= await _noted(wire, keys)
        async for key, name in _walk(wire, keys):
            kind, _, rest = name.partition("}:")[2].partition(":")
            if kind == "names" and not is_own(_plain(rest)):
                collections.add(_plain(rest))
            elif kind == "u":
                (out,) = await wire.send([("HGET", name, "out")], key=key)
                raise_error(out)  # a wish that cannot be read must not be taken for none
                flow, _, person = rest.partition(":")
                if out == b"1":
                    opt_outs.add(OptOut(flow=_plain(flow), person=_plain(person)))
    finally:
        await wire.close()
    found = sorted(opt_outs, key=lambda one: (one.flow, one.person))
    return Remains(collections=tuple(sorted(collections)), opt_outs=tuple(found))


async def write_opt_outs(url: str, opt_outs: Sequence[OptOut]) -> None:
    """Note who opted out; a person of whom the store knows a wish keeps that one. Safe to repeat."""
    wire = open_wire(read_address(url).url)
    try:
        keys = await _keys(wire)
        for one in opt_outs:
            wish = keys.partition(one.person).wish(one.flow, one.person)
            commands: list[Command] = [("HSETNX", wish, "out", 1), ("HSETNX", wish, "n", 1)]
            for reply in await wire.send(commands, key=wish):
                raise_error(reply)
    finally:
        await wire.close()


async def _keys(wire: Wire) -> Keys:
    await wire.open()
    (count,) = await wire.send([("HGET", META, "partitions")], key=META)
    raise_error(count)
    return Keys(int(count) if isinstance(count, bytes) else 1, in_cluster=wire.in_cluster)


async def _noted(wire: Wire, keys: Keys) -> set[str]:
    """Return the collections that stand in no list, because SCAN finds their documents."""
    (found,) = await wire.send([("SMEMBERS", keys.collections)], key=keys.collections)
    raise_error(found)
    return {name.decode() for name in found if isinstance(name, bytes)} if isinstance(found, list) else set()


async def _walk(wire: Wire, keys: Keys) -> AsyncIterator[tuple[str, str]]:
    """Yield where to ask and the names of our keys of two kinds; a name may come twice."""
    places = [(one.tag, one.tag) for one in keys.partitions] if wire.in_cluster else [(META, "{*}:")]
    for place, prefix in places:
        for pattern in (f"{prefix}u:*", f"{prefix}names:*"):
            cursor = b"0"
            while True:
                (reply,) = await wire.send([("SCAN", cursor, "MATCH", pattern, "COUNT", _STEP)], key=place)
                match reply:
                    case [bytes(following), list(found)]:
                        for name in found:
                            yield (place, name.decode())
                        cursor = following
                    case ErrorReply():
                        raise StoreUnreadableError(f"{wire.url} refused SCAN ({reply.text}); allow it to the user")
                    case _:
                        raise StoreUnreadableError(f"{wire.url} answers SCAN with {reply!r}, as no Redis does")
                if cursor == b"0":
                    break


def _plain(name: str) -> str:
    """Return a name as it was before `keys.quoted`."""
    return name.replace("%7D", "}").replace("%7B", "{").replace("%3A", ":").replace("%25", "%")
