"""`Catalog.export`: one conversation whole, from a snapshot or in the middle of a transaction."""

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Exported, ExportedDead, ExportedDelivery, ExportedReceipt, marked
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.limits import RECEIPTS_KEPT
from turnkeeper.ports.turns import EffectKind, LogRecord, Waiting
from turnkeeper.stores.sqlite.file.readers import View
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps.heads import BY_NAME, DEDUP_WINDOW_MS, Head
from turnkeeper.stores.sqlite.steps.inbox import text_of
from turnkeeper.stores.sqlite.steps.restore import UNTIL_NEXT_COMMIT_MS

_STATE = "SELECT bytes FROM state WHERE conversation = ?"
_MESSAGES = (
    "SELECT seq, digest, accepted_ms, is_done, id, payload, reply FROM message WHERE conversation = ? AND seq >= ? "
    "AND (is_done = 0 OR accepted_ms > ?) ORDER BY seq"
)
_DELIVERIES = (
    "SELECT id, kind, payload, due_ms, name, attempts, is_uncertain OR token <> '', committed_ms FROM delivery "
    "WHERE conversation = ? ORDER BY number"
)
_PARTS = "SELECT id, bytes FROM document WHERE conversation = ? AND expires_ms IS NULL ORDER BY id"
_MEMOS = "SELECT name, bytes FROM memo WHERE conversation = ?"
_LOG = "SELECT seq, version, generation, at_ms, bytes FROM log WHERE conversation = ? AND at_ms > ? ORDER BY seq"

_DEAD = (
    "SELECT source_id, kind, payload, error, attempts, version, at_ms, name, is_uncertain, committed_ms FROM dead "
    "WHERE conversation = ? ORDER BY number"
)


def export(view: View | Transaction, conversation: ConversationId) -> Exported | None:
    """See `Catalog.export`. All statements must see the same commit."""
    row = view.execute(BY_NAME, (conversation.person, conversation.flow, conversation.member)).fetchone()
    head = None if row is None else Head(*row)
    if head is None or not head.is_known or head.is_outlived(view.now_ms):
        return None
    return marked(_export(view, head))


def _export(view: View | Transaction, head: Head) -> Exported:
    state = view.execute(_STATE, (head.id,)).fetchone()
    inbox, receipts = _messages(view, head)
    return Exported(
        conversation=head.conversation,
        generation=head.generation,
        version=head.version,
        fence=head.fence,
        status=head.status or "",
        state=None if state is None or head.is_over(view.now_ms) else state[0],
        created_ms=head.created_ms,
        changed_ms=head.changed_ms,
        active_ms=head.active_ms,
        expires_ms=head.expires_ms,
        ready_ms=head.ready_ms,
        attempts=head.attempts,
        errors=head.errors,
        last_commit_id=head.last_commit_id,
        inbox=inbox,
        next_seq=head.next_seq,
        receipts=receipts,
        deliveries=_deliveries(view, head),
        parts=_parts(view, head),
        memos=dict(view.execute(_MEMOS, (head.id,))),
        log=_log(view, head),
        opted_out=bool(head.opted_out),
        first_commit_ms=head.first_commit_ms,
        log_keep_ms=head.log_keep_ms if 0 < head.log_keep_ms < UNTIL_NEXT_COMMIT_MS else None,
        dead=_dead(view, head),
    )


def _dead(view: View | Transaction, head: Head) -> tuple[ExportedDead, ...]:
    """Return the dead letters, oldest first."""
    return tuple(
        ExportedDead(
            source_id=source_id,
            kind=None if kind is None else EffectKind(kind),
            payload=payload,
            error=error,
            attempts=attempts,
            version=version,
            at_ms=at_ms,
            name=name,
            maybe_sent=bool(maybe_sent),
            committed_ms=committed_ms,
        )
        for source_id, kind, payload, error, attempts, version, at_ms, name, maybe_sent, committed_ms in view.execute(
            _DEAD, (head.id,)
        )
    )


def _messages(view: View | Transaction, head: Head) -> tuple[tuple[Waiting, ...], tuple[ExportedReceipt, ...]]:
    """Return what waits, and the receipts of everything that is remembered, oldest first."""
    inbox: list[Waiting] = []
    receipts: list[ExportedReceipt] = []
    bounds = (head.id, head.next_seq - RECEIPTS_KEPT, view.now_ms - DEDUP_WINDOW_MS)
    for seq, digest, at_ms, is_done, message_id, payload, reply in view.execute(_MESSAGES, bounds):
        receipts.append(ExportedReceipt(digest=text_of(digest), at_ms=at_ms, done=bool(is_done), reply=reply))
        if not is_done:
            inbox.append(Waiting(seq=seq, id=message_id, payload=payload, accepted_ms=at_ms))
    return tuple(inbox), tuple(receipts)


def _deliveries(view: View | Transaction, head: Head) -> tuple[ExportedDelivery, ...]:
    """Return what is unsettled; what is claimed may have been sent by the time it is restored."""
    return tuple(
        ExportedDelivery(
            id=effect_id,
            kind=EffectKind(kind),
            payload=payload,
            due_ms=due_ms,
            name=name,
            attempts=attempts,
            maybe_sent=bool(maybe_sent),
            committed_ms=committed_ms,
        )
        for effect_id, kind, payload, due_ms, name, attempts, maybe_sent, committed_ms in view.execute(
            _DELIVERIES, (head.id,)
        )
    )


def _parts(view: View | Transaction, head: Head) -> dict[str, bytes]:
    """Return the parts that the state may refer to; retired ones stay behind."""
    prefix = part_key(head.conversation, "").id
    return {name.removeprefix(prefix): part for name, part in view.execute(_PARTS, (head.id,))}


def _log(view: View | Transaction, head: Head) -> tuple[LogRecord, ...]:
    rows = view.execute(_LOG, (head.id, view.now_ms - head.log_keep_ms))
    return tuple(
        LogRecord(seq=seq, version=version, generation=generation, at_ms=at_ms, data=entry)
        for seq, version, generation, at_ms, entry in rows
    )
