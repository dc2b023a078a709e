"""What integration tests share: a Redis server for each file of tests, an SQLite store for each test. Or their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_servers import RedisServer
from tests.integration.redis_looks import Client
from tests.integration.sqlite_gate import Gate, held_commits
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.scenario import Talk


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Keep one server for all tests of a file that do not change its settings."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def database(server: RedisServer) -> int:
    """Return the number of an empty database."""
    return server.fresh()


@pytest.fixture
def client(server: RedisServer, database: int) -> Iterator[Client]:
    """Look at the database from outside."""
    with server.client(database) as client:
        yield client


@pytest.fixture
async def talk(server: RedisServer, database: int) -> AsyncIterator[Talk]:
    """Return a conversation on a Redis store that follows a clock of the test."""
    clock = ManualClock()
    store = RedisStore(server.url(database), clock=clock)
    yield Talk(store, clock)
    await store.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the SQLite store's file is."""
    return tmp_path / "store.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[SqliteStore]:
    """Give the test an open store."""
    store = SqliteStore(file)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Hold the first commit until the test opens the gate."""
    with held_commits() as gate:
        yield gate
