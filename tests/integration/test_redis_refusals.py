"""A server that is not ours, is full, or evicts: each case says what is wrong and what to do, and destroys nothing."""

import os
import re

import pytest
from msgspec.structs import replace
from redis import Redis

from tests.conformance.redis_servers import RedisServer, carried_server, newest_server, server_program
from tests.integration.redis_looks import LARGE, STATE, Client, head
from turnkeeper.errors import (
    ConfigurationError,
    StoreFullError,
    StoreNewerError,
    StoreUnavailableError,
    StoreUnreadableError,
)
from turnkeeper.ports.deliveries import Verdict
from turnkeeper.ports.turns import Committed, Duplicate
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.layout.keys import META
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.scenario import HOUR, MS, Talk, job, reply

pytestmark = pytest.mark.anyio

CONVERSATIONS = int(os.environ.get("TURNKEEPER_EVICTED", "400"))
"""How many share a server whose memory is cut; 20,000 take minutes."""


@pytest.mark.parametrize("policy", ["volatile-ttl", "volatile-lru"])
async def test_memory_cut_to_a_part_loses_nothing_in_flight(
    tmp_path_factory: pytest.TempPathFactory, policy: str
) -> None:
    """What was evicted is told as lost or begins anew, never half used; what is in flight is there."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--maxmemory-policy", policy)
    store = RedisStore(server.url())
    try:
        talks = [Talk(store, ManualClock(), person=f"p{number}") for number in range(CONVERSATIONS)]
        for number, one in enumerate(talks):
            effects = (reply("r"),) if number % 2 else ()
            draft = replace(one.draft(await one.take("m1"), *effects), state=LARGE[:8000], retain_ms=HOUR // MS)
            await one.apply(draft)
        with Redis(unix_socket_path=str(server.socket)) as client:
            client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 0.7))
            client.set("one more", "write, which makes the server evict")
            assert client.info("stats")["evicted_keys"] > 0
            client.config_set("maxmemory", 0)

        grants = [await one.take("m2") for one in talks]

        assert {(grant.lost, grant.state, grant.version) for grant in grants[1::2]} == {(False, LARGE[:8000], 1)}
        idle = {(grant.lost, grant.state is None, grant.version) for grant in grants[::2]}
        assert idle <= {(False, False, 1), (True, True, 1), (True, True, 0)}
        assert any(lost for lost, _, _ in idle)
    finally:
        await store.close()
        server.stop()


async def test_a_newer_schema_is_refused(server: RedisServer, database: int, client: Client) -> None:
    """And not touched."""
    client.hset(META, mapping={"schema": 99, "partitions": 16})

    with pytest.raises(StoreNewerError, match="99"):
        await RedisStore(server.url(database)).open()
    assert client.keys("*") == [META.encode()]


async def test_another_number_of_partitions_is_refused(server: RedisServer, database: int) -> None:
    """Only if somebody asks for it: without the parameter the store takes what is there."""
    first = RedisStore(server.url(database, partitions="8"))
    await Talk(first, ManualClock()).turn("m1")
    await first.close()

    with pytest.raises(ConfigurationError, match="8 partitions"):
        await RedisStore(server.url(database, partitions="16")).open()
    again = RedisStore(server.url(database))
    assert (await Talk(again, ManualClock()).take("m2")).version == 1
    await again.close()


async def test_a_foreign_meta_key_is_refused(server: RedisServer, database: int, client: Client) -> None:
    """Somebody else's database is left as it is."""
    client.set(META, "mine")

    with pytest.raises(StoreUnreadableError, match="holds something else"):
        await RedisStore(server.url(database)).open()
    assert client.get(META) == b"mine"


@pytest.mark.parametrize("partitions", ["0", "257", "99999", "-1", "many"])
async def test_a_number_of_partitions_that_cannot_be_is_refused(
    server: RedisServer, database: int, client: Client, partitions: str
) -> None:
    """Somebody changed it; what is there is left as it is."""
    client.hset(META, mapping={"schema": 1, "partitions": partitions})

    with pytest.raises(StoreUnreadableError, match="which Turnkeeper never wrote"):
        await RedisStore(server.url(database)).open()
    assert client.hget(META, "partitions") == partitions.encode()


KINDS = ["h", "i", "o", "l", "due:shop", "status:shop:open", "tick", "state"]
"""What a turn writes: head, inbox, effects, log, indexes."""


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_of_the_wrong_type_is_told_and_kept(talk: Talk, client: Client, kind: str) -> None:
    """In the middle of a turn: key and both types are named, and nothing of the conversation changes."""
    await talk.turn("m1", job("j0"))
    grant = await talk.take("m2")
    draft = replace(talk.draft(grant, job("j1")), log=b"entry")
    tag, _, name = head(client).decode().partition("h:")
    key = STATE if kind == "state" else tag + (kind if ":" in kind or kind == "tick" else f"{kind}:{name}")
    saved = client.dump(key)
    client.delete(key)
    client.sadd(key, "mine")
    watched = [each for each in client.keys("*") if each.split(b":")[1:2] not in ([b"due"], [b"tick"], [b"clock"])]
    before = {each: client.dump(each) for each in watched}

    with pytest.raises(StoreUnreadableError, match=f"{re.escape(key)}' is a set and should be a"):
        await talk.commit(draft)

    assert {each: client.dump(each) for each in watched} == before
    client.delete(key)
    if saved is not None:
        client.restore(key, 0, saved)
    assert await talk.apply(draft) == Committed(version=2)


