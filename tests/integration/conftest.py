"""What integration tests share: a Redis server for each file of tests, an SQLite store for each test. Or their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_servers import RedisServer
from tests.integration.redis_looks import Client
from tests.integration.sqlite_gate import Gate, held_commits
from turnkeeper.stores.sqlite import SqliteStore


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
