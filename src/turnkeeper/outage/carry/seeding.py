"""What a conversation begins with when it goes on here: as much as this process knows, else nothing.

Messages are numbered from the clock's milliseconds on, so that no effect of here ever has the id of one of there.
"""

import hashlib

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage.carry.recent import Known, Recent, apply
from turnkeeper.ports.catalog import Exported, ExportedDelivery, ExportedReceipt
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.turns import Commit, Effect, LogRecord, Waiting

COLLECTION = "turnkeeper.carried"
"""Documents of a local store: one for each conversation that lives there."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Where a carried conversation came from. It is durable before the conversation says anything here.

    Attributes:
        write_id: Names its way back: commit id, tokens and conflict are derived from it.
        generation, version: In the store, as far as was known; None: nothing was, and it began anew here.
        token: The lease that this process had there.
        limbo_id: Commit that may or may not have been applied there; here it was. Empty once that is known.
        limbo_is_there: It was.
        limbo_version: The version there if it was.
        limbo_effects: Ids of its effects.
        log_there: Up to this one of the log of here the store has it: an earlier way back was cut off behind its end.
        shared_effects: Ids of effects that the store has too and that are done here.
        seeds: Ids of messages that wait in the store's inbox, or do if that commit was not applied.
        parts: Ids of the parts that the store has.
        opted_out: Whether the person did not want to hear.
        retain_ms: How long the state is kept there after an active turn; None: for ever.
        since_ms: When it began to live here.
    """

    write_id: str
    conversation: ConversationId
    since_ms: int
    generation: int | None = None
    version: int | None = None
    token: str = ""
    limbo_id: str = ""
    limbo_is_there: bool = False
    limbo_version: int | None = None
    limbo_effects: tuple[str, ...] = ()
    log_there: int = 0
    shared_effects: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    opted_out: bool = False
    retain_ms: int | None = None

    @property
    def effects_there(self) -> tuple[str, ...]:
        """Ids of effects that the store has and that are done here."""
        return (*self.shared_effects, *(self.limbo_effects if self.limbo_is_there else ()))

    @property
    def key(self) -> DocumentKey:
        """The document that holds it."""
        return DocumentKey(collection=COLLECTION, id=self.conversation.key, person=self.conversation.person)


UNCLAIMED_FOR_MS = 30_000
"""A committed reply that nobody had in hand for longer than a sender owns a lane was sent by another server."""

encode_note = msgspec.json.Encoder().encode
decode_note = msgspec.json.Decoder(Note).decode


def seed(conversation: ConversationId, recent: Recent, *, write_id: str, now_ms: int) -> tuple[Note, Exported]:
    """Return where a conversation comes from and what it begins with."""
    known = recent.get(conversation)
    if known is None:
        note = Note(write_id=write_id, conversation=conversation, since_ms=now_ms)
        return note, _exported(_nothing(conversation, now_ms), {}, None, [], now_ms)
    parts = recent.parts(conversation)
    limbo = known.limbo
    unsent = [effect for at_ms, effect in known.unclaimed if at_ms + UNCLAIMED_FOR_MS > now_ms]
    note = Note(
        write_id=write_id,
        conversation=conversation,
        since_ms=now_ms,
        generation=known.generation,
        version=known.version,
        token=known.token,
        limbo_id="" if limbo is None else limbo.commit_id,
        limbo_version=None if limbo is None else known.version + (limbo.state is not None),
        limbo_effects=() if limbo is None else tuple(effect.id for effect in limbo.effects),
        shared_effects=tuple(effect.id for effect in unsent),
        seeds=tuple(waiting.id for waiting in known.inbox),
        parts=tuple(parts),
        opted_out=known.opted_out,
        retain_ms=known.retain_ms if limbo is None else limbo.retain_ms,
    )
    known = msgspec.structs.replace(known, inbox=list(known.inbox), receipts=dict(known.receipts))
    if limbo is not None:
        version = known.version + (limbo.state is not None)
        apply(known, limbo, version=version, now_ms=now_ms)
        parts.update({part.id: part.data for part in limbo.parts})
    return note, _exported(known, parts, limbo, unsent, now_ms)


def _nothing(conversation: ConversationId, now_ms: int) -> Known:
    return Known(
        conversation=conversation,
        generation=now_ms,
        version=0,
        fence=0,
        state=None,
        created_ms=now_ms,
        active_ms=None,
        opted_out=False,
    )


def _exported(
    known: Known, parts: dict[str, bytes], limbo: Commit | None, unsent: list[Effect], now_ms: int
) -> Exported:
    effects = [*unsent, *(() if limbo is None else limbo.effects)]
    log = limbo.log if limbo is not None else None
    return Exported(
        conversation=known.conversation,
        generation=known.generation,
        version=known.version,
        fence=known.fence,
        status=known.status,
        state=known.state,
        created_ms=known.created_ms,
        changed_ms=now_ms,
        active_ms=known.active_ms,
        expires_ms=None,  # nothing ends before it is written back
        ready_ms=0,
        attempts=max(known.attempts - 1, 0) if known.inbox else 0,
        errors=0,
        last_commit_id="" if limbo is None else limbo.commit_id,
        inbox=tuple(_numbered(known.inbox, now_ms)),
        next_seq=now_ms + len(known.inbox),
        receipts=tuple(_receipts(known, now_ms)),
        deliveries=tuple(
            ExportedDelivery(
                id=effect.id,
                kind=effect.kind,
                payload=effect.payload,
                due_ms=effect.due_ms or now_ms,
                name=effect.name,
                attempts=0,
                maybe_sent=False,
                committed_ms=now_ms,
            )
            for effect in effects
        ),
        parts=parts,
        memos={},
        log=() if log is None else (_record(known, log, now_ms),),
        opted_out=known.opted_out,
    )


def _record(known: Known, data: bytes, now_ms: int) -> LogRecord:
    return LogRecord(seq=1, version=known.version, generation=known.generation, at_ms=now_ms, data=data)


def _numbered(inbox: list[Waiting], now_ms: int) -> list[Waiting]:
    return [
        msgspec.structs.replace(waiting, seq=now_ms + place, accepted_ms=waiting.accepted_ms or now_ms)
        for place, waiting in enumerate(inbox)
    ]


def _receipts(known: Known, now_ms: int) -> list[ExportedReceipt]:
    done = [
        ExportedReceipt(digest=_digest(message_id), at_ms=now_ms, done=True, reply=reply)
        for message_id, reply in known.receipts.items()
    ]
    waiting = [ExportedReceipt(digest=_digest(one.id), at_ms=now_ms, done=False, reply=None) for one in known.inbox]
    return done + waiting


def _digest(message_id: str) -> str:
    """See `ExportedReceipt.digest`."""
    return hashlib.blake2b(message_id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
