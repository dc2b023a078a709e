"""The inbox and its receipts, which are the same rows: a message keeps its row after its turn, emptied.

Rows are found by position, so nothing here depends on how many messages wait or how old a conversation is.
"""

import hashlib
import sqlite3

from turnkeeper.errors import InvalidMessageError
from turnkeeper.ports.limits import RECEIPTS_KEPT
from turnkeeper.ports.turns import Waiting
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps.heads import DEDUP_WINDOW_MS, Head

TRIM_EVERY = 32
"""Messages between two trimmings of old receipts, so that a message pays for a fraction of one."""

_APPEND = (
    "INSERT OR IGNORE INTO message (conversation, seq, digest, accepted_ms, is_done, id, payload) "
    "VALUES (?, ?, ?, ?, 0, ?, ?)"
)
FIND = "SELECT seq, accepted_ms, is_done, reply FROM message WHERE conversation = ? AND digest = ?"
_DROP = "DELETE FROM message WHERE conversation = ? AND digest = ?"
_TRIM = "DELETE FROM message WHERE conversation = ? AND seq < ? AND is_done = 1 AND (seq < ? OR accepted_ms <= ?)"
_TAKE = (
    "UPDATE message SET is_done = 1, id = '', payload = x'', reply = ? WHERE conversation = ? AND seq >= ? AND seq < ?"
)
HAND_OUT = "SELECT seq, id, payload, accepted_ms FROM message WHERE conversation = ? AND seq >= ? ORDER BY seq LIMIT ?"
_ACCEPTED = "SELECT accepted_ms FROM message WHERE conversation = ? AND seq = ?"


class Receipt:
    """Proof that a message was accepted; `reply` is what its commit recorded."""

    __slots__ = ("is_done", "reply")

    def __init__(self, *, is_done: bool, reply: bytes | None) -> None:
        """Take a row's facts."""
        self.is_done = is_done
        self.reply = reply


def digest_of(message_id: str) -> int:
    """Return what a receipt keeps of a message id: 8 bytes of BLAKE2b, as SQLite's signed integer."""
    digest = hashlib.blake2b(message_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def text_of(digest: int) -> str:
    """Return a digest as it leaves the store: 16 hexadecimal digits, the same in every store."""
    return digest.to_bytes(8, "big", signed=True).hex()


def digest_from(text: str) -> int:
    """Return a digest that came from a store.

    Raises:
        InvalidMessageError: It is none.
    """
    try:
        return int.from_bytes(bytes.fromhex(text), "big", signed=True)
    except ValueError as exc:
        raise InvalidMessageError(f"receipt {text!r} is no digest; 16 hexadecimal digits are expected") from exc


def find_receipt(transaction: Transaction, head: Head, digest: int) -> Receipt | None:
    """Return the receipt of a message, None if there is none or its window is over."""
    row = transaction.execute(FIND, (head.id, digest)).fetchone()
    if row is None:
        return None
    seq, accepted_ms, is_done, reply = row
    if is_done and (accepted_ms + DEDUP_WINDOW_MS <= transaction.now_ms or seq < head.next_seq - RECEIPTS_KEPT):
        return None
    return Receipt(is_done=bool(is_done), reply=reply)


def append(transaction: Transaction, head: Head, *, message_id: str, digest: int, payload: bytes) -> bool:
    """Put a message at the end of the inbox; False, and nothing changed, if it has a receipt (even an old one)."""
    row = (head.id, head.next_seq, digest, transaction.now_ms, message_id, payload)
    if transaction.execute(_APPEND, row).rowcount < 1:
        return False
    head.next_seq += 1
    head.waiting += 1
    transaction.blob_bytes += len(payload)
    if head.next_seq % TRIM_EVERY == 0:
        trim(transaction, head)
    return True


def drop_receipt(transaction: Transaction, head: Head, digest: int) -> None:
    """Forget that a message was ever accepted."""
    transaction.execute(_DROP, (head.id, digest))


def trim(transaction: Transaction, head: Head) -> int:
    """Delete the receipts that no longer count; return how many."""
    oldest_ms = transaction.now_ms - DEDUP_WINDOW_MS
    row = (head.id, head.first_seq, head.next_seq - RECEIPTS_KEPT, oldest_ms)
    return transaction.execute(_TRIM, row).rowcount


def take(transaction: Transaction, head: Head, count: int, reply: bytes | None) -> None:
    """Turn the first waiting messages into receipts."""
    first = head.first_seq
    transaction.execute(_TAKE, (reply, head.id, first, first + count))
    head.waiting -= count


def hand_out(transaction: Transaction, head: Head, count: int) -> tuple[Waiting, ...]:
    """Return the first waiting messages."""
    rows = transaction.execute(HAND_OUT, (head.id, head.first_seq, count))
    return tuple(
        Waiting(seq=seq, id=message_id, payload=payload, accepted_ms=accepted_ms)
        for seq, message_id, payload, accepted_ms in rows
    )


def accepted_ms(transaction: Transaction, head: Head, position: int) -> int:
    """Return when a waiting message was accepted; 0 is the first."""
    row = transaction.execute(_ACCEPTED, (head.id, head.first_seq + position)).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(f"the inbox of conversation {head.id} has a gap")
    return int(row[0])
