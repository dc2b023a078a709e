"""Who takes a server's place is looked at before anything is sent to it, as the first one was at start-up."""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.conformance.redis_groups import RedisClusterServers, RedisSentinelServers, until
from tests.conformance.redis_servers import RedisServer
from tests.integration.notebook import flow
from tests.integration.redis_load import SOON, refused, works
from tests.integration.test_web_health import ask
from turnkeeper.app import App
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, StoreUnavailableError
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.connections.server import Server
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.stores.redis.layout.keys import META
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.scenario import Talk

pytestmark = pytest.mark.anyio


@pytest.fixture
def group(tmp_path: Path) -> Iterator[RedisSentinelServers]:
    """Return servers of which a test kills one."""
    group = RedisSentinelServers(tmp_path)
    yield group
    group.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a server that keeps nothing."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
async def store(server: RedisServer) -> AsyncIterator[RedisStore]:
    """Return a store that is divided into another number of partitions than usual."""
    store = RedisStore(server.url(partitions="8"))
    await Talk(store, ManualClock()).turn("m1")
    yield store
    await store.close()


async def test_a_new_primary_that_evicts_what_is_in_flight_gets_nothing(
    group: RedisSentinelServers, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls, health and log say why; it is used as soon as somebody has mended it."""
    for replica in group.replicas():
        with replica.client() as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
    app = App(flow, store=group.url())
    async with app.running():
        talk = Talk(app.store, ManualClock())
        await talk.turn("m1")
        old = group.primary()
        with old.client() as client:
            until(lambda: client.wait(2, 100) == 2, "the replication")
        old.stop()
        new = await asyncio.to_thread(group.until_failed_over, old)
        with new.client() as client:
            before = client.dbsize()
            await refused(lambda: talk.begin("m2"), "maxmemory-policy allkeys-lru")
            health = await ask(app)
            size = client.dbsize()
            client.config_set("maxmemory-policy", "volatile-ttl")
        await works(lambda: talk.take("m2"))
        mended = await ask(app)

    assert size == before
    assert (health.status_code, mended.status_code) == (503, 200)
    assert "maxmemory-policy allkeys-lru" in health.json()["reason"]
    refusals = [one for one in caplog.records if one.message == "redis.primary_refused"]
    assert len(refusals) == 1
    assert refusals[0].levelno == logging.ERROR


async def test_a_node_of_a_cluster_that_takes_over_is_looked_at_too(tmp_path: Path) -> None:
    """The others go on; the change counts once it is accepted."""
    cluster = RedisClusterServers(tmp_path, replicas=True)
    store = RedisStore(cluster.url())
    try:
        await store.open()
        wire = store._medium.wire  # noqa: SLF001 - no port tells it without asking the node that is away
        people = [Talk(store, ManualClock(), person=f"p{number}") for number in range(12)]
        for one in people:
            await one.turn("m1")
        with cluster.nodes[3].client() as heir:
            heir.config_set("maxmemory-policy", "allkeys-random")
            cluster.nodes[0].stop()
            until(lambda: heir.info("replication")["role"] == "master", "the failover")
            fates = [asyncio.create_task(_fate(one)) for one in people]
            told = await asyncio.gather(*fates)
            before = wire.primary_changes
            heir.config_set("maxmemory-policy", "noeviction")
            for one in people:
                await works(functools.partial(one.take, "m3"))
        assert set(told) == {"taken", "refused"}
        assert (before, wire.primary_changes, wire.restarts) == (0, 1, 0)
    finally:
        await store.close()
        cluster.stop()


async def _fate(talk: Talk) -> str:
    """Return whether a message was taken in the end, or refused by a server that evicts."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                await talk.turn("m2")
            except (StoreUnavailableError, OutcomeUnknownError) as exc:
                if "maxmemory-policy" in str(exc):
                    return "refused"
                await asyncio.sleep(0.05)
            else:
                return "taken"


async def test_a_server_that_comes_back_empty_is_told_how_it_is_divided(
    server: RedisServer, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever opens it next finds the same conversations as those who stayed, whatever their URL leaves out."""
    server.stop()
    server.restart()
    staying = Talk(store, ManualClock())
    await works(lambda: staying.turn("m2"))
    newcomer = RedisStore(server.url())

    assert (await Talk(newcomer, ManualClock()).take("m3")).version == 1
    facts = (await store.catalog.info()).facts
    assert (facts["primary_changes"], facts["restarts"]) == (0, 1)
    assert "redis.server_restarted" in {one.message for one in caplog.records}
    assert "redis.primary_changed" not in {one.message for one in caplog.records}
    await newcomer.close()


async def test_a_database_that_is_divided_otherwise_gets_nothing(server: RedisServer, store: RedisStore) -> None:
    """Somebody put another one in its place: half of the conversations would seem to be gone."""
    with server.client() as client:
        client.flushall()
        client.hset(META, mapping={"schema": 1, "partitions": 4})
        client.execute_command("CLIENT KILL TYPE normal SKIPME yes")
        await refused(lambda: Talk(store, ManualClock()).begin("m2"), "(1, 4)")
        assert client.keys("*") == [META.encode()]


async def test_an_opened_store_finds_out_again_how_it_is_divided(server: RedisServer, store: RedisStore) -> None:
    """What was closed may be opened on another database."""
    await store.close()
    with server.client() as client:
        client.flushall()
    other = RedisStore(server.url(partitions="4"))
    await Talk(other, ManualClock()).turn("m1")
    await other.close()

    with pytest.raises(ConfigurationError, match="divided into 4 partitions"):
        await store.open()


OLD = Server(
    url="redis://h", version=(7, 0), run_id="a", role="master", replicas=0, has_aof=True, fsync=None, history="h1",
    started=10.0, seen=100.0,
)  # fmt: skip
NEW = replace(OLD, run_id="b", history="h2")


@pytest.mark.parametrize(
    ("after", "is_other"),
    [
        (replace(NEW, started=200.0), False),
        (replace(NEW, former_history="h1", started=200.0), False),
        (replace(NEW, former_history="h1", started=50.0), True),
        (replace(NEW, former_history="h1", started=99.5), False),
        (replace(NEW, url="redis://other", started=200.0), True),
    ],
    ids=["killed and restarted", "stopped and restarted", "a replica took over", "restarted at once", "elsewhere"],
)
def test_a_restart_is_told_from_another_server(after: Server, *, is_other: bool) -> None:
    """By address, by whose data it has, and by whether it ran already when the old one was seen."""
    assert after.took_over(OLD) is is_other


async def test_a_wire_without_terms_asks_for_nothing(server: RedisServer) -> None:
    """The doctor looks at servers that no store would use, and writes nothing into them."""
    with server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        wire = open_wire(server.url())
        assert await wire.send([("PING",)], key="") == [b"PONG"]
        assert client.keys("*") == []
    await wire.close()
