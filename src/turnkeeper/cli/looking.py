"""`conversations` and `dead-letters`: what a store holds, as a table for people or JSON for programs."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from turnkeeper.cli.loading import existing_store
from turnkeeper.cli.tables import print_facts, print_table
from turnkeeper.codecs.state import Envelope
from turnkeeper.dialogue.thread import Thread
from turnkeeper.errors import ConfigurationError, InvalidMessageError
from turnkeeper.model.event import decode_entry
from turnkeeper.model.person import phone_number
from turnkeeper.ports.catalog import Exported, Summary
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import LogRecord

T = TypeVar("T")

LOG_ENTRIES = 100
"""Entries of the log that are shown: the users' own number."""


def _with_store(store: str | None, work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        opened = existing_store(store)
        await opened.open()
        try:
            return await work(opened)
        finally:
            await opened.close()

    return asyncio.run(run())


def _page(store: str | None, cursor: str | None, work: Callable[[Store], Awaitable[T]]) -> T:
    """Do it, and say so if the cursor is none: only the store can read one."""
    try:
        return _with_store(store, work)
    except ValueError as exc:
        if cursor is None:
            raise
        raise ConfigurationError(f"--cursor {cursor!r} is none of this store; take it from the page before") from exc


def list_all(
    *, store: str | None, flow: str | None, status: str | None, limit: int, cursor: str | None, as_json: bool
) -> None:
    """Print a page of conversations."""
    page = _page(
        store, cursor, lambda opened: opened.catalog.find(flow=flow, status=status, limit=limit, cursor=cursor)
    )
    if as_json:
        _print_json({"conversations": [_summary(item) for item in page.items], "cursor": page.cursor})
        return
    rows = [
        (
            item.conversation.key,
            item.status or "-",
            str(item.version),
            _when(item.changed_ms),
            str(item.waiting),
            str(item.unsent),
        )
        for item in page.items
    ]
    head = ("conversation", "status", "version", "changed (UTC)", "waiting", "unsent")
    print_table(head, rows, nothing="no conversations")
    _print_cursor(page.cursor)


def show(person: str, *, store: str | None, flow: str | None, member: str, as_json: bool) -> None:
    """Print one conversation.

    Raises:
        ConfigurationError: There is none, or there are several and `--flow` must say which.
    """

    async def read(opened: Store) -> dict[str, object]:
        found = await _find(opened, person, flow=flow, member=member)
        exported = await opened.catalog.export(found.conversation)
        if exported is None:
            raise ConfigurationError(f"{found.conversation.key} was just forgotten")
        records = await opened.turns.history(found.conversation, limit=LOG_ENTRIES)
        return _view(found, exported, [_entry(record) for record in reversed(records)])

    view = _with_store(store, read)
    if as_json:
        _print_json(view)
    else:
        _print_view(view)


async def _find(opened: Store, person: str, *, flow: str | None, member: str) -> Summary:
    names = [person]
    with contextlib.suppress(InvalidMessageError):
        names.insert(0, phone_number(person))
    for name in names:
        page = await opened.catalog.find(flow=flow, person=name)
        items = [item for item in page.items if item.conversation.member == member]
        if len(items) > 1:
            flows = ", ".join(item.conversation.flow for item in items)
            raise ConfigurationError(f"{person} has conversations in several flows; add --flow, one of: {flows}")
        if items:
            return items[0]
        if page.items:
            members = ", ".join(item.conversation.member or "(none)" for item in page.items)
            raise ConfigurationError(f"{person} has no member {member!r}; there are: {members}")
    raise ConfigurationError(f"no conversation of {person} in this store")


def _summary(item: Summary) -> dict[str, object]:
    return {
        "conversation": item.conversation.key,
        "flow": item.conversation.flow,
        "person": item.conversation.person,
        "member": item.conversation.member,
        "status": item.status,
        "version": item.version,
        "waiting": item.waiting,
        "unsent": item.unsent,
        "created_at": _time(item.created_ms),
        "changed_at": _time(item.changed_ms),
        "last_activity": _time(item.active_ms),
        "expires_at": _time(item.expires_ms),
        "opted_out": item.opted_out,
    }


def _view(item: Summary, exported: Exported, log: list[dict[str, object]]) -> dict[str, object]:
    thread = _thread(exported.state)
    counters: dict[str, int] = {"message_count": 0, "error_count": 0, "modifications_count": 0}
    if thread is not None:
        counters = {
            "message_count": thread.message_count,
            "error_count": thread.error_count,
            "modifications_count": thread.modifications_count,
            **thread.counters,
        }
    state = msgspec.json.decode(exported.state, type=dict[str, msgspec.Raw]) if exported.state else None
    if state is not None:
        state.pop("_", None)
    return {**_summary(item), "state": state, "counters": counters, "log": log}


class _Stored(msgspec.Struct):
    """What stands in front of the users' own fields in a stored state."""

    envelope: Envelope | None = msgspec.field(name="_", default=None)


def _thread(state: bytes | None) -> Thread | None:
    envelope = msgspec.json.decode(state, type=_Stored).envelope if state else None
    if envelope is None or bytes(envelope.engine) == b"null":
        return None
    return msgspec.json.decode(envelope.engine, type=Thread)


def _entry(record: LogRecord) -> dict[str, object]:
    """Return a log entry for people: whole replies, without the states that are only there for rebuilding."""
    entry = msgspec.structs.asdict(decode_entry(record.data))
    del entry["full"], entry["delta"]
    return {"version": record.version, **entry}


def _print_view(view: dict[str, object]) -> None:
    parts = {name: view.pop(name) for name in ("state", "counters", "log")}
    print_facts([(name, "-" if value in (None, "") else str(value)) for name, value in view.items()])
    for name in ("state", "counters"):
        sys.stdout.write(f"\n{name}\n")
        _print_json(parts[name])
    sys.stdout.write("\nlog\n")
    log = parts["log"]
    columns = {
        "version": "version",
        "at (UTC)": "timestamp",
        "status": "state",
        "intent": "intent",
        "message": "message",
        "response": "response_preview",
    }
    rows = [[_cell(entry[field]) for field in columns.values()] for entry in (log if isinstance(log, list) else ())]
    print_table(tuple(columns), rows, nothing="nothing yet", texts=("message", "response"))


def _cell(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


def list_dead(*, store: str | None, flow: str | None, limit: int, cursor: str | None, as_json: bool) -> None:
    """Print a page of dead letters."""
    page = _page(store, cursor, lambda opened: opened.deliveries.dead(flow=flow, limit=limit, cursor=cursor))
    rows: list[dict[str, object]] = [
        {
            "id": item.id,
            "conversation": item.conversation.key,
            "kind": item.kind.value if item.kind else "message",
            "source": item.source_id,
            "error": item.error,
            "attempts": item.attempts,
            "version": item.version,
            "at": _time(item.at_ms),
        }
        for item in page.items
    ]
    if as_json:
        _print_json({"dead_letters": rows, "cursor": page.cursor})
        return
    head = ("id", "conversation", "kind", "at", "attempts", "error")
    cells = [[_cell(row[name]) for name in head] for row in rows]
    print_table(head, cells, nothing="no dead letters", texts=("error",))
    _print_cursor(page.cursor)


def redrive(ids: list[str], *, store: str | None) -> None:
    """Put dead letters back and say how many were.

    Raises:
        ConfigurationError: None of the ids is a dead letter.
    """
    count = _with_store(store, lambda opened: opened.deliveries.redrive(ids))
    if not count:
        raise ConfigurationError("none of these is a dead letter (any more); see `turnkeeper dead-letters list`")
    sys.stdout.write(f"redriven: {count} of {len(ids)}; a running server takes them up\n")


def _print_json(content: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(content).decode(), indent=2) + "\n")


def _print_cursor(cursor: str | None) -> None:
    if cursor:
        sys.stdout.write(f"more: --cursor {cursor}\n")


def _time(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, tz=UTC)


def _when(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, tz=UTC):%Y-%m-%d %H:%M:%S}"
