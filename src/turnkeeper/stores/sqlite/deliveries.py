"""The `Deliveries` port on SQLite: claims and verdicts go through the writer, the look for what is due does not."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.checks import check_batch, page_size
from turnkeeper.ports.deliveries import Claim, DeadLetter, DeadPage, Due, DueList, Lane, Settled, Settlement
from turnkeeper.ports.turns import EffectKind
from turnkeeper.stores.sqlite.file.readers import View
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.medium import Look, Medium
from turnkeeper.stores.sqlite.shelves import Row, all_flows
from turnkeeper.stores.sqlite.steps.claims import claim, settle
from turnkeeper.stores.sqlite.steps.dead import redrive
from turnkeeper.stores.sqlite.steps.heads import load, save_effects
from turnkeeper.stores.sqlite.steps.lanes import cancel

DUE_TURNS = (
    "SELECT due_ms, person, member, state_key FROM conversation WHERE flow = ? AND due_ms <= ? ORDER BY due_ms LIMIT ?"
)
DUE_LANES = (
    "SELECT d.look_ms, c.person, c.member, c.state_key, d.lane, d.kind FROM delivery d "
    "JOIN conversation c ON c.id = d.conversation WHERE d.flow = ? AND d.look_ms <= ? ORDER BY d.look_ms LIMIT ?"
)
_DUE_BUT_JOBS = DUE_LANES.replace("ORDER BY", f"AND d.kind <> '{EffectKind.JOB.value}' ORDER BY")
NEXT_TURN = "SELECT min(due_ms) FROM conversation WHERE flow = ? AND due_ms > ?"
NEXT_LANE = "SELECT min(look_ms) FROM delivery WHERE flow = ? AND look_ms > ?"
_DEAD_COLUMNS = (
    "SELECT d.number, c.flow, c.person, c.member, c.state_key, d.source_id, d.kind, d.payload, d.error, d.attempts, "
    "d.version, d.at_ms FROM dead d JOIN conversation c ON c.id = d.conversation "
)
_DEAD = _DEAD_COLUMNS + "WHERE d.number < ? ORDER BY d.number DESC LIMIT ?"
_DEAD_OF_FLOW = _DEAD_COLUMNS + "WHERE d.number < ? AND d.flow = ? ORDER BY d.number DESC LIMIT ?"
_NEWEST = (1 << 63) - 1
"""Greater than every number."""


class SqliteDeliveries:
    """See `turnkeeper.ports.deliveries.Deliveries`."""

    def __init__(self, medium: Medium) -> None:
        """Take the open file."""
        self._medium = medium

    async def claim(self, lane: Lane, /, *, token: str, lease: timedelta, limit: int = 16) -> Claim | None:
        """See `Deliveries.claim`."""
        lease_ms = lease // timedelta(milliseconds=1)
        entries = page_size(limit)
        return await self._medium.write(
            lambda transaction: claim(transaction, lane, token=token, lease_ms=lease_ms, limit=entries)
        )

    async def settle(self, settlements: Sequence[Settlement], /) -> Sequence[Settled]:
        """See `Deliveries.settle`."""
        check_batch(len(settlements))
        return await self._medium.write(lambda transaction: settle(transaction, settlements))

    async def due(
        self,
        *,
        flows: Sequence[str] | None = None,
        limit: int = 64,
        wait: timedelta = timedelta(0),
        jobs: bool = True,
    ) -> DueList:
        """See `Deliveries.due`. Also clears away, now and then and a little, what nobody can read any more."""
        await self._medium.tidy()
        wanted = None if flows is None else tuple(dict.fromkeys(flows))
        items = page_size(limit)
        return await self._medium.look(
            lambda view: _look_for_due(view, wanted, items, jobs=jobs), wait=wait, for_changes=False
        )

    async def dead(self, *, flow: str | None = None, cursor: str | None = None, limit: int = 50) -> DeadPage:
        """See `Deliveries.dead`."""
        return await self._medium.read(lambda view: _dead(view, flow, cursor, page_size(limit)))

    async def redrive(self, ids: Sequence[str], /) -> int:
        """See `Deliveries.redrive`."""
        check_batch(len(ids))
        return await self._medium.write(lambda transaction: redrive(transaction, ids))

    async def cancel(self, conversation: ConversationId, /, *, ids: Sequence[str]) -> int:
        """See `Deliveries.cancel`."""
        check_batch(len(ids))
        return await self._medium.write(lambda transaction: _cancel(transaction, conversation, ids))


def _look_for_due(view: View, flows: Sequence[str] | None, limit: int, *, jobs: bool) -> Look[DueList]:
    """Return what is due in these flows, or in all; the most overdue first."""
    items: list[Due] = []
    later: list[int] = []
    for flow in all_flows(view) if flows is None else flows:
        items += _due_turns(view, flow, limit)
        items += _due_lanes(view, flow, limit, jobs=jobs)
        for statement in (NEXT_TURN, NEXT_LANE):
            (next_ms,) = view.execute(statement, (flow, view.now_ms)).fetchone()
            if next_ms is not None:
                later.append(next_ms)
    items.sort(key=lambda item: item.due_ms)
    next_ms = min(later, default=None)
    found = DueList(items=tuple(items[:limit]), next_ms=next_ms, now_ms=view.now_ms)
    return Look(answer=found, is_enough=bool(items), now_ms=view.now_ms, next_ms=next_ms)


def _due_turns(view: View, flow: str, limit: int) -> Iterator[Due]:
    for due_ms, person, member, state_key in view.execute(DUE_TURNS, (flow, view.now_ms, limit)):
        conversation = ConversationId(flow=flow, person=person, member=member, state_key=state_key)
        yield Due(conversation=conversation, lane=None, kind=None, due_ms=due_ms)


def _due_lanes(view: View, flow: str, limit: int, *, jobs: bool) -> Iterator[Due]:
    statement = DUE_LANES if jobs else _DUE_BUT_JOBS
    for look_ms, person, member, state_key, name, kind in view.execute(statement, (flow, view.now_ms, limit)):
        conversation = ConversationId(flow=flow, person=person, member=member, state_key=state_key)
        lane = Lane(conversation=conversation, name=name)
        yield Due(conversation=conversation, lane=lane, kind=EffectKind(kind), due_ms=look_ms)


def _dead(view: View, flow: str | None, cursor: str | None, limit: int) -> DeadPage:
    before = _NEWEST if cursor is None else int(cursor)
    if flow is None:
        rows = view.execute(_DEAD, (before, limit + 1)).fetchall()
    else:
        rows = view.execute(_DEAD_OF_FLOW, (before, flow, limit + 1)).fetchall()
    items = tuple(_letter(row) for row in rows[:limit])
    return DeadPage(items=items, cursor=items[-1].id if len(rows) > limit else None)


def _letter(row: Row) -> DeadLetter:
    number, flow, person, member, state_key, source_id, kind, payload, error, attempts, version, at_ms = row
    return DeadLetter(
        id=str(number),
        conversation=ConversationId(flow=flow, person=person, member=member, state_key=state_key),
        source_id=source_id,
        kind=None if kind is None else EffectKind(kind),
        payload=payload,
        error=error,
        attempts=attempts,
        version=version,
        at_ms=at_ms,
    )


def _cancel(transaction: Transaction, conversation: ConversationId, ids: Sequence[str]) -> int:
    head = load(transaction, conversation)
    if head is None:
        return 0
    removed = cancel(transaction, head, ids, unless_claimed=True)
    if removed:
        save_effects(transaction, head)
    return removed
