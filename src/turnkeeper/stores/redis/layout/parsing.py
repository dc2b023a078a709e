"""Reads what scripts answer. Replies are raw: bytes, int, None and lists of them."""

from collections.abc import Sequence
from typing import Any

from turnkeeper.errors import StoreUnreadableError
from turnkeeper.ports.turns import Granted, LogRecord, Waiting
from turnkeeper.stores.redis.layout.compressing import pack, unpack
from turnkeeper.stores.redis.layout.heads import Head, head_of

Reply = Any
"""A reply of the server, whose shape the header of its script promises."""


def pairs(flat: Sequence[Reply]) -> list[tuple[Reply, Reply]]:
    """Return a flat list as pairs."""
    return list(zip(flat[::2], flat[1::2], strict=True))


def waiting(element: bytes) -> Waiting:
    """Return an element of the inbox: `seq accepted_ms length id payload`, the last two without a gap."""
    seq, accepted, length, rest = element.split(b" ", 3)
    size = int(length)
    return Waiting(seq=int(seq), id=rest[:size].decode(), payload=rest[size:], accepted_ms=int(accepted))


def inbox_element(message: Waiting) -> bytes:
    """Return a message as it stands in the inbox."""
    name = message.id.encode()
    return b"%d %d %d %b%b" % (message.seq, message.accepted_ms, len(name), name, message.payload)


def record(element: bytes) -> LogRecord:
    """Return an element of the log: `seq at_ms version generation ` and its bytes."""
    seq, at_ms, version, generation, content = element.split(b" ", 4)
    return LogRecord(
        seq=int(seq), version=int(version), generation=int(generation), at_ms=int(at_ms), data=unpack(content)
    )


def log_element(one: LogRecord) -> bytes:
    """Return an entry as it stands in the log."""
    return b"%d %d %d %d %b" % (one.seq, one.at_ms, one.version, one.generation, pack(one.data))


def granting(packed: Reply) -> Head:
    """Return the head of a grant.

    Raises:
        StoreUnreadableError: It is none of ours.
    """
    head = head_of(packed)
    if head is None:
        raise StoreUnreadableError("a grant came without its head; nothing is known of what was written")
    return head


def granted(reply: Sequence[Reply], head: Head, state: bytes | None) -> Granted:
    """Return the grant that `begin.lua` and `commit.lua` describe, from its time on."""
    now, _, out, memos, messages = reply
    handed = tuple([waiting(element) for element in messages])
    return Granted(
        token=head.token,
        fence=head.fence,
        version=head.version,
        generation=head.generation,
        state=state if head.version > 0 else None,
        messages=handed,
        more=head.waiting - len(handed),
        now_ms=now,
        lease_until_ms=head.lease_until_ms,
        created_ms=head.created_ms,
        active_ms=head.active_ms or None,
        attempts=head.attempts,
        errors=head.errors,
        lost=head.lost == 1 or (head.version > 0 and state is None),
        interrupted=head.interrupted == 1,
        opted_out=out == b"1",
        memos={name.decode(): result for name, result in pairs(memos)} if memos else {},
    )


def number(value: Reply) -> int | None:
    """Return a field that may be empty."""
    return None if value in {None, b"", ""} else int(value)


def text(value: Reply) -> str:
    """Return a field as text; an absent one is empty."""
    return "" if value is None else str(value.decode())
