"""Waiting for others: a lock on the file, a full queue, and the end of a store."""

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.sqlite_child import conversation
from tests.integration.sqlite_gate import Gate, begin, queue_behind_first
from turnkeeper.errors import StoreBusyError, StoreUnavailableError
from turnkeeper.ports.deliveries import Lane
from turnkeeper.ports.turns import Granted
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.stores.sqlite.file import operations

pytestmark = pytest.mark.anyio


async def test_a_lock_of_somebody_else_is_waited_for(store: SqliteStore, file: Path) -> None:
    """Another connection writes for a moment: the operation waits, and succeeds."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    task = asyncio.ensure_future(store.turns.begin(begin("ana")))
    await asyncio.sleep(0.02)
    assert not task.done()
    other.execute("ROLLBACK")

    assert isinstance(await task, Granted)
    other.close()


async def test_a_lock_that_lasts_is_an_error(store: SqliteStore, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the operation's time it is told who is in the way; nothing was written, and later it works."""
    monkeypatch.setattr(operations, "OPERATION_SECONDS", 0.05)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StoreBusyError, match="another process"):
        await store.turns.begin(begin("ana"))

    other.execute("ROLLBACK")
    other.close()
    assert isinstance(await store.turns.begin(begin("ana")), Granted)


async def test_too_much_at_once_is_refused(store: SqliteStore, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of the writer is bounded."""
    monkeypatch.setattr(operations, "MAX_QUEUED", 3)
    requests = [begin(f"p{number}") for number in range(5)]

    tasks = await queue_behind_first(store, gate, *requests)
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(answer) for answer in answers] == [Granted] * 3 + [StoreBusyError] * 2


async def test_closing_finishes_what_was_sent(store: SqliteStore, gate: Gate) -> None:
    """What was queued before is done; what comes later is refused and says how to go on."""
    tasks = await queue_behind_first(store, gate, begin("ana"), begin("ben"))

    await store.close()

    assert all(isinstance(answer, Granted) for answer in await asyncio.gather(*tasks))
    with pytest.raises(StoreUnavailableError, match="open"):
        await store.turns.begin(begin("cleo"))
    await store.close()
    await store.open()
    assert (await store.catalog.counts()).waiting == 3


async def test_closing_ends_a_wait(store: SqliteStore) -> None:
    """Whoever waits for something due is told that the store is closed."""
    lane = Lane(conversation=conversation("ana"))
    task = asyncio.ensure_future(store.deliveries.due(wait=timedelta(minutes=10)))
    assert await store.deliveries.claim(lane, token="sender", lease=timedelta(seconds=1)) is None

    await store.close()

    with pytest.raises(StoreUnavailableError):
        await task
