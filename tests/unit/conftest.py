"""One Redis server for every unit test that asks for one."""

from collections.abc import Iterator

import pytest

from tests.conformance.redis_servers import RedisServer


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a real server; each test takes a database of its own from `fresh`."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()
