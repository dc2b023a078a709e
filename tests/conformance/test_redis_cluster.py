"""The Redis store keeps every promise of the ports on a cluster of three nodes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_groups import RedisClusterServers
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.store import Store
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.testing import ManualClock, StoreConformance

_CLUSTERS: list[RedisClusterServers] = []


@pytest.fixture(scope="module", autouse=True)
def _clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep two clusters for all tests of this file: a cluster has one database, and some tests want two stores."""
    _CLUSTERS.extend(RedisClusterServers(tmp_path_factory.mktemp(name)) for name in ("here", "there"))
    yield
    while _CLUSTERS:
        _CLUSTERS.pop().stop()


class TestRedisCluster(StoreConformance):
    """Its servers outlive it, several processes may use them, and they may evict."""

    abilities = frozenset({"restart", "second_process", "evict"})
    _places: dict[Path, RedisClusterServers] = {}

    def make_store(self, clock: ManualClock, path: Path) -> Store:
        """Each folder gets the cluster that was not used last, emptied."""
        if path not in self._places:
            self._places[path] = _CLUSTERS[len(self._places) % 2]
            self._places[path].flush()
        cluster = self._places[path]
        return RedisStore("redis://cluster", clock=clock, wire=open_wire(cluster.url()))

    async def evict(self, store: Store, conversation: ConversationId) -> None:
        """Delete the state's key, as a server does that is short of memory."""
        assert isinstance(store, RedisStore)
        deleted = 0
        for node in next(reversed(self._places.values())).nodes:
            with node.client() as client:
                deleted += sum(client.delete(key) for key in client.keys(f"{{*}}:{conversation.state_name}"))
        assert deleted == 1
