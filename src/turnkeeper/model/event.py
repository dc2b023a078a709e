"""The event log's entry: what a turn was about, what it answered, and how the state changed.

The first eight members are the users' own names and come first in the JSON. `full` holds the whole encoded state,
`delta` the difference to the state before; a log keeps at least one `full` at or before its oldest readable entry.
"""

from datetime import datetime

import msgspec

from turnkeeper.model.message import NOTHING, Button, Kind

PREVIEW_CHARACTERS = 100
"""Length of `response_preview`: the users' own number."""

FULL_STATE_EVERY = 16
"""Every how many versions an entry holds the full state: rebuilding applies at most 15 differences."""


class LoggedInput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that the turn was about."""

    id: str
    kind: Kind
    text: str = ""
    channel: str = ""
    at_ms: int = 0
    superseded: bool = False
    late: bool = False


class LoggedReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reply of the turn, whole; `id` is its effect id, also where a screen shows it and nothing is sent."""

    id: str
    text: str
    channel: str = ""
    to: str = ""
    buttons: tuple[Button, ...] = ()


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One turn.

    Attributes:
        phone: The person's address.
        state: The status after the turn.
        message: What came in (of several, the one that was handled; joined when coalesced).
        intent: How it was understood; for timers and results their name.
        response_preview: The first 100 characters of the replies.
        timestamp: When it was committed, UTC.
        modifications_count, error_count: Of the conversation so far.
        counters: The application's own.
        before: The status before the turn.
        handler: Which handler ran; empty if none did. `carried:…`: the turns of an outage, brought back.
        undoable: It is a modification that "undo" can take back.
        undoes: Version whose modification this turn took back.
        effects: Ids of jobs and timers that it started, so that an undo can cancel them.
        note: Why nothing was done: `dropped`, `superseded`, `duplicate`, `dead`, ...
        error: For dead letters and failures.
        full: The encoded state after the turn.
        delta: Or the difference to the state before.
    """

    phone: str
    state: str
    message: str
    intent: str
    response_preview: str
    timestamp: datetime
    modifications_count: int
    error_count: int
    counters: dict[str, int] = {}
    before: str = ""
    handler: str = ""
    inputs: tuple[LoggedInput, ...] = ()
    replies: tuple[LoggedReply, ...] = ()
    undoable: bool = False
    undoes: int | None = None
    effects: tuple[str, ...] = ()
    note: str = ""
    error: str = ""
    full: msgspec.Raw = NOTHING
    delta: msgspec.Raw = NOTHING


decode_entry = msgspec.json.Decoder(LogEntry).decode
"""Reads an entry as the log keeps it."""
