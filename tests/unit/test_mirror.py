"""`Mirror`: a dict that saves itself, at any depth, and goes on while the store is away."""

import asyncio
import copy
import json
import logging
import pickle
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import pytest

from tests.unit.document_stores import KINDS, make_store
from turnkeeper import Struct, days, hours
from turnkeeper.documents import Fixed, Mirror, Preserved
from turnkeeper.errors import (
    ConfigurationError,
    InvalidMessageError,
    InvalidStateError,
    StateUndecodableError,
    StoreUnavailableError,
)
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.store import Store
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing import ManualClock

pytestmark = pytest.mark.anyio

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NEVER = timedelta(days=1)
"""A window that does not end during a test: `flush` is the only way out."""


class Gate:
    """A store's documents behind a switch, and a count of the writes."""

    def __init__(self, store: Store) -> None:
        self.inner = store.documents
        self.is_up = True
        self.puts = 0
        self.loses_answers = False

    @property
    def documents(self) -> Any:
        """Stand in for the port."""
        return self

    def _pass(self) -> None:
        if not self.is_up:
            raise StoreUnavailableError("down")

    async def get(self, *args: Any) -> Any:
        """See `Documents.get`."""
        self._pass()
        return await self.inner.get(*args)

    async def scan(self, *args: Any, **options: Any) -> Any:
        """See `Documents.scan`."""
        self._pass()
        return await self.inner.scan(*args, **options)

    async def delete(self, *args: Any) -> Any:
        """See `Documents.delete`."""
        self._pass()
        return await self.inner.delete(*args)

    async def put(self, *args: Any, **options: Any) -> Any:
        """See `Documents.put`."""
        self._pass()
        self.puts += 1
        written = await self.inner.put(*args, **options)
        if self.loses_answers:
            self.loses_answers = False
            raise StoreUnavailableError("the answer was lost")
        return written


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that a test moves."""
    return ManualClock(START)


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Store]:
    """Return each kind of store in turn."""
    opened = make_store(request, clock, tmp_path)
    yield opened
    await opened.close()


def mirror(store: Any, clock: ManualClock, **options: Any) -> Mirror:
    """Return the mirror under test."""
    return Mirror(store, "order", **{"ttl": Fixed(days(7)), "window": NEVER, "clock": clock, **options})


async def put(store: Store, value_id: str, value: object) -> None:
    """Write as another program would."""
    data = value if isinstance(value, bytes) else msgspec.json.encode(value)
    await store.documents.put(DocumentKey(collection="order", id=value_id), data)


async def read(store: Store, value_id: str) -> Any:
    """Return what another program would read."""
    found = await store.documents.get(DocumentKey(collection="order", id=value_id))
    return None if found is None else msgspec.json.decode(found.data)


ORDER: dict[str, Any] = {
    "name": "dishbee #26",
    "vendors": ["JS", "LR"],
    "customer": {"name": "Zoë Müller", "zip": "94032"},
    "status": "new",
    "status_history": [],
    "confirmed_times": {},
    "unknown": {"big": 2**70, "deep": [[{"x": None}]]},
}

CHANGES: list[Callable[[Any], Any]] = [
    lambda order: order["confirmed_times"].__setitem__("JS", "14:35"),
    lambda order: order["status_history"].append({"type": "assigned"}),
    lambda order: order["status_history"].extend([1, 2]),
    lambda order: order["vendors"].insert(0, "HB"),
    lambda order: order["vendors"].pop(),
    lambda order: order["vendors"].remove("JS"),
    lambda order: order["vendors"].sort(reverse=True),
    lambda order: order["vendors"].reverse(),
    lambda order: order["vendors"].clear(),
    lambda order: order["vendors"].__setitem__(0, "X"),
    lambda order: order["vendors"].__setitem__(slice(0, 2), ["Y", "Z"]),
    lambda order: order["vendors"].__delitem__(0),
    lambda order: order["vendors"].__iadd__(["W"]),
    lambda order: order["vendors"].__imul__(2),
    lambda order: order["customer"].update(zip="94034"),
    lambda order: order["customer"].update({"zip": "94034"}),
    lambda order: order["customer"].__ior__({"zip": "94034"}),
    lambda order: order["customer"].pop("zip"),
    lambda order: order["customer"].popitem(),
    lambda order: order["customer"].clear(),
    lambda order: order.__delitem__("status"),
    lambda order: order.setdefault("assigned_to", []).append("Ana"),
    lambda order: order["unknown"]["deep"][0][0].__setitem__("x", 1),
    lambda order: order.__setitem__("later", [{"a": 1}]) or order["later"][0].__setitem__("a", 2),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("is_restored", [True, False])
async def test_every_change_at_any_depth_is_saved(
    store: Store,
    clock: ManualClock,
    change: Callable[[Any], Any],
    is_restored: bool,  # noqa: FBT001 - a parameter
) -> None:
    """On a value that was restored, and on a dict that was put in, by whichever method."""
    expected = copy.deepcopy(ORDER)
    change(expected)
    if is_restored:
        await put(store, "5866", ORDER)
    async with mirror(store, clock) as orders:
        if not is_restored:
            orders["5866"] = copy.deepcopy(ORDER)
            await orders.flush()
        change(orders["5866"])

    assert await read(store, "5866") == expected


async def test_a_dict_that_is_put_in_stays_the_same_object(store: Store, clock: ManualClock) -> None:
    """As in a plain dict: who still holds it writes into the mirror."""
    mine = copy.deepcopy(ORDER)
    history = mine["status_history"]
    async with mirror(store, clock) as orders:
        orders["5866"] = mine
        await orders.flush()
        history.append({"type": "assigned"})
        same = orders["5866"] is mine

    assert same
    assert (await read(store, "5866"))["status_history"] == [{"type": "assigned"}]


async def test_the_background_finds_changes_by_itself(store: Store, clock: ManualClock) -> None:
    """Without a flush: within the window, also where nothing tells."""
    async with mirror(store, clock, window=timedelta(milliseconds=1)) as orders:
        mine = orders["5866"] = {"status": "new"}
        await until(lambda: orders.health.unsaved == 0)
        mine["status"] = "assigned"
        async with asyncio.timeout(5):
            while await read(store, "5866") != {"status": "assigned"}:  # noqa: ASYNC110 - the store tells nobody
                await asyncio.sleep(0.001)


async def until(told: Callable[[], bool]) -> None:
    """Let other tasks run until it is so."""
    async with asyncio.timeout(5):
        while not told():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


async def test_a_burst_on_one_value_is_one_write(store: Store, clock: ManualClock) -> None:
    """A thousand changes, then none at all: two writes with the first one."""
    gate = Gate(store)
    async with mirror(gate, clock) as orders:
        orders["5866"] = copy.deepcopy(ORDER)
        await orders.flush()
        for n in range(1000):
            orders["5866"]["confirmed_times"]["JS"] = str(n)
        await orders.flush()
        orders["5866"]["confirmed_times"]["JS"] = "999"
        await orders.flush()

    assert gate.puts == 2


async def test_everything_is_back_before_the_first_use(store: Store, clock: ManualClock) -> None:
    """All pages of it, in order of nothing; unknown members, big integers and other scripts too."""
    async with mirror(store, clock) as orders:
        for n in range(700):
            orders[f"dishbee_{n:02}"] = {**ORDER, "n": n}
    progress: list[int] = []
    again = mirror(store, clock)
    with pytest.raises(ConfigurationError, match="not open"):
        len(again)
    await again.open(on_progress=progress.append)

    assert (len(again), again["dishbee_26"]) == (700, {**ORDER, "n": 26})
    assert again.health.restored
    assert progress[-1] == 700
    await again.close()


async def test_deleting_and_counting(store: Store, clock: ManualClock) -> None:
    """As with a dict: `del`, `pop`, `in`, `len`, a KeyError for what is not there."""
    async with mirror(store, clock) as orders:
        orders["a"], orders["b"] = {"n": 1}, {"n": 2}
        await orders.flush()
        del orders["a"]
        gone = orders.pop("b")
        orders["c"] = {}

        assert (len(orders), "a" in orders, gone, list(orders)) == (1, False, {"n": 2}, ["c"])
        with pytest.raises(KeyError):
            orders["a"]
    assert [await read(store, one) for one in "abc"] == [None, None, {}]


async def test_a_value_that_was_deleted_and_put_again_is_there(store: Store, clock: ManualClock) -> None:
    """Within one window."""
    async with mirror(store, clock) as orders:
        orders["a"] = {"n": 1}
        await orders.flush()
        del orders["a"]
        orders["a"] = {"n": 2}

    assert await read(store, "a") == {"n": 2}


async def test_it_goes_on_without_the_store_and_catches_up(
    store: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Told once in the log; health has reason, time and number; afterwards everything is in the store."""
    caplog.set_level(logging.INFO)
    gate = Gate(store)
    await put(store, "old", {"n": 0})
    orders = mirror(gate, clock)
    await orders.open()
    gate.is_up = False
    orders["new"] = {"n": 1}
    orders["old"]["n"] = 5
    del orders["old"]
    orders["old"] = {"n": 6}
    failed = [await orders.flush() for _ in range(3)]
    health = orders.health
    gate.is_up = True
    saved = await orders.flush()
    await orders.close()

    assert (failed, saved) == ([False] * 3, True)
    assert (health.status, health.since, health.unsaved) == ("degraded", START, 2)
    assert orders.health.status == "ok"
    assert [await read(store, one) for one in ("new", "old")] == [{"n": 1}, {"n": 6}]
    assert [record.message for record in caplog.records if record.message.startswith("mirror_store")] == [
        "mirror_store_down",
        "mirror_store_back",
    ]


