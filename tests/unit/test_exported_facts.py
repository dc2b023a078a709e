"""A conversation that moved keeps its dead letters, how long its log is kept, and when its retention began."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.integration.migration_states import conversation, fill
from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.store import Store
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.testing import ManualClock

pytestmark = pytest.mark.anyio

BURIED = 5
"""Whose message and whose job ended in the dead letters, see `migration_states`."""


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that only the test moves."""
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Store]:
    """Return an empty store of each kind that tells these facts."""
    made = MemoryStore(clock=clock) if request.param == "memory" else SqliteStore(tmp_path / "a.db", clock=clock)
    yield made
    await made.close()


async def exported(clock: ManualClock, number: int) -> Exported:
    """Return a conversation as it leaves another store."""
    source = MemoryStore(clock=clock)
    await fill(source, number + 1, large=False)
    found = await source.catalog.export(conversation(number))
    assert found is not None
    return found


async def test_dead_letters_are_listed_where_they_came_to(store: Store, clock: ManualClock) -> None:
    """Newest first, with their reasons, attempts and times."""
    leaving = await exported(clock, BURIED)
    await store.catalog.restore(leaving)

    letters = (await store.deliveries.dead()).items

    assert [(one.source_id, one.kind, one.payload, one.error, one.attempts, one.at_ms) for one in letters] == [
        (one.source_id, one.kind, one.payload, one.error, one.attempts, one.at_ms) for one in reversed(leaving.dead)
    ]
    assert [one.error for one in letters] == ["gave up", "cannot be helped"]


async def test_dead_letters_come_back_where_they_came_to(store: Store, clock: ManualClock) -> None:
    """The message into its inbox, the job into its lane; then they are no letters any more."""
    await store.catalog.restore(await exported(clock, BURIED))
    letters = (await store.deliveries.dead()).items

    redriven = await store.deliveries.redrive([one.id for one in letters])
    found = await store.catalog.export(conversation(BURIED))

    assert redriven == 2
    assert found is not None
    assert [one.id for one in found.inbox] == [f"{conversation(BURIED).key}:poison"]
    assert [one.id for one in found.deliveries] == [f"{conversation(BURIED).key}:job"]
    assert found.dead == ()


async def test_forgetting_takes_the_letters_that_came_along(store: Store, clock: ManualClock) -> None:
    """Erased is erased, wherever it was before."""
    await store.catalog.restore(await exported(clock, BURIED))

    forgotten = await store.turns.forget(conversation(BURIED))

    assert forgotten.dead_letters == 2
    assert (await store.deliveries.dead()).items == ()


async def test_the_log_is_kept_as_long_as_was_said(store: Store, clock: ManualClock) -> None:
    """Also before the next commit says it again; a store that was not told keeps it until then."""
    leaving = await exported(clock, 0)
    assert leaving.log_keep_ms is not None
    told, untold = leaving, msgspec.structs.replace(leaving, conversation=conversation(1), log_keep_ms=None)
    await store.catalog.restore(told)
    await store.catalog.restore(untold)

    clock.advance(timedelta(milliseconds=leaving.log_keep_ms + 1_000))

    assert list(await store.turns.history(told.conversation)) == []
    assert [one.data for one in await store.turns.history(untold.conversation)] == [b"entry"]


async def test_when_the_first_commit_was_is_kept(store: Store, clock: ManualClock) -> None:
    """A fixed retention counts from there, and not from the first message."""
    leaving = msgspec.structs.replace(await exported(clock, 0), first_commit_ms=clock.now_ms() - 5_000)

    await store.catalog.restore(leaving)
    found = await store.catalog.export(leaving.conversation)

    assert found is not None
    assert found.first_commit_ms == leaving.first_commit_ms
