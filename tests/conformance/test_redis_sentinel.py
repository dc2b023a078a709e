"""The Redis store keeps every promise of the ports through sentinels, on a primary with two replicas."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_groups import RedisSentinelServers
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.store import Store
from turnkeeper.stores.redis import RedisStore
from turnkeeper.testing import ManualClock, StoreConformance

_GROUPS: list[RedisSentinelServers] = []


@pytest.fixture(scope="module", autouse=True)
def _group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep one group for all tests of this file."""
    _GROUPS.append(RedisSentinelServers(tmp_path_factory.mktemp("sentinel")))
    yield
    _GROUPS.pop().stop()


class TestRedisSentinel(StoreConformance):
    """Its servers outlive it, several processes may use them, and they may evict."""

    abilities = frozenset({"restart", "second_process", "evict"})
    _databases: dict[Path, int] = {}

    def make_store(self, clock: ManualClock, path: Path) -> Store:
        """One database for each folder."""
        (group,) = _GROUPS
        if path not in self._databases:
            self._databases[path] = group.servers[0].fresh()
        return RedisStore(group.url(self._databases[path]), clock=clock)

    async def evict(self, store: Store, conversation: ConversationId) -> None:
        """Delete the state's key, as a server does that is short of memory."""
        assert isinstance(store, RedisStore)
        with _GROUPS[0].primary().client(next(reversed(self._databases.values()))) as client:
            assert client.delete(conversation.state_name) == 1
