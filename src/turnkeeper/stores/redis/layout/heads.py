"""A conversation's head as the scripts write it: one MessagePack list under one key.

Its order is that of `lua/shared/head.lua`. A time of 0 is none. `changed` and `told` are ticks: microseconds that never
come twice.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from turnkeeper.errors import StoreUnreadableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Summary

RECORD_BYTES = 14
"""Of one message in the head, waiting or done: eight of its digest, six of when it was accepted."""

TICKS = 1000
"""Ticks of one millisecond."""


class Head(msgspec.Struct, array_like=True, kw_only=True):
    """What a head says. `created_ms` 0: forgotten and not begun anew. Fields are only ever added at the end."""

    generation: int
    version: int = 0
    fence: int = 0
    created_ms: int = 0
    active_ms: int = 0
    first_ms: int = 0
    expires_ms: int = 0
    log_ends_ms: int = 0
    planned_ms: int = 0
    changed: int = 0
    told: int = 0
    lease_until_ms: int = 0
    handed: int = 0
    interrupted: int = 0
    attempts: int = 0
    errors: int = 0
    ready_ms: int = 0
    next_seq: int = 1
    log_seq: int = 0
    log_keep: int = 0
    log_keep_ms: int = 0
    has_ttl: int = 0
    has_memos: int = 0
    has_older: int = 0
    taken: int = 0
    lost: int = 0
    effects: int = 0
    timers: int = 0
    order: int = 0
    first_reply: int = 1
    replies: int = 0
    lane_until_ms: int = 0
    has_answers: int = 0
    status: str = ""
    token: str = ""
    last_commit_id: str = ""
    lane_token: str = ""
    pending: msgspec.Raw = msgspec.Raw(b"\xa0")
    receipts: msgspec.Raw = msgspec.Raw(b"\xa0")

    @property
    def changed_ms(self) -> int:
        """When it changed the last time, on the server's clock."""
        return self.changed // TICKS

    @property
    def waiting(self) -> int:
        """Messages in the inbox, those of a running turn included."""
        return len(content_of(self.pending)) // RECORD_BYTES

    @property
    def unsent(self) -> int:
        """Unsettled effects that are no timers."""
        return self.effects - self.timers

    def is_leased(self, now_ms: int) -> bool:
        """Return whether somebody's lease lasts."""
        return bool(self.token) and self.lease_until_ms > now_ms

    def is_over(self, now_ms: int) -> bool:
        """Return whether the time of the state is over and nothing is in flight."""
        return 0 < self.expires_ms <= now_ms and not self.waiting and not self.effects

    def is_listed(self, now_ms: int) -> bool:
        """Return whether it has begun, and its time is not over."""
        return self.created_ms > 0 and not self.is_over(now_ms)

    def summary(self, conversation: ConversationId, *, opted_out: bool) -> Summary:
        """Return the row of a list."""
        return Summary(
            conversation=conversation,
            status=self.status,
            version=self.version,
            created_ms=self.created_ms,
            changed_ms=self.changed_ms,
            active_ms=self.active_ms or None,
            expires_ms=self.expires_ms or None,
            waiting=self.waiting,
            unsent=self.unsent,
            opted_out=opted_out,
        )


_DECODER = msgspec.msgpack.Decoder(Head)

_APART = ("fence", "created_ms", "active_ms", "first_ms", "expires_ms", "log_ends_ms", "planned_ms")
"""Written as their distance to `generation`: most take five bytes instead of nine."""


def head_of(packed: object) -> Head | None:
    """Return the head that a key holds, None if there is none.

    Raises:
        StoreUnreadableError: Somebody else wrote it.
    """
    if packed is None:
        return None
    try:
        if isinstance(packed, bytes):
            head = _DECODER.decode(packed)
            generation = head.generation  # one by one: a loop over the names takes twice as long, in every turn
            head.fence = _time(head.fence, generation)
            head.created_ms = _time(head.created_ms, generation)
            head.active_ms = _time(head.active_ms, generation)
            head.first_ms = _time(head.first_ms, generation)
            head.expires_ms = _time(head.expires_ms, generation)
            head.log_ends_ms = _time(head.log_ends_ms, generation)
            head.planned_ms = _time(head.planned_ms, generation)
            head.told = _time(head.told, head.changed)
            return head
    except msgspec.MsgspecError as exc:
        raise StoreUnreadableError(
            f"the head of a conversation is none of Turnkeeper's ({exc}); nothing changed"
        ) from exc
    raise StoreUnreadableError(f"the key of a conversation's head holds something else ({packed!r}); nothing changed")


def packed_head(head: Head) -> bytes:
    """Return a head as its key holds it."""
    apart = {name: _distance(getattr(head, name), head.generation) for name in _APART}
    return msgspec.msgpack.encode(replace(head, **apart, told=_distance(head.told, head.changed)))


def _time(distance: int, since: int) -> int:
    """Return a time from its distance to another one, which is one more unless it is before; 0 is none."""
    if not distance:
        return 0
    return since + distance - 1 if distance > 0 else since + distance


def _distance(time: int, since: int) -> int:
    if not time:
        return 0
    return time - since + 1 if time >= since else time - since


def records(packed: msgspec.Raw) -> list[tuple[bytes, int]]:
    """Return digest and time of the messages that a field of a head names."""
    content = content_of(packed)
    starts = range(0, len(content), RECORD_BYTES)
    return [(content[at : at + 8], int.from_bytes(content[at + 8 : at + RECORD_BYTES], "big")) for at in starts]


def packed_records(messages: Sequence[tuple[bytes, int]]) -> msgspec.Raw:
    """Return the field of a head that names these messages."""
    content = b"".join(digest + at_ms.to_bytes(6, "big") for digest, at_ms in messages)
    return msgspec.Raw(b"\xda" + len(content).to_bytes(2, "big") + content)


def content_of(packed: msgspec.Raw) -> bytes:
    """Return the bytes of a MessagePack string: Lua has one kind of strings, which need not be UTF-8."""
    raw = bytes(packed)
    first = raw[0]
    if first & 0xE0 == 0xA0:  # noqa: PLR2004 - the format's own numbers, here and below
        return raw[1:]
    sizes = {0xD9: 1, 0xDA: 2, 0xDB: 4, 0xC4: 1, 0xC5: 2, 0xC6: 4}
    return raw[1 + sizes[first] :]
