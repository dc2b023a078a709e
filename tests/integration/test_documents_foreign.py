"""Data that other code wrote with plain redis-py: read as it is, changed without losing its writes, read by it."""

import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace
from redis import Redis

from tests.conformance.redis_servers import RedisServer
from turnkeeper import Struct, days, hours, minutes
from turnkeeper.documents import Cache, Fixed, Mirror, Preserved, Sessions, Sliding
from turnkeeper.errors import StateUndecodableError, StoreUnreadableError
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.stores.redis import RedisStore
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.scenario import Talk

pytestmark = pytest.mark.anyio

CALL = {"call_sid": "CA1", "customer_id": 2**70, "conversation_history": [], "collected_data": {}, "intent": "é"}


class Call(Struct):
    """A call as their code has it."""

    call_sid: str
    conversation_history: list[dict[str, Any]] = []
    intent: str = ""


class Customer(Struct):
    """A customer as their code has it."""

    id: int


def setex(theirs: Any, key: str, seconds: int, value: bytes | str) -> None:
    """Write as their code does; redis-py's own method for it warns that it is old."""
    theirs.execute_command("SETEX", key, seconds, value)


@pytest.fixture
async def theirs(server: RedisServer) -> AsyncIterator[Any]:
    """Return their client, on a database of its own."""
    with server.client(server.fresh()) as client:
        yield client


@pytest.fixture
async def store(server: RedisServer, theirs: Redis) -> AsyncIterator[RedisStore]:
    """Return our store on the same database."""
    opened = RedisStore(server.url(theirs.connection_pool.connection_kwargs["db"]))
    yield opened
    await opened.close()


async def test_a_session_of_theirs_is_read_and_updated_and_read_by_them(theirs: Any, store: RedisStore) -> None:
    """`session:{call_sid}`, written with SETEX: members that we do not know stay, and so does its time to live."""
    setex(theirs, "session:CA1", 3600, json.dumps(CALL))
    calls = Sessions(store, "session", Call, ttl=Preserved(hours(24)))
    found = await calls.get("CA1")
    remaining = await calls.remaining("CA1")
    before = theirs.pttl("session:CA1")
    await calls.update("CA1", {"intent": "book"})

    after = json.loads(theirs.get("session:CA1"))
    assert found == Call(call_sid="CA1", intent="é")
    assert remaining is not None
    assert minutes(59) < remaining <= minutes(60)
    assert before - 5_000 < theirs.pttl("session:CA1") <= before
    assert after == {**CALL, "intent": "book", "created_at": after["created_at"], "last_updated": after["last_updated"]}


async def test_a_key_without_an_end_keeps_none(theirs: Any, store: RedisStore) -> None:
    """What they keep for ever is not made mortal by an update of ours."""
    theirs.set("session:CA1", json.dumps(CALL))
    calls = Sessions(store, "session", Call, ttl=Preserved(hours(1)))
    await calls.update("CA1", {"intent": "book"})

    assert theirs.ttl("session:CA1") == -1


async def test_their_write_between_our_read_and_ours_is_not_lost(theirs: Any, store: RedisStore) -> None:
    """Whoever wrote the value before: they, or we."""
    calls = Sessions(store, "session", Call, ttl=Preserved(hours(1)))
    setex(theirs, "session:CA1", 3600, json.dumps(CALL))
    for said in ("one", "two"):

        def edited(call: Call, said: str = said) -> None:
            stored = json.loads(theirs.get("session:CA1"))
            if said not in stored.get("heard", []):  # they write while the first attempt computes
                setex(theirs, "session:CA1", 3600, json.dumps({**stored, "heard": [*stored.get("heard", []), said]}))
            call.intent = said

        await calls.edit("CA1", edited)

    stored = json.loads(theirs.get("session:CA1"))
    assert (stored["heard"], stored["intent"]) == (["one", "two"], "two")


