"""Clears away what nobody can read any more, a little at a time: one step walks a few conversations further.

Nothing depends on it: whatever is over is treated as over before it is purged.
"""

from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps.heads import Head, forget_heads, save, select_heads
from turnkeeper.stores.sqlite.steps.inbox import trim
from turnkeeper.stores.sqlite.steps.lifetime import forget_state, outlive

PURGE_ROWS = 50
"""Conversations looked at, and documents deleted, in one step: about half a millisecond of the writer."""

PURGE_CHANGES = 500
"""Rows deleted after which a step ends early: two long conversations, some two milliseconds."""

_WALK = select_heads("WHERE c.id > ? ORDER BY c.id LIMIT ?")
_DROP_DOCUMENTS = "DELETE FROM document WHERE number IN (SELECT number FROM document WHERE expires_ms <= ? LIMIT ?)"
_TRIM_LOG = "DELETE FROM log WHERE conversation = ? AND at_ms <= ?"
_IS_REMEMBERED = "SELECT 1 FROM log WHERE conversation = ? UNION ALL SELECT 1 FROM dead WHERE conversation = ? LIMIT 1"
_DROP_HEAD = "DELETE FROM conversation WHERE id = ?"


def purge(transaction: Transaction, after: int) -> int:
    """Do one step; return where the next one goes on. `after` is what the last one returned; 0 begins anew."""
    transaction.execute(_DROP_DOCUMENTS, (transaction.now_ms, PURGE_ROWS))
    rows = transaction.execute(_WALK, (after, PURGE_ROWS)).fetchall()
    changes = 0
    for row in rows:
        head = Head(*row)
        changes += _purge_head(transaction, head)
        if changes >= PURGE_CHANGES:
            return head.id
    return rows[-1][0] if len(rows) == PURGE_ROWS else 0


def _purge_head(transaction: Transaction, head: Head) -> int:
    """Clear away what is over of one conversation; return how many rows that changed at least."""
    now_ms = transaction.now_ms
    changes = trim(transaction, head)
    if head.log_seq:
        changes += transaction.execute(_TRIM_LOG, (head.id, now_ms - head.log_keep_ms)).rowcount
    if head.expires_ms is None or not head.is_over(now_ms):
        return changes
    if head.created_ms:
        forget_state(transaction, head, head.expires_ms)
    elif not head.is_outlived(now_ms):
        return changes
    elif head.is_known:
        outlive(transaction, head)
    elif transaction.execute(_IS_REMEMBERED, (head.id, head.id)).fetchone() is None:
        transaction.execute(_DROP_HEAD, (head.id,))
        forget_heads(transaction)
        return changes + 1
    else:
        return changes
    save(transaction, head)
    return changes + 2