async def test_a_start_without_the_store_joins_it_later(store: Store, clock: ManualClock) -> None:
    """What is in the store comes in when it is back; what was written here meanwhile stays."""
    await put(store, "a", {"from": "store"})
    await put(store, "b", {"from": "store"})
    gate = Gate(store)
    gate.is_up = False
    async with mirror(gate, clock, window=timedelta(milliseconds=1)) as orders:
        orders["a"] = {"from": "here"}
        before = (len(orders), orders.health.restored)
        gate.is_up = True
        await until(lambda: orders.health.restored)
        after = dict(orders)

    assert before == (1, False)
    assert after == {"a": {"from": "here"}, "b": {"from": "store"}}


async def test_a_write_whose_answer_was_lost_is_no_conflict(store: Store, clock: ManualClock) -> None:
    """It is recognised by its content."""
    gate = Gate(store)
    orders = mirror(gate, clock)
    await orders.open()
    orders["a"] = {"n": 1}
    gate.loses_answers = True
    await orders.flush()
    await orders.flush()
    orders["a"]["n"] = 2
    await orders.close()

    assert orders.conflicts == 0
    assert await read(store, "a") == {"n": 2}


async def test_another_writer_is_counted(store: Store, clock: ManualClock) -> None:
    """The last write stands; that there were two is not silent."""
    async with mirror(store, clock) as orders:
        orders["a"] = {"n": 1}
        await orders.flush()
        await put(store, "a", {"n": 99})
        orders["a"]["n"] = 2
        await orders.flush()

        assert orders.conflicts == 1
    assert await read(store, "a") == {"n": 2}


