"""The scripts: read from `lua/`, sent by their digest, loaded again when the server has lost them.

A test's scripts read a time that the test moves from a key of the partition, in place of the server's clock: one call
is replaced, so that they have other digests, and production can never run them by mistake.
"""

import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources

import msgspec

from turnkeeper.errors import OutcomeUnknownError, StoreFullError, StoreUnavailableError, StoreUnreadableError
from turnkeeper.ports.clock import Clock
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply, Wire, pack_opening, pack_script
from turnkeeper.stores.redis.layout.codes import FOREIGN
from turnkeeper.stores.redis.layout.keys import Partition, type_of
from turnkeeper.stores.redis.layout.parsing import Reply

_CLOCK = "redis.call('TIME')"
"""How every script reads the time, exactly once."""

_TEST_CLOCK = "redis.call('HMGET', KEYS[#KEYS], 's', 'us')"
"""The same answer, from the clock that is moved: the last declared key."""

_INCLUDE = "--@ "

_RETRYABLE = frozenset(
    {"LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MISCONF", "NOREPLICAS", "READONLY"}
    | {"NOSCRIPT", "MOVED", "ASK"}
)
"""Answers of a server that did nothing and may do it later, or another one in its place: the last three mean that for
as long as a call may take the script was loaded, or looked for, on another server than the one that got the call."""

_WRAPPED = re.compile(r"@user_script: ?\d+: -([A-Z]+) ")
"""Before 7.0 a script's error comes wrapped in a text of its own. The first write is the one that is refused."""


_encode = msgspec.msgpack.Encoder().encode

_SHORT = 16
"""A list of fewer elements has a header of one byte in MessagePack; one of up to 65,535 has three."""


def facts(*values: object) -> bytes:
    """Return values as one argument, from which a script gets them with one `cmsgpack.unpack` and without a table.

    It is their MessagePack without the header of a list; a script reads forty such values in a third of the time that
    forty arguments take. No bytes: the server's own MessagePack knows but one kind of strings.
    """
    return _encode(values)[1 if len(values) < _SHORT else 3 :]


_FORBIDDEN = ("can't run this command", "ACL failure in script", "can't access at least one of the keys")
"""What 6.2, 7.0 and 8 say of a right that is missing inside a script, without a code."""


class Call(msgspec.Struct, frozen=True):
    """A script with its keys, all in one partition, and its arguments; `opening` is what `opening_of` gave for them."""

    script: str
    partition: Partition
    keys: Sequence[str | bytes]
    arguments: Sequence[str | bytes | int]
    opening: bytes = b""


def opening_of(script: str, keys: Sequence[str | bytes]) -> bytes:
    """Return the beginning of every call of a script with these keys, packed once."""
    return pack_opening(digest(script, movable=False), keys)


@functools.cache
def source(name: str, *, movable: bool) -> bytes:
    """Return a script as the server gets it, with what it includes.

    Raises:
        ValueError: It reads the clock not exactly once.
    """
    text = "\n".join(_lines(f"{name}.lua"))
    if text.count(_CLOCK) != 1:
        raise ValueError(f"{name}.lua must read the clock exactly once, as {_CLOCK}")
    return (text.replace(_CLOCK, _TEST_CLOCK) if movable else text).encode()


def _lines(path: str) -> Iterator[str]:
    """Give the lines of a file below `lua/`, each include replaced by what it names, which may include others."""
    text = (resources.files("turnkeeper.stores.redis") / "lua" / path).read_text(encoding="utf-8")
    for line in text.rstrip("\n").splitlines():
        if line.startswith(_INCLUDE):
            yield from _lines(f"shared/{line.removeprefix(_INCLUDE)}.lua")
        else:
            yield line


@functools.cache
def digest(name: str, *, movable: bool) -> str:
    """Return the name under which the server knows a script."""
    return hashlib.sha1(source(name, movable=movable)).hexdigest()  # noqa: S324 - Redis names scripts so


