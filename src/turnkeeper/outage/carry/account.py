"""What a conversation brings back from here: a log entry for all its turns, its effects, or the account of a conflict.

Pure: it reads an exported conversation.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import msgspec

from turnkeeper.model.event import LogEntry, LoggedInput, decode_entry
from turnkeeper.model.message import NOTHING, PERSONAL, Message
from turnkeeper.outage.carry.seeding import Note
from turnkeeper.outage.standing import Conflict
from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.limits import MAX_PART_BYTES, MAX_STATE_BYTES
from turnkeeper.ports.turns import Effect, EffectKind, Incoming, LogRecord

CARRIED = "carried_on"
"""Note of the log entry that holds the turns of an outage."""

IN_CONFLICT = "conflict"
"""Note of the log entry of turns whose state could not be written back."""

_encode = msgspec.json.Encoder().encode


def is_quiet(exported: Exported, *, now_ms: int) -> bool:
    """Return whether nothing of a conversation is under way here: it may be moved.

    A reply that may have been sent stays until somebody knows; a job or a timer that nobody has begun may move.
    """
    if exported.inbox:
        return False
    stays = (EffectKind.REPLY, EffectKind.FORWARD)
    return not any(
        delivery.maybe_sent or (delivery.kind in stays and delivery.due_ms <= now_ms)
        for delivery in exported.deliveries
    )


def entries_of(exported: Exported, note: Note) -> list[LogEntry]:
    """Return the log of the turns that the store does not have, oldest first."""
    return [decode_entry(record.data) for record in _records(exported, note)]


def _records(exported: Exported, note: Note) -> Sequence[LogRecord]:
    # The first one is of the commit that was in limbo, if there was one.
    there = max(note.log_there, 1 if note.limbo_is_there else 0)
    return sorted((record for record in exported.log if record.seq > there), key=lambda record: record.seq)


def resumed(note: Note, here: Exported, there: Exported) -> Note | None:
    """Return a note that goes on from the last time that these turns were brought back; None if they never were.

    The end of that was not heard of here: an answer was lost, or a process died, and the person may have gone on.
    """
    brought = [(record, entry) for record, entry in _entries(there) if entry.handler == _name(note)]
    if not brought:
        return None
    known = {logged.id for _, entry in brought for logged in entry.inputs}
    log_there = note.log_there
    for record, entry in _entries(here):
        if any(logged.id not in known for logged in entry.inputs):
            break
        log_there = max(log_there, record.seq)
    last, entry = brought[-1]
    if entry.note == IN_CONFLICT:  # the next account holds all of it again, unless there is nothing more
        is_all = all(record.seq <= log_there for record in here.log)
        return msgspec.structs.replace(note, log_there=log_there) if is_all else None
    effects = {one for _, entry in brought for one in (*entry.effects, *(reply.id for reply in entry.replies))}
    shared = [delivery.id for delivery in there.deliveries if delivery.id in effects]
    return msgspec.structs.replace(
        note,
        generation=last.generation,
        version=last.version,
        log_there=log_there,
        shared_effects=tuple(dict.fromkeys([*note.shared_effects, *shared])),
        parts=tuple(there.parts),
        opted_out=there.opted_out,
    )


def has_limbo(note: Note, here: Exported, there: Exported) -> bool:
    """Return whether the commit in limbo was applied, whoever may have moved the conversation on since."""
    if not note.limbo_id:
        return False
    first = {record.data for record in here.log if record.seq == 1}  # its entry, if it had one
    return there.last_commit_id == note.limbo_id or any(record.data in first for record in there.log)


def is_in_conflict(note: Note, there: Exported) -> bool:
    """Return whether these turns were kept beside what the store has."""
    return any(entry.handler == _name(note) and entry.note == IN_CONFLICT for _, entry in _entries(there))


def _entries(exported: Exported) -> list[tuple[LogRecord, LogEntry]]:
    records = sorted(exported.log, key=lambda record: record.seq)
    return [(record, decode_entry(record.data)) for record in records]


def _name(note: Note) -> str:
    """Return what an entry in the store's log that comes from here is recognised by."""
    return f"carried:{note.write_id}"