async def test_the_time_that_they_gave_a_value_of_ours_counts(theirs: Any, store: RedisStore) -> None:
    """They write it anew with SETEX, or only call EXPIRE."""
    calls = Sessions(store, "session", Call, ttl=Preserved(hours(1)))
    await calls.set("CA1", Call(call_sid="CA1"))
    theirs.expire("session:CA1", 60)
    first = await calls.remaining("CA1")
    setex(theirs, "session:CA1", 7200, theirs.get("session:CA1"))
    second = await calls.remaining("CA1")

    assert first is not None
    assert second is not None
    assert minutes(0.9) < first <= minutes(1)
    assert hours(1.9) < second <= hours(2)


async def test_a_session_costs_one_key(theirs: Any, store: RedisStore) -> None:
    """Nothing stands beside it, and it can be read by eye; one key for all of them has the collection's name."""
    calls = Sessions(store, "conversation:state", Call, ttl=Sliding(hours(24)))
    for sid in ("é :1", "2"):
        await calls.set(sid, Call(call_sid="CA1"))
        await calls.get(sid)

    names = {key.decode() for key in theirs.scan_iter()}
    (noted,) = {name for name in names if name.startswith("{")}
    assert names - {"turnkeeper:meta", noted} == {"conversation:state:é :1", "conversation:state:2"}
    assert theirs.smembers(noted) == {b"conversation:state"}


async def test_a_customer_of_theirs_is_a_hit(theirs: Any, store: RedisStore) -> None:
    """`customer:{phone}` with `cached_at`, however they wrote that."""
    customers = Cache(store, "customer", Customer, ttl=Fixed(minutes(5)))
    for phone, cached_at in (("+1", "2026-03-02T09:00:00"), ("+2", 1767225600), ("+3", None)):
        setex(theirs, f"customer:{phone}", 300, json.dumps({"id": 7, "cached_at": cached_at}))

    async def nobody(_: str) -> Customer:
        raise AssertionError("the source was asked")

    found = [await customers.get_or_load(phone, nobody) for phone in ("+1", "+2", "+3")]
    assert found == [Customer(id=7)] * 3


async def test_a_customer_that_was_invalidated_is_none_to_them(theirs: Any, store: RedisStore) -> None:
    """What stands there for a minute, so that a load under way is not kept, is JSON's null to any code."""
    customers = Cache(store, "customer", Customer, ttl=Fixed(minutes(5)))
    setex(theirs, "customer:+1", 300, json.dumps({"id": 7}))
    stones = []
    for _ in range(2):
        await customers.invalidate("+1")
        stones.append(theirs.get("customer:+1"))

    assert [json.loads(stone) for stone in stones] == [None, None]
    assert stones[0] != stones[1]
    assert await customers.get("+1") is None
    assert 0 < theirs.pttl("customer:+1") <= 60_000


async def test_their_orders_are_mirrored(theirs: Any, store: RedisStore) -> None:
    """All of `order:*`, more than a page of it, with any id; nothing of another name, of another type or of glob's."""
    expected = {f"{n}": {"name": f"order {n}"} for n in range(700)}
    expected |= {one: {"name": one} for one in ("dishbee_02", "a b:c", "Zoë", "*", "[x]")}
    for order_id, order in expected.items():
        setex(theirs, f"order:{order_id}", 604800, json.dumps(order))
    theirs.set("orders:1", "{}")
    theirs.set("xorder:1", "{}")
    theirs.hset("order:hash", "a", "b")
    async with Mirror(store, "order", ttl=Preserved(days(7))) as orders:
        restored = copy.deepcopy(dict(orders))
        orders["5"]["status_history"] = [{"type": "assigned"}]
        await orders.flush()

    assert restored == expected
    assert json.loads(theirs.get("order:5")) == {"name": "order 5", "status_history": [{"type": "assigned"}]}
    assert 604_000 < theirs.ttl("order:5") <= 604_800


async def test_a_walk_tells_every_end_and_comes_to_all_names(theirs: Any, store: RedisStore) -> None:
    """Most keys are of others, some names are no text, and a page may be small: nothing is missed, no end is wrong."""
    for number in range(3000):
        theirs.set(f"other:{number}", "x")
    for number in range(40):
        setex(theirs, f"order:{number}", 100 + number, "{}")
    theirs.set("order:for ever", "{}")
    theirs.set("order:", "{}")
    theirs.set(b"order:\xff", "{}")
    now = int(theirs.time()[0]) * 1000
    cursor, found = None, dict[str, int | None]()
    while True:
        page = await store.documents.scan("order", cursor=cursor, limit=7)
        found |= {key.id: document.expires_ms for key, document in page.items}
        assert len(page.items) <= 7
        cursor = page.cursor
        if cursor is None:
            break

    assert found.pop("for ever") is None
    seconds = {name: ((ends or 0) - now) / 1000 for name, ends in found.items()}
    assert seconds == {f"{number}": pytest.approx(100 + number, abs=5) for number in range(40)}