class Scripts:
    """Sends scripts, alone or together with plain commands, in one write."""

    def __init__(self, wire: Wire, *, movable: Clock | None = None) -> None:
        """Take the wire, and a clock whose time the server is to follow; None in production."""
        self.wire = wire
        self._movable = movable
        self._ticks = self._told_ms = 0

    async def run(
        self, call: Call, *, before: Sequence[Command] = (), after: Sequence[Command] = (), durable: bool = False
    ) -> list[object]:
        """Send a script between plain commands of its partition; return the raw replies of all.

        A reply may be an `ErrorReply` for the plain commands; that of a script is raised. What is `durable` is as safe
        as the store's durability level asks when the answer comes.

        Raises:
            StoreUnavailableError: Nothing was written.
            StoreFullError: Nothing was written.
            OutcomeUnknownError: The answer was lost.
        """
        commands = (*before, self.command(call), *after)
        if self._movable is None:
            replies = await self.wire.send(commands, key=call.partition.tag, durable=durable)
        else:
            replies = await self._send(commands, [call], durable=durable)
        if isinstance(replies[len(before)], ErrorReply):
            replies = await self._again([call], commands, replies, len(before), durable=durable)
        return replies

    async def run_all(self, calls: Sequence[Call]) -> list[object]:
        """Do the same with several scripts: of one partition, or where one server has all partitions, of any."""
        commands = [self.command(call) for call in calls]
        replies = await self._send(commands, calls, durable=False)
        if any(isinstance(reply, ErrorReply) for reply in replies):
            replies = await self._again(calls, commands, replies, 0, durable=False)
        return replies

    async def _again(
        self, calls: Sequence[Call], commands: Sequence[Command], replies: list[object], first: int, *, durable: bool
    ) -> list[object]:
        """Send scripts that the server has lost once more; raise any other error. The calls begin at `first`."""
        if any(isinstance(reply, ErrorReply) and reply.code == "NOSCRIPT" for reply in replies):
            # Nothing of a script that is not known ran, and what ran beside it is safe to send twice.
            names = {call.script for call in calls}
            movable = self._movable is not None
            loads: list[Command] = [("SCRIPT", "LOAD", source(name, movable=movable)) for name in sorted(names)]
            for reply in await self._send(loads, calls, durable=False):
                raise_error(reply)
            replies = await self._send(commands, calls, durable=durable)
        for call, reply in zip(calls, replies[first:], strict=False):
            if isinstance(reply, ErrorReply):
                await self._explain(call, reply)
                raise_error(reply)
        return replies

    async def _explain(self, call: Call, error: ErrorReply) -> None:
        """Raise for keys that hold something else, naming each with what it is and what it should be."""
        if "WRONGTYPE" not in error.text and FOREIGN not in error.text:
            return
        keys = [key.decode() if isinstance(key, bytes) else key for key in call.keys]
        found = await self.wire.send([("TYPE", key) for key in keys], key=call.partition.tag)
        types = zip(keys, (kind.decode() if isinstance(kind, bytes) else "unknown" for kind in found), strict=True)
        wrong = [
            f"{key!r} is a {kind} and should be a {type_of(key)}"
            for key, kind in types
            if kind not in {"none", type_of(key)}
        ]
        if FOREIGN in error.text:
            foreign = error.text.partition(FOREIGN)[2].split(" ", 1)[0]
            wrong.append(f"{foreign!r} is a string that Turnkeeper never wrote")
        raise StoreUnreadableError(
            f"{'; '.join(wrong) or error.text}. Nothing of the conversation was changed. Use a database of its own, or "
            "rename what stands there"
        )

    async def _send(self, commands: Sequence[Command], calls: Sequence[Call], *, durable: bool) -> list[object]:
        key = calls[0].partition.tag
        if self._movable is None:
            return await self.wire.send(commands, key=key, durable=durable)
        partitions = {call.partition.tag: call.partition for call in calls}
        clocks = self._clocks(self._movable, partitions.values())
        return (await self.wire.send([*clocks, *commands], key=key, durable=durable))[len(clocks) :]

    def _clocks(self, clock: Clock, partitions: Iterable[Partition]) -> list[Command]:
        """Tell the server the test's time; microseconds count what happens within one millisecond."""
        now = clock.now_ms()
        self._ticks = min(self._ticks + 2, 998) if now == self._told_ms else 0
        self._told_ms = now
        micros = now % 1000 * 1000 + self._ticks
        return [("HSET", partition.clock(), "s", now // 1000, "us", micros) for partition in partitions]

    def command(self, call: Call) -> Command:
        """Return a script's call as a command."""
        if self._movable is None:
            if call.opening:
                return pack_script(call.opening, len(call.keys), call.arguments)
            return ("EVALSHA", digest(call.script, movable=False), len(call.keys), *call.keys, *call.arguments)
        keys = (*call.keys, call.partition.clock())
        return ("EVALSHA", digest(call.script, movable=True), len(keys), *keys, *call.arguments)

    async def read(self, commands: Sequence[Command], partition: Partition) -> list[Reply]:
        """Send plain commands of one partition that only read; the first error among the replies is raised."""
        if not commands:
            return []
        replies = await self.wire.send(commands, key=partition.tag)
        for reply in replies:
            raise_error(reply)
        return replies


def raise_error(reply: object) -> None:
    """Raise what the server says in place of a reply.

    Raises:
        StoreFullError: Its memory is full. Nothing was written.
        StoreUnavailableError: It cannot do this now. Nothing was written.
        StoreUnreadableError: It never will, with this user, these keys or this server.
        OutcomeUnknownError: A script ended in the middle.
    """
    if not isinstance(reply, ErrorReply):
        return
    # Before 7.0 a script's errors come wrapped in its own, without their code.
    if reply.code == "OOM" or "OOM command not allowed" in reply.text:
        raise StoreFullError(
            f"the server's memory is full and nothing was written ({reply.text}); raise maxmemory or remove data"
        )
    wrapped = _WRAPPED.search(reply.text) if reply.code == "ERR" else None
    if reply.code in _RETRYABLE or (wrapped is not None and wrapped[1] in _RETRYABLE):
        raise StoreUnavailableError(f"the server refused and nothing was written: {reply.text}")
    if reply.code == "WRONGTYPE" or "WRONGTYPE" in reply.text:
        raise StoreUnreadableError(
            f"a key that Turnkeeper uses holds something else ({reply.text}); nothing more was written. Use a database "
            "of its own, or rename what stands there"
        )
    if reply.code in {"NOPERM", "NOAUTH", "WRONGPASS"} or any(mark in reply.text for mark in _FORBIDDEN):
        raise StoreUnreadableError(
            f"the server does not allow this ({reply.text}); give the user EVALSHA, SCRIPT LOAD, every command of the "
            "scripts and its keys"
        )
    raise OutcomeUnknownError(f"a script failed: {reply.text}")
