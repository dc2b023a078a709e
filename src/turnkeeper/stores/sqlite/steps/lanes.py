"""Deliveries in their lanes: put and cancel, and what a claim does to a lane.

A lane is claimed as a whole: its first entries carry the claimer's token. Only the very first one tells how long the
claim lasts, and when somebody must look at the lane, so that a long lane costs no more than a short one.
"""

from collections.abc import Iterable, Sequence

import msgspec

from turnkeeper.ports.deliveries import Settlement
from turnkeeper.ports.turns import Commit, Effect, EffectKind
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps.heads import BY_PERSON, Head, save

REPLIES = ""
"""The lane that a conversation's replies share; any other effect is alone in the lane of its id."""


class Entry(msgspec.Struct):
    """A row of `delivery`, in the order of its columns."""

    conversation: int
    lane: str
    number: int
    flow: str
    id: str
    kind: str
    name: str
    due_ms: int
    look_ms: int | None
    token: str
    until_ms: int
    attempts: int
    is_uncertain: int
    committed_ms: int
    commit_number: int
    payload: bytes

    def is_held(self, now_ms: int) -> bool:
        """Return whether the claim on a lane lasts that begins with this entry."""
        return bool(self.token) and self.until_ms > now_ms


_COLUMNS = Entry.__struct_fields__
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM delivery "  # noqa: S608 - our own column names
_INSERT = f"INSERT INTO delivery ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
FIRST = _SELECT + "WHERE conversation = ? AND lane = ? ORDER BY number LIMIT ?"
_OF_CLAIM = (
    "WHERE conversation = ?1 AND lane = ?2 AND number < COALESCE("
    "(SELECT min(number) FROM delivery WHERE conversation = ?1 AND lane = ?2 AND token = ''), 9223372036854775807)"
)
"""What a claim has stands first: nothing behind it is read."""
_CLAIMED = _SELECT + _OF_CLAIM + " ORDER BY number"
_BY_ID = _SELECT + "WHERE conversation = ? AND lane = ? AND id = ?"
BY_NAME = _SELECT + "WHERE conversation = ? AND name = ? AND name <> ''"
_ALL = _SELECT + "WHERE conversation = ?"
_LAST_HOLDER = "SELECT token FROM delivery WHERE conversation = ? AND lane = '' ORDER BY number DESC LIMIT 1"
_DELETE = "DELETE FROM delivery WHERE conversation = ? AND lane = ? AND number = ?"
_DELETE_ONLY = "DELETE FROM delivery WHERE conversation = ? AND lane = '' AND id = ? AND token = ? AND token <> ''"
_LOOK = "UPDATE delivery SET until_ms = ?, look_ms = ? WHERE conversation = ? AND lane = ? AND number = ?"
_DOUBT = "UPDATE delivery SET is_uncertain = 1, token = '', until_ms = 0 " + _OF_CLAIM  # noqa: S608 - constants
_FREE = "UPDATE delivery SET token = '', until_ms = 0, attempts = attempts - 1 " + _OF_CLAIM  # noqa: S608 - constants
_POSTPONE = (
    "UPDATE delivery SET token = '', until_ms = 0, due_ms = ?, attempts = ?, is_uncertain = ? "
    "WHERE conversation = ? AND lane = ? AND number = ?"
)
_HAND_OVER = (
    "UPDATE delivery SET token = ?, until_ms = ?, attempts = attempts + 1 "
    "WHERE conversation = ? AND lane = ? AND number <= ?"
)


def put_effects(transaction: Transaction, head: Head, commit: Commit, number: int) -> bool:
    """Put a commit's effects at the end of their lanes; True if its replies are claimed for its sender.

    They are only if nothing stands unclaimed before them and all of them are due, so that nothing is overtaken.
    """
    now_ms = transaction.now_ms
    replies = [effect for effect in commit.effects if effect.kind is EffectKind.REPLY]
    is_claimed = (
        bool(replies)
        and bool(commit.lane_token)
        and all(effect.due_ms <= now_ms for effect in replies)
        and _may_claim(transaction, head, commit.lane_token)
    )
    until_ms = now_ms + commit.lane_ms
    if is_claimed and head.replies:
        until_ms = prolong(transaction, head, REPLIES, until_ms)
    for effect in commit.effects:
        if effect.kind is EffectKind.TIMER and effect.name:
            for entry in timers_named(transaction, head, effect.name):
                remove(transaction, head, entry)
        entry = _entry(transaction, head, effect, number)
        if is_claimed and effect.kind is EffectKind.REPLY:
            entry.token, entry.until_ms, entry.attempts = commit.lane_token, until_ms, 1
        put_entry(transaction, head, entry)
    return is_claimed


