"""Durability levels: an answer counts when servers and disks of its level have the write, and is else repeated."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conformance.redis_groups import until
from tests.conformance.redis_servers import RedisServer, free_port
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, StoreUnavailableError, StoreUnreadableError
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.connections.multiplexer import Multiplexer
from turnkeeper.stores.redis.connections.proving import LOSES, PROVEN, Durability, Proof
from turnkeeper.stores.redis.connections.server import Server
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.scenario import Talk, reply

pytestmark = pytest.mark.anyio

KEY = "{w}:"
PROOF_MS = 100
"""Where a proof is missing."""

LONG_MS = 5000
"""Where there is one, however busy the machine."""


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a server with one replica, which is in step."""
    for name in ("primary", "replica"):
        (tmp_path / name).mkdir()
    quick = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--appendonly", "yes")
    primary = RedisServer(tmp_path / "primary", *quick, "--appendfsync", "always", port=free_port())
    try:
        following = ("--replicaof", "127.0.0.1", str(primary.port))
        replica = replicas[primary.port] = RedisServer(tmp_path / "replica", *quick, *following, port=free_port())
        with primary.client() as client:
            until(lambda: client.wait(1, 1000) == 1, "the replication")
        yield primary
        replica.resume()
        replica.stop()
    finally:
        primary.stop()


replicas: dict[int, RedisServer] = {}
"""The replica of each primary."""


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[Command]]:
    """Return what leaves on any connection, write by write."""
    seen: list[list[Command]] = []
    call = Multiplexer.call

    def noted(self: Multiplexer, commands: Sequence[Command]) -> "asyncio.Future[list[object]]":
        seen.append(list(commands))
        return call(self, commands)

    monkeypatch.setattr(Multiplexer, "call", noted)
    return seen


async def test_an_answer_waits_for_the_replica(primary: RedisServer) -> None:
    """It is there when the caller hears of it."""
    wire = open_wire(primary.url(), durability="replica", proof_ms=LONG_MS)
    assert await wire.send([("SET", f"{KEY}a", "1")], key=KEY, durable=True) == [b"OK"]

    with replicas[primary.port].client() as client:
        assert client.get(f"{KEY}a") == b"1"
    await wire.close()


async def test_disk_and_replica_together(primary: RedisServer) -> None:
    """With the waiting times of the level, also where the replica syncs once a second."""
    wire = open_wire(primary.url(), durability="disk+replica")
    assert await wire.send([("SET", f"{KEY}a", "1")], key=KEY, durable=True) == [b"OK"]

    with replicas[primary.port].client() as client:
        assert client.get(f"{KEY}a") == b"1"
    await wire.close()


async def test_a_replica_that_stands_still_makes_the_outcome_unknown(primary: RedisServer) -> None:
    """The write stands; a repeat on another connection is proven anew, although it changes nothing itself."""
    wire = open_wire(primary.url(), durability="replica", proof_ms=PROOF_MS)
    replica = replicas[primary.port]
    await wire.open()
    replica.pause()
    with pytest.raises(OutcomeUnknownError, match="0 of 1 replicas have it after 100 ms"):
        await wire.send([("SET", f"{KEY}a", "1")], key=KEY, durable=True)
    await wire.close()
    with pytest.raises(OutcomeUnknownError, match="0 of 1 replicas"):
        await wire.send([("EXISTS", f"{KEY}a")], key=KEY, durable=True)
    undurable = await wire.send([("EXISTS", f"{KEY}a")], key=KEY)
    await wire.close()
    replica.resume()
    wire = open_wire(primary.url(), durability="replica", proof_ms=LONG_MS)

    assert undurable == [1]
    assert await wire.send([("EXISTS", f"{KEY}a")], key=KEY, durable=True) == [1]
    await wire.close()


