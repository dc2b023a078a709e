"""A conversation's head as the scripts write it, read for the catalogue. The letters are the fields of the hash."""

from collections.abc import Sequence

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Summary
from turnkeeper.stores.redis.parsing import Reply, number, text

FIELDS = ("g", "v", "f", "s", "c", "u", "t", "x", "q", "o", "d", "ou", "ot", "y", "a", "e", "k", "n", "mm")
"""What is read of a head, in the order of `head_of`."""

PENDING_BYTES = 14
"""Of one waiting message in the head: eight of its digest, six of when it was accepted."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a head says. `created_ms` 0: forgotten and not begun anew."""

    conversation: ConversationId
    generation: int
    version: int
    fence: int
    status: str
    created_ms: int
    changed_ms: int
    active_ms: int | None
    expires_ms: int | None
    pending: bytes
    token: str
    lease_until_ms: int
    effects: int
    timers: int
    ready_ms: int
    attempts: int
    errors: int
    last_commit_id: str
    next_seq: int

    @property
    def waiting(self) -> int:
        """Messages in the inbox, those of a running turn included."""
        return len(self.pending) // PENDING_BYTES

    @property
    def unsent(self) -> int:
        """Unsettled effects that are no timers."""
        return self.effects - self.timers

    def is_leased(self, now_ms: int) -> bool:
        """Return whether somebody's lease lasts."""
        return bool(self.token) and self.lease_until_ms > now_ms

    def is_over(self, now_ms: int) -> bool:
        """Return whether the time of the state is over and nothing is in flight."""
        return self.expires_ms is not None and self.expires_ms <= now_ms and not self.pending and not self.effects

    def is_listed(self, now_ms: int) -> bool:
        """Return whether it has begun, and its time is not over."""
        return self.created_ms > 0 and not self.is_over(now_ms)

    def summary(self, *, opted_out: bool) -> Summary:
        """Return the row of a list."""
        return Summary(
            conversation=self.conversation,
            status=self.status,
            version=self.version,
            created_ms=self.created_ms,
            changed_ms=self.changed_ms,
            active_ms=self.active_ms,
            expires_ms=self.expires_ms,
            waiting=self.waiting,
            unsent=self.unsent,
            opted_out=opted_out,
        )


def head_of(conversation: ConversationId, fields: object) -> Head | None:
    """Return the head that a server's answer describes, None if there is none."""
    if not isinstance(fields, list) or fields[0] is None:
        return None
    generation, version, fence, status, created, changed, active, expires, pending, *rest = fields
    token, deadline, effects, timers, ready, attempts, errors, commit_id, seq, _ = rest
    return Head(
        conversation=conversation,
        generation=int(generation),
        version=_whole(version),
        fence=_whole(fence),
        status=text(status),
        created_ms=_whole(created),
        changed_ms=_whole(changed),
        active_ms=number(active),
        expires_ms=number(expires),
        pending=pending or b"",
        token=text(token),
        lease_until_ms=_whole(deadline),
        effects=_whole(effects),
        timers=_whole(timers),
        ready_ms=_whole(ready),
        attempts=_whole(attempts),
        errors=_whole(errors),
        last_commit_id=text(commit_id),
        next_seq=_whole(seq) or 1,
    )


def _whole(value: Reply) -> int:
    return int(value or 0)


def pending_of(records: Sequence[tuple[bytes, int]]) -> bytes:
    """Return the field of a head that names its waiting messages: digest and time of each."""
    return b"".join(digest + at_ms.to_bytes(6, "big") for digest, at_ms in records)
