"""SQLite answers every question as the memory store does, whatever happened before."""

from pathlib import Path

import pytest

from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.differential import compare, story

pytestmark = pytest.mark.anyio

STORIES = 20
"""Seeds that every run tells; a few seconds."""

STEPS = 250
"""Steps of a story: long enough for states to be forgotten and begun anew several times."""


def test_a_seed_always_tells_the_same_story() -> None:
    """A failure is repeated by its seed."""
    assert story(7, 50) == story(7, 50)
    assert story(7, 50) != story(8, 50)


@pytest.mark.parametrize("seed", range(STORIES))
async def test_sqlite_answers_as_memory_does(seed: int, tmp_path: Path) -> None:
    """The same steps on the same clock get the same answers."""
    clock = ManualClock()
    store = SqliteStore(tmp_path / "turnkeeper.db", clock=clock, durability="memory")
    try:
        await compare(MemoryStore(clock=clock), store, clock, seed=seed, length=STEPS)
    finally:
        await store.close()
