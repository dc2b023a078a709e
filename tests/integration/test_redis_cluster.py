"""A cluster under load: slots that move, a primary that dies, scripts that are gone, and two round trips a turn."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.conformance.redis_groups import RedisClusterServers, until
from tests.conformance.redis_servers import RedisServer, free_port
from tests.integration.redis_load import WRITERS, connected, load, progress, stored
from turnkeeper.errors import ConfigurationError, StoreUnavailableError, StoreUnreadableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.turns import Begin, Commit, Committed, Granted, Incoming
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.connections.addresses import Address, parse_place
from turnkeeper.stores.redis.connections.multiplexer import Multiplexer
from turnkeeper.stores.redis.connections.topology import parse_slots
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.stores.redis.deployments.cluster import slot_of
from turnkeeper.stores.redis.deployments.wire import Command
from turnkeeper.stores.redis.layout.keys import CLUSTER_PARTITIONS, META, SLOTS, slot, tags
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.scenario import HOUR, MS, Talk, reply

pytestmark = pytest.mark.anyio

PEOPLE = 24
LARGE = bytes(range(256)) * 256
"""A state of 64 KB."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisClusterServers]:
    """Keep one cluster for the tests that leave it whole."""
    servers = RedisClusterServers(tmp_path_factory.mktemp("cluster"))
    yield servers
    servers.stop()


@pytest.fixture
async def store(servers: RedisClusterServers) -> AsyncIterator[RedisStore]:
    """Return a store on an empty cluster."""
    servers.flush()
    store = RedisStore(servers.url())
    await store.open()
    yield store
    await store.close()


async def turn(store: RedisStore, person: str, number: int) -> Granted:
    """Run one turn that counts; nothing of it may fail."""
    conversation = ConversationId(flow="shop", person=person)
    message = Incoming(id=f"{person}-{number}", payload=b"{}")
    grant = await store.turns.begin(
        Begin(conversation=conversation, token=f"t{person}-{number}", lease_ms=60_000, message=message)
    )
    assert isinstance(grant, Granted), grant
    commit = Commit(
        conversation=conversation, token=grant.token, fence=grant.fence, version=grant.version,
        generation=grant.generation, commit_id=f"c{person}-{number}", take=1, state=str(number).encode() * 2000,
        log=b"entry", reply=b"ok", effects=(reply(f"r{person}-{number}"),), next=False,
    )  # fmt: skip
    assert isinstance(await store.turns.commit(commit), Committed)
    return grant


