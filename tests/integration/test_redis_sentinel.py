"""A primary that dies under load: who is found in its place, and what of the acknowledged writes is there."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_groups import SERVICE, RedisSentinelServers
from tests.integration.redis_load import SOON, WRITERS, connected, load, progress, stored
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, StoreUnavailableError, StoreUnreadableError
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.connections.proving import Durability
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.stores.urls import examine_store

pytestmark = pytest.mark.anyio


@pytest.fixture
def group(tmp_path: Path) -> Iterator[RedisSentinelServers]:
    """Return servers of which a test may kill one."""
    group = RedisSentinelServers(tmp_path)
    yield group
    group.stop()


async def test_what_replicas_acknowledged_survives_the_primary(
    group: RedisSentinelServers, caplog: pytest.LogCaptureFixture
) -> None:
    """At `replica` nothing that was acknowledged is lost; the change is told once, in the log and as a number."""
    wire = open_wire(group.url(), durability="replica", proof_ms=300)
    acknowledged: dict[int, list[int]] = {writer: [] for writer in range(WRITERS)}
    old = group.primary()
    with caplog.at_level(logging.WARNING, logger="turnkeeper"):
        async with load(wire, acknowledged):
            await progress(acknowledged, 100)
            old.stop()
            await asyncio.to_thread(group.until_failed_over, old)
            await progress(acknowledged, 100)

    found = await stored(wire)
    assert all(set(acknowledged[writer]) <= set(found[writer]) for writer in range(WRITERS))
    assert wire.primary_changes >= 1  # a busy machine makes the sentinels change their minds more than once
    assert [record.message for record in caplog.records].count("redis.primary_changed") == wire.primary_changes
    await wire.close()


@pytest.mark.parametrize("durability", ["memory", "replica"])
async def test_writes_behind_the_replicas_backs(group: RedisSentinelServers, durability: Durability) -> None:
    """Replicas that hear nothing: at `memory` the ends of lists are lost, and counted; at `replica` nothing is."""
    wire = open_wire(group.url(), durability=durability, proof_ms=100)
    acknowledged: dict[int, list[int]] = {writer: [] for writer in range(WRITERS)}
    old = group.primary()
    async with load(wire, acknowledged) as errors:
        await progress(acknowledged, 50)
        for replica in group.replicas():
            replica.pause()
        with old.client() as client:  # else the kernel keeps for them what they have not read yet
            client.execute_command("CLIENT KILL TYPE replica")
        before = {writer: len(numbers) for writer, numbers in acknowledged.items()}
        if durability == "memory":
            await progress(acknowledged, 50)
        else:
            async with asyncio.timeout(SOON):
                while not any(isinstance(error, OutcomeUnknownError) for error in errors):  # noqa: ASYNC110 - another task fills it
                    await asyncio.sleep(0.01)
        old.stop()
    for replica in group.servers:
        replica.resume()
    await asyncio.to_thread(group.until_failed_over, old)
    await connected(wire)

    found = await stored(wire)
    lost = sum(len(set(acknowledged[writer]) - set(found[writer])) for writer in range(WRITERS))
    assert all(found[writer] == list(range(1, len(found[writer]) + 1)) for writer in range(WRITERS))
    if durability == "memory":
        assert 0 < lost <= sum(len(acknowledged[writer]) - before[writer] // 2 for writer in range(WRITERS))
    else:
        assert lost == 0
    await wire.close()


async def test_a_primary_that_is_demoted_is_left(group: RedisSentinelServers) -> None:
    """An operator's failover: the old primary says READONLY or cuts, and the next calls reach the new one."""
    wire = open_wire(group.url())
    await wire.open()
    old = group.primary()
    with group.sentinels[0].client() as client:
        client.execute_command("SENTINEL FAILOVER", SERVICE)
    new = await asyncio.to_thread(group.until_failed_over, old)
    with old.client() as client:  # what the sentinels do too, eight seconds later
        client.replicaof("127.0.0.1", new.port)

    async with asyncio.timeout(SOON):
        while True:
            try:
                (reply,) = await wire.send([("SET", "a", "1")], key="")
            except (StoreUnavailableError, OutcomeUnknownError):
                reply = None
            with new.client() as client:
                if reply == b"OK" and client.get("a") == b"1":
                    break
            await asyncio.sleep(0.02)
    assert wire.primary_changes >= 1
    await wire.close()


async def test_a_dead_sentinel_is_passed_over(group: RedisSentinelServers) -> None:
    """One that answers is enough."""
    wire = open_wire(group.url())
    group.sentinels[0].stop()
    group.sentinels[1].pause()

    await wire.open()
    assert await wire.send([("PING",)], key="") == [b"PONG"]
    await wire.close()


async def test_sentinels_that_know_nothing_say_so(group: RedisSentinelServers) -> None:
    """A wrong service, servers in place of sentinels, and nobody at all."""
    with pytest.raises(StoreUnavailableError, match="no sentinel knows a primary of 'other'"):
        await open_wire(group.url().replace(SERVICE, "other")).open()
    with pytest.raises(ConfigurationError, match="only sentinels as hosts"):
        await open_wire(f"redis+sentinel://127.0.0.1:{group.servers[0].port}/{SERVICE}").open()
    with pytest.raises(StoreUnavailableError, match="no sentinel"):
        await open_wire(f"redis+sentinel://127.0.0.1:1/{SERVICE}").open()


async def test_sentinels_with_users_of_their_own(group: RedisSentinelServers) -> None:
    """The right that the documentation names is enough; without it, or with a wrong password, the text says so."""
    for sentinel in group.sentinels:
        with sentinel.client() as client:
            client.execute_command("ACL SETUSER looker on >s3cret/1 +sentinel|masters")
            client.execute_command("ACL SETUSER nobody on >s3cret/2 +ping")
            client.execute_command("ACL SETUSER default off")

    wire = open_wire(f"{group.url()}?sentinel_username=looker&sentinel_password=s3cret%2F1")
    assert await wire.send([("PING",)], key="") == [b"PONG"]
    await wire.close()
    for name, password, told in (
        ("looker", "s3cret%2F9", "refused the user or password"),
        ("nobody", "s3cret%2F2", r"\+sentinel\|masters"),
        ("", "", "sentinel_password="),
    ):
        with pytest.raises(StoreUnreadableError, match=told) as caught:
            await open_wire(f"{group.url()}?sentinel_username={name}&sentinel_password={password}").open()
        assert "s3cret" not in str(caught.value)


async def test_a_sentinel_that_is_taken_for_a_server_says_what_to_write(group: RedisSentinelServers) -> None:
    """Its port is one digit away; the doctor says the same, and so does whoever takes it for a cluster."""
    (host,) = group.url().partition("://")[2].partition("/")[0].split(",")[:1]
    with pytest.raises(StoreUnreadableError, match=r"is a sentinel.*redis\+sentinel://"):
        await RedisStore(f"redis://{host}/0").open()
    with pytest.raises(StoreUnreadableError, match=r"is a sentinel.*redis\+sentinel://"):
        await examine_store(f"redis://{host}/0")
    with pytest.raises(StoreUnreadableError, match="is no cluster"):
        await RedisStore(f"redis+cluster://{host}").open()
