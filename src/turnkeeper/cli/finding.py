"""Finds the store and the conversations that `conversations` and `dead-letters` are about."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from turnkeeper.cli.loading import Found, existing_store
from turnkeeper.errors import ConfigurationError, InvalidMessageError
from turnkeeper.model.person import phone_number
from turnkeeper.ports.catalog import Summary
from turnkeeper.ports.store import Store

T = TypeVar("T")

FLOWS_FROM = 256
"""Conversations, newest first, from which a store's flows are gathered for an error's text: one page."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked into: `--store` and `--app` as they were given."""

    store: str | None
    app: str | None


def with_store(source: Source, work: Callable[[Found], Awaitable[T]], *, flow: str | None, is_quiet: bool) -> T:
    """Do it with the open store, and say on standard error which one it is unless a program reads the output."""

    async def run() -> T:
        found = existing_store(source.store, app=source.app)
        if flow is not None and found.app is not None and flow not in found.app.flows:
            raise ConfigurationError(f"no flow {flow!r} in {source.app}; there are: {', '.join(found.app.flows)}")
        if not is_quiet:
            sys.stderr.write(f"turnkeeper: looking into {found.place}\n")
            sys.stderr.flush()
        await found.store.open()
        try:
            return await work(found)
        finally:
            await found.store.close()

    return asyncio.run(run())


async def conversations_of(found: Found, person: str, *, flow: str | None) -> Sequence[Summary]:
    """Return a person's conversations, of one flow or of all; there is at least one.

    Raises:
        ConfigurationError: There is none; its text says where to look.
    """
    for name in _names(found, person, flow):
        items: list[Summary] = []
        cursor: str | None = None
        while True:
            page = await found.store.catalog.find(flow=flow, person=name, cursor=cursor)
            items += page.items
            cursor = page.cursor
            if cursor is None:
                break
        if items:
            return items
    raise ConfigurationError(await _why_none(found, person, flow=flow))


def no_member(person: str, member: str, listed: Sequence[Summary]) -> ConfigurationError:
    """Return the error for a number that several people use, but none of that name."""
    members = ", ".join(item.conversation.member or "(none)" for item in listed)
    return ConfigurationError(f"{person} has no member {member!r}; there are: {members}")


def _names(found: Found, person: str, flow: str | None) -> Sequence[str]:
    """Return the names under which a person may be kept: as the application's flow writes them, and as given."""
    with contextlib.suppress(InvalidMessageError):
        written = phone_number(person) if found.app is None else found.app.conversation(person, flow=flow).person
        return tuple(dict.fromkeys((written, person)))
    return (person,)


async def _why_none(found: Found, person: str, *, flow: str | None) -> str:
    if others := await others_than(found.store, flow=flow, status=None):
        return f"no conversation of {person}: there are none{others}"
    where = f"in flow {flow!r} of {found.place}" if flow else f"in {found.place}"
    how = "" if person.startswith("+") else "; a phone number is written with + and its country code there"
    return f"no conversation of {person} {where}{how}; `turnkeeper conversations list` shows whose there are"


async def others_than(opened: Store, *, flow: str | None, status: str | None) -> str:
    """Return what the store has instead of an unknown flow or status; empty if what was asked for is known."""
    if flow is not None:
        flows = await _flows(opened)
        if flow not in flows:
            return f" of a flow {flow!r}; in this store there are: {', '.join(flows) or 'none at all'}"
    if status is not None:
        statuses = (await opened.catalog.counts(flow=flow)).statuses
        if not statuses.get(status):
            there = ", ".join(f"{name} ({count})" for name, count in sorted(statuses.items()) if count)
            return f" in status {status!r}; there are: {there or 'none at all'}"
    return ""


async def _flows(opened: Store) -> Sequence[str]:
    page = await opened.catalog.find(limit=FLOWS_FROM)
    return sorted({item.conversation.flow for item in page.items})