def _may_claim(transaction: Transaction, head: Head, token: str) -> bool:
    if not head.replies:
        return True
    (first,) = first_entries(transaction, head, REPLIES, 1)
    (last_token,) = transaction.execute(_LAST_HOLDER, (head.id,)).fetchone()
    return first.is_held(transaction.now_ms) and first.token == token == last_token


def _entry(transaction: Transaction, head: Head, effect: Effect, number: int) -> Entry:
    return Entry(
        conversation=head.id,
        lane=REPLIES if effect.kind is EffectKind.REPLY else effect.id,
        number=0,
        flow=head.flow,
        id=effect.id,
        kind=effect.kind.value,
        name=effect.name,
        due_ms=effect.due_ms,
        look_ms=None,
        token="",
        until_ms=0,
        attempts=0,
        is_uncertain=0,
        committed_ms=transaction.now_ms,
        commit_number=number,
        payload=effect.payload,
    )


def put_entry(transaction: Transaction, head: Head, entry: Entry) -> None:
    """Put an entry at the end of its lane. Saving the head is the caller's."""
    entry.number = head.next_effect
    head.next_effect += 1
    if entry.lane != REPLIES or not head.replies:
        entry.look_ms = look_ms(entry)
        transaction.note_due(entry.look_ms)
    _count(head, entry, 1)
    transaction.blob_bytes += len(entry.payload)
    transaction.execute(_INSERT, msgspec.structs.astuple(entry))


def look_ms(entry: Entry) -> int:
    """Return when somebody must look at a lane that begins with this entry."""
    return entry.until_ms if entry.token else max(entry.due_ms, entry.committed_ms)


def first_entries(transaction: Transaction, head: Head, lane: str, count: int) -> list[Entry]:
    """Return the first entries of a lane, in order."""
    return [Entry(*row) for row in transaction.execute(FIRST, (head.id, lane, count))]


def claimed_entries(transaction: Transaction, head: Head, lane: str) -> list[Entry]:
    """Return what a claim, live or not, has of a lane, in order."""
    return [Entry(*row) for row in transaction.execute(_CLAIMED, (head.id, lane))]


def find_entry(transaction: Transaction, head: Head, lane: str, entry_id: str) -> Entry | None:
    """Return an entry of a lane. Entries are settled in order, so that it is found at the front."""
    row = transaction.execute(_BY_ID, (head.id, lane, entry_id)).fetchone()
    return None if row is None else Entry(*row)


def hand_over(
    transaction: Transaction, head: Head, lane: str, due: Sequence[Entry], *, token: str, until_ms: int
) -> None:
    """Give the first entries of a lane to a claimer; whoever had some of it before may have sent them."""
    if due[0].token:
        transaction.execute(_DOUBT, (head.id, lane))
    transaction.execute(_HAND_OVER, (token, until_ms, head.id, lane, due[-1].number))
    transaction.execute(_LOOK, (until_ms, until_ms, head.id, lane, due[0].number))


def prolong(transaction: Transaction, head: Head, lane: str, until_ms: int) -> int:
    """Let a lane's claim end later, never earlier; return when."""
    for first in first_entries(transaction, head, lane, 1):
        if first.until_ms >= until_ms:
            return first.until_ms
        transaction.execute(_LOOK, (until_ms, until_ms, head.id, lane, first.number))
    return until_ms


def remove(transaction: Transaction, head: Head, entry: Entry) -> None:
    """Take an entry off its lane. Saving the head is the caller's."""
    transaction.execute(_DELETE, (entry.conversation, entry.lane, entry.number))
    _count(head, entry, -1)
    if entry.lane == REPLIES and head.replies:
        _look_again(transaction, head, entry.lane, claimed_until_ms=entry.until_ms)


