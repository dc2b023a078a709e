"""The loop of the simulation: time jumps, chance orders tasks, and a killed process is gone at once."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from turnkeeper.testing.virtual_time import START_MS, Process, Stuck, VirtualClock, VirtualLoop


@pytest.fixture(name="clock")
def _clock(loop: VirtualLoop) -> VirtualClock:
    """Bring the loop's clock."""
    return VirtualClock(loop)


@pytest.fixture(name="loop")
def _loop() -> Iterator[VirtualLoop]:
    """Bring a loop of one seed."""
    loop = VirtualLoop(random.Random(1))
    yield loop
    loop.close()


def test_a_day_passes_at_once(loop: VirtualLoop, clock: VirtualClock) -> None:
    """Nobody waits for time."""
    loop.run_until_complete(clock.sleep(86_400))

    assert clock.now_ms() == START_MS + 86_400_000


def test_a_killed_process_runs_no_finally(loop: VirtualLoop, clock: VirtualClock) -> None:
    """It is abandoned, not cancelled; its timers are gone too."""
    process, seen = Process("worker"), []

    async def work() -> None:
        try:
            await clock.sleep(5)
        finally:
            seen.append("finally")

    async def main() -> None:
        loop.begin(process, work())
        await clock.sleep(1)
        loop.kill(process)
        await clock.sleep(10)

    loop.run_until_complete(main())

    assert seen == []
    loop.bury([process])


def test_a_frozen_process_goes_on_where_it_stood(loop: VirtualLoop, clock: VirtualClock) -> None:
    """What became due meanwhile runs when it is thawed."""
    process, seen = Process("worker"), []

    async def work() -> None:
        await clock.sleep(5)
        seen.append(loop.time())

    async def main() -> float:
        loop.begin(process, work())
        await clock.sleep(1)
        loop.freeze(process)
        await clock.sleep(20)
        assert seen == []
        loop.thaw(process)
        await clock.sleep(0.1)
        return loop.time()

    end = loop.run_until_complete(main())

    assert seen == [pytest.approx(end - 0.1)]


def test_chance_decides_who_runs_next(loop: VirtualLoop) -> None:
    """Ready tasks run in many orders, every one of them once."""
    orders = set()

    async def main() -> None:
        for _ in range(50):
            order: list[int] = []

            async def note(number: int, order: list[int] = order) -> None:
                await asyncio.sleep(0)
                order.append(number)

            await asyncio.wait([loop.create_task(note(number)) for number in range(3)])
            orders.add(tuple(order))

    loop.run_until_complete(main())

    assert len(orders) == 6


def test_timers_of_one_moment_keep_their_order(loop: VirtualLoop, clock: VirtualClock) -> None:
    """As asyncio promises for callbacks."""
    order: list[int] = []

    async def main() -> None:
        for number in range(5):
            loop.call_later(1, order.append, number)
        await clock.sleep(2)

    loop.run_until_complete(main())

    assert order == [0, 1, 2, 3, 4]


def test_waiting_for_nothing_is_told(loop: VirtualLoop) -> None:
    """A deadlock is an error, not a test that hangs."""

    async def main() -> None:
        await loop.create_future()

    with pytest.raises(Stuck):
        loop.run_until_complete(main())
