"""How commands get to a server: the Protocol that the store is written against, and what a reply may be.

A wire knows nothing of keys or scripts. It repeats only what a node of a cluster refused because the key is elsewhere:
anything else only the caller knows to be safe.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, cast

import hiredis
import msgspec

Command = tuple[str | bytes | int, ...] | bytes
"""One command with its arguments, as they are to be packed; bytes are packed already."""

_pack = cast("Callable[[Sequence[str | bytes | int]], bytes]", hiredis.pack_command)
"""Twice as fast as joining pieces in Python."""


def pack(command: Command) -> bytes:
    """Return a command as the server reads it."""
    return command if isinstance(command, bytes) else _pack(command)


def pack_script(opening: bytes, keys: int, arguments: Sequence[str | bytes | int]) -> bytes:
    """Return an EVALSHA whose first part, up to the last of its keys, was packed by `pack_opening`."""
    packed = _pack(arguments)
    return b"*%d\r\n%b%b" % (3 + keys + len(arguments), opening, packed[packed.index(b"\n") + 1 :])


def pack_opening(digest: str, keys: Sequence[str | bytes]) -> bytes:
    """Return the part of an EVALSHA that every call of a script with these keys begins with, without its length."""
    packed = _pack(("EVALSHA", digest, len(keys), *keys))
    return packed[packed.index(b"\n") + 1 :]


class ErrorReply(msgspec.Struct, frozen=True):
    """What the server answered to one command instead of a reply: a code such as `NOSCRIPT`, and the whole text."""

    code: str
    text: str


class Terms(msgspec.Struct, frozen=True):
    """What start-up found right, and what every server must be that is connected to from then on."""

    may_evict: bool
    schema: int
    partitions: int


class Wire(Protocol):
    """A way to the server or servers of one store."""

    @property
    def url(self) -> str:
        """Where it leads, without a password."""
        ...

    @property
    def in_cluster(self) -> bool:
        """Whether keys live on several nodes by their hash tag. Known once it is open."""
        ...

    @property
    def primary_changes(self) -> int:
        """How often another server answered in the place of a primary."""
        ...

    @property
    def restarts(self) -> int:
        """How often the same server answered after a restart: what it had not saved is gone."""
        ...

    def demand(self, terms: Terms, /) -> None:
        """Refuse every server that is connected to from now on and does not fit, before anything is sent to it.

        The refusal is a `StoreUnavailableError`: it passes when somebody mends the server, or another takes its place.
        A server that has lost the division (it was restarted empty) is told it again. Holds until `close`.
        """
        ...

    def send(self, commands: Sequence[Command], *, key: str, durable: bool = False) -> Awaitable[list[object]]:
        """Write all commands at once to the node that owns a key, and return the raw replies in their order.

        Replies are bytes, int, None, lists of them, or `ErrorReply` for a command that the server refused. May be
        called from several threads' event loops. With `durable` the answers come only when the store's durability
        level has what was written: on replicas, on disk. At `cache` and `memory` that is at once. Await it at once:
        no coroutine lies between a call and its connection, and what is refused is raised here or there.

        Raises:
            StoreUnavailableError: Nothing was sent.
            OutcomeUnknownError: They were sent, the answers were lost, or were not proven in time.
        """
        ...

    async def send_all(self, commands: Sequence[Command]) -> list[list[object]]:
        """Do the same on every primary."""
        ...

    async def open(self) -> None:
        """Connect. Safe to call twice."""
        ...

    async def close(self) -> None:
        """Let go of every connection. Safe to call twice; the next `send` connects again."""
        ...
