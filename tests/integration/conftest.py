"""A Redis server for each file of integration tests that asks for one. A file that needs another has its own."""

from collections.abc import Iterator

import pytest

from tests.conformance.redis_servers import RedisServer
from tests.integration.redis_looks import Client


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
