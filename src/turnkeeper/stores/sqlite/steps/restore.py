"""`Catalog.restore`: brings in a conversation that was exported from this or another store."""

from turnkeeper.ports.catalog import Exported, ExportedDelivery, first_commit_of
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.turns import EffectKind
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps import inbox
from turnkeeper.stores.sqlite.steps.commit import PUT_LOG, PUT_PART, PUT_STATE, PUT_WISH
from turnkeeper.stores.sqlite.steps.dead import PUT_DEAD
from turnkeeper.stores.sqlite.steps.heads import Head, forget_heads, load, new_head, save
from turnkeeper.stores.sqlite.steps.lanes import REPLIES, Entry, put_entry
from turnkeeper.stores.sqlite.steps.lifetime import outlive_if_over

UNTIL_NEXT_COMMIT_MS = 1 << 60
"""How long a log is kept of which nobody told: the next commit says; until then nothing of it may be lost."""

_PUT_MESSAGE = (
    "INSERT OR REPLACE INTO message (conversation, seq, digest, accepted_ms, is_done, id, payload, reply) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_MEMO = "INSERT INTO memo (conversation, name, bytes) VALUES (?, ?, ?)"
_DROP_LOG = "DELETE FROM log WHERE conversation = ?"


def restore(transaction: Transaction, exported: Exported) -> bool:
    """See `Catalog.restore`. Nobody has the lease or a lane; fixed retention counts from the beginning."""
    receipts = [(inbox.digest_from(one.digest), one) for one in exported.receipts]
    head = load(transaction, exported.conversation)
    if head is not None and head.is_known and not head.is_outlived(transaction.now_ms):
        return False
    transaction.require_room()
    if head is not None:
        outlive_if_over(transaction, head)
    head = head or new_head(transaction, exported.conversation)
    if not head.id:
        save(transaction, head)
    _restore_head(transaction, head, exported)
    _restore_rows(transaction, head, exported)
    first = head.first_seq
    done = [(digest, one) for digest, one in receipts if one.done]
    for seq, (digest, one) in enumerate(done, first - len(done)):
        transaction.execute(_PUT_MESSAGE, (head.id, seq, digest, one.at_ms, 1, "", b"", one.reply))
    for seq, waiting in enumerate(sorted(exported.inbox, key=lambda waiting: waiting.seq), first):
        digest = inbox.digest_of(waiting.id)
        row = (head.id, seq, digest, waiting.accepted_ms, 0, waiting.id, waiting.payload, None)
        transaction.execute(_PUT_MESSAGE, row)
    save(transaction, head)
    return True


def _restore_head(transaction: Transaction, head: Head, exported: Exported) -> None:
    head.state_key = exported.conversation.state_key
    head.generation = exported.generation
    head.version = exported.version
    head.fence = max(head.fence, exported.fence)
    head.attempts = exported.attempts
    head.errors = exported.errors
    head.next_seq = exported.next_seq
    head.waiting = len(exported.inbox)
    head.ready_ms = exported.ready_ms
    head.memos = len(exported.memos)
    head.is_known = 1
    head.status = exported.status if exported.created_ms else None
    head.published = transaction.publish()
    head.created_ms = exported.created_ms
    head.changed_ms = exported.changed_ms
    head.active_ms = exported.active_ms
    head.first_commit_ms = first_commit_of(exported)
    head.expires_ms = exported.expires_ms
    head.log_seq = max((record.seq for record in exported.log), default=0)
    head.log_keep_ms = exported.log_keep_ms or UNTIL_NEXT_COMMIT_MS
    head.last_commit_id = exported.last_commit_id


def _restore_rows(transaction: Transaction, head: Head, exported: Exported) -> None:
    """Write what stands in other tables, the receipts and the inbox excepted."""
    if exported.state is not None:
        transaction.execute(PUT_STATE, (head.id, exported.state))
        transaction.blob_bytes += len(exported.state)
    for name, memo in exported.memos.items():
        transaction.execute(_PUT_MEMO, (head.id, name, memo))
    transaction.execute(_DROP_LOG, (head.id,))
    for record in exported.log:
        row = (head.id, record.seq, record.version, record.generation, record.at_ms, record.data)
        transaction.execute(PUT_LOG, row)
    for part_id, part in exported.parts.items():
        key = part_key(exported.conversation, part_id)
        etag = transaction.next_number()
        transaction.execute(PUT_PART, (key.collection, key.id, key.person, etag, head.id, part))
        transaction.blob_bytes += len(part)
    if exported.opted_out and not head.opted_out:
        transaction.execute(PUT_WISH, (head.person, head.flow, 1, transaction.next_number()))
        head.opted_out = 1
        forget_heads(transaction)
    for delivery in exported.deliveries:
        put_entry(transaction, head, _restored_entry(head, delivery))
    for dead in exported.dead:
        kind = None if dead.kind is None else dead.kind.value
        what = (dead.source_id, kind, dead.payload, dead.error, dead.attempts, dead.version, dead.at_ms)
        origin = (dead.name, int(dead.maybe_sent), dead.committed_ms, 0)
        transaction.execute(PUT_DEAD, (transaction.next_number(), head.id, head.flow, *what, *origin))


def _restored_entry(head: Head, delivery: ExportedDelivery) -> Entry:
    """Return an entry as it goes on; whether the person opted out after its commit is not known: yes, to be safe."""
    return Entry(
        conversation=head.id,
        lane=REPLIES if delivery.kind is EffectKind.REPLY else delivery.id,
        number=0,
        flow=head.flow,
        id=delivery.id,
        kind=delivery.kind.value,
        name=delivery.name,
        due_ms=delivery.due_ms,
        look_ms=None,
        token="",
        until_ms=0,
        attempts=delivery.attempts,
        is_uncertain=int(delivery.maybe_sent),
        committed_ms=delivery.committed_ms,
        commit_number=0,
        payload=delivery.payload,
    )
