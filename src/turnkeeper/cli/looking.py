"""`conversations` and `dead-letters`: what a store holds, as a table for people or JSON for programs."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.table import Table

from turnkeeper.cli.loading import existing_store
from turnkeeper.codecs.state import Envelope
from turnkeeper.dialogue.thread import Thread
from turnkeeper.errors import ConfigurationError, InvalidMessageError
from turnkeeper.model.event import decode_entry
from turnkeeper.model.person import phone_number
from turnkeeper.ports.catalog import Exported, Summary
from turnkeeper.ports.store import Store

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


def list_all(
    *, store: str | None, flow: str | None, status: str | None, limit: int, cursor: str | None, as_json: bool
) -> None:
    """Print a page of conversations."""
    page = _with_store(store, lambda opened: opened.catalog.find(flow=flow, status=status, limit=limit, cursor=cursor))
    if as_json:
        _print_json({"conversations": [_summary(item) for item in page.items], "cursor": page.cursor})
        return
    table = Table("conversation", "status", "version", "changed (UTC)", "waiting", "unsent", box=None)
    for item in page.items:
        table.add_row(
            item.conversation.key,
            item.status,
            str(item.version),
            _when(item.changed_ms),
            str(item.waiting),
            str(item.unsent),
        )
    console = Console(highlight=False)
    console.print(table)
    if page.cursor:
        console.print(f"more: --cursor {page.cursor}", soft_wrap=True)


def show(person: str, *, store: str | None, flow: str | None, member: str, as_json: bool) -> None:
    """Print one conversation.

    Raises:
        ConfigurationError: There is none, or there are several and `--flow` must say which.
    """

    async def read(opened: Store) -> tuple[dict[str, object], Exported]:
        found = await _find(opened, person, flow=flow, member=member)
        exported = await opened.catalog.export(found.conversation)
        if exported is None:
            raise ConfigurationError(f"{found.conversation.key} was just forgotten")
        log = [
            {"version": record.version, **_entry(record.data)}
            for record in reversed(await opened.turns.history(found.conversation, limit=LOG_ENTRIES))
        ]
        return _view(found, exported, log), exported

    view, _ = _with_store(store, read)
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


def _entry(data: bytes) -> dict[str, object]:
    """Return a log entry for people: whole replies, without the states that are only there for rebuilding."""
    entry: dict[str, object] = msgspec.to_builtins(decode_entry(data))
    for name in ("full", "delta"):
        entry.pop(name, None)
    return entry


def _print_view(view: dict[str, object]) -> None:
    console = Console(highlight=False)
    log = view.pop("log")
    for name, value in view.items():
        if name in {"state", "counters"}:
            continue
        console.print(f"{name:14} {value}", soft_wrap=True)
    for name in ("state", "counters"):
        console.print(f"\n{name}")
        console.print_json(msgspec.json.encode(view[name]).decode())
    console.print("\nlog")
    table = Table("version", "at (UTC)", "status", "intent", "message", "response", box=None)
    for entry in log if isinstance(log, list) else ():
        table.add_row(
            str(entry["version"]),
            str(entry["timestamp"])[:19],
            str(entry["state"]),
            str(entry["intent"]),
            str(entry["message"]),
            str(entry["response_preview"]),
        )
    console.print(table)


def list_dead(*, store: str | None, flow: str | None, limit: int, cursor: str | None, as_json: bool) -> None:
    """Print a page of dead letters."""
    page = _with_store(store, lambda opened: opened.deliveries.dead(flow=flow, limit=limit, cursor=cursor))
    rows = [
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
    table = Table("id", "conversation", "kind", "at (UTC)", "attempts", "error", box=None)
    for row in rows:
        table.add_row(*(str(row[name]) for name in ("id", "conversation", "kind", "at", "attempts", "error")))
    console = Console(highlight=False)
    console.print(table)
    if page.cursor:
        console.print(f"more: --cursor {page.cursor}", soft_wrap=True)


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


def _time(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, tz=UTC)


def _when(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, tz=UTC):%Y-%m-%d %H:%M:%S}"
