"""How a conversation begins, how long it is kept, and the three ways in which it ends.

Forgotten (its time is over, or a commit said so): the state goes, receipts and log stay their own time. Erased (on
request): everything goes. Outlived: a dedup window after it was forgotten nothing of it counts any more. Of both
only the bare row remains for a while, so that fences and generations grow and those who watch hear of it.
"""

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.limits import PART_GRACE
from turnkeeper.ports.turns import Commit, Forgotten
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps.heads import BY_PERSON, Head, load, save

PART_GRACE_MS = PART_GRACE // PART_GRACE.resolution // 1000
"""How long a retired part is kept, in milliseconds."""

_DROP_STATE = "DELETE FROM state WHERE conversation = ?"
_RETIRE_PARTS = "UPDATE document SET expires_ms = ? WHERE conversation = ? AND expires_ms IS NULL"
_DROP_MESSAGES = "DELETE FROM message WHERE conversation = ?"
_DROP_MEMOS = "DELETE FROM memo WHERE conversation = ?"
_DROP_DELIVERIES = "DELETE FROM delivery WHERE conversation = ?"
_DROP_PARTS = "DELETE FROM document WHERE conversation = ?"
_DROP_DEAD = "DELETE FROM dead WHERE conversation = ?"
_DROP_LOG = "DELETE FROM log WHERE conversation = ?"
_COUNT_LOG = "SELECT count(*) FROM log WHERE conversation = ? AND at_ms > ?"

_COUNT_PARTS = "SELECT count(*) FROM document WHERE conversation = ? AND (expires_ms IS NULL OR expires_ms > ?)"


def begin_if_over(transaction: Transaction, head: Head) -> None:
    """Forget a state whose time is over, and let the conversation begin if it has not. Saving is the caller's."""
    now_ms = transaction.now_ms
    forget_if_over(transaction, head)
    if not head.is_known:
        head.is_known = 1
        head.generation = max(now_ms, head.generation)
    if not head.created_ms:
        head.created_ms = head.changed_ms = now_ms
        head.expires_ms = None
        head.status = ""


def forget_if_over(transaction: Transaction, head: Head) -> None:
    """Forget a state whose time is over. Saving is the caller's."""
    if head.created_ms and head.is_over(transaction.now_ms):
        forget_state(transaction, head, transaction.now_ms)


def forget_state(transaction: Transaction, head: Head, at_ms: int) -> None:
    """Drop the state and what belongs to it; what waits or is unsent stays. Saving is the caller's.

    Args:
        transaction: Where.
        head: Whose.
        at_ms: From when on the grace of its parts and the rest of its dedup window count.
    """
    head.generation = max(transaction.now_ms, head.generation + 1)
    head.version = 0
    head.status = None
    head.created_ms = 0
    head.active_ms = head.first_commit_ms = None
    head.expires_ms = at_ms
    head.published = transaction.publish()
    transaction.execute(_DROP_STATE, (head.id,))
    transaction.execute(_RETIRE_PARTS, (at_ms + PART_GRACE_MS, head.id))


def retain(transaction: Transaction, head: Head, commit: Commit) -> None:
    """Note a commit's activity, and how long the state is kept from now on."""
    now_ms = transaction.now_ms
    if head.first_commit_ms is None:
        head.first_commit_ms = now_ms
    if commit.active:
        head.active_ms = now_ms
    since_ms = head.first_commit_ms if head.active_ms is None or not commit.slide else head.active_ms
    head.expires_ms = None if commit.retain_ms is None else since_ms + commit.retain_ms


def erase(transaction: Transaction, head: Head) -> Forgotten:
    """Remove everything of a conversation but the person's opt-out, and count it."""

    def drop(statement: str) -> int:
        return transaction.execute(statement, (head.id,)).rowcount

    now_ms = transaction.now_ms
    outlive_if_over(transaction, head)
    (log_entries,) = transaction.execute(_COUNT_LOG, (head.id, now_ms - head.log_keep_ms)).fetchone()
    (parts,) = transaction.execute(_COUNT_PARTS, (head.id, now_ms)).fetchone()
    was_known = head.is_known
    head.log_seq = 0
    drop(_DROP_LOG)
    erased = Forgotten(
        conversations=was_known,
        log_entries=log_entries,
        deliveries=drop(_DROP_DELIVERIES),
        parts=parts,
        dead_letters=drop(_DROP_DEAD),
    )
    drop(_DROP_PARTS)
    if was_known:
        drop(_DROP_MEMOS)
        outlive(transaction, head)
        head.published = transaction.publish()
    save(transaction, head)
    return erased


def outlive_if_over(transaction: Transaction, head: Head) -> None:
    """Treat a head that nothing counts of any more as unknown, also before it is purged. Saving is the caller's."""
    if head.is_known and head.is_outlived(transaction.now_ms):
        outlive(transaction, head)


def outlive(transaction: Transaction, head: Head) -> None:
    """Keep only the row, its log and its dead letters. Saving is the caller's."""
    for statement in (_DROP_STATE, _DROP_MESSAGES, _DROP_PARTS):
        transaction.execute(statement, (head.id,))
    head.free_lease()
    head.generation = max(transaction.now_ms, head.generation + 1)
    head.is_known = 0
    head.next_seq = 1
    head.version = head.waiting = head.memos = 0
    head.attempts = head.errors = head.ready_ms = 0
    head.replies = head.unsent = head.timers = 0
    head.status = None
    head.last_commit_id = ""
    head.created_ms = 0
    head.active_ms = head.first_commit_ms = None
    head.expires_ms = head.changed_ms = transaction.now_ms


def forget(transaction: Transaction, conversation: ConversationId, *, person: bool) -> Forgotten:
    """See `Turns.forget`."""
    if person:
        rows = transaction.execute(BY_PERSON, (conversation.person, conversation.flow)).fetchall()
        heads = [Head(*row) for row in rows]
    else:
        head = load(transaction, conversation)
        heads = [] if head is None else [head]
    return sum((erase(transaction, head) for head in heads), Forgotten())
