"""The circuit breaker: a dead store costs milliseconds, and nothing is repeated behind anybody's back."""

import asyncio
from datetime import timedelta

import pytest

from tests.unit.outage_bench import SwitchedStore
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, StoreFullError, StoreUnavailableError
from turnkeeper.outage import Breaker, GuardedStore, StoreDownError
from turnkeeper.policy.outage import Outage, outage_of
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

MS = timedelta(milliseconds=1)


class Calls:
    """Counts calls, and lets them fail."""

    def __init__(self) -> None:
        """Let them work."""
        self.count = 0
        self.error: Exception | None = None

    async def call(self) -> str:
        """Answer or fail."""
        self.count += 1
        if self.error is not None:
            raise self.error
        return "answer"


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands."""
    return ManualClock()


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    """Return a closed breaker that opens after three failures."""
    return Breaker(clock=clock, failures=3, first_wait=50 * MS, longest_wait=2000 * MS)


async def fail(breaker: Breaker, calls: Calls, times: int) -> None:
    """Let that many calls fail."""
    calls.error = calls.error or StoreUnavailableError("gone")
    for _ in range(times):
        with pytest.raises((StoreUnavailableError, OutcomeUnknownError)):
            await breaker.ask(calls.call)


async def test_failures_in_a_row_open_it_and_then_nothing_is_asked(breaker: Breaker) -> None:
    """The store is asked three times; the fourth call fails without asking, and says since when and until when."""
    calls = Calls()
    await fail(breaker, calls, 3)

    with pytest.raises(StoreDownError) as refused:
        await breaker.ask(calls.call)

    assert calls.count == 3
    assert refused.value.retry_in == 50 * MS
    assert "gone" in refused.value.reason
    assert "nothing was written" in str(refused.value)


async def test_an_answer_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    """Two failures, an answer, two failures: closed."""
    calls = Calls()
    await fail(breaker, calls, 2)
    calls.error = None
    await breaker.ask(calls.call)
    await fail(breaker, calls, 2)

    assert not breaker.is_open


async def test_an_answer_to_an_earlier_question_does_not_bring_the_store_back(breaker: Breaker) -> None:
    """Whoever waits for news may answer with what was read while the store was there."""
    calls, gate = Calls(), asyncio.Event()

    async def wait_for_news() -> str:
        await gate.wait()
        return "nothing new"

    waiting = asyncio.create_task(breaker.ask(wait_for_news))
    await asyncio.sleep(0)
    await fail(breaker, calls, 3)
    gate.set()

    assert await waiting == "nothing new"
    assert breaker.is_open


@pytest.mark.parametrize("error", [OutcomeUnknownError("cut"), TimeoutError("late"), StoreUnavailableError("gone")])
async def test_whatever_tells_of_a_lost_store_counts(breaker: Breaker, error: Exception) -> None:
    """A lost answer and a deadline count as a refusal does, and come through as they are."""
    calls = Calls()
    calls.error = error
    for _ in range(3):
        with pytest.raises(type(error)):
            await breaker.ask(calls.call)

    assert breaker.is_open


async def test_a_cut_connection_is_one_failure_for_all_its_calls(breaker: Breaker) -> None:
    """Sixty-four calls that were under way together fail together: that is one failure, and no outage."""
    calls = Calls()
    calls.error = OutcomeUnknownError("cut")
    gate = asyncio.Event()

    async def call() -> str:
        await gate.wait()
        return await calls.call()

    tasks = [asyncio.create_task(breaker.ask(call)) for _ in range(64)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert calls.count == 64
    assert not breaker.is_open


async def test_a_store_that_hangs_is_away_after_the_second_deadline(breaker: Breaker, clock: ManualClock) -> None:
    """A deadline costs seconds: nobody waits for three of them in a row."""
    calls = Calls()
    await fail(breaker, calls, 1)
    clock.advance(timedelta(seconds=5))
    await fail(breaker, calls, 1)

    assert breaker.is_open


async def test_without_a_watcher_one_caller_at_a_time_is_the_probe(breaker: Breaker, clock: ManualClock) -> None:
    """When the wait is over one call goes through; the others still fail at once."""
    calls = Calls()
    await fail(breaker, calls, 3)
    clock.advance(50 * MS)
    gate = asyncio.Event()

    async def slow() -> str:
        await gate.wait()
        return "answer"

    probe = asyncio.create_task(breaker.ask(slow))
    await asyncio.sleep(0)
    with pytest.raises(StoreDownError):
        await breaker.ask(calls.call)
    gate.set()

    assert await probe == "answer"
    assert not breaker.is_open


async def test_probes_come_further_apart_but_never_more_than_two_seconds(breaker: Breaker, clock: ManualClock) -> None:
    """50 ms, 100 ms, 200 ms … 2 s, 2 s; the callers meanwhile pay for none of them."""
    calls = Calls()
    await fail(breaker, calls, 3)
    probes: list[float] = []

    async def probe() -> None:
        probes.append(clock.monotonic())
        raise StoreUnavailableError("still gone")

    watching = asyncio.create_task(breaker.watch(probe))
    await clock.until_somebody_sleeps()
    with pytest.raises(StoreDownError):
        await breaker.ask(calls.call)
    for wait_ms in (50, 100, 200, 400, 800, 1600, 2000, 2000):
        await clock.until_somebody_sleeps()
        clock.advance((wait_ms - 1) * MS)
        await asyncio.sleep(0.001)
        seen = len(probes)
        clock.advance(MS)
        while len(probes) == seen:  # noqa: ASYNC110 - it is a handful of steps of the loop
            await asyncio.sleep(0)
    watching.cancel()

    waits = [round(later - earlier, 3) for earlier, later in zip([0.0, *probes], probes, strict=False)]
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


async def test_the_watcher_closes_it_when_the_store_is_back(breaker: Breaker, clock: ManualClock) -> None:
    """A probe that is answered ends the outage, and whoever waited for that goes on."""
    calls = Calls()
    await fail(breaker, calls, 3)
    calls.error = None
    watching = asyncio.create_task(breaker.watch(calls.call))
    waiting = asyncio.create_task(breaker.until(is_open=False))
    await clock.until_somebody_sleeps()
    clock.advance(50 * MS)
    await waiting
    watching.cancel()

    assert await breaker.ask(calls.call) == "answer"
    assert breaker.circuit.since_ms is None


async def test_a_probe_that_finds_the_store_full_ends_the_outage(breaker: Breaker, clock: ManualClock) -> None:
    """It answers, and can be told that turns are done; that it takes no more is another matter."""
    calls = Calls()
    await fail(breaker, calls, 3)
    calls.error = StoreFullError("no room")
    watching = asyncio.create_task(breaker.watch(calls.call))
    await clock.until_somebody_sleeps()
    clock.advance(50 * MS)
    await breaker.until(is_open=False)
    watching.cancel()

    assert not breaker.is_open


async def test_a_store_that_was_open_before_is_asked_again(clock: ManualClock) -> None:
    """Opening is remembered by stores: the probe is a write, so that an outage does not seem to be over at once."""
    store = SwitchedStore(MemoryStore(clock=clock))
    store.open_says_nothing = True
    breaker = Breaker(clock=clock, failures=1, first_wait=50 * MS, longest_wait=2000 * MS)
    guarded = GuardedStore(store, breaker, clock=clock)
    store.switch.is_away = True

    with pytest.raises(StoreUnavailableError):
        await guarded.prove()


async def test_a_worker_that_waits_for_something_due_neither_fails_nor_spins(clock: ManualClock) -> None:
    """While the store is away the wait lasts as long as it may, and nothing is due; the store is not asked."""
    store = SwitchedStore(MemoryStore(clock=clock))
    breaker = Breaker(clock=clock, failures=1, first_wait=50 * MS, longest_wait=2000 * MS)
    guarded = GuardedStore(store, breaker, clock=clock)
    store.switch.is_away = True
    with pytest.raises(StoreUnavailableError):
        await guarded.deliveries.due()
    asked = store.switch.calls

    due = await guarded.deliveries.due(wait=10 * MS)

    assert due.items == ()
    assert due.next_ms is None
    assert store.switch.calls == asked


@pytest.mark.parametrize(
    "settings",
    [
        {"policy": "hope"},
        {"longest_wait": timedelta(seconds=3)},
        {"first_wait": timedelta(0)},
        {"failures": 0},
        {"journal_messages": 0},
        {"folder": ""},
    ],
)
def test_a_policy_that_cannot_work_is_refused(settings: dict[str, object]) -> None:
    """The text says what is accepted."""
    with pytest.raises(ConfigurationError):
        Outage(**settings)  # type: ignore[arg-type]  # that is what is tried


def test_a_policy_may_be_given_by_its_name() -> None:
    """The name alone takes the defaults."""
    assert outage_of("queue") == Outage(policy="queue")
