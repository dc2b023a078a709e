"""The three kinds of store that sessions, caches and mirrors are tested on."""

from pathlib import Path

import pytest

from turnkeeper.ports.store import Store
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.testing import ManualClock

KINDS = ("memory", "sqlite", "redis")


def make_store(request: pytest.FixtureRequest, clock: ManualClock, folder: Path) -> Store:
    """Return the store that a fixture's parameter names, with a time that the test moves."""
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        return RedisStore(server.url(server.fresh()), clock=clock)
    return MemoryStore(clock=clock) if request.param == "memory" else SqliteStore(folder / "s.db", clock=clock)