def messages_of(entries: Sequence[LogEntry], note: Note) -> list[Incoming]:
    """Return the messages whose ids the store is to know: what people said, and what waited there, in order.

    What they hold is never run, unless this process dies in the middle and stays dead for longer than its lease.
    """
    said = {logged.id: logged for entry in entries for logged in entry.inputs}
    wanted = [logged for logged in said.values() if logged.kind in PERSONAL and logged.id not in note.seeds]
    seeded = [said[one] for one in note.seeds if one in said]
    return [Incoming(id=logged.id, payload=_encode(_message(logged))) for logged in [*seeded, *wanted]]


def _message(logged: LoggedInput) -> Message:
    return Message(
        id=logged.id,
        kind=logged.kind,
        text=logged.text,
        channel=logged.channel,
        received_ms=logged.at_ms,
        late=True,
    )


def effects_of(exported: Exported, note: Note) -> tuple[Effect, ...]:
    """Return what is still to be done and the store does not know of."""
    return tuple(
        Effect(id=delivery.id, kind=delivery.kind, payload=delivery.payload, due_ms=delivery.due_ms, name=delivery.name)
        for delivery in exported.deliveries
        if delivery.id not in note.effects_there
    )


def cancelled_of(exported: Exported, note: Note, done: Collection[str]) -> tuple[str, ...]:
    """Return the effects that the store still wants to do and that were done here, `done` by its own senders."""
    left = {delivery.id for delivery in exported.deliveries}
    return tuple(dict.fromkeys([*(one for one in note.effects_there if one not in left), *done]))


def log_of(
    entries: Sequence[LogEntry], note: Note, *, now_ms: int, state: bytes | None, conflict: str = ""
) -> bytes | None:
    """Return one entry for all these turns, None if there were none. `state` is the one that stands after it.

    What one entry has no room for is left out, the oldest first: the ids of messages are known to the store all the
    same.
    """
    if not entries:
        return None
    merged = msgspec.structs.replace(
        entries[-1],
        phone=note.conversation.person,
        timestamp=datetime.fromtimestamp(now_ms / 1000, tz=UTC),
        before=entries[0].before,
        handler=_name(note),
        undoable=False,
        undoes=None,
        note=IN_CONFLICT if conflict else CARRIED,
        error=conflict,
        full=NOTHING if state is None else msgspec.Raw(state),
        delta=NOTHING,
    )
    kept = entries
    while len(data := _encode(_with_all_of(merged, kept))) > MAX_STATE_BYTES:
        if not kept:
            merged = msgspec.structs.replace(merged, full=NOTHING)
        kept = kept[(len(kept) + 1) // 2 :]
    return data


def _with_all_of(merged: LogEntry, entries: Sequence[LogEntry]) -> LogEntry:
    return msgspec.structs.replace(
        merged,
        inputs=tuple(logged for entry in entries for logged in entry.inputs),
        replies=tuple(reply for entry in entries for reply in entry.replies),
        effects=tuple(effect for entry in entries for effect in entry.effects),
    )


def encoded(conflict: Conflict) -> bytes:
    """Return an account as the document that keeps it; if that has no room for all, the newest of its log."""
    while len(data := _encode(conflict)) > MAX_PART_BYTES and conflict.log:
        conflict = msgspec.structs.replace(conflict, log=conflict.log[(len(conflict.log) + 1) // 2 :])
    return data


def conflict_of(exported: Exported, note: Note, *, reason: str, found_version: int | None, now_ms: int) -> Conflict:
    """Return the account of a conversation that could not be written back."""
    return Conflict(
        id=note.write_id,
        conversation=note.conversation,
        reason=reason,
        at_ms=now_ms,
        base_version=note.version,
        found_version=found_version,
        status=exported.status,
        state=NOTHING if exported.state is None else msgspec.Raw(exported.state),
        log=tuple(msgspec.Raw(record.data) for record in _records(exported, note)),
        unsent=tuple(msgspec.Raw(effect.payload) for effect in effects_of(exported, note)),
    )