@pytest.mark.parametrize("name", ["or*r", "or?er", "[o]rder", "or\\der"])
async def test_a_name_is_no_pattern(theirs: Any, store: RedisStore, name: str) -> None:
    """A collection's name is taken as it is written."""
    theirs.set("order:1", "{}")
    theirs.set(f"{name}:2", "{}")
    page = await store.documents.scan(name)

    assert [key.id for key, _ in page.items] == ["2"]


async def test_a_key_of_another_type_is_told_and_left_alone(theirs: Any, store: RedisStore) -> None:
    """Every way to it says which key it is; nothing overwrites it."""
    theirs.hset("session:CA1", "a", "b")
    calls = Sessions(store, "session", Call, ttl=Preserved(hours(1)))
    for attempt in (
        lambda: calls.get("CA1"),
        lambda: calls.set("CA1", Call(call_sid="CA1")),
        lambda: calls.update("CA1", {"intent": "x"}),
        lambda: calls.touch("CA1"),
        lambda: calls.delete("CA1"),
    ):
        with pytest.raises(StoreUnreadableError, match="session:CA1"):
            await attempt()

    assert theirs.hgetall("session:CA1") == {b"a": b"b"}


@pytest.mark.parametrize("value", [b"not json", b"\xff\x00", b"[1]", b'{"call_sid": 5}', b"", b'{"a": NaN}'])
async def test_a_value_that_is_no_session_is_told_and_left_alone(theirs: Any, store: RedisStore, value: bytes) -> None:
    """Reading and updating raise; the value stays."""
    theirs.set("session:CA1", value)
    calls = Sessions(store, "session", Call, ttl=Preserved(hours(1)))
    with pytest.raises(StateUndecodableError):
        await calls.get("CA1")
    with pytest.raises(StateUndecodableError):
        await calls.update("CA1", {"intent": "x"})

    assert theirs.get("session:CA1") == value


async def test_large_values_are_guarded_too(theirs: Any, store: RedisStore) -> None:
    """What is too large to pass through a script is staged, with the same check and the same time to live."""
    key = DocumentKey(collection="session", id="big")
    setex(theirs, "session:big", 3600, b"x" * 50_000)
    found = await store.documents.get(key)
    assert found is not None
    setex(theirs, "session:big", 3600, b"y" * 50_000)
    refused = await store.documents.put(key, b"z" * 50_000, check=found.etag)
    again = await store.documents.get(key)
    assert again is not None
    written = await store.documents.put(key, b"z" * 50_000, check=again.etag, ttl_ms=60_000)

    assert refused is None
    assert written is not None
    assert theirs.get("session:big") == b"z" * 50_000
    assert 50_000 < theirs.pttl("session:big") <= 60_000


async def test_a_state_that_a_tool_wrote_again_is_still_the_state(theirs: Any, store: RedisStore) -> None:
    """Read, changed and dumped with spaces, with indents, or with its members in another order."""
    talk = Talk(store, ManualClock())
    talk.conversation = replace(talk.conversation, state_key="order:17")
    await talk.apply(replace(talk.draft(await talk.take("m1")), state=b'{"status":"open","items":[1]}'))
    ways: list[dict[str, Any]] = [{}, {"indent": 2}, {"sort_keys": True}]
    for at, way in enumerate(ways):
        value = json.loads(theirs.get("order:17")) | {"items": [at]}
        theirs.set("order:17", json.dumps(value, **way))
        exported = await store.catalog.export(talk.conversation)
        assert exported is not None
        assert json.loads(exported.state or b"null") == {"status": "open", "items": [at]}

    grant = await talk.take("m2")
    assert json.loads(grant.state or b"null") == {"status": "open", "items": [2]}
