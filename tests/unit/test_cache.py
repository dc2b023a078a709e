"""`Cache`: loaded once however many ask, never older than it says, never put back after an invalidation."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.document_stores import KINDS, make_store
from turnkeeper import Struct, hours, minutes, seconds
from turnkeeper.documents import Cache, Fixed
from turnkeeper.errors import ConfigurationError, InvalidStateError, StateUndecodableError, StoreUnavailableError
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.store import Store
from turnkeeper.testing import ManualClock

pytestmark = pytest.mark.anyio

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Customer(Struct):
    id: int
    first_name: str = ""
    cached_at: datetime | None = None


class Source:
    """A database that counts how often it is asked, and answers when it is let."""

    def __init__(self, *, waits: bool = False) -> None:
        self.asked = 0
        self.fails = False
        self.known = True
        self.answers = asyncio.Event()
        if not waits:
            self.answers.set()

    async def __call__(self, phone: str) -> Customer | None:
        """Answer, or fail, as the test wants it."""
        self.asked += 1
        mine = self.asked
        await self.answers.wait()
        if self.fails:
            raise OSError("the database is down")
        return Customer(id=mine, first_name=phone) if self.known else None


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


def customers(store: Store, clock: ManualClock, **options: Any) -> Cache[Customer]:
    """Return the cache under test."""
    return Cache(store, "customer", Customer, ttl=Fixed(minutes(5)), clock=clock, **options)


async def until(told: Any) -> None:
    """Let other tasks run until it is so."""
    async with asyncio.timeout(5):
        while not told():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


async def test_a_miss_loads_and_a_hit_does_not(store: Store, clock: ManualClock) -> None:
    """Five minutes long; then it is loaded again. Both are counted."""
    cache, source = customers(store, clock), Source()
    first = await cache.get_or_load("+1555", source)
    again = await cache.get_or_load("+1555", source)
    clock.advance(minutes(5))
    later = await cache.get_or_load("+1555", source)

    assert [found and found.id for found in (first, again, later)] == [1, 1, 2]
    assert (cache.stats.hits, cache.stats.misses, cache.stats.loads) == (1, 2, 2)
    assert cache.stats.hit_rate == pytest.approx(1 / 3)


async def test_an_entry_is_plain_json_under_the_users_name(store: Store, clock: ManualClock) -> None:
    """`customer:{phone}` with `cached_at` and nothing of ours."""
    await customers(store, clock).put("+1555", Customer(id=3))

    found = await store.documents.get(DocumentKey(collection="customer", id="+1555"))
    assert found is not None
    assert msgspec.json.decode(found.data) == {"id": 3, "first_name": "", "cached_at": "2026-03-02T09:00:00Z"}


async def test_many_misses_at_once_load_once(store: Store, clock: ManualClock) -> None:
    """Two hundred, half of them in what could be another process."""
    here, there, source = customers(store, clock), customers(store, clock), Source(waits=True)
    asking = [asyncio.create_task((here, there)[n % 2].get_or_load("a", source)) for n in range(200)]
    await until(lambda: here.stats.waits + there.stats.waits)
    source.answers.set()
    found = await asyncio.gather(*asking)

    assert source.asked == 1
    assert {value.id for value in found if value} == {1}


async def test_who_is_cancelled_leaves_the_load_to_the_others(store: Store, clock: ManualClock) -> None:
    """The first one asked; it goes away; the second one gets what came."""
    cache, source = customers(store, clock), Source(waits=True)
    first = asyncio.create_task(cache.get_or_load("a", source))
    await until(lambda: source.asked)
    second = asyncio.create_task(cache.get_or_load("a", source))
    first.cancel()
    source.answers.set()

    value = await second
    assert (source.asked, value and value.id) == (1, 1)


async def test_an_invalidated_load_is_not_kept(store: Store, clock: ManualClock) -> None:
    """It began before the change, so what it brings is old; its caller gets it, the cache does not."""
    cache, source = customers(store, clock), Source(waits=True)
    loading = asyncio.create_task(cache.get_or_load("a", source))
    await until(lambda: source.asked)
    await cache.invalidate("a")
    source.answers.set()
    await loading

    assert await cache.get("a") is None
    fresh = await cache.get_or_load("a", source)
    assert fresh is not None
    assert fresh.id == 2
    kept = await cache.get("a")
    assert (kept and kept.id, source.asked) == (2, 2)


async def test_invalidation_is_by_key_and_by_group(store: Store, clock: ManualClock) -> None:
    """Two customers have one vehicle; a change of it takes both off, and nobody else."""
    cache, source = customers(store, clock), Source()
    for phone, groups in (("a", ["vehicle:1"]), ("b", ["vehicle:1", "vehicle:2"]), ("c", ["vehicle:2"])):
        await cache.get_or_load(phone, source, groups=groups)
    await cache.invalidate_group("vehicle:1")
    left = [phone for phone in "abc" if await cache.get(phone)]
    await cache.invalidate("c")

    assert left == ["c"]
    assert await cache.get("c") is None
    with pytest.raises(ConfigurationError, match="group"):
        await cache.put("a", Customer(id=1), ttl=minutes(6), groups=["vehicle:1"])


async def test_a_group_invalidated_during_a_load_is_seen(store: Store, clock: ManualClock) -> None:
    """What was being loaded then counts as old."""
    cache, source = customers(store, clock), Source(waits=True)
    loading = asyncio.create_task(cache.get_or_load("a", source, groups=["v"]))
    await until(lambda: source.asked)
    await cache.invalidate_group("v")
    source.answers.set()
    await loading

    assert await cache.get("a") is None


async def test_a_stale_value_is_given_while_it_is_loaded_anew(store: Store, clock: ManualClock) -> None:
    """Nobody waits; the next one has the new value; the mark tells."""
    cache, source = customers(store, clock, stale_for=minutes(5)), Source()
    await cache.get_or_load("a", source)
    clock.advance(minutes(6))
    stale = await cache.find_or_load("a", source)
    await cache.close()
    fresh = await cache.find_or_load("a", source)

    assert (stale.value and stale.value.id, stale.is_stale) == (1, True)
    assert (fresh.value and fresh.value.id, fresh.is_stale) == (2, False)
    assert cache.stats.stale_hits == 1


async def test_a_stale_value_that_the_source_no_longer_has_is_not_given_again(store: Store, clock: ManualClock) -> None:
    """It was deleted there: the load in the background finds that out, whether or not the cache remembers it."""
    for name, missing_for in (("forgets", None), ("remembers", minutes(1))):
        cache: Cache[Customer] = Cache(
            store, name, Customer, ttl=Fixed(minutes(5)), stale_for=hours(1), missing_for=missing_for, clock=clock
        )
        source = Source()
        await cache.get_or_load("a", source)
        clock.advance(minutes(6))
        source.known = False
        stale = await cache.find_or_load("a", source)
        await cache.close()
        after = await cache.find_or_load("a", source)

        assert (stale.is_stale, stale.value and stale.value.id) == (True, 1)
        assert (after.is_stale, after.value) == (False, None)


async def test_a_loader_that_fails_is_heard(store: Store, clock: ManualClock) -> None:
    """All who waited get its error; the next one asks again."""
    cache, source = customers(store, clock), Source()
    source.fails = True
    failed = await asyncio.gather(*(cache.get_or_load("a", source) for _ in range(5)), return_exceptions=True)
    source.fails = False
    value = await cache.get_or_load("a", source)

    assert {str(error) for error in failed} == {"the database is down"}
    assert (source.asked, value and value.id) == (2, 2)


async def test_a_source_that_hangs_is_given_up(store: Store, clock: ManualClock) -> None:
    """After the timeout it counts as failed."""
    cache = customers(store, clock, load_timeout=seconds(0.02))
    with pytest.raises(TimeoutError):
        await cache.get_or_load("a", Source(waits=True))

    assert cache.stats.load_errors == 1


async def test_there_is_none_can_be_remembered(store: Store, clock: ManualClock) -> None:
    """For its own span; without the option every ask goes to the source."""
    forgets, remembers = (
        customers(store, clock),
        Cache(store, "other", Customer, ttl=Fixed(minutes(5)), missing_for=minutes(1), clock=clock),
    )
    source = Source()
    source.known = False
    for cache in (forgets, remembers):
        assert [await cache.get_or_load("x", source) for _ in range(3)] == [None] * 3
    asked = source.asked
    clock.advance(minutes(1))
    await remembers.get_or_load("x", source)

    assert (asked, source.asked) == (3 + 1, 5)


async def test_entries_loaded_together_do_not_end_together(store: Store, clock: ManualClock) -> None:
    """With jitter each ends at its own time, none later than the span."""
    cache = customers(store, clock, jitter=0.5)
    for n in range(40):
        await cache.put(str(n), Customer(id=n))
    alive: list[int] = []
    for _ in range(2):
        clock.advance(minutes(3) if not alive else minutes(2))
        alive.append(sum([await cache.get(str(n)) is not None for n in range(40)]))

    assert 0 < alive[0] < 40
    assert alive[1] == 0


async def test_warming_loads_what_is_not_fresh(store: Store, clock: ManualClock) -> None:
    """It tells its progress and what failed."""
    cache, source = customers(store, clock), Source()
    await cache.put("a", Customer(id=9))
    progress: list[tuple[int, int]] = []

    async def load(phone: str) -> Customer | None:
        if phone == "bad":
            raise OSError("no")
        return await source(phone)

    warmed = await cache.warm(["a", "b", "c", "bad"], load, on_progress=lambda done, of: progress.append((done, of)))

    assert (warmed.loaded, warmed.fresh, list(warmed.failed)) == (2, 1, ["bad"])
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert await cache.get("b") is not None


class Dead:
    """A store that does not answer."""

    @property
    def documents(self) -> Any:
        """Stand in for the port."""
        return self

    async def get(self, *_: object) -> None:
        """See `Documents.get`."""
        raise StoreUnavailableError("down")


async def test_without_a_store_the_source_is_asked_once_by_all(clock: ManualClock) -> None:
    """Or the error comes through, as the option says."""
    dead: Any = Dead()
    source = Source(waits=True)
    cache = customers(dead, clock)
    asking = [asyncio.create_task(cache.get_or_load("a", source)) for _ in range(20)]
    await until(lambda: cache.stats.outages == 20)
    source.answers.set()
    await asyncio.gather(*asking)

    assert source.asked == 1
    with pytest.raises(StoreUnavailableError):
        await customers(dead, clock, loads_without_store=False).get_or_load("a", source)


async def test_bad_values_are_told(store: Store, clock: ManualClock) -> None:
    """What another program left there, and what does not fit the type."""
    cache = customers(store, clock)
    await store.documents.put(DocumentKey(collection="customer", id="a"), b"[]")
    wrong: Any = Customer(id="x")  # type: ignore[arg-type]

    with pytest.raises(StateUndecodableError, match="Customer"):
        await cache.get("a")
    with pytest.raises(InvalidStateError, match="id"):
        await cache.put("a", wrong)
    with pytest.raises(ConfigurationError, match="jitter"):
        customers(store, clock, jitter=1.0)
