"""The Redis store keeps every promise of the ports, on a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.conformance.redis_servers import RedisServer
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.store import Store
from turnkeeper.stores.redis import RedisStore
from turnkeeper.testing import ManualClock, StoreConformance

_SERVERS: dict[str, RedisServer] = {}


@pytest.fixture(scope="module", autouse=True)
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep one server for all tests of this file."""
    _SERVERS["redis"] = RedisServer(tmp_path_factory.mktemp("redis"))
    yield
    _SERVERS.pop("redis").stop()


class TestRedis(StoreConformance):
    """Its server outlives it, several processes may use it, and it may evict."""

    abilities = frozenset({"restart", "second_process", "evict"})
    _databases: dict[Path, int] = {}

    def make_store(self, clock: ManualClock, path: Path) -> Store:
        """One database for each folder."""
        server = _SERVERS["redis"]
        if path not in self._databases:
            self._databases[path] = server.fresh()
        return RedisStore(server.url(self._databases[path]), clock=clock)

    async def evict(self, store: Store, conversation: ConversationId) -> None:
        """Delete the state's key, as a server does that is short of memory."""
        assert isinstance(store, RedisStore)
        server = _SERVERS["redis"]
        database = next(reversed(self._databases.values()))
        with Redis(unix_socket_path=str(server.socket), db=database) as client:
            assert client.delete(conversation.state_name) == 1