async def test_what_the_store_forgets_leaves_the_mirror(store: Store, clock: ManualClock) -> None:
    """Seven days after its last write; with `Preserved` after the first one."""
    fixed = mirror(store, clock, window=timedelta(milliseconds=1))
    kept = Mirror(store, "kept", ttl=Preserved(hours(2)), window=timedelta(milliseconds=1), clock=clock)
    async with fixed, kept:
        fixed["a"], kept["a"] = {"n": 1}, {"n": 1}
        await until(lambda: not fixed.health.unsaved and not kept.health.unsaved)
        await fixed.flush(), await kept.flush()
        clock.advance(hours(1))
        kept["a"]["n"] = 2
        await kept.flush()
        clock.advance(hours(1))
        await until(lambda: "a" not in kept)
        still = "a" in fixed
        clock.advance(days(7))
        await until(lambda: "a" not in fixed)

    assert still
    assert await read(store, "a") is None


async def test_old_values_leave_the_working_list_and_stay_in_the_store(store: Store, clock: ManualClock) -> None:
    """Two days; what has no date stays."""
    async with mirror(store, clock) as orders:
        orders["old"] = {"created_at": START}
        orders["undated"] = {}
        await orders.flush()
        clock.advance(days(3))
        orders["young"] = {"created_at": START + days(3)}
        released = orders.release(days(2), by=lambda order: order.get("created_at"))

        assert (released, sorted(orders)) == (1, ["undated", "young"])
    assert await read(store, "old") is not None


async def test_datetimes_anywhere_come_back(store: Store, clock: ManualClock) -> None:
    """Aware; a string that looks like one stays a string."""
    at = START + hours(1)
    async with mirror(store, clock) as orders:
        orders["a"] = {"status_history": [{"timestamp": at, "text": "2026-03-02T10:00:00Z"}]}
    async with mirror(store, clock) as orders:
        assert orders["a"] == {"status_history": [{"timestamp": at, "text": "2026-03-02T10:00:00Z"}]}


