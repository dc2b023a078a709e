"""Reads what a chaos run left in the store, and has the whole history judged."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from tests.chaos.bot import flow
from tests.chaos.witness import now_ms
from turnkeeper import ConversationId
from turnkeeper.codecs import delta
from turnkeeper.model.event import LogEntry, decode_entry
from turnkeeper.model.message import NOTHING
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import LogRecord
from turnkeeper.testing.history import AnyEvent, Dead, Sight, Turn


class _Mark(msgspec.Struct, frozen=True):
    """What of a state's envelope names the turn that wrote it."""

    fence: int = msgspec.field(name="f")
    commit: str = msgspec.field(name="c")


class _Marked(msgspec.Struct, frozen=True):
    """A state, as far as that is concerned."""

    mark: _Mark = msgspec.field(name="_")


class Reading(msgspec.Struct, kw_only=True):
    """What was found: events for the checker, and what it cannot see by itself."""

    events: list[AnyEvent] = []
    problems: list[str] = []
    versions: int = 0


async def read(store: Store) -> Reading:
    """Read every conversation with its whole log, and the dead letters."""
    reading = Reading()
    async for conversation in _conversations(store):
        await _read_one(store, conversation, reading)
    cursor: str | None = None
    while True:
        page = await store.deliveries.dead(cursor=cursor)
        reading.events += [Dead(conversation=one.conversation.key, source=one.source_id) for one in page.items]
        cursor = page.cursor
        if cursor is None:
            return reading


async def _conversations(store: Store) -> AsyncIterator[ConversationId]:
    cursor: str | None = None
    while True:
        page = await store.catalog.find(cursor=cursor)
        for summary in page.items:
            yield summary.conversation
        cursor = page.cursor
        if cursor is None:
            return


async def _read_one(store: Store, conversation: ConversationId, reading: Reading) -> None:
    key = conversation.key
    exported = await store.catalog.export(conversation)
    if exported is None:
        reading.problems.append(f"{key} is listed and cannot be exported")
        return
    records = await _log(store, conversation)
    state = _replay(key, records, reading)
    if state != exported.state:
        reading.problems.append(f"{key}: the state is not the one that its log rebuilds")
    heard = None if exported.state is None else flow.check().codec.decode(exported.state).state
    if heard is not None and heard.strays:
        reading.problems.append(f"{key}: {heard.strays[0]} ({len(heard.strays)} in all)")
    reading.versions += exported.version
    reading.events.append(
        Sight(
            conversation=key,
            at_ms=now_ms(),
            version=exported.version,
            waiting=tuple(waiting.id for waiting in exported.inbox),
            unsent=tuple(delivery.id for delivery in exported.deliveries),
            applied=() if heard is None else tuple(heard.taken),
            expires_ms=exported.expires_ms,
            is_last=True,
        )
    )


async def _log(store: Store, conversation: ConversationId) -> Sequence[LogRecord]:
    """Return the whole log, oldest first."""
    records: list[LogRecord] = []
    before: int | None = None
    while True:
        page = await store.turns.history(conversation, before=before, limit=MAX_BATCH)
        records += page
        if len(page) < MAX_BATCH:
            return records[::-1]
        before = page[-1].seq


def _replay(key: str, records: Sequence[LogRecord], reading: Reading) -> bytes | None:
    """Rebuild every state from the log, and note its turn; return the last one."""
    entries = [decode_entry(record.data) for record in records]
    came_back = {said.id for entry in entries for said in entry.inputs}
    state: bytes | None = None
    for record, entry in zip(records, entries, strict=True):
        if bytes(entry.full) != bytes(NOTHING):
            state = bytes(entry.full)
        elif bytes(entry.delta) != bytes(NOTHING) and state is not None:
            state = delta.apply(state, bytes(entry.delta))
        if state is None:
            reading.problems.append(f"{key}: log entry {record.seq} rebuilds no state")
            return None
        reading.events.append(_turn(key, record, entry, msgspec.json.decode(state, type=_Marked).mark, came_back))
    return state


def _turn(key: str, record: LogRecord, entry: LogEntry, mark: _Mark, came_back: set[str]) -> Turn:
    return Turn(
        conversation=key,
        seq=record.seq,
        version=record.version,
        generation=record.generation,
        at_ms=record.at_ms,
        commit=mark.commit,
        fence=mark.fence,
        messages=tuple(said.id for said in entry.inputs),
        replies=tuple((reply.id, reply.text) for reply in entry.replies),
        promises=tuple(f"timer:{one}" if f"timer:{one}" in came_back else f"result:{one}" for one in entry.effects),
        answer=tuple(reply.text for reply in entry.replies),
    )
