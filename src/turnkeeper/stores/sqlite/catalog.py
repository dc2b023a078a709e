"""The `Catalog` port on SQLite. A state whose time is over reads as forgotten, also before a begin forgets it."""

import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Change, Changes, Counts, Exported, StoreInfo, Summary, SummaryPage
from turnkeeper.ports.checks import page_size
from turnkeeper.stores.sqlite import schema
from turnkeeper.stores.sqlite.file.readers import View
from turnkeeper.stores.sqlite.medium import Look, Medium
from turnkeeper.stores.sqlite.migration import export
from turnkeeper.stores.sqlite.shelves import Row, Shelf, all_flows, merged, statuses_of
from turnkeeper.stores.sqlite.steps.restore import restore

_IS_OVER = "(expires_ms IS NOT NULL AND expires_ms <= :now AND waiting + unsent + timers = 0)"
_SUMMARY = (
    "SELECT changed_ms, id, flow, person, member, state_key, status, version, created_ms, active_ms, "  # noqa: S608
    "expires_ms, waiting, unsent, COALESCE((SELECT o.is_out FROM opt_out o WHERE o.person = conversation.person "
    "AND o.flow = conversation.flow), 0) FROM conversation "
    f"WHERE NOT {_IS_OVER} AND (changed_ms, id) < (:before_ms, :before) "
)
OF_SHELF = _SUMMARY + "AND flow = :flow AND status = :status ORDER BY changed_ms DESC, id DESC"
_OF_PERSON = (
    _SUMMARY + "AND person = :person AND (:flow IS NULL OR flow = :flow) "
    "AND status IS NOT NULL AND (:status IS NULL OR status = :status) ORDER BY changed_ms DESC, id DESC"
)
CHANGES = (
    f"SELECT published, flow, person, member, state_key, status, version, {_IS_OVER}, bytes "  # noqa: S608 - constants
    "FROM conversation LEFT JOIN state ON conversation = id "
    "WHERE flow = :flow AND published > :after ORDER BY published LIMIT :limit"
)
_STATUSES = (
    "SELECT status, count(*) FROM conversation "  # noqa: S608 - constants
    f"WHERE flow = :flow AND version > 0 AND NOT {_IS_OVER} GROUP BY status"
)
_IN_FLIGHT = (
    "SELECT COALESCE(sum(waiting), 0), COALESCE(sum(token <> '' AND lease_until_ms > :now), 0) FROM conversation "
    "WHERE due_ms IS NOT NULL AND (:flow IS NULL OR flow = :flow)"
)
_UNSETTLED = (
    "SELECT COALESCE(sum(kind <> 'timer'), 0), COALESCE(sum(kind = 'timer'), 0) FROM delivery "
    "WHERE :flow IS NULL OR flow = :flow"
)
_DEAD = "SELECT count(*) FROM dead WHERE :flow IS NULL OR flow = :flow"

_NEWEST = ((1 << 63) - 1, 0)
"""Before every place in a list; a place is the time of the last change and the conversation's number."""

_LOSES = {
    "disk": "nothing that was acknowledged, as long as the disk keeps what it synced",
    "memory": "the last commits when the machine loses power; nothing when only the process crashes",
}


class SqliteCatalog:
    """See `turnkeeper.ports.catalog.Catalog`."""

    def __init__(self, medium: Medium) -> None:
        """Take the open file."""
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
        before = _NEWEST if cursor is None else msgspec.json.decode(cursor, type=tuple[int, int])
        return await self._medium.read(lambda view: _find(view, flow, status, person, before, page_size(limit)))

    async def counts(self, *, flow: str | None = None) -> Counts:
        """See `Catalog.counts`. Counts an index: 100,000 conversations take some 20 ms, beside everything else."""
        return await self._medium.read(lambda view: _counts(view, flow))

    async def watch(self, *, flow: str, cursor: str = "", wait: timedelta = timedelta(0), limit: int = 256) -> Changes:
        """See `Catalog.watch`. An erasure is told for 48 hours; who was away for longer starts again with `""`."""
        after = int(cursor or "0")
        return await self._medium.look(
            lambda view: _watch(view, flow, after, page_size(limit)), wait=wait, for_changes=True
        )

    async def export(self, conversation: ConversationId, /) -> Exported | None:
        """See `Catalog.export`."""

        def read(view: View) -> Exported | None:
            with view.snapshot():
                return export(view, conversation)

        return await self._medium.read(read)

    async def restore(self, exported: Exported, /) -> bool:
        """See `Catalog.restore`."""
        return await self._medium.write(lambda transaction: restore(transaction, exported))

    async def info(self) -> StoreInfo:
        """See `Catalog.info`."""
        medium = self._medium
        file_bytes, free_bytes = await medium.read(_file_bytes)
        return StoreInfo(
            kind="sqlite",
            url=f"sqlite:///{medium.path}",
            schema=schema.VERSION,
            durability=medium.durability,
            loses=_LOSES[medium.durability],
            facts={"sqlite": sqlite3.sqlite_version, "file_bytes": file_bytes, "free_bytes": free_bytes},
        )


