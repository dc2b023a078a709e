"""The `Catalog` port in memory. A state whose time is over reads as forgotten, also before a begin forgets it."""

import collections
from collections.abc import Iterator
from datetime import timedelta

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import (
    Change,
    Changes,
    Counts,
    Exported,
    StoreInfo,
    Summary,
    SummaryPage,
)
from turnkeeper.ports.checks import page_size
from turnkeeper.ports.turns import EffectKind
from turnkeeper.stores.memory.medium import Look, Medium
from turnkeeper.stores.memory.migration import export, restore
from turnkeeper.stores.memory.tables import Head, Tables, key_of

SCHEMA = 1
"""Nothing is kept between processes, so there is one schema only."""


class MemoryCatalog:
    """See `turnkeeper.ports.catalog.Catalog`."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium

    async def find(
        self,
        *,
        flow: str | None = None,
        status: str | None = None,
        person: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> SummaryPage:
        """See `Catalog.find`."""
        return self._medium.read(
            lambda tables, now: _find(tables, now, (flow, status, person), cursor, page_size(limit))
        )

    async def counts(self, *, flow: str | None = None) -> Counts:
        """See `Catalog.counts`."""
        return self._medium.read(lambda tables, now: _counts(tables, now, flow))

    async def watch(self, *, flow: str, cursor: str = "", wait: timedelta = timedelta(0), limit: int = 256) -> Changes:
        """See `Catalog.watch`."""

        def look(tables: Tables, now: int) -> tuple[Changes, Look]:
            found = _watch(tables, now, flow, int(cursor or "0"), page_size(limit))
            return found, Look(is_enough=bool(found.items))

        return await self._medium.look(look, wait=wait)

    async def export(self, conversation: ConversationId, /) -> Exported | None:
        """See `Catalog.export`."""
        return self._medium.read(lambda tables, now: export(tables, now, conversation))

    async def restore(self, exported: Exported, /) -> bool:
        """See `Catalog.restore`."""
        return self._medium.change(lambda tables, _: restore(tables, exported))

    async def info(self) -> StoreInfo:
        """See `Catalog.info`."""
        conversations = self._medium.read(lambda tables, _: len(tables.heads))
        return StoreInfo(
            kind="memory",
            url="memory://",
            schema=SCHEMA,
            durability="memory",
            loses="everything, when this process ends",
            facts={"conversations": conversations},
        )


def _listed(tables: Tables, now: int, flow: str | None) -> Iterator[Head]:
    """Yield the conversations that have begun and whose time is not over."""
    for head in tables.heads.values():
        if flow in {None, head.conversation.flow} and head.created_ms and not head.is_over(now):
            yield head


def _find(
    tables: Tables, now: int, wanted: tuple[str | None, str | None, str | None], cursor: str | None, limit: int
) -> SummaryPage:
    flow, status, person = wanted
    found = {
        (head.changed_ms, *key_of(head.conversation)): head
        for head in _listed(tables, now, flow)
        if status in {None, head.status} and person in {None, head.conversation.person}
    }
    places = sorted(found, reverse=True)
    if cursor is not None:
        after = msgspec.json.decode(cursor, type=tuple[int, str, str, str])
        places = [place for place in places if place < after]
    page = places[:limit]
    last = msgspec.json.encode(page[-1]).decode() if len(places) > limit else None
    return SummaryPage(items=tuple(_summary(tables, found[place]) for place in page), cursor=last)


def _summary(tables: Tables, head: Head) -> Summary:
    return Summary(
        conversation=head.conversation,
        status=head.status,
        version=head.version,
        created_ms=head.created_ms,
        changed_ms=head.changed_ms,
        active_ms=head.active_ms,
        expires_ms=head.expires_ms,
        waiting=len(head.inbox),
        unsent=sum(entry.effect.kind is not EffectKind.TIMER for entry in head.entries()),
        opted_out=tables.wish(head.conversation).is_out,
    )


def _counts(tables: Tables, now: int, flow: str | None) -> Counts:
    heads = [head for head in tables.heads.values() if flow in {None, head.conversation.flow}]
    kinds = [entry.effect.kind for head in heads for entry in head.entries()]
    statuses = collections.Counter(head.status for head in _listed(tables, now, flow) if head.state is not None)
    timers = kinds.count(EffectKind.TIMER)
    return Counts(
        statuses=dict(statuses),
        waiting=sum(len(head.inbox) for head in heads),
        running=sum(head.is_leased(now) for head in heads),
        unsent=len(kinds) - timers,
        timers=timers,
        dead=sum(flow in {None, buried.letter.conversation.flow} for buried in tables.dead.values()),
    )


def _watch(tables: Tables, now: int, flow: str, after: int, limit: int) -> Changes:
    later = []
    for serial, conversation in reversed(tables.feed.values()):
        if serial <= after:
            break
        if conversation.flow == flow:
            later.append((serial, conversation))
    page = later[::-1][:limit]
    return Changes(
        items=tuple(_change(tables, now, conversation) for _, conversation in page),
        cursor=str(page[-1][0] if page else after),
    )


def _change(tables: Tables, now: int, conversation: ConversationId) -> Change:
    head = tables.heads.get(key_of(conversation))
    if head is None or head.is_over(now):
        return Change(conversation=conversation, status="", version=0, state=None)
    return Change(conversation=conversation, status=head.status, version=head.version, state=head.state)
