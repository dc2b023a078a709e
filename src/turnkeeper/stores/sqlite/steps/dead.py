"""Dead letters: how a message or a delivery gets there, and the way back."""

from collections.abc import Sequence

from turnkeeper.ports.limits import MAX_INBOX
from turnkeeper.ports.turns import EffectKind, Waiting
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps import inbox
from turnkeeper.stores.sqlite.steps.heads import BY_ID, Head, save
from turnkeeper.stores.sqlite.steps.lanes import REPLIES, Entry, put_entry
from turnkeeper.stores.sqlite.steps.lifetime import begin_if_over, forget_if_over, outlive_if_over

PUT_DEAD = (
    "INSERT INTO dead (number, conversation, flow, source_id, kind, payload, error, attempts, version, at_ms, name, "
    "is_uncertain, committed_ms, commit_number) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT = (
    "SELECT conversation, source_id, kind, payload, name, is_uncertain, committed_ms, commit_number "
    "FROM dead WHERE number = ?"
)
_DELETE = "DELETE FROM dead WHERE number = ?"


def bury_message(transaction: Transaction, head: Head, waiting: Waiting, *, error: str) -> None:
    """Write a message to the dead letters; taking it off the inbox is the caller's."""
    _bury(transaction, head, (waiting.id, None, waiting.payload, error, head.attempts), ("", 0, 0, 0))


def bury_entry(transaction: Transaction, head: Head, entry: Entry, *, error: str) -> None:
    """Write a delivery to the dead letters; taking it off its lane is the caller's."""
    origin = (entry.name, entry.is_uncertain, entry.committed_ms, entry.commit_number)
    _bury(transaction, head, (entry.id, entry.kind, entry.payload, error, entry.attempts), origin)


def _bury(
    transaction: Transaction,
    head: Head,
    what: tuple[str, str | None, bytes, str, int],
    origin: tuple[str, int, int, int],
) -> None:
    number = transaction.next_number()
    transaction.execute(PUT_DEAD, (number, head.id, head.flow, *what, head.version, transaction.now_ms, *origin))


def redrive(transaction: Transaction, ids: Sequence[str]) -> int:
    """See `Deliveries.redrive`."""
    return sum(_redrive(transaction, int(one)) for one in ids if one.isascii() and one.isdigit())


def _redrive(transaction: Transaction, number: int) -> bool:
    """Put one dead letter back; it stays where it is if the inbox is full or holds the same message again."""
    row = transaction.execute(_SELECT, (number,)).fetchone()
    if row is None:
        return False
    conversation, source_id, kind, payload, *origin = row
    head = Head(*transaction.execute(BY_ID, (conversation,)).fetchone())
    if kind is None:
        if not _put_message_back(transaction, head, source_id, payload):
            return False
    else:
        _put_entry_back(transaction, head, source_id, kind, payload, *origin)
    save(transaction, head)
    transaction.execute(_DELETE, (number,))
    return True


def _put_message_back(transaction: Transaction, head: Head, message_id: str, payload: bytes) -> bool:
    digest = inbox.digest_of(message_id)
    receipt = inbox.find_receipt(transaction, head, digest)
    if head.waiting >= MAX_INBOX or (receipt is not None and not receipt.is_done):
        return False
    begin_if_over(transaction, head)
    inbox.drop_receipt(transaction, head, digest)
    return inbox.append(transaction, head, message_id=message_id, digest=digest, payload=payload)


def _put_entry_back(
    transaction: Transaction,
    head: Head,
    effect_id: str,
    kind: str,
    payload: bytes,
    name: str,
    is_uncertain: int,
    committed_ms: int,
    commit_number: int,
) -> None:
    outlive_if_over(transaction, head)
    forget_if_over(transaction, head)
    head.is_known = 1
    entry = Entry(
        conversation=head.id,
        lane=REPLIES if kind == EffectKind.REPLY.value else effect_id,
        number=0,
        flow=head.flow,
        id=effect_id,
        kind=kind,
        name=name,
        due_ms=transaction.now_ms,
        look_ms=None,
        token="",
        until_ms=0,
        attempts=0,
        is_uncertain=is_uncertain,
        committed_ms=committed_ms,
        commit_number=commit_number,
        payload=payload,
    )
    put_entry(transaction, head, entry)
