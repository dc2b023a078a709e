"""A store that is too small moves into a cluster, and back out of it; `doctor` looks at groups of servers too."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.conformance.redis_groups import RedisClusterServers, RedisSentinelServers
from tests.integration.migration_states import documents, fill, is_empty, snapshot
from tests.integration.server_process import run_cli
from turnkeeper.operations.migration import Plan, migrate
from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.clock import SystemClock
from turnkeeper.stores.urls import open_store

pytestmark = pytest.mark.anyio

COUNT = 60


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisClusterServers]:
    """Return three nodes."""
    servers = RedisClusterServers(tmp_path_factory.mktemp("cluster"))
    yield servers
    servers.stop()


def unfenced(conversations: dict[str, Exported | None]) -> dict[str, Exported | None]:
    """Return conversations without their fences, which a store never gives twice, and the marks that tell of them."""
    return {key: one and msgspec.structs.replace(one, fence=0, mark="") for key, one in conversations.items()}


async def test_there_and_back_again(tmp_path: Path, cluster: RedisClusterServers) -> None:
    """Every conversation in every state lands on its node, and returns as it was."""
    cluster.flush()
    here, there = open_store(f"sqlite:///{tmp_path}/here.db"), open_store(cluster.url())
    plan = Plan(collections=("session",))
    await fill(here, COUNT)
    before, papers = unfenced(await snapshot(here, COUNT)), await documents(here)

    moved = await migrate(here, there, plan, clock=SystemClock())
    left = await is_empty(here, COUNT)
    returned = await migrate(there, here, plan, clock=SystemClock())
    after = unfenced(await snapshot(here, COUNT)), await documents(here), await is_empty(there, COUNT)
    await here.close()
    await there.close()

    assert (moved.is_complete, returned.is_complete, left) == (True, True, True)
    assert after == (before, papers, True)


def examined(folder: Path, url: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit status and the findings by their names."""
    done = run_cli(folder, "doctor", "--store", url, "--json")
    assert not done.stderr
    return done.returncode, {one["check"]: one for one in json.loads(done.stdout)["findings"]}


async def test_the_doctor_looks_at_a_cluster(tmp_path: Path, cluster: RedisClusterServers) -> None:
    """All slots are there, and our partitions spread over the nodes."""
    cluster.flush()
    store = open_store(cluster.url())
    await fill(store, 20, large=False)
    await store.close()

    _, found = examined(tmp_path, cluster.url())

    assert (found["cluster"]["level"], found["cluster"]["found"]) == ("ok", "ok, 16384 slots")
    assert found["spread"]["level"] == "ok"
    assert found["schema"]["found"] == "schema 1, 64 partitions"
    assert found["write"]["level"] in {"ok", "warn"}
    assert found["rights"]["level"] == "ok"


async def test_the_doctor_looks_at_every_node_of_a_cluster(tmp_path: Path, cluster: RedisClusterServers) -> None:
    """One that may evict what is in flight is as dangerous as all of them, whichever it is."""
    told = []
    for node in cluster.nodes:
        with node.client() as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
            status, found = examined(tmp_path, cluster.url())
            client.config_set("maxmemory-policy", "noeviction")
        told.append((status, found["eviction"]["level"]))

    assert told == [(1, "danger")] * len(cluster.nodes)


async def test_the_doctor_refuses_a_node_that_was_not_asked_as_a_cluster(
    tmp_path: Path, cluster: RedisClusterServers
) -> None:
    """As the store does; also the node that has the keys which it looks at."""
    told = [run_cli(tmp_path, "doctor", "--store", node.tcp_url()) for node in cluster.nodes]

    assert {done.returncode for done in told} == {2}
    assert all("write redis+cluster://" in done.stderr for done in told)


async def test_the_doctor_looks_at_a_primary_with_replicas(tmp_path: Path) -> None:
    """It finds the primary through the sentinels, and says how far the replicas are."""
    servers = RedisSentinelServers(tmp_path)
    try:
        status, found = examined(tmp_path, f"{servers.url()}?durability=replica")
    finally:
        servers.stop()

    assert found["replicas"]["level"] == "ok"
    assert found["replicas"]["found"].count("online") == 2
    assert found["durability"]["found"].startswith("replica: ")
    assert status in {0, 1}