async def test_a_handler_never_sees_that_a_slot_moves(servers: RedisClusterServers, store: RedisStore) -> None:
    """Turns go on while the slots of a third of all people move to another node and back: none fails, none is lost."""
    people = [f"+1555{n:04d}" for n in range(PEOPLE)]
    counts = dict.fromkeys(people, 0)
    over = asyncio.Event()

    async def talk(person: str) -> None:
        while not over.is_set():
            grant = await turn(store, person, counts[person] + 1)
            assert grant.version == counts[person]
            counts[person] += 1

    talking = [asyncio.create_task(talk(person)) for person in people]
    mine = [one for one in map(slot, (tag.encode() for tag in tags(CLUSTER_PARTITIONS))) if one < SLOTS // 3][:12]
    for source, target in ((0, 1), (1, 0)):
        for moving in mine:
            await asyncio.to_thread(servers.move_slot, moving, source=source, target=target, pause=0.02)
    over.set()
    await asyncio.gather(*talking)

    assert all(count > 10 for count in counts.values())
    for person, count in counts.items():
        assert (await turn(store, person, count + 1)).state == str(count).encode() * 2000


async def test_single_keys_follow_their_slot(servers: RedisClusterServers) -> None:
    """A key that has moved already is asked for at its new node, before the slot is there for good."""
    servers.flush()
    wire = open_wire(servers.url())
    acknowledged: dict[int, list[int]] = {writer: [] for writer in range(WRITERS)}
    async with load(wire, acknowledged) as errors:
        await progress(acknowledged, 10)
        for writer in range(WRITERS):
            home = on_node(writer)
            for source, target in ((home, (home + 1) % 3), ((home + 1) % 3, home)):
                moving = slot_of(f"{{w{writer}}}")
                await asyncio.to_thread(servers.move_slot, moving, source=source, target=target, pause=0.05)
        await progress(acknowledged, 10)

    assert errors == []
    assert await stored(wire) == acknowledged
    await wire.close()


async def test_scripts_that_are_gone_are_loaded_again_everywhere(
    servers: RedisClusterServers, store: RedisStore
) -> None:
    """Each node forgets them for itself."""
    for number in range(1, 4):
        for node in servers.nodes:
            with node.client() as client:
                client.script_flush()
        await asyncio.gather(*(turn(store, f"+1666{n:04d}", number) for n in range(PEOPLE)))


@pytest.mark.parametrize("state", [b"{}", LARGE], ids=["small", "64 KB"])
async def test_a_turn_is_two_round_trips_on_a_cluster(
    store: RedisStore, state: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all of a turn is on one node."""
    writes: list[tuple[str, list[Command]]] = []
    call = Multiplexer.call

    def noted(self: Multiplexer, commands: Sequence[Command]) -> "asyncio.Future[list[object]]":
        writes.append((self.url, list(commands)))
        return call(self, commands)

    talk = Talk(store, ManualClock())
    await talk.turn("warm")
    await talk.turn("up")
    monkeypatch.setattr(Multiplexer, "call", noted)
    for number in range(10):
        writes.clear()
        grant = await talk.take(f"m{number}")
        draft = talk.draft(grant, reply(f"r{number}"))
        await talk.apply(replace(draft, state=state, log=b"entry", reply=b"ok", retain_ms=HOUR // MS))

        assert len(writes) == 2
        assert len({url for url, _ in writes}) == 1


async def test_an_idle_look_is_one_write_to_each_node(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all partitions together: what an idle worker costs, once a second."""
    writes: list[str] = []
    flush = Multiplexer._flush  # noqa: SLF001 - where a loop tick's calls become one write

    def noted(self: Multiplexer) -> None:
        writes.append(self.url)
        flush(self)

    await store.deliveries.due(flows=["shop"])
    monkeypatch.setattr(Multiplexer, "_flush", noted)
    await store.deliveries.due(flows=["shop"])

    assert len(writes) == len(set(writes)) == 3


async def test_a_primary_that_dies_is_replaced_by_its_replica(tmp_path: Path) -> None:
    """What the replica acknowledged is there; the calls of the other nodes go on meanwhile."""
    servers = RedisClusterServers(tmp_path, replicas=True)
    try:
        wire = open_wire(servers.url(), durability="replica", proof_ms=300)
        acknowledged: dict[int, list[int]] = {writer: [] for writer in range(WRITERS)}
        async with load(wire, acknowledged):
            await progress(acknowledged, 50)
            servers.nodes[1].stop()
            await progress(acknowledged, 50, lively={writer for writer in range(WRITERS) if on_node(writer) != 1})
            with servers.nodes[4].client() as replica:
                await asyncio.to_thread(until, lambda: replica.info("replication")["role"] == "master", "the failover")
            servers.nodes[1].restart()  # empty, and now the replica, without which nothing is acknowledged
            await progress(acknowledged, 50)
        await connected(wire)

        found = await stored(wire)
        assert {on_node(writer) for writer in range(WRITERS)} == {0, 1, 2}
        assert all(set(acknowledged[writer]) <= set(found[writer]) for writer in range(WRITERS))
        await wire.close()
    finally:
        servers.stop()


def on_node(writer: int) -> int:
    """Return which primary has a writer's slot at first."""
    return min(slot_of(f"{{w{writer}}}") // (SLOTS // 3), 2)


async def test_a_node_that_is_away_does_not_hide_the_others(servers: RedisClusterServers) -> None:
    """Any node that answers tells where the others are."""
    url = servers.url().replace("://", "://127.0.0.1:1,")
    wire = open_wire(url)

    assert len(await wire.send_all([("PING",)])) == 3
    await wire.close()


async def test_cluster_and_single_server_are_told_apart(servers: RedisClusterServers, tmp_path: Path) -> None:
    """Each says how to write the other; nothing is written."""
    single = RedisServer(tmp_path, port=free_port())
    try:
        with pytest.raises(StoreUnreadableError, match=r"write redis\+cluster://"):
            await RedisStore(servers.nodes[0].tcp_url()).open()
        with pytest.raises(StoreUnreadableError, match="is no cluster"):
            await RedisStore(f"redis+cluster://127.0.0.1:{single.port}").open()
        with single.client() as client:
            assert client.dbsize() == 0
    finally:
        single.stop()


async def test_every_node_is_looked_at_before_it_is_used(servers: RedisClusterServers) -> None:
    """One that may evict what is in flight is enough to refuse all."""
    with servers.nodes[2].client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(StoreUnreadableError, match="maxmemory-policy allkeys-lru"):
                await RedisStore(servers.url()).open()
        finally:
            client.config_set("maxmemory-policy", "noeviction")


async def test_nobody_there_is_unavailable() -> None:
    """And may be there later."""
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        await open_wire("redis+cluster://127.0.0.1:1,127.0.0.1:2").open()


@pytest.mark.parametrize(
    ("url", "hosts", "plain"),
    [
        ("redis+cluster://h1", [("h1", 6379)], "redis://h1:6379/0"),
        ("valkeys+cluster://u:p%40@h1:1,h2", [("h1", 1), ("h2", 6379)], "rediss://u:p%40@h1:1/0"),
        (
            "redis+cluster://[::1]:7,[::2]/0?ssl_ca_certs=f",
            [("::1", 7), ("::2", 6379)],
            "redis://[::1]:7/0?ssl_ca_certs=f",
        ),
        ("redis+sentinel://h1,h2:5/turns", [("h1", 26379), ("h2", 5)], "redis://h1:26379/0"),
        ("rediss+sentinel://:p@h1/turns/3?sentinel_password=q", [("h1", 26379)], "rediss://:p@h1:26379/3"),
    ],
)
def test_a_url_names_several_hosts(url: str, hosts: list[tuple[str, int]], plain: str) -> None:
    """With or without ports, users, parameters and a service."""
    place = parse_place(url)

    assert [(one.host, one.port) for one in place.hosts] == hosts
    assert place.plain == plain
    assert "q" not in place.url.partition("?")[2].partition("=")[2]


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://", "redis+cluster://h1,,h2", "redis+cluster://h1:0", "redis+cluster://h1/3",
        "redis+sentinel://h1", "redis+sentinel://h1/turns/x", "redis+sentinel://h1/turns/0/more", "redis+other://h1",
    ],
)  # fmt: skip
def test_a_url_of_several_hosts_that_cannot_be_read_says_how_it_is_written(url: str) -> None:
    """Before anything is connected."""
    with pytest.raises(ConfigurationError, match=r"write|is no host"):
        parse_place(url)


def test_the_slot_is_that_of_the_hash_tag() -> None:
    """As Redis Cluster's specification has it: the first pair of braces with something between."""
    assert slot_of("{p1}:h:a") == slot_of("{p1}:i:b") == slot(b"p1")
    assert slot_of("a{}b") == slot(b"a{}b")
    assert slot_of("a{b}{c}") == slot(b"b")
    assert slot_of(META) == slot(META.encode())


def test_a_node_without_a_name_is_where_it_was_asked() -> None:
    """A node that was never met by another does not know its own address."""
    said = [[0, 5, [b"", 7000, b"id"], [b"10.0.0.2", 7001, b"id"]], [6, 8, [b"10.0.0.3", 7002, b"id"]]]
    slots = parse_slots(said, Address("10.0.0.1", 7000))

    assert slots[:10] == [Address("10.0.0.1", 7000)] * 6 + [Address("10.0.0.3", 7002)] * 3 + [None]
