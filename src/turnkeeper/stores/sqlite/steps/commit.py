"""`Turns.commit`: everything that one turn changes, at once or not at all.

All checks come before the first write. Only the last commit of a conversation can be repeated: an older one finds its
fence outgrown. With one reply and one log entry it costs six statements, a seventh if the head is not kept.
"""

from turnkeeper.errors import LimitError
from turnkeeper.ports.checks import check_commit
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.turns import Commit, CommitAnswer, Committed, Conflict, EffectKind, Fenced, Granted
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps import inbox
from turnkeeper.stores.sqlite.steps.begin import forget_memos, granted, take_lease
from turnkeeper.stores.sqlite.steps.dead import bury_message
from turnkeeper.stores.sqlite.steps.heads import Head, forget_heads, load, save
from turnkeeper.stores.sqlite.steps.lanes import REPLIES, cancel, cancel_person, claimed_entries, put_effects
from turnkeeper.stores.sqlite.steps.lifetime import PART_GRACE_MS, begin_if_over, forget_state, retain

PUT_STATE = (
    "INSERT INTO state (conversation, bytes) VALUES (?, ?) "
    "ON CONFLICT (conversation) DO UPDATE SET bytes = excluded.bytes"
)
PUT_LOG = "INSERT INTO log (conversation, seq, version, generation, at_ms, bytes) VALUES (?, ?, ?, ?, ?, ?)"
_TRIM_LOG = "DELETE FROM log WHERE conversation = ? AND seq <= ?"
PUT_PART = (
    "INSERT INTO document (collection, id, person, etag, expires_ms, conversation, bytes) "
    "VALUES (?, ?, ?, ?, NULL, ?, ?) ON CONFLICT (collection, id, person) DO UPDATE SET "
    "etag = excluded.etag, expires_ms = NULL, conversation = excluded.conversation, bytes = excluded.bytes"
)
_KEEP_PART = (
    "UPDATE document SET expires_ms = ? WHERE collection = ? AND id = ? AND person = ? "
    "AND (expires_ms IS NULL OR expires_ms > ?)"
)
PUT_WISH = (
    "INSERT INTO opt_out (person, flow, is_out, commit_number) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (person, flow) DO UPDATE SET is_out = excluded.is_out, "
    "commit_number = CASE WHEN excluded.is_out THEN excluded.commit_number ELSE commit_number END"
)


def commit(transaction: Transaction, request: Commit) -> CommitAnswer:
    """See `Turns.commit`."""
    check_commit(request)
    head = load(transaction, request.conversation)
    if head is None:
        return Fenced()
    if head.last_commit_id == request.commit_id:
        return _repeat(transaction, head, request)
    if head.token != request.token or head.fence != request.fence:
        return Fenced()
    if head.version != request.version or head.generation != request.generation:
        return Conflict(version=head.version)
    if not 0 <= request.take <= head.handed:
        raise LimitError(limit="take", found=request.take, allowed=head.handed)
    _take_messages(transaction, head, request)
    is_claimed = _apply_effects(transaction, head, request)
    _put_state(transaction, head, request)
    _put_log(transaction, head, request)
    _put_parts(transaction, head, request)
    retain(transaction, head, request)
    if request.forget:
        forget_state(transaction, head, transaction.now_ms)
    head.changed_ms = transaction.now_ms
    head.last_commit_id = request.commit_id
    version = head.version
    has_next = _grant_next(transaction, head, request)
    save(transaction, head)
    following = granted(transaction, head) if has_next else None
    return Committed(version=version, claimed=is_claimed, next=following)


def _repeat(transaction: Transaction, head: Head, request: Commit) -> Committed:
    replies = {effect.id for effect in request.effects if effect.kind is EffectKind.REPLY}
    claimed = claimed_entries(transaction, head, REPLIES) if replies else []
    is_ours = bool(claimed) and claimed[0].token == request.lane_token and claimed[0].is_held(transaction.now_ms)
    is_claimed = is_ours and any(entry.id in replies for entry in claimed)
    has_next = bool(head.token) and head.token == request.token
    following: Granted | None = granted(transaction, head) if has_next else None
    return Committed(version=head.version, claimed=is_claimed, next=following, repeated=True)


def _take_messages(transaction: Transaction, head: Head, request: Commit) -> None:
    """Take the messages off the inbox; the attempts and memos of the first one go with it."""
    if not request.take:
        head.attempts -= 1
        return
    if request.dead is not None:
        (first,) = inbox.hand_out(transaction, head, 1)
        bury_message(transaction, head, first, error=request.dead)
    inbox.take(transaction, head, request.take, request.reply)
    head.attempts = head.errors = 0
    forget_memos(transaction, head)


def _apply_effects(transaction: Transaction, head: Head, request: Commit) -> bool:
    """Cancel, note the person's wish, put the new effects in their lanes; True if the replies are claimed."""
    number = transaction.next_number()
    if request.cancel:
        cancel(transaction, head, request.cancel)
    if request.cancel_all:
        cancel_person(transaction, head)
    if request.opt_out is not None:
        transaction.execute(PUT_WISH, (head.person, head.flow, int(request.opt_out), number))
        forget_heads(transaction)
        head.opted_out = int(request.opt_out)
    return put_effects(transaction, head, request, number) if request.effects else False


def _put_state(transaction: Transaction, head: Head, request: Commit) -> None:
    if request.state is None or request.forget:
        return
    head.version += 1
    head.status = request.status
    head.published = transaction.publish()
    transaction.blob_bytes += len(request.state)
    transaction.execute(PUT_STATE, (head.id, request.state))


def _put_log(transaction: Transaction, head: Head, request: Commit) -> None:
    if request.log is not None:
        head.log_seq += 1
        row = (head.id, head.log_seq, head.version, head.generation, transaction.now_ms, request.log)
        transaction.execute(PUT_LOG, row)
    head.log_keep_ms = request.log_keep_ms
    if head.log_seq > request.log_keep:
        transaction.execute(_TRIM_LOG, (head.id, head.log_seq - max(request.log_keep, 0)))


def _put_parts(transaction: Transaction, head: Head, request: Commit) -> None:
    for part in request.parts:
        key = part_key(head.conversation, part.id)
        etag = transaction.next_number()
        transaction.blob_bytes += len(part.data)
        transaction.execute(PUT_PART, (key.collection, key.id, key.person, etag, head.id, part.data))
    now_ms = transaction.now_ms
    for part_ids, expires_ms in ((request.adopted, None), (request.retired, now_ms + PART_GRACE_MS)):
        for part_id in part_ids:
            key = part_key(head.conversation, part_id)
            transaction.execute(_KEEP_PART, (expires_ms, key.collection, key.id, key.person, now_ms))


def _grant_next(transaction: Transaction, head: Head, request: Commit) -> bool:
    """Give the lease back, or take it at once for the next message."""
    head.free_lease()
    if not head.waiting:
        return False
    begin_if_over(transaction, head)
    if not request.next or head.ready_ms > transaction.now_ms:
        return False
    take_lease(transaction, head, token=request.token, lease_ms=request.lease_ms, hand_out=request.hand_out)
    return True
