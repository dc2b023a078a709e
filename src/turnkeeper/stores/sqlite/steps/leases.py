"""Leases between begin and commit: `Turns.renew` and `Turns.release`."""

from collections.abc import Sequence

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.checks import check_payload, refuse_above
from turnkeeper.ports.limits import MAX_MEMOS
from turnkeeper.ports.turns import Outcome, Release, Renewal, Renewed
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps.heads import Head, load, save_turn

_HAS_MEMO = "SELECT 1 FROM memo WHERE conversation = ? AND name = ?"
_REMEMBER = (
    "INSERT INTO memo (conversation, name, bytes) VALUES (?, ?, ?) "
    "ON CONFLICT (conversation, name) DO UPDATE SET bytes = excluded.bytes"
)


def renew(transaction: Transaction, requests: Sequence[Renewal]) -> tuple[Renewed, ...]:
    """See `Turns.renew`."""
    for request in requests:
        _check_memo(transaction, request)
    return tuple(_renew(transaction, request) for request in requests)


def _check_memo(transaction: Transaction, request: Renewal) -> None:
    if request.memo is None:
        return
    name, memo = request.memo
    check_payload(memo)
    head = _held(transaction, request.conversation, request.token)
    if head is not None and head.memos >= MAX_MEMOS and not _has_memo(transaction, head, name):
        refuse_above("MAX_MEMOS", MAX_MEMOS, head.memos + 1)


def _renew(transaction: Transaction, request: Renewal) -> Renewed:
    head = _held(transaction, request.conversation, request.token)
    if head is None:
        return Renewed(held=False)
    head.lease_until_ms = max(head.lease_until_ms, transaction.now_ms + request.lease_ms)
    if request.memo is not None:
        name, memo = request.memo
        head.memos += not _has_memo(transaction, head, name)
        transaction.execute(_REMEMBER, (head.id, name, memo))
        transaction.blob_bytes += len(memo)
    save_turn(transaction, head)
    return Renewed(held=True, waiting=head.waiting - head.handed)


def release(transaction: Transaction, request: Release) -> bool:
    """See `Turns.release`."""
    head = _held(transaction, request.conversation, request.token)
    if head is None:
        return False
    if request.outcome is Outcome.RETURNED:
        head.attempts -= 1
    else:
        head.errors += 1
    head.ready_ms = max(head.ready_ms, transaction.now_ms + request.wait_ms)
    head.free_lease()
    save_turn(transaction, head)
    return True


def _held(transaction: Transaction, conversation: ConversationId, token: str) -> Head | None:
    """Return the head whose lease a token has; an expired one that nobody took is still its own."""
    head = load(transaction, conversation)
    return head if head is not None and head.token and head.token == token else None


def _has_memo(transaction: Transaction, head: Head, name: str) -> bool:
    return head.memos > 0 and transaction.execute(_HAS_MEMO, (head.id, name)).fetchone() is not None
