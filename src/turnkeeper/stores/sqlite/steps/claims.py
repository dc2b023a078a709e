"""`Deliveries.claim` and `Deliveries.settle`: who sends what, and what became of it."""

from collections.abc import Iterable, Sequence

from turnkeeper.ports.deliveries import Claim, Claimed, Lane, Settled, Settlement, Verdict
from turnkeeper.ports.turns import EffectKind
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps.dead import bury_entry
from turnkeeper.stores.sqlite.steps.heads import Head, load, save_effects
from turnkeeper.stores.sqlite.steps.lanes import (
    REPLIES,
    Entry,
    claimed_entries,
    find_entry,
    first_entries,
    hand_over,
    postpone,
    prolong,
    remove,
    remove_only_reply,
)

_LAST_OPT_OUT = "SELECT commit_number FROM opt_out WHERE person = ? AND flow = ? AND is_out = 1"


def claim(transaction: Transaction, lane: Lane, *, token: str, lease_ms: int, limit: int) -> Claim | None:
    """See `Deliveries.claim`."""
    now_ms = transaction.now_ms
    head = load(transaction, lane.conversation)
    entries = [] if head is None else first_entries(transaction, head, lane.name, limit)
    if head is None or not entries:
        return None
    if entries[0].is_held(now_ms):
        if entries[0].token != token:
            return None
        until_ms = prolong(transaction, head, lane.name, now_ms + lease_ms)
        return _claim(transaction, head, lane, token, until_ms, claimed_entries(transaction, head, lane.name))
    due = list(_due(entries, now_ms))
    if not due:
        return None
    until_ms = now_ms + lease_ms
    hand_over(transaction, head, lane.name, due, token=token, until_ms=until_ms)
    return _claim(transaction, head, lane, token, until_ms, claimed_entries(transaction, head, lane.name))


def _due(entries: Sequence[Entry], now_ms: int) -> Iterable[Entry]:
    """Yield the entries that may go now: those before the first that may not."""
    for entry in entries:
        if entry.due_ms > now_ms:
            return
        yield entry


def _claim(
    transaction: Transaction, head: Head, lane: Lane, token: str, until_ms: int, entries: Sequence[Entry]
) -> Claim:
    opt_out = transaction.execute(_LAST_OPT_OUT, (head.person, head.flow)).fetchone()
    silent_before = 0 if opt_out is None else int(opt_out[0])
    claimed = tuple(
        Claimed(
            id=entry.id,
            kind=EffectKind(entry.kind),
            payload=entry.payload,
            attempt=entry.attempts,
            committed_ms=entry.committed_ms,
            maybe_sent=bool(entry.is_uncertain),
            suppressed=entry.kind == EffectKind.REPLY.value and entry.commit_number < silent_before,
            name=entry.name,
        )
        for entry in entries
    )
    return Claim(lane=lane, token=token, entries=claimed, until_ms=until_ms, now_ms=transaction.now_ms)


def settle(transaction: Transaction, settlements: Sequence[Settlement]) -> tuple[Settled, ...]:
    """See `Deliveries.settle`."""
    return tuple(_settle(transaction, settlement) for settlement in settlements)


def _settle(transaction: Transaction, settlement: Settlement) -> Settled:
    lane = settlement.lane
    head = load(transaction, lane.conversation)
    if head is None:
        return Settled(held=False)
    if settlement.verdict is Verdict.DONE and lane.name == REPLIES and remove_only_reply(transaction, head, settlement):
        save_effects(transaction, head)
        return Settled(held=True)
    (first,) = first_entries(transaction, head, lane.name, 1) or (None,)
    if first is None or not first.token or first.token != settlement.token:
        return Settled(held=False)
    is_first = first.id == settlement.id
    entry = first if is_first else find_entry(transaction, head, lane.name, settlement.id)
    if entry is not None and entry.token:
        _apply(transaction, head, entry, settlement)
    if settlement.verdict is Verdict.EXTEND:
        return Settled(held=True)
    if lane.name == REPLIES and not head.replies:
        return Settled(held=True)
    (first,) = first_entries(transaction, head, lane.name, 1) or (None,)
    return Settled(held=True, more=first is not None and first.due_ms <= transaction.now_ms)


def _apply(transaction: Transaction, head: Head, entry: Entry, settlement: Settlement) -> None:
    match settlement.verdict:
        case Verdict.DONE:
            remove(transaction, head, entry)
            save_effects(transaction, head)
        case Verdict.DEAD:
            remove(transaction, head, entry)
            save_effects(transaction, head)
            bury_entry(transaction, head, entry, error=settlement.error)
        case Verdict.EXTEND:
            prolong(transaction, head, entry.lane, transaction.now_ms + settlement.wait_ms)
        case Verdict.RETRY | Verdict.UNCERTAIN | Verdict.RETURN:
            entry.due_ms = transaction.now_ms + settlement.wait_ms
            entry.is_uncertain |= settlement.verdict is Verdict.UNCERTAIN
            entry.attempts -= settlement.verdict is Verdict.RETURN
            postpone(transaction, head, entry)
