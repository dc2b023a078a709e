"""`Mirror` when things happen in the middle of a write: a close, a deletion, a release, a store that is away."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from turnkeeper import days
from turnkeeper.documents import Fixed, Mirror
from turnkeeper.documents.mirror.ends import Ends
from turnkeeper.errors import LimitError, StoreUnavailableError
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

NEVER = timedelta(days=1)
"""A window that does not end during a test."""


class Slow:
    """A memory store whose documents wait at a gate before they are written or listed."""

    def __init__(self) -> None:
        """Let everything pass at first."""
        self.store = MemoryStore()
        self.inner = self.store.documents
        self.documents: Any = self
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_the_gate = asyncio.Event()
        self.is_up = True
        self.scans = 0

    async def _pass(self) -> None:
        self.at_the_gate.set()
        await self.gate.wait()
        if not self.is_up:
            raise StoreUnavailableError("down")

    async def get(self, *args: Any) -> Any:
        """See `Documents.get`."""
        return await self.inner.get(*args)

    async def put(self, *args: Any, **options: Any) -> Any:
        """See `Documents.put`."""
        await self._pass()
        if len(args[1]) > 1000:
            raise LimitError(limit="MAX_PART_BYTES", found=len(args[1]), allowed=1000)
        return await self.inner.put(*args, **options)

    async def delete(self, *args: Any, **options: Any) -> Any:
        """See `Documents.delete`."""
        await self._pass()
        return await self.inner.delete(*args, **options)

    async def scan(self, *args: Any, **options: Any) -> Any:
        """See `Documents.scan`."""
        self.scans += 1
        await self._pass()
        return await self.inner.scan(*args, **options)

    async def stored(self, value_id: str) -> Any:
        """Return what another program would read."""
        found = await self.inner.get(DocumentKey(collection="order", id=value_id))
        return None if found is None else msgspec.json.decode(found.data)

    def close_gate(self) -> None:
        """Let the next write wait."""
        self.gate.clear()
        self.at_the_gate.clear()


def mirror(slow: Any, *, window: timedelta = NEVER) -> Mirror:
    """Return a mirror of orders."""
    return Mirror(slow, "order", ttl=Fixed(days(7)), window=window)


async def restored(slow: Slow, **orders: dict[str, Any]) -> None:
    """Put orders in as an earlier process did."""
    for name, order in orders.items():
        await slow.inner.put(DocumentKey(collection="order", id=name), msgspec.json.encode(order))


async def test_a_close_in_the_middle_of_a_write_loses_nothing() -> None:
    """The background is cancelled at its await; what it was writing is written by the last flush."""
    slow = Slow()
    await restored(slow, a={"n": 0})
    orders = mirror(slow, window=timedelta(milliseconds=1))
    await orders.open()
    slow.close_gate()
    orders["a"]["n"] = 1
    await slow.at_the_gate.wait()
    closing = asyncio.create_task(orders.close())
    await asyncio.sleep(0)
    slow.gate.set()
    await closing

    assert await slow.stored("a") == {"n": 1}


async def test_a_deletion_between_the_choice_and_the_write_is_a_deletion() -> None:
    """A value of the batch that is deleted before its write begins, and one that is put in again."""
    slow = Slow()
    await restored(slow, a={"n": 0}, b={"n": 0})
    async with mirror(slow) as orders:
        orders["a"]["n"] = 1
        del orders["b"]
        flushing = asyncio.create_task(orders.flush())
        await asyncio.sleep(0)  # the batch is chosen, nothing is written yet
        del orders["a"]
        orders["b"] = {"n": 2}
        done = await flushing
        await orders.flush()

        assert done is True
        assert (await slow.stored("a"), await slow.stored("b")) == (None, {"n": 2})


@pytest.mark.parametrize("remove", ["del", "pop", "popitem", "clear"])
async def test_what_was_deleted_stays_deleted_though_somebody_still_writes_into_it(remove: str) -> None:
    """`order = orders.pop(…)`, then `order["status"] = "archived"`: it is the caller's own by then."""
    slow = Slow()
    await restored(slow, a={"n": 0, "deep": [{}]})
    async with mirror(slow) as orders:
        held = orders["a"]
        {
            "del": lambda: orders.__delitem__("a"),
            "pop": lambda: orders.pop("a"),
            "popitem": orders.popitem,
            "clear": orders.clear,
        }[remove]()
        held["n"] = 1
        held["deep"][0]["x"] = 2
        await orders.flush()

        assert await slow.stored("a") is None
        assert len(orders) == 0
        assert held == {"n": 1, "deep": [{"x": 2}]}