def remove_only_reply(transaction: Transaction, head: Head, settlement: Settlement) -> bool:
    """Take a reply off its lane if it is the only one there and the claim holds. Saving the head is the caller's.

    Most replies end so, and it costs one statement instead of two; False, and nothing changed: go the long way.
    """
    if head.replies != 1 or not transaction.execute(_DELETE_ONLY, (head.id, settlement.id, settlement.token)).rowcount:
        return False
    head.replies -= 1
    head.unsent -= 1
    return True


def postpone(transaction: Transaction, head: Head, entry: Entry) -> None:
    """Write back a claimed entry that must wait, and let go of its lane: what stands behind it was not tried."""
    transaction.execute(_FREE, (entry.conversation, entry.lane))
    transaction.execute(
        _POSTPONE, (entry.due_ms, entry.attempts, entry.is_uncertain, entry.conversation, entry.lane, entry.number)
    )
    _look_again(transaction, head, entry.lane, claimed_until_ms=0)


def _look_again(transaction: Transaction, head: Head, lane: str, *, claimed_until_ms: int) -> None:
    """Give a lane's first entry its time to look, and the end of the claim that the one before it had."""
    for first in first_entries(transaction, head, lane, 1):
        if first.token:
            first.until_ms = max(first.until_ms, claimed_until_ms)
        due_ms = look_ms(first)
        if first.look_ms != due_ms:
            transaction.execute(_LOOK, (first.until_ms, due_ms, head.id, lane, first.number))
        transaction.note_due(due_ms)


def is_claimed(transaction: Transaction, head: Head, entry: Entry) -> bool:
    """Return whether somebody has an entry in hand."""
    if not entry.token or entry.lane != REPLIES:
        return entry.is_held(transaction.now_ms)
    (first,) = first_entries(transaction, head, entry.lane, 1)
    return first.is_held(transaction.now_ms)


def _count(head: Head, entry: Entry, change: int) -> None:
    if entry.kind == EffectKind.TIMER.value:
        head.timers += change
    else:
        head.unsent += change
        head.replies += change if entry.lane == REPLIES else 0


def cancel(transaction: Transaction, head: Head, names: Iterable[str], *, unless_claimed: bool = False) -> int:
    """Remove effects by id or timer name; return how many were. Saving the head is the caller's."""
    removed = 0
    for name in names:
        for entry in _find_all(transaction, head, name):
            if not (unless_claimed and is_claimed(transaction, head, entry)):
                remove(transaction, head, entry)
                removed += 1
    return removed


def _find_all(transaction: Transaction, head: Head, name: str) -> list[Entry]:
    found = {entry.id: entry for entry in timers_named(transaction, head, name)}
    for lane in (name, REPLIES):
        entry = find_entry(transaction, head, lane, name)
        if entry is not None:
            found[entry.id] = entry
    return list(found.values())


def timers_named(transaction: Transaction, head: Head, name: str) -> list[Entry]:
    """Return the unsettled timers of that name; there is at most one unless a dead one was put back."""
    if not head.timers:
        return []
    entries = [Entry(*row) for row in transaction.execute(BY_NAME, (head.id, name))]
    return [entry for entry in entries if entry.kind == EffectKind.TIMER.value]


def cancel_person(transaction: Transaction, head: Head) -> None:
    """Remove everything of a person in a flow that is not handed out. Saving this head is the caller's."""
    rows = transaction.execute(BY_PERSON, (head.person, head.flow)).fetchall()
    for other in (Head(*row) for row in rows):
        if other.id == head.id:
            _cancel_all(transaction, head)
        elif other.unsent or other.timers:
            _cancel_all(transaction, other)
            save(transaction, other)


def _cancel_all(transaction: Transaction, head: Head) -> None:
    for row in transaction.execute(_ALL, (head.id,)).fetchall():
        entry = Entry(*row)
        if not is_claimed(transaction, head, entry):
            remove(transaction, head, entry)
