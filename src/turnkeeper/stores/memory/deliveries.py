"""The `Deliveries` port in memory: what is due, the dead letters, and the way back from there."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.checks import check_batch, page_size
from turnkeeper.ports.deliveries import Claim, DeadPage, Due, DueList, Lane, Settled, Settlement
from turnkeeper.ports.limits import MAX_INBOX
from turnkeeper.ports.turns import EffectKind
from turnkeeper.stores.memory.begin import accept
from turnkeeper.stores.memory.lanes import cancel, claim, put_entry, settle
from turnkeeper.stores.memory.lifetime import forget_if_over, open_head
from turnkeeper.stores.memory.medium import Look, Medium
from turnkeeper.stores.memory.tables import Buried, Head, Tables, key_of


class MemoryDeliveries:
    """See `turnkeeper.ports.deliveries.Deliveries`."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium

    async def claim(self, lane: Lane, /, *, token: str, lease: timedelta, limit: int = 16) -> Claim | None:
        """See `Deliveries.claim`."""
        lease_ms = lease // timedelta(milliseconds=1)
        rows = page_size(limit)
        return self._medium.change(
            lambda tables, now: claim(tables, now, lane, token=token, lease_ms=lease_ms, limit=rows)
        )

    async def settle(self, settlements: Sequence[Settlement], /) -> Sequence[Settled]:
        """See `Deliveries.settle`."""
        check_batch(len(settlements))
        return self._medium.change(lambda tables, now: tuple(settle(tables, now, one) for one in settlements))

    async def due(
        self,
        *,
        flows: Sequence[str] | None = None,
        limit: int = 64,
        wait: timedelta = timedelta(0),
        jobs: bool = True,
    ) -> DueList:
        """See `Deliveries.due`."""
        wanted = None if flows is None else frozenset(flows)

        def look(tables: Tables, now: int) -> tuple[DueList, Look]:
            found = _due(tables, now, wanted, page_size(limit), jobs=jobs)
            return found, Look(is_enough=bool(found.items), next_ms=found.next_ms)

        return await self._medium.look(look, wait=wait)

    async def dead(self, *, flow: str | None = None, cursor: str | None = None, limit: int = 50) -> DeadPage:
        """See `Deliveries.dead`."""
        return self._medium.read(lambda tables, _: _dead(tables, flow, cursor, page_size(limit)))

    async def redrive(self, ids: Sequence[str], /) -> int:
        """See `Deliveries.redrive`."""
        check_batch(len(ids))
        return self._medium.change(lambda tables, now: sum(_redrive(tables, now, one) for one in ids))

    async def cancel(self, conversation: ConversationId, /, *, ids: Sequence[str]) -> int:
        """See `Deliveries.cancel`."""
        check_batch(len(ids))
        return self._medium.change(lambda tables, now: _cancel(tables, now, conversation, ids))


def _cancel(tables: Tables, now: int, conversation: ConversationId, ids: Sequence[str]) -> int:
    head = tables.heads.get(key_of(conversation))
    return 0 if head is None else cancel(head, ids, unless_claimed_at=now)


def _due(tables: Tables, now: int, flows: frozenset[str] | None, limit: int, *, jobs: bool) -> DueList:
    heads = [head for head in tables.in_flight() if flows is None or head.conversation.flow in flows]
    everything = [one for head in heads for one in _looks(head)]
    items = sorted(
        (one for one in everything if one.due_ms <= now and (jobs or one.kind is not EffectKind.JOB)),
        key=lambda one: (one.due_ms, key_of(one.conversation), one.lane is not None, one.lane.name if one.lane else ""),
    )
    later = [one.due_ms for one in everything if one.due_ms > now]
    return DueList(items=tuple(items[:limit]), next_ms=min(later, default=None), now_ms=now)


def _looks(head: Head) -> Iterator[Due]:
    """Yield when somebody must look at a conversation and at each of its lanes."""
    if head.inbox:
        ready_ms = max(head.ready_ms, head.inbox[0].accepted_ms)
        due_ms = head.lease_until_ms if head.token else ready_ms
        yield Due(conversation=head.conversation, lane=None, kind=None, due_ms=max(due_ms, head.ready_ms))
    for name, line in head.lanes.items():
        lane = Lane(conversation=head.conversation, name=name)
        kind = line.entries[0].effect.kind
        yield Due(conversation=head.conversation, lane=lane, kind=kind, due_ms=line.due_ms())


def _dead(tables: Tables, flow: str | None, cursor: str | None, limit: int) -> DeadPage:
    letters = [
        buried.letter
        for buried in tables.dead.values()
        if (flow is None or buried.letter.conversation.flow == flow)
        and (cursor is None or int(buried.letter.id) < int(cursor))
    ]
    newest = sorted(letters, key=lambda letter: int(letter.id), reverse=True)
    page = tuple(newest[:limit])
    return DeadPage(items=page, cursor=page[-1].id if len(newest) > limit else None)


def _redrive(tables: Tables, now: int, letter_id: str) -> bool:
    """Put one dead letter back; it stays where it is if the inbox is full or holds the same message again."""
    buried = tables.dead.get(letter_id)
    if buried is None:
        return False
    head = open_head(tables, buried.letter.conversation, now)
    if buried.entry is None:
        return _redrive_message(tables, head, now, buried)
    del tables.dead[letter_id]
    forget_if_over(tables, head, now)
    fresh = msgspec.structs.replace(buried.entry, order=tables.serial(), due_ms=now, attempts=0, claimed=False)
    put_entry(tables, head, fresh)
    return True


def _redrive_message(tables: Tables, head: Head, now: int, buried: Buried) -> bool:
    letter = buried.letter
    if len(head.inbox) >= MAX_INBOX or any(waiting.id == letter.source_id for waiting in head.inbox):
        return False
    del tables.dead[letter.id]
    accept(tables, head, now, message_id=letter.source_id, payload=letter.payload)
    return True