class Order(TypedDict, total=False):
    name: str
    status: str


async def test_values_of_another_type_are_set_aside(store: Store, clock: ManualClock) -> None:
    """They are reported, and stay in the store as they are; the others are there."""
    await put(store, "good", {"name": "a", "extra": 1})
    for value_id, value in (("list", [1]), ("typed", {"name": 5}), ("text", b"no json")):
        await put(store, value_id, value)
    orders = Mirror(store, "order", Order, ttl=None, window=NEVER, clock=clock)
    await orders.open()

    assert dict(orders) == {"good": {"name": "a", "extra": 1}}
    assert sorted(orders.unreadable) == ["list", "text", "typed"]
    with pytest.raises(InvalidStateError, match="name"):
        orders["x"] = {"name": 7}
    with pytest.raises(InvalidMessageError):
        orders[""] = {}
    await orders.close()
    assert await read(store, "list") == [1]


@pytest.mark.parametrize(
    "data", [b'{"a":"\xff"}', b'{"\xff":1}', b'{"a":[1,]}', b'{"a":"\\ud800"}', b'{"a":1', b"null"]
)
async def test_what_is_no_json_object_is_set_aside(store: Store, clock: ManualClock, data: bytes) -> None:
    """Also where only a part is wrong that nobody looked at yet."""
    await put(store, "bad", data)
    async with mirror(store, clock) as orders:
        assert (dict(orders), list(orders.unreadable)) == ({}, ["bad"])


async def test_an_object_that_cannot_be_built_is_told_when_it_is_asked_for(store: Store, clock: ManualClock) -> None:
    """A number that no float holds is good JSON. The value stays, can be released around, written over and deleted."""
    data = b'{"total":1e999}'
    for value_id in ("over", "gone", "stays"):
        await put(store, value_id, data)
    async with mirror(store, clock) as orders:
        with pytest.raises(StateUndecodableError):
            orders["stays"]
        released = orders.release(hours(1), by=lambda _: START - days(1))
        orders["over"] = {"total": 1}
        del orders["gone"]

    assert released == 0
    assert sorted(orders.unreadable) == ["stays"]
    assert orders.conflicts == 0
    assert [await read(store, one) for one in ("over", "gone")] == [{"total": 1}, None]
    kept = await store.documents.get(DocumentKey(collection="order", id="stays"))
    assert kept is not None
    assert kept.data == data


async def test_a_value_that_became_unwritable_is_told_and_stops_nobody(store: Store, clock: ManualClock) -> None:
    """Its last good form stays in the store; mended, it is written."""
    async with mirror(store, clock) as orders:
        orders["bad"], orders["good"] = {"n": 1}, {"n": 1}
        await orders.flush()
        orders["bad"]["n"] = object()
        orders["good"]["n"] = 2
        await orders.flush()
        reasons = dict(orders.unwritable)
        stored = [await read(store, one) for one in ("bad", "good")]
        orders["bad"]["n"] = 3

    assert list(reasons) == ["bad"]
    assert stored == [{"n": 1}, {"n": 2}]
    assert await read(store, "bad") == {"n": 3}


def test_a_mirror_of_structs_is_refused() -> None:
    """Nobody would be told of a change in one."""

    class Typed(Struct):
        n: int = 0

    with pytest.raises(ConfigurationError, match="TypedDict"):
        Mirror(MemoryStore(), "x", Typed, ttl=None)


async def test_restored_values_are_ordinary_dicts_to_everybody(store: Store, clock: ManualClock) -> None:
    """JSON, copies and pickles of them have nothing of ours, and change nothing."""
    await put(store, "a", ORDER)
    async with mirror(store, clock) as orders:
        value = orders["a"]
        copies = [copy.deepcopy(value), json.loads(json.dumps(value)), pickle.loads(pickle.dumps(value)), value.copy()]  # noqa: S301 - our own
        copies[0]["status"] = "changed"

        rebuilt = type(value)((key, type(value["vendors"])("ab")) for key in value)

        assert isinstance(value, dict)
        assert isinstance(value["vendors"], list)
        assert rebuilt == {key: ["a", "b"] for key in ORDER} == value.fromkeys(value, ["a", "b"])
        assert [type(one) for one in copies] == [dict] * 4
        assert copies[1:] == [ORDER] * 3
        assert value == ORDER
