"""`Deliveries.settle`: what became of claimed entries. One operation for a whole batch of verdicts."""

from collections.abc import Sequence

from turnkeeper.ports.deliveries import Settled, Settlement, Verdict
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps.dead import bury_entry
from turnkeeper.stores.sqlite.steps.heads import Head, load, save_effects
from turnkeeper.stores.sqlite.steps.lanes import REPLIES, Entry, find_entry, first_entries, postpone, prolong, remove


def settle(transaction: Transaction, settlements: Sequence[Settlement]) -> tuple[Settled, ...]:
    """See `Deliveries.settle`."""
    return tuple(_settle(transaction, settlement) for settlement in settlements)


def _settle(transaction: Transaction, settlement: Settlement) -> Settled:
    lane = settlement.lane
    head = load(transaction, lane.conversation)
    if head is None:
        return Settled(held=False)
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