def _find(
    view: View, flow: str | None, status: str | None, person: str | None, before: tuple[int, int], limit: int
) -> SummaryPage:
    parameters = {"now": view.now_ms, "before_ms": before[0], "before": before[1], "person": person}
    with view.snapshot():
        if person is not None:
            statement, shelves = _OF_PERSON, [(flow, status)]
        else:
            statement, shelves = OF_SHELF, list(_shelves(view, flow, status))
        with merged(view, statement, shelves, parameters) as rows:
            found = list(itertools.islice(rows, limit + 1))
    items = tuple(_summary(row) for row in found[:limit])
    last = found[limit - 1][:2] if len(found) > limit else None
    return SummaryPage(items=items, cursor=None if last is None else msgspec.json.encode(last).decode())


def _shelves(view: View, flow: str | None, status: str | None) -> Iterator[Shelf]:
    for one in all_flows(view) if flow is None else (flow,):
        for each in statuses_of(view, one) if status is None else (status,):
            yield one, each


def _summary(row: Row) -> Summary:
    changed_ms, _, flow, person, member, state_key, status, version, created_ms, active_ms, expires_ms, *rest = row
    waiting, unsent, opted_out = rest
    return Summary(
        conversation=ConversationId(flow=flow, person=person, member=member, state_key=state_key),
        status=status,
        version=version,
        created_ms=created_ms,
        changed_ms=changed_ms,
        active_ms=active_ms,
        expires_ms=expires_ms,
        waiting=waiting,
        unsent=unsent,
        opted_out=bool(opted_out),
    )


def _counts(view: View, flow: str | None) -> Counts:
    parameters = {"now": view.now_ms, "flow": flow}
    with view.snapshot():
        statuses: Counter[str] = Counter()
        for one in all_flows(view) if flow is None else (flow,):
            statuses.update(dict(view.execute(_STATUSES, {"now": view.now_ms, "flow": one})))
        waiting, running = view.execute(_IN_FLIGHT, parameters).fetchone()
        unsent, timers = view.execute(_UNSETTLED, parameters).fetchone()
        (dead,) = view.execute(_DEAD, parameters).fetchone()
    return Counts(statuses=dict(statuses), waiting=waiting, running=running, unsent=unsent, timers=timers, dead=dead)


def _watch(view: View, flow: str, after: int, limit: int) -> Look[Changes]:
    parameters = {"now": view.now_ms, "flow": flow, "after": after, "limit": limit}
    found = view.execute(CHANGES, parameters).fetchall()
    changes = Changes(items=tuple(_change(row) for row in found), cursor=str(found[-1][0] if found else after))
    return Look(answer=changes, is_enough=bool(found), now_ms=view.now_ms)


def _change(row: Row) -> Change:
    _, flow, person, member, state_key, status, version, is_over, state = row
    conversation = ConversationId(flow=flow, person=person, member=member, state_key=state_key)
    if is_over or state is None:
        return Change(conversation=conversation, status="", version=0, state=None)
    return Change(conversation=conversation, status=status, version=version, state=state)


def _file_bytes(view: View) -> tuple[int, int]:
    """Return the size of the database, and how much of it is free for reuse."""
    (page_bytes,) = view.execute("PRAGMA page_size").fetchone()
    (pages,) = view.execute("PRAGMA page_count").fetchone()
    (free,) = view.execute("PRAGMA freelist_count").fetchone()
    return pages * page_bytes, free * page_bytes
