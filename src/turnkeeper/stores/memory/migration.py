"""Takes one conversation out whole, and brings one in: `Catalog.export` and `Catalog.restore`."""

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Exported, ExportedDead, ExportedDelivery, ExportedReceipt, first_commit_of, marked
from turnkeeper.ports.deliveries import DeadLetter
from turnkeeper.ports.documents import Document, part_key
from turnkeeper.ports.turns import Effect
from turnkeeper.stores.memory.lanes import put_entry
from turnkeeper.stores.memory.lifetime import plan_sweep, put_document
from turnkeeper.stores.memory.tables import DEDUP_WINDOW_MS, Buried, Entry, Head, Key, Log, Receipt, Tables, key_of


def export(tables: Tables, now: int, conversation: ConversationId) -> Exported | None:
    """See `Catalog.export`."""
    head = tables.heads.get(key_of(conversation))
    if head is None:
        return None
    log = tables.logs.get(key_of(conversation))
    return marked(
        Exported(
            conversation=head.conversation,
            generation=head.generation,
            version=head.version,
            fence=head.fence,
            status=head.status,
            state=None if head.is_over(now) else head.state,
            created_ms=head.created_ms,
            changed_ms=head.changed_ms,
            active_ms=head.active_ms,
            expires_ms=head.expires_ms,
            ready_ms=head.ready_ms,
            attempts=head.attempts,
            errors=head.errors,
            last_commit_id=head.last_commit_id,
            inbox=tuple(head.inbox),
            next_seq=head.next_seq,
            receipts=tuple(
                ExportedReceipt(digest=digest, at_ms=receipt.at_ms, done=receipt.done, reply=receipt.reply)
                for digest, receipt in head.receipts.items()
                if not receipt.done or receipt.at_ms + DEDUP_WINDOW_MS > now
            ),
            deliveries=tuple(_exported_delivery(entry) for entry in head.entries()),
            parts=_kept_parts(tables, head),
            memos=dict(head.memos),
            log=() if log is None else tuple(log.kept(now)),
            opted_out=tables.wish(head.conversation).is_out,
            first_commit_ms=head.first_commit_ms,
            log_keep_ms=None if log is None else log.keep_ms or None,
            dead=_exported_dead(tables, key_of(conversation)),
        )
    )


def _exported_dead(tables: Tables, key: Key) -> tuple[ExportedDead, ...]:
    """Return a conversation's dead letters, oldest first."""
    found = [buried for buried in tables.dead.values() if key_of(buried.letter.conversation) == key]
    return tuple(
        ExportedDead(
            source_id=buried.letter.source_id,
            kind=buried.letter.kind,
            payload=buried.letter.payload,
            error=buried.letter.error,
            attempts=buried.letter.attempts,
            version=buried.letter.version,
            at_ms=buried.letter.at_ms,
            name="" if buried.entry is None else buried.entry.effect.name,
            maybe_sent=buried.entry is not None and buried.entry.maybe_sent,
            committed_ms=0 if buried.entry is None else buried.entry.committed_ms,
        )
        for buried in sorted(found, key=lambda one: int(one.letter.id))
    )


def _exported_delivery(entry: Entry) -> ExportedDelivery:
    """Describe an entry; one that is claimed may have been sent by the time it is restored."""
    effect = entry.effect
    return ExportedDelivery(
        id=effect.id,
        kind=effect.kind,
        payload=effect.payload,
        due_ms=entry.due_ms,
        name=effect.name,
        attempts=entry.attempts,
        maybe_sent=entry.maybe_sent or entry.claimed,
        committed_ms=entry.committed_ms,
    )


def _kept_parts(tables: Tables, head: Head) -> dict[str, bytes]:
    """Return the parts that the state may refer to; retired ones stay behind."""
    found = ((part_id, tables.documents.get(part_key(head.conversation, part_id))) for part_id in sorted(head.parts))
    return {part_id: part.data for part_id, part in found if part is not None and part.expires_ms is None}


def restore(tables: Tables, exported: Exported) -> bool:
    """See `Catalog.restore`. Nobody has the lease or a lane; fixed retention counts from the beginning."""
    key = key_of(exported.conversation)
    if key in tables.heads:
        return False
    head = Head(
        conversation=exported.conversation,
        generation=exported.generation,
        fence=exported.fence,
        version=exported.version,
        state=exported.state,
        status=exported.status,
        created_ms=exported.created_ms,
        changed_ms=exported.changed_ms,
        active_ms=exported.active_ms,
        first_commit_ms=first_commit_of(exported),
        expires_ms=exported.expires_ms,
        ready_ms=exported.ready_ms,
        attempts=exported.attempts,
        errors=exported.errors,
        last_commit_id=exported.last_commit_id,
        next_seq=exported.next_seq,
        inbox=sorted(exported.inbox, key=lambda waiting: waiting.seq),
        receipts={one.digest: Receipt(at_ms=one.at_ms, done=one.done, reply=one.reply) for one in exported.receipts},
        memos=dict(exported.memos),
        parts=set(exported.parts),
    )
    tables.heads[key] = head
    tables.busy.add(key)
    if exported.opted_out and not tables.wish(exported.conversation).is_out:
        tables.note_wish(exported.conversation, is_out=True)
    for delivery in exported.deliveries:
        put_entry(tables, head, _restored_entry(tables, delivery))
    for part_id, data in exported.parts.items():
        part = Document(data=data, version=str(tables.serial()), expires_ms=None)
        put_document(tables, part_key(exported.conversation, part_id), part)
    records = sorted(exported.log, key=lambda record: record.seq)
    next_seq = records[-1].seq + 1 if records else 1
    tables.logs[key] = Log(entries=records, next_seq=next_seq, keep_ms=exported.log_keep_ms)
    for letter in exported.dead:
        _restore_dead(tables, exported.conversation, letter)
    plan_sweep(tables, head)
    tables.publish(exported.conversation)
    return True


def _restore_dead(tables: Tables, conversation: ConversationId, dead: ExportedDead) -> None:
    """Bury a dead letter again, under an id of this store."""
    letter = DeadLetter(
        id=str(tables.serial()),
        conversation=conversation,
        source_id=dead.source_id,
        kind=dead.kind,
        payload=dead.payload,
        error=dead.error,
        attempts=dead.attempts,
        version=dead.version,
        at_ms=dead.at_ms,
    )
    entry = None
    if dead.kind is not None:
        effect = Effect(id=dead.source_id, kind=dead.kind, payload=dead.payload, name=dead.name)
        entry = Entry(
            effect=effect,
            order=0,
            committed_ms=dead.committed_ms,
            due_ms=dead.at_ms,
            opt_outs=0,
            attempts=dead.attempts,
            maybe_sent=dead.maybe_sent,
        )
    tables.dead[letter.id] = Buried(letter=letter, entry=entry)


def _restored_entry(tables: Tables, delivery: ExportedDelivery) -> Entry:
    """Return an entry as it goes on; how often the person had opted out before it is not known: never, to be safe."""
    effect = Effect(
        id=delivery.id, kind=delivery.kind, payload=delivery.payload, due_ms=delivery.due_ms, name=delivery.name
    )
    return Entry(
        effect=effect,
        order=tables.serial(),
        committed_ms=delivery.committed_ms,
        due_ms=delivery.due_ms,
        opt_outs=0,
        attempts=delivery.attempts,
        maybe_sent=delivery.maybe_sent,
    )
