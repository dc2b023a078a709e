"""The event log of a conversation: its entries, the state of any kept turn rebuilt from them, and what "undo" finds.

An entry holds the state after its turn in full (version 1, every `FULL_STATE_EVERY` versions, after a day, and where
a difference would not be smaller) or the difference to the state before. A turn that left the state alone repeats it.
"""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from turnkeeper.codecs import delta
from turnkeeper.dialogue.plan import LogRetention
from turnkeeper.errors import StateUndecodableError
from turnkeeper.model.event import FULL_STATE_EVERY, PREVIEW_CHARACTERS, LogEntry, LoggedReply
from turnkeeper.model.message import NOTHING
from turnkeeper.ports.program import Tools
from turnkeeper.ports.turns import LogRecord

FULL_STATE_AFTER = timedelta(days=1)
"""Longest time between two full states, so that keeping entries by age keeps with each the full state before it."""

STARTED_OVER = "started_over"
"""Note of a turn that began anew: "undo" does not reach behind it."""

_FIRST_PAGE = 32
"""Entries read first: the last modification is seldom further back, and with it 16 entries rebuild its state."""
_NEXT_PAGE = 128

_decode = msgspec.json.Decoder(LogEntry).decode
_DAY_MS = FULL_STATE_AFTER // timedelta(milliseconds=1)


class Kept(msgspec.Struct, frozen=True):
    """A log record and what is in it."""

    record: LogRecord
    entry: LogEntry


def log_limits(retention: LogRetention) -> tuple[int, int]:
    """Return how many entries and how many milliseconds of them a store must keep.

    Each is more than what is promised by the distance to the full state before the oldest promised entry.
    """
    return retention.entries + FULL_STATE_EVERY, retention.age // timedelta(milliseconds=1) + _DAY_MS


def is_whole_due(*, version: int, full_ms: int | None, now_ms: int) -> bool:
    """Tell whether the state of this version is to be logged in full.

    Args:
        version: That the turn ends with.
        full_ms: When the last full state was logged; None: never.
        now_ms: When the turn is.
    """
    return version == 1 or version % FULL_STATE_EVERY == 0 or full_ms is None or now_ms - full_ms >= _DAY_MS


def state_members(before: bytes | None, after: bytes, *, is_whole: bool) -> tuple[msgspec.Raw, msgspec.Raw]:
    """Return an entry's `full` and `delta`, one of them `NOTHING`.

    Args:
        before: The state that the turn began with, as the entries so far rebuild it; None: there was none.
        after: The state that the turn ends with.
        is_whole: Log it in full in any case.
    """
    difference = None if is_whole else delta.diff(before, after)
    if difference is None:
        return msgspec.Raw(after), NOTHING
    return NOTHING, msgspec.Raw(difference)


def preview(replies: Sequence[LoggedReply]) -> str:
    """Return the beginning of what was answered."""
    return " ".join(reply.text for reply in replies)[:PREVIEW_CHARACTERS]


def read(records: Sequence[LogRecord], *, generation: int | None = None) -> list[Kept]:
    """Decode the records of one generation, newest first.

    Args:
        records: In any order.
        generation: Which; None: the newest of them.
    """
    ordered = sorted(records, key=lambda record: record.seq, reverse=True)
    if generation is None and ordered:
        generation = ordered[0].generation
    return [Kept(record, _decode(record.data)) for record in ordered if record.generation == generation]


def rebuild(records: Sequence[LogRecord], version: int, *, generation: int | None = None) -> bytes:
    """Return the encoded state of a version, letter for letter as it was committed.

    Args:
        records: Kept entries in any order, from the newest full state at or before that version on.
        version: Any version of which an entry is among the records.
        generation: Of which life of the conversation; None: the newest of them.

    Raises:
        StateUndecodableError: The records do not reach back to a full state, or one in between is missing.
    """
    state = _rebuild(read(records, generation=generation), version)
    if state is None:
        raise StateUndecodableError(
            what=f"version {version}", reason="the log kept no full state at or before it, or not all entries since"
        )
    return state


def _rebuild(kept: Sequence[Kept], version: int) -> bytes | None:
    differences: list[bytes] = []
    wanted = version
    for item in kept:
        if item.record.version != wanted:
            continue
        if bytes(item.entry.full) != bytes(NOTHING):
            state = bytes(item.entry.full)
            for difference in reversed(differences):
                state = delta.apply(state, difference)
            return state
        if bytes(item.entry.delta) != bytes(NOTHING):
            differences.append(bytes(item.entry.delta))
            wanted -= 1
    return None


class Undoable(msgspec.Struct, frozen=True, kw_only=True):
    """A modification that can be taken back. `before` is the encoded state before it; None: there was none yet."""

    kept: Kept
    before: bytes | None


async def find_undoable(tools: Tools, *, generation: int) -> Undoable | None:
    """Return the newest modification that was not taken back yet; None if there is none that the log still reaches."""
    records: list[LogRecord] = []
    before: int | None = None
    limit = _FIRST_PAGE
    while True:
        page = await tools.history(before=before, limit=limit)
        records.extend(page)
        kept = read(records, generation=generation)
        found, is_end = _newest_undoable(kept)
        if found is not None:
            version = found.record.version - 1
            if version == 0:
                return Undoable(kept=found, before=None)
            state = _rebuild(kept, version)
            if state is not None:
                return Undoable(kept=found, before=state)
        if is_end or len(page) < limit:
            return None
        before, limit = page[-1].seq, _NEXT_PAGE


def _newest_undoable(kept: Sequence[Kept]) -> tuple[Kept | None, bool]:
    """Return the newest modification that counts, and whether older entries cannot matter any more."""
    undone: set[int] = set()
    for item in kept:
        entry, version = item.entry, item.record.version
        if version in undone:
            continue  # what an undone turn had taken back itself is back with it
        if entry.note == STARTED_OVER:
            return None, True
        if entry.undoable:
            return item, False
        if entry.undoes is not None:
            undone.add(entry.undoes)
    return None, False


async def newest_state(tools: Tools, *, generation: int, version: int) -> bytes | None:
    """Rebuild the state that a store lost; None if the log does not reach back to a full one."""
    records: list[LogRecord] = []
    before: int | None = None
    limit = _FIRST_PAGE
    while True:
        page = await tools.history(before=before, limit=limit)
        records.extend(page)
        state = _rebuild(read(records, generation=generation), version)
        if state is not None or len(page) < limit:
            return state
        before, limit = page[-1].seq, _NEXT_PAGE