async def test_one_wait_serves_all_that_was_asked_for_meanwhile(
    primary: RedisServer, batches: list[list[Command]]
) -> None:
    """And it stands on a connection of its own, so that reads do not wait behind it."""
    wire = open_wire(primary.url(), durability="replica", proof_ms=LONG_MS)
    await wire.open()
    batches.clear()
    first = asyncio.ensure_future(wire.send([("SET", f"{KEY}0", "x")], key=KEY, durable=True))
    await asyncio.sleep(0)
    rest = [asyncio.ensure_future(wire.send([("SET", f"{KEY}{n}", "x")], key=KEY, durable=True)) for n in range(1, 33)]
    await asyncio.gather(first, *rest)

    waits = [batch for batch in batches if any(command[0] == "WAIT" for command in batch)]
    assert 1 <= len(waits) <= 2
    assert sum(command[0] == "SET" for batch in waits for command in batch) == 33
    assert all(batch[-1] == ("WAIT", 1, LONG_MS) and batch[-2][0] == "EVAL" for batch in waits)
    await wire.close()


async def test_a_call_that_was_refused_whole_needs_no_proof(primary: RedisServer) -> None:
    """Its answer says what is wrong, at once."""
    wire = open_wire(primary.url(), durability="replica", proof_ms=PROOF_MS)
    await wire.open()
    replicas[primary.port].pause()
    (reply,) = await wire.send([("EVALSHA", "0" * 40, 0)], key=KEY, durable=True)

    assert isinstance(reply, ErrorReply)
    assert reply.code == "NOSCRIPT"
    await wire.close()


async def test_a_full_server_still_proves_what_it_drains(primary: RedisServer) -> None:
    """What is written in front of a WAIT is nothing that a full memory refuses."""
    wire = open_wire(primary.url(), durability="replica", proof_ms=LONG_MS)
    await wire.send([("SET", f"{KEY}a", "1")], key=KEY, durable=True)
    with primary.client() as client:
        client.config_set("maxmemory", 1)

    assert await wire.send([("DEL", f"{KEY}a")], key=KEY, durable=True) == [1]
    assert isinstance((await wire.send([("SET", f"{KEY}b", "1")], key=KEY, durable=True))[0], ErrorReply)
    await wire.close()


async def test_a_claim_counts_when_the_replica_has_it(primary: RedisServer) -> None:
    """Else a failover could forget it, and its reply would go out again without a mark."""
    url = primary.url(primary.fresh())
    talk = Talk(RedisStore(url, wire=open_wire(url, durability="replica", proof_ms=LONG_MS)), ManualClock())
    await talk.turn("m1", reply("r1"))
    hasty = Talk(RedisStore(url, wire=open_wire(url, durability="replica", proof_ms=PROOF_MS)), talk.clock)
    await hasty.store.open()

    replicas[primary.port].pause()

    with pytest.raises(OutcomeUnknownError, match="0 of 1 replicas"):
        await hasty.claimed()
    for each in (talk, hasty):
        await each.store.close()


async def test_a_replicas_address_is_refused(primary: RedisServer) -> None:
    """With what to write in its place; nothing was written."""
    with pytest.raises(StoreUnreadableError, match="give the address of its primary"):
        await RedisStore(replicas[primary.port].url()).open()


async def test_the_urls_number_of_replicas_counts(primary: RedisServer) -> None:
    """Also where the store is made from the URL alone."""
    store = RedisStore(primary.url(primary.fresh(), durability="replica", replicas="3"))

    with pytest.raises(StoreUnavailableError, match="needs 3"):
        await store.open()


async def test_without_replicas_the_level_is_refused_at_the_start(tmp_path: Path) -> None:
    """As something that may change: nothing was written."""
    server = RedisServer(tmp_path)
    try:
        with pytest.raises(StoreUnavailableError, match="has 0 replicas, and durability=replica needs 1"):
            await open_wire(server.url(), durability="replica").open()
        with pytest.raises(StoreUnreadableError, match="keeps no append-only file"):
            await open_wire(server.url(), durability="disk").open()
    finally:
        server.stop()