async def test_a_value_that_cannot_be_written_is_no_good_health() -> None:
    """Health says it, nobody takes the only copy off the list, and the end counts it as lost."""
    slow = Slow()
    await restored(slow, a={"at": "2026-01-01T00:00:00Z"})
    async with mirror(slow) as orders:
        orders["a"]["sent_to"] = (1, 2)
        await orders.flush()
        bad = orders.health
        released = orders.release(days(2), by=lambda value: datetime.fromisoformat(value["at"]))
        orders["a"]["sent_to"] = [1, 2]
        await orders.flush()
        good = orders.health

    assert (bad.status, bad.unsaved) == ("degraded", 1)
    assert "unwritable" in bad.reason
    assert released == 0
    assert (good.status, good.unsaved, good.reason) == ("ok", 0, "")


async def test_a_value_that_is_being_written_is_not_released() -> None:
    """If the write fails, what changed is still here to be written again."""
    slow = Slow()
    await restored(slow, a={"n": 0})
    async with mirror(slow) as orders:
        slow.close_gate()
        orders["a"]["n"] = 1
        flushing = asyncio.create_task(orders.flush())
        await slow.at_the_gate.wait()
        unsaved = orders.health.unsaved
        released = orders.release(timedelta(0), by=lambda _: datetime(2020, 1, 1, tzinfo=UTC))
        slow.is_up = False
        slow.gate.set()
        failed = await flushing
        slow.is_up = True
        await orders.flush()

    assert (unsaved, released, failed) == (1, 0, False)
    assert await slow.stored("a") == {"n": 1}


async def test_a_value_that_the_store_refuses_is_told_and_stops_nobody() -> None:
    """It is not tried again until it is another one; the others are written."""
    slow = Slow()
    async with mirror(slow) as orders:
        orders["big"] = {"text": "x" * 2000}
        orders["small"] = {"n": 1}
        done = await orders.flush()
        told = dict(orders.unwritable)
        slow.at_the_gate.clear()
        await orders.flush()
        was_tried_again = slow.at_the_gate.is_set()
        orders["big"]["text"] = "y"
        await orders.flush()

        assert done is True
        assert "MAX_PART_BYTES" in told["big"]
        assert was_tried_again is False
        assert await slow.stored("small") == {"n": 1}
        assert await slow.stored("big") == {"text": "y"}
        assert not orders.unwritable


async def test_a_mirror_that_is_not_restored_says_so_and_does_not_hammer_the_store() -> None:
    """The store is away at the start and nothing changes here: health tells it, and asking backs off."""
    slow = Slow()
    await restored(slow, a={"n": 0})
    slow.is_up = False
    async with mirror(slow, window=timedelta(milliseconds=1)) as orders:
        async with asyncio.timeout(10):
            while slow.scans < 2:  # noqa: ASYNC110 - the store has no event for it
                await asyncio.sleep(0.01)
        health = orders.health
        slow.is_up = True
        async with asyncio.timeout(10):
            while not orders.health.restored:  # noqa: ASYNC110 - the mirror has no event for it
                await asyncio.sleep(0.01)

        assert (health.status, health.restored, health.reason) == ("degraded", False, "down")
        assert slow.scans < 6
        assert (dict(orders), orders.health.status) == ({"a": {"n": 0}}, "ok")


async def test_opening_again_shows_what_the_store_has_by_then() -> None:
    """Between two openings others may have written."""
    slow = Slow()
    orders = mirror(slow)
    async with orders:
        orders["a"] = {"n": 1}
        orders["b"] = {"n": 1}
    await slow.inner.delete(DocumentKey(collection="order", id="a"))
    await restored(slow, b={"n": 2})
    async with orders:
        assert dict(orders) == {"b": {"n": 2}}


def test_a_value_that_is_written_often_is_remembered_once() -> None:
    """A mirror that writes for a week does not grow by each write."""
    ends = Ends()
    for now in range(1000):
        ends.note("a", now + 10)
    ends.note("b", 5)
    ends.forget("b")

    assert ends.ended(1000) == []
    assert ends.ended(1009) == ["a"]
    assert ends.ended(5000) == []
