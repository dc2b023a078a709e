"""`conversations` and `dead-letters`: what a store holds, as a table for people or JSON for programs."""

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from turnkeeper.cli.finding import Source, conversations_of, no_member, others_than, with_store
from turnkeeper.cli.loading import Found
from turnkeeper.cli.showing import print_json, print_view, show_time
from turnkeeper.cli.tables import print_table
from turnkeeper.codecs.state import Envelope
from turnkeeper.dialogue.thread import Thread, thread_of
from turnkeeper.errors import ConfigurationError
from turnkeeper.model.event import decode_entry
from turnkeeper.ports.catalog import Exported, Summary
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import LogRecord

T = TypeVar("T")

LOG_ENTRIES = 100
"""Entries of the log that are shown: the users' own number."""


def _page(
    source: Source,
    work: Callable[[Store], Awaitable[T]],
    *,
    flow: str | None,
    status: str | None = None,
    cursor: str | None,
    is_quiet: bool,
) -> tuple[T, str]:
    """Do it and return what to say if nothing came; also say so if the cursor is none: only the store can read one."""

    async def read(found: Found) -> tuple[T, str]:
        return await work(found.store), await others_than(found.store, flow=flow, status=status)

    try:
        return with_store(source, read, flow=flow, is_quiet=is_quiet)
    except ValueError as exc:
        if cursor is None:
            raise
        raise ConfigurationError(f"--cursor {cursor!r} is none of this store; take it from the page before") from exc


def list_all(
    source: Source, *, flow: str | None, status: str | None, limit: int, cursor: str | None, as_json: bool
) -> None:
    """Print a page of conversations.

    Raises:
        ConfigurationError: There is no such store, flow or cursor.
    """
    page, others = _page(
        source,
        lambda opened: opened.catalog.find(flow=flow, status=status, limit=limit, cursor=cursor),
        flow=flow,
        status=status,
        cursor=cursor,
        is_quiet=as_json,
    )
    if as_json:
        print_json({"conversations": [_summary(item) for item in page.items], "cursor": page.cursor})
        return
    rows = [
        (
            item.conversation.key,
            item.status or "-",
            str(item.version),
            show_time(_time(item.changed_ms)),
            str(item.waiting),
            str(item.unsent),
        )
        for item in page.items
    ]
    head = ("conversation", "status", "version", "changed", "waiting", "unsent")
    print_table(head, rows, nothing=f"no conversations{others}")
    _print_cursor(page.cursor)


def show(person: str, source: Source, *, flow: str | None, member: str, as_json: bool) -> None:
    """Print one conversation.

    Raises:
        ConfigurationError: There is none, or there are several and `--flow` must say which.
    """

    async def read(found: Found) -> dict[str, object]:
        item = await _find(found, person, flow=flow, member=member)
        exported = await found.store.catalog.export(item.conversation)
        if exported is None:
            raise ConfigurationError(f"{item.conversation.key} was just forgotten")
        records = await found.store.turns.history(item.conversation, limit=LOG_ENTRIES)
        return _view(item, exported, [_entry(record) for record in reversed(records)])

    view = with_store(source, read, flow=flow, is_quiet=as_json)
    if as_json:
        print_json(view)
    else:
        print_view(view)


async def _find(found: Found, person: str, *, flow: str | None, member: str) -> Summary:
    listed = await conversations_of(found, person, flow=flow)
    items = [item for item in listed if item.conversation.member == member]
    if len(items) > 1:
        flows = ", ".join(item.conversation.flow for item in items)
        raise ConfigurationError(f"{person} has conversations in several flows; add --flow, one of: {flows}")
    if items:
        return items[0]
    raise no_member(person, member, listed)


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
    return thread_of(msgspec.json.decode(state, type=_Stored).envelope) if state else None


def _entry(record: LogRecord) -> dict[str, object]:
    """Return a log entry for people: whole replies, without the states that are only there for rebuilding."""
    entry = msgspec.structs.asdict(decode_entry(record.data))
    del entry["full"], entry["delta"]
    return {"version": record.version, **entry}


def list_dead(source: Source, *, flow: str | None, limit: int, cursor: str | None, as_json: bool) -> None:
    """Print a page of dead letters.

    Raises:
        ConfigurationError: There is no such store, flow or cursor.
    """
    page, others = _page(
        source,
        lambda opened: opened.deliveries.dead(flow=flow, limit=limit, cursor=cursor),
        flow=flow,
        cursor=cursor,
        is_quiet=as_json,
    )
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
        print_json({"dead_letters": rows, "cursor": page.cursor})
        return
    head = ("id", "conversation", "kind", "at", "attempts", "error")
    cells = [[show_time(row[name]) for name in head] for row in rows]
    print_table(head, cells, nothing=f"no dead letters{others}", texts=("error",))
    _print_cursor(page.cursor)


def redrive(ids: list[str], source: Source) -> None:
    """Put dead letters back and say how many were.

    Raises:
        ConfigurationError: None of the ids is a dead letter.
    """
    count = with_store(source, lambda found: found.store.deliveries.redrive(ids), flow=None, is_quiet=False)
    if not count:
        raise ConfigurationError("none of these is a dead letter (any more); see `turnkeeper dead-letters list`")
    sys.stdout.write(f"redriven: {count} of {len(ids)}; a running server takes them up\n")


def _print_cursor(cursor: str | None) -> None:
    if cursor:
        sys.stdout.write(f"more: --cursor {cursor}\n")


def _time(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, tz=UTC)
