"""The port for what a commit asked the world to do: replies, jobs, timers, forwards, and what died of it.

A claim is the record of the intent to send: whoever claims an entry that was claimed before and not settled must
assume that it may have been sent. Entries that are not yet due are never claimed: lease and schedule are two things.
"""

import enum
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.turns import EffectKind


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """An ordered line of deliveries: `""` holds a conversation's replies, any other effect is alone in `id`'s lane."""

    conversation: ConversationId
    name: str = ""


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that is yours to deliver.

    Attributes:
        id: The effect's id, stable over all attempts: use it as idempotency key.
        attempt: Counts from 1.
        maybe_sent: An earlier attempt was claimed and never settled, or settled as uncertain.
        suppressed: The person opted out after this was committed: settle it as DONE without sending.
    """

    id: str
    kind: EffectKind
    payload: bytes
    attempt: int
    committed_ms: int
    maybe_sent: bool = False
    suppressed: bool = False
    name: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A lane that is yours until `until_ms` (the store's clock; `now_ms` is that clock's reading)."""

    lane: Lane
    token: str
    entries: tuple[Claimed, ...]
    until_ms: int
    now_ms: int


class Verdict(enum.Enum):
    """How a claimed entry fared."""

    DONE = "done"
    """Delivered (or suppressed): it is removed."""

    RETRY = "retry"
    """Surely not delivered: again after `wait_ms`. The lane waits with it and is free; entries behind it that were
    handed out with it count as not tried."""

    UNCERTAIN = "uncertain"
    """Perhaps delivered: again after `wait_ms`, marked `maybe_sent`; else as RETRY."""

    DEAD = "dead"
    """Never to be delivered: it goes to the dead letters; the lane goes on."""

    EXTEND = "extend"
    """Still at work (a long job): the claim is prolonged by `wait_ms`."""

    RETURN = "return"
    """Not tried (shutdown, unknown here): the attempt does not count; else as RETRY."""


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one claimed entry. Entries of one lane are settled in order."""

    lane: Lane
    token: str
    id: str
    verdict: Verdict
    wait_ms: int = 0
    error: str = ""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a settlement.

    Attributes:
        held: False: the claim had passed to somebody else, nothing was changed.
        more: The lane has further due entries; claim again. A lane without claimed entries is free.
    """

    held: bool
    more: bool = False


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody must look at: `lane` None asks for `Turns.begin(message=None)`, else for `claim`."""

    conversation: ConversationId
    lane: Lane | None
    kind: EffectKind | None
    due_ms: int


class DueList(msgspec.Struct, frozen=True, kw_only=True):
    """What is due now, most overdue first, and when the next thing will be (None: nothing is known)."""

    items: tuple[Due, ...]
    next_ms: int | None
    now_ms: int


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message or a delivery that failed for good; kept by age, never dropped by number.

    Attributes:
        id: Of the dead letter itself; `redrive` takes it.
        source_id: The message's or effect's id.
        kind: None for a message, else the effect's kind.
        version: The conversation's version when it died.
    """

    id: str
    conversation: ConversationId
    source_id: str
    kind: EffectKind | None
    payload: bytes
    error: str
    attempts: int
    version: int
    at_ms: int


class DeadPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of dead letters, newest first; `cursor` None: the last page."""

    items: tuple[DeadLetter, ...]
    cursor: str | None


class Deliveries(Protocol):
    """Outbox, jobs, timers, recovery and dead letters."""

    async def claim(self, lane: Lane, /, *, token: str, lease: timedelta, limit: int = 16) -> Claim | None:
        """Take a lane's first due entries, in order; None if nothing is due or somebody else holds the lane.

        Repeating with the same token gives the same entries without counting another attempt.
        """
        ...

    async def settle(self, settlements: Sequence[Settlement], /) -> Sequence[Settled]:
        """Record verdicts, up to `MAX_BATCH`; answers in order. Safe to repeat. A wrong token changes nothing.

        When the last thing in flight of a conversation is settled, its retention starts to count. Callable from
        another thread's event loop, as `Turns.renew`.
        """
        ...

    async def due(
        self,
        *,
        flows: Sequence[str] | None = None,
        limit: int = 64,
        wait: timedelta = timedelta(0),
        jobs: bool = True,
    ) -> DueList:
        """Return what is due, of these flows or of all; if nothing is, wait up to `wait` for something.

        Idle it costs at most one read a second. It may return what somebody else is about to take. Without `jobs` these
        are left out: for a worker that has no room for one, and whose page they would fill.
        """
        ...

    async def dead(self, *, flow: str | None = None, cursor: str | None = None, limit: int = 50) -> DeadPage:
        """List dead letters, newest first."""
        ...

    async def redrive(self, ids: Sequence[str], /) -> int:
        """Put dead letters back: messages to the end of their inbox, deliveries into their lane, attempts at 0.

        Returns how many were; an unknown or already redriven id counts nothing.
        """
        ...

    async def cancel(self, conversation: ConversationId, /, *, ids: Sequence[str]) -> int:
        """Remove effects by id or timer name that are not claimed; returns how many. Safe to repeat."""
        ...
