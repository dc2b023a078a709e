"""The clock of tests stands still until it is told to move."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from turnkeeper.ports.clock import Clock
from turnkeeper.testing import ManualClock

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)


def test_every_new_clock_stands_at_the_same_instant() -> None:
    """A run is like every other run, and the instant is an aware one."""
    first, second = ManualClock(), ManualClock()

    assert first.now == second.now
    assert first.now.tzinfo is UTC
    assert first.monotonic() == 0


def test_a_clock_may_start_where_a_test_wants() -> None:
    """For a test that is about a date."""
    start = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)

    clock = ManualClock(start)

    assert clock.now == start
    assert clock.now_ms() == int(start.timestamp() * 1000)


def test_advancing_moves_all_three_readings() -> None:
    """By the same time, to the millisecond, and no other clock."""
    clock: ManualClock = ManualClock()
    other, before = ManualClock(), clock.now_ms()

    clock.advance(timedelta(hours=1, milliseconds=1))

    assert clock.now - other.now == timedelta(hours=1, milliseconds=1)
    assert clock.now_ms() - before == 3_600_001
    assert clock.monotonic() == 3600.001


def test_a_clock_does_not_run_backwards() -> None:
    """Nor does a refused move change it."""
    clock = ManualClock()

    with pytest.raises(ValueError, match="forwards"):
        clock.advance(-SECOND)
    assert clock.now == ManualClock().now


async def test_a_sleeper_wakes_when_the_clock_is_moved_past_it() -> None:
    """Not before, and not by itself."""
    clock = ManualClock()
    sleeper = asyncio.create_task(clock.sleep(2))
    await clock.until_somebody_sleeps()
    clock.advance(SECOND)
    await asyncio.sleep(0)
    before = sleeper.done()

    clock.advance(SECOND)
    await sleeper

    assert not before


async def test_sleepers_wake_at_their_own_times() -> None:
    """A move wakes only those whose time has come."""
    clock = ManualClock()
    short, long = asyncio.create_task(clock.sleep(1)), asyncio.create_task(clock.sleep(3))
    await asyncio.sleep(0)

    clock.advance(2 * SECOND)
    await short

    assert not long.done()
    clock.advance(SECOND)
    await long


@pytest.mark.parametrize("seconds", [0, -1])
async def test_a_sleep_of_no_length_ends_at_once(seconds: float) -> None:
    """But lets the others run in between, as the real one does."""
    clock = ManualClock()
    other = asyncio.create_task(asyncio.sleep(0))

    await clock.sleep(seconds)

    await other


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    """Nobody waits for it any more."""
    clock = ManualClock()
    sleeper = asyncio.create_task(clock.sleep(60))
    await clock.until_somebody_sleeps()

    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    waiting = asyncio.create_task(clock.until_somebody_sleeps())
    await asyncio.sleep(0)

    assert not waiting.done()
    waiting.cancel()


async def test_a_test_can_wait_until_somebody_sleeps() -> None:
    """Then moving the clock is sure to be seen."""
    clock = ManualClock()
    waiting = asyncio.create_task(clock.until_somebody_sleeps())
    await asyncio.sleep(0)
    before = waiting.done()

    sleeper = asyncio.create_task(clock.sleep(1))
    await waiting

    assert not before
    clock.advance(SECOND)
    await sleeper


async def test_a_sleeper_on_another_threads_loop_is_woken_too() -> None:
    """A store's waiter may live where it likes."""
    clock = ManualClock()
    thread = threading.Thread(target=asyncio.run, args=(clock.sleep(1),))
    thread.start()
    await clock.until_somebody_sleeps()

    clock.advance(SECOND)
    await asyncio.to_thread(thread.join, 10)

    assert not thread.is_alive()


async def test_a_sleeper_whose_loop_is_gone_harms_nobody() -> None:
    """The others are still woken."""
    clock = ManualClock()
    gone = asyncio.new_event_loop()
    gone.set_exception_handler(lambda *_: None)  # a task is left behind on purpose
    left_behind = gone.create_task(clock.sleep(1))
    gone.call_soon(gone.stop)
    await asyncio.to_thread(gone.run_forever)
    sleeper = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)
    gone.close()

    clock.advance(SECOND)
    await sleeper

    assert not left_behind.done()


async def test_it_is_a_clock() -> None:
    """Whatever takes a `Clock` takes this one."""
    clock: Clock = ManualClock()

    assert clock.now_ms() == ManualClock().now_ms()