@pytest.mark.parametrize("kind", ["h", "i", "due:shop", "state"])
async def test_a_message_meets_a_key_of_the_wrong_type(talk: Talk, client: Client, kind: str) -> None:
    """It is refused, and accepted when what stood there is gone."""
    await talk.turn("m1")
    tag, _, name = head(client).decode().partition("h:")
    key = STATE if kind == "state" else tag + (kind if ":" in kind else f"{kind}:{name}")
    saved = client.dump(key)
    client.delete(key)
    client.sadd(key, "mine")

    with pytest.raises(StoreUnreadableError, match="is a set and should be a"):
        await talk.begin("m2")

    assert client.smembers(key) == {b"mine"}
    client.delete(key)
    if saved is not None:
        client.restore(key, 0, saved)
    assert (await talk.take("m2")).messages[0].id == "m2"


async def test_a_value_of_other_code_under_a_new_states_name_is_told_and_kept(talk: Talk, client: Client) -> None:
    """As where a flow is given the names of data that an earlier program left: a turn would write over it."""
    client.set(STATE, b'{"name":"dishbee #26"}')

    for message_id in ("m1", "m2"):
        with pytest.raises(StoreUnreadableError, match=f"{re.escape(STATE)}' holds what Turnkeeper did not write"):
            await talk.begin(message_id)
        talk.clock.advance(HOUR)

    assert client.get(STATE) == b'{"name":"dishbee #26"}'
    client.rename(STATE, "theirs")
    grant = await talk.take("m3")
    assert (grant.messages[0].id, grant.version, grant.lost) == ("m1", 0, False)


async def test_a_head_that_somebody_else_wrote_is_told_and_kept(talk: Talk, client: Client) -> None:
    """A string, as a head is, but none of ours."""
    await talk.turn("m1")
    key = head(client)
    client.set(key, "mine")

    with pytest.raises(StoreUnreadableError, match="never wrote"):
        await talk.begin("m2")
    assert client.get(key) == b"mine"


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
async def test_a_server_that_evicts_what_is_in_flight_is_refused(
    tmp_path_factory: pytest.TempPathFactory, policy: str
) -> None:
    """Unless conversations may be lost at any time."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--maxmemory-policy", policy)
    try:
        with pytest.raises(StoreUnreadableError, match="volatile-ttl"):
            await RedisStore(server.url()).open()
        store = RedisStore(server.url(durability="cache"))
        await store.open()
        assert (await store.catalog.info()).durability == "cache"
        await store.close()
    finally:
        server.stop()


@pytest.mark.parametrize("program", [carried_server(), server_program(), newest_server()], ids=["6.2", "here", "8"])
async def test_a_server_that_may_not_write_says_that_nothing_was_written(
    tmp_path_factory: pytest.TempPathFactory, program: str
) -> None:
    """Too few replicas, or a replica itself: old servers say it in another way."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), program=program)
    store = RedisStore(server.url())
    talk = Talk(store, ManualClock())
    try:
        await talk.turn("m1")
        with Redis(unix_socket_path=str(server.socket)) as client:
            client.config_set("min-replicas-to-write", 1)
            with pytest.raises(StoreUnavailableError, match="nothing was written"):
                await talk.begin("m2")
            client.config_set("min-replicas-to-write", 0)
            grant = await talk.take("m2")
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
            with pytest.raises(StoreUnavailableError, match="nothing was written"):
                await talk.commit(talk.draft(grant))
            client.execute_command("REPLICAOF", "NO", "ONE")

        assert await talk.apply(talk.draft(grant)) == Committed(version=2)
    finally:
        await store.close()
        server.stop()


@pytest.mark.parametrize("size", [1_000, 64_000])
async def test_a_full_server_refuses_messages_and_still_drains(
    tmp_path_factory: pytest.TempPathFactory, size: int
) -> None:
    """Accepting writes nothing; renew, commit, claim, settle and release go on."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--maxmemory-policy", "noeviction")
    store = RedisStore(server.url())
    talk, other = Talk(store, ManualClock()), Talk(store, ManualClock(), person="+15550101")
    try:
        await talk.turn("m1", reply("r1"), job("j1"))
        await talk.post("m2")
        grant = await talk.take("m2")
        await other.post("n1")
        with Redis(unix_socket_path=str(server.socket)) as client:
            client.config_set("maxmemory", "1mb")
            size_before = client.dbsize()

            with pytest.raises(StoreFullError):
                await other.begin("n2")
            with pytest.raises(StoreFullError):
                await talk.other(person="new").begin("n1")

            assert client.dbsize() == size_before
        assert (await talk.renew(grant, memo=("step", b"result"))).held
        effects = (reply("r2"), job("j2"))
        state = LARGE[:size]
        committed = await talk.apply(replace(talk.draft(grant, *effects), state=state, log=b"entry"))
        assert committed.version == 2
        claim = await talk.claimed()
        for entry in claim.entries:
            assert (await talk.settle(entry.id, Verdict.DONE)).held
        await talk.claimed("j1")
        assert (await talk.settle("j1", Verdict.DEAD, name="j1")).held
        taken = await other.take()
        assert await other.release(taken)
        assert await talk.begin("m1") == Duplicate(done=True)
        assert (await store.catalog.export(talk.conversation)) is not None
    finally:
        await store.close()
        server.stop()