async def test_disk_without_waitaof_needs_a_sync_of_every_write(
    primary: RedisServer, batches: list[list[Command]]
) -> None:
    """With appendfsync always the answer itself is the proof, and everything goes as at `memory`."""
    wire = open_wire(primary.url(), durability="disk", proof_ms=LONG_MS)
    assert await wire.send([("SET", f"{KEY}a", "1")], key=KEY, durable=True) == [b"OK"]
    await wire.close()
    with primary.client() as client:
        is_newer = tuple(int(part) for part in client.info("server")["redis_version"].split(".")[:2]) >= (7, 2)
        client.config_set("appendfsync", "everysec")

    if not is_newer:
        assert ("SET", f"{KEY}a", "1") in batches[-1]
        assert len(batches[-1]) == 1
        with pytest.raises(StoreUnreadableError, match="appendfsync is everysec"):
            await wire.open()
    await wire.close()


async def test_a_killed_server_has_what_disk_acknowledged(primary: RedisServer) -> None:
    """After a restart nothing of it is missing."""
    wire = open_wire(primary.url(), durability="disk", answer_seconds=2)
    acknowledged: list[int] = []

    async def write() -> None:
        for number in range(10_000):
            try:
                await wire.send([("SADD", f"{KEY}all", number)], key=KEY, durable=True)
            except (OutcomeUnknownError, StoreUnavailableError):
                return
            acknowledged.append(number)

    writing = [asyncio.create_task(write())]
    while len(acknowledged) < 200:  # noqa: ASYNC110 - another task fills it
        await asyncio.sleep(0.001)
    primary.stop()
    await asyncio.gather(*writing)
    primary.restart()

    with primary.client() as client:
        assert {int(one) for one in client.smembers(f"{KEY}all")} >= set(acknowledged)
    await wire.close()


async def test_closing_lets_what_is_on_its_way_be_proven(primary: RedisServer) -> None:
    """Nobody is left waiting, and nobody is told less than is known."""
    wire = open_wire(primary.url(), durability="replica", proof_ms=LONG_MS)
    await wire.open()
    calls = [asyncio.ensure_future(wire.send([("SET", f"{KEY}{n}", "x")], key=KEY, durable=True)) for n in range(8)]
    await asyncio.sleep(0)
    await wire.close()

    assert await asyncio.gather(*calls) == [[b"OK"]] * 8


@pytest.mark.parametrize(
    ("durability", "version", "command", "enough", "short"),
    [
        ("replica", (6, 2), ("WAIT", 2, 1000), 2, 1),
        ("disk", (7, 2), ("WAITAOF", 1, 0, 1000), [1, 0], [0, 0]),
        ("disk", (7, 0), None, None, None),
        ("disk+replica", (7, 2), ("WAITAOF", 1, 2, 1000), [1, 2], [1, 1]),
        ("disk+replica", (7, 0), ("WAIT", 2, 1000), 2, 0),
    ],
)
def test_each_level_asks_for_its_own_proof(
    durability: Durability, version: tuple[int, int], command: Command | None, enough: object, short: object
) -> None:
    """As far as the server's version can give it."""
    proof = Proof(durability=durability, replicas=2)
    server = Server(
        url="redis://h", version=version, run_id="1", role="master", replicas=2, has_aof=True, fsync="always"
    )
    proof.check(server)

    assert proof.command(server) == command
    if command is not None:
        assert proof.missing(enough) == ""
        assert proof.missing(short)
        assert proof.missing(ErrorReply("NOPERM", "NOPERM no")) == "the server answered NOPERM no"


def test_each_level_says_what_it_loses() -> None:
    """All of them, also those that wait for nothing."""
    assert set(LOSES) == PROVEN | {"cache", "memory"}
    assert all(LOSES.values())


@pytest.mark.parametrize("replicas", [0, 17])
def test_a_number_of_replicas_that_cannot_be_is_refused(replicas: int) -> None:
    """Before anything is connected."""
    with pytest.raises(ConfigurationError, match="replicas is a number from 1 to 16"):
        open_wire("redis://127.0.0.1", durability="replica", replicas=replicas)
