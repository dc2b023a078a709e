"""Holds the first commit of a store, so that a test decides what gathers behind it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.sqlite_child import conversation
from turnkeeper.ports import faults
from turnkeeper.ports.turns import Begin, Begun, Incoming
from turnkeeper.stores.sqlite import SqliteStore


class Gate:
    """Counts the commits, and holds the first one until it is opened."""

    def __init__(self) -> None:
        self.commits = 0
        self.is_reached = threading.Event()
        self.may_pass = threading.Event()

    def __call__(self, point: str) -> None:
        """Be the fault hook."""
        if point == "sqlite.before_commit":
            self.commits += 1
            self.is_reached.set()
            self.may_pass.wait(timeout=30)


@contextmanager
def held_commits() -> Iterator[Gate]:
    """Hold the first commit inside the block until the gate is opened."""
    gate = Gate()
    faults.install(gate)
    try:
        yield gate
    finally:
        gate.may_pass.set()
        faults.clear()


def begin(person: str, message_id: str = "m1", *, payload: bytes = b"hello") -> Begin:
    """Return a request for the first turn of a person."""
    message = Incoming(id=message_id, payload=payload)
    return Begin(conversation=conversation(person), token=f"{person} {message_id}", lease_ms=15_000, message=message)


async def queue_behind_first(store: SqliteStore, gate: Gate, *requests: Begin) -> list["asyncio.Task[Begun]"]:
    """Start one operation, and the others while it is being committed; let it go on then."""
    first = asyncio.ensure_future(store.turns.begin(begin("first")))
    await asyncio.to_thread(gate.is_reached.wait)
    others = [asyncio.ensure_future(store.turns.begin(request)) for request in requests]
    await asyncio.sleep(0)
    gate.may_pass.set()
    await first
    return others
