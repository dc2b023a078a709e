"""The port for looking at conversations from outside: console, live views, health, migration.

It reads committed facts and changes nothing, except `restore`, which brings in a whole exported conversation.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.turns import EffectKind, LogRecord, Waiting


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation in a list. `changed` orders by the last commit (or acceptance, while none is)."""

    conversation: ConversationId
    status: str
    version: int
    created_ms: int
    changed_ms: int
    active_ms: int | None
    expires_ms: int | None
    waiting: int
    unsent: int
    opted_out: bool = False


class SummaryPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of conversations, most recently changed first; `cursor` None: the last page."""

    items: tuple[Summary, ...]
    cursor: str | None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many of what. `statuses` counts conversations with a state, by status."""

    statuses: Mapping[str, int]
    waiting: int
    running: int
    unsent: int
    timers: int
    dead: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A committed state; None: forgotten or erased."""

    conversation: ConversationId
    status: str
    version: int
    state: bytes | None


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Changes after a cursor, oldest first, one per conversation and call; go on with the new cursor."""

    items: tuple[Change, ...]
    cursor: str


class ExportedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """An unsettled effect as it leaves a store."""

    id: str
    kind: EffectKind
    payload: bytes
    due_ms: int
    name: str
    attempts: int
    maybe_sent: bool
    committed_ms: int


class ExportedReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """A message id that was accepted, when, and the reply its commit recorded (None while it waits).

    `digest` is 8 bytes of BLAKE2b of the id in hexadecimal, the same in every store, so that dedup survives a move.
    """

    digest: str
    at_ms: int
    done: bool
    reply: bytes | None


class ExportedDead(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter as it leaves a store, with the delivery that it was (`kind` None: a message)."""

    source_id: str
    kind: EffectKind | None
    payload: bytes
    error: str
    attempts: int
    version: int
    at_ms: int
    name: str = ""
    maybe_sent: bool = False
    committed_ms: int = 0


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A whole conversation, enough to go on with it in another store.

    When the first commit of this generation was (for a fixed retention), how long the log is kept, and the dead
    letters, oldest first, are told by stores that can: one that is not told them begins with what is safe, nothing ends
    earlier. `mark` stands for the whole in the store that it comes from: see `Turns.forget`.
    """

    conversation: ConversationId
    generation: int
    version: int
    fence: int
    status: str
    state: bytes | None
    created_ms: int
    changed_ms: int
    active_ms: int | None
    expires_ms: int | None
    ready_ms: int
    attempts: int
    errors: int
    last_commit_id: str
    inbox: tuple[Waiting, ...]
    next_seq: int
    receipts: tuple[ExportedReceipt, ...]
    deliveries: tuple[ExportedDelivery, ...]
    parts: Mapping[str, bytes]
    memos: Mapping[str, bytes]
    log: tuple[LogRecord, ...]
    opted_out: bool
    first_commit_ms: int | None = None
    log_keep_ms: int | None = None
    dead: tuple[ExportedDead, ...] = ()
    mark: str = ""


def marked(exported: Exported) -> Exported:
    """Return the export with a mark that is another one as soon as anything else differs."""
    unmarked = msgspec.structs.replace(exported, mark="")
    digest = hashlib.blake2b(msgspec.msgpack.encode(unmarked), digest_size=16).hexdigest()
    return msgspec.structs.replace(exported, mark=digest)


def first_commit_of(exported: Exported) -> int | None:
    """Return when the first commit of an exported generation was; where nobody told, when the generation began."""
    if exported.first_commit_ms is not None:
        return exported.first_commit_ms
    return exported.created_ms if exported.created_ms and exported.last_commit_id else None


class StoreInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a store says of itself. `url` carries no password; `loses` says what the durability level may lose."""

    kind: str
    url: str
    schema: int
    durability: str
    loses: str
    facts: Mapping[str, str | int | float | bool] = {}


class Catalog(Protocol):
    """Every conversation, found by exact facts, never by substring."""

    async def find(
        self,
        *,
        flow: str | None = None,
        status: str | None = None,
        person: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> SummaryPage:
        """Return conversations, most recently changed first. Answers from an index kept in the commit."""
        ...

    async def counts(self, *, flow: str | None = None) -> Counts:
        """Return totals."""
        ...

    async def watch(self, *, flow: str, cursor: str = "", wait: timedelta = timedelta(0), limit: int = 256) -> Changes:
        """Return what changed after the cursor; waits up to `wait` if nothing did. `""` starts at the oldest."""
        ...

    async def export(self, conversation: ConversationId, /) -> Exported | None:
        """Return a consistent copy of a conversation, None if the store does not know it."""
        ...

    async def restore(self, exported: Exported, /) -> bool:
        """Bring in an exported conversation; False, and nothing written, if one of that name is already there."""
        ...

    async def info(self) -> StoreInfo:
        """Return what the store is, what it guarantees and what it may lose.

        Raises:
            StoreUnavailableError: It does not answer.
        """
        ...
