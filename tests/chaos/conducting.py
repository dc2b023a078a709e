"""Conducts one chaos run: a storm of so many seconds, calm, rest, and the verdict."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from tests.chaos import floors, judging
from tests.chaos.idling import spent
from tests.chaos.leftovers import Left, left_by
from tests.chaos.providers import Provider, providers
from tests.chaos.redis_under_attack import LoneRedis, ReplicatedRedis
from tests.chaos.sqlite_under_attack import SqliteUnderAttack
from tests.chaos.witness import now_ms
from tests.chaos.worker import LEASE, SETTINGS, open_store
from tests.chaos.workers import Workers
from tests.chaos.world import Attack, Fault, World
from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.ports.store import Store
from turnkeeper.testing import history

CALM_SECONDS = 60.0
"""Until everything must be at rest; what takes longer than the checker allows is a violation before that."""

BOTS_OWN_WAITS = timedelta(seconds=4)
"""What draining may take beside two leases: the back-off of a handler that raised, and a store's own time-outs."""

IDLE_SECONDS = 3.0
IDLE_REQUESTS = 1.0 / SETTINGS.poll.total_seconds()
"""Of one worker, each second: one look in every poll."""
_LOOK_SECONDS = 0.05
_START_SECONDS = 20.0
_COUNT_SECONDS = 1.0
"""Between two counts of what was tried, in a storm that goes on until it is enough."""


class Target(Protocol):
    """A store that can be attacked."""

    @property
    def expected(self) -> frozenset[Fault]:
        """The kinds of faults that must happen in a run on it."""
        ...

    @property
    def url(self) -> str:
        """Where workers find it, once it is open."""
        ...

    @property
    def direct_url(self) -> str:
        """Where whoever judges finds it, with nothing in between."""
        ...

    @property
    def requests(self) -> int | None:
        """How often workers asked it for something, if that can be counted."""
        ...

    async def open(self) -> None:
        """Have it there."""
        ...

    def close(self) -> None:
        """Have it away. Safe to call twice."""
        ...

    def attacks(self, workers: Workers) -> Sequence[Attack]:
        """Return what may be done to it, one after the other."""
        ...

    async def footprints(self, left: Left) -> tuple[history.Footprint, history.Footprint]:
        """Return what it may hold after a run that left that much, and what it holds."""
        ...


TARGETS: Mapping[str, Callable[[World], Target]] = {
    "sqlite": SqliteUnderAttack,
    "redis": LoneRedis,
    "replicated": ReplicatedRedis,
}
"""Every store that can be attacked, by its name on the command line."""


class Outcome(msgspec.Struct, kw_only=True):
    """What came of a run that was to last `seconds`; its storm may have gone on until enough was tried."""

    store: str
    seed: int
    seconds: float
    storm_seconds: float
    messages: int
    faults: dict[str, int]
    counters: dict[str, int]
    violations: list[str]
    found: int
    rest_ms: int
    took_seconds: float


class Run:
    """One run on one store."""

    def __init__(self, *, store: str, seconds: float, seed: int, folder: Path, people: int, per_second: float) -> None:
        """Take one of `TARGETS`, how long the storm lasts, and how much is written meanwhile."""
        self._kind = store
        self._seconds = seconds
        self._seed = seed
        self.world = World(seed=seed, folder=folder)
        self._target = TARGETS[store](self.world)
        self._people = people
        self._per_second = per_second
        self._storm_seconds = 0.0

    @property
    def expected(self) -> frozenset[Fault]:
        """The kinds of faults that must have happened."""
        return self._target.expected

    async def play(self) -> Outcome:
        """Play it to its end."""
        started = time.monotonic()
        await self._target.open()
        workers = Workers(self.world, self._target.url)
        crowd = providers(self.world, workers, people=self._people, per_second=self._per_second)
        try:
            await asyncio.gather(*(provider.open() for provider in crowd))
            workers.start()
            await self._until_all_serve(workers)
            self.world.record(
                history.Setup(
                    lease_ms=LEASE // timedelta(milliseconds=1),
                    send_lease_ms=SETTINGS.send_lease // timedelta(milliseconds=1),
                    allowance_ms=BOTS_OWN_WAITS // timedelta(milliseconds=1),
                    idle_per_second=IDLE_REQUESTS,
                )
            )
            await self._storm(workers, crowd)
            store = open_store(self._target.direct_url)
            rest_ms = await self._calm(store, workers)
            await workers.stop()
            outcome = await self._judge(store, workers, crowd, rest_ms)
            await store.close()
        finally:
            await workers.stop()
            self._target.close()
            self.world.close()
        outcome.took_seconds = time.monotonic() - started
        return outcome

    async def _until_all_serve(self, workers: Workers) -> None:
        async with asyncio.timeout(_START_SECONDS):
            while not all(worker.path.exists() for worker in workers.serving):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(_LOOK_SECONDS)

    async def _storm(self, workers: Workers, crowd: Sequence[Provider]) -> None:
        """Let people write and everything fail; return when the last fault is over and every delivery has ended."""
        async with asyncio.TaskGroup() as group:
            for provider in crowd:
                group.create_task(provider.write())
            self.world.start_storm()
            group.create_task(self._attack([workers.kill, workers.deploy, workers.pause], rest=(0.2, 0.6)))
            group.create_task(self._attack(self._target.attacks(workers), rest=(0.7, 1.5)))
            began = time.monotonic()
            await asyncio.sleep(self._seconds)
            await self._until_enough_was_tried(crowd)
            self._storm_seconds = time.monotonic() - began
            self.world.end_storm()
            self.world.is_over = True
        self.world.record(history.Healed(at_ms=now_ms()))

    async def _until_enough_was_tried(self, crowd: Sequence[Provider]) -> None:
        """Let the storm go on, as long as it may, while something is missing."""
        until = time.monotonic() + floors.extra_seconds(self._seconds)
        while time.monotonic() < until:
            faults = await asyncio.to_thread(self.world.faults)
            messages = sum(provider.messages for provider in crowd)
            if not floors.what_is_missing(
                seconds=self._seconds, messages=messages, faults=faults, expected=self.expected
            ):
                return
            await asyncio.sleep(_COUNT_SECONDS)

    async def _attack(self, attacks: Sequence[Attack], *, rest: tuple[float, float]) -> None:
        """Do all of them, one after the other in random order, again and again until the storm is over."""
        chance = self.world.chance
        while True:
            for attack in chance.sample(list(attacks), len(attacks)):
                await asyncio.sleep(chance.uniform(*rest))
                if not self.world.is_stormy:
                    return
                await attack()

    async def _calm(self, store: Store, workers: Workers) -> int:
        """Wait until nothing waits, runs or is unsent, then look what idling costs; return how long it took."""
        began = now_ms()
        until = time.monotonic() + CALM_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(RetryableError, OutcomeUnknownError):
                counts = await store.catalog.counts()
                if not (counts.waiting or counts.running or counts.unsent or counts.timers):
                    self.world.record(history.Rested(at_ms=now_ms()))
                    break
            await asyncio.sleep(_LOOK_SECONDS)
        took_ms = now_ms() - began
        await self._measure_idling(workers)
        return took_ms

    async def _measure_idling(self, workers: Workers) -> None:
        """Write down what workers without work cost: requests seen on their way, and what the kernel counts."""
        pids = [worker.pid for worker in workers.serving]
        asked, before = self._target.requests, spent(pids)
        await asyncio.sleep(IDLE_SECONDS)
        asked_then, after = self._target.requests, spent(pids)
        self.world.record(
            history.Idle(
                workers=len(pids),
                window_ms=int(IDLE_SECONDS * 1000),
                round_trips=None if asked is None or asked_then is None else asked_then - asked,
                writes=after.writes - before.writes,
                cpu_ms=after.cpu_ms - before.cpu_ms,
            )
        )

    async def _judge(self, store: Store, workers: Workers, crowd: Sequence[Provider], rest_ms: int) -> Outcome:
        reading = await judging.read(store)
        for event in (*reading.events, *await self._target.footprints(left_by(reading.events))):
            self.world.record(event)
        verdict = history.check(self.world.events())
        problems = reading.problems
        if workers.unclean_stops:
            problems.append(f"{workers.unclean_stops} workers did not end after SIGTERM")
        counters = verdict.counters | {
            "given_up_by_providers": sum(provider.given_up for provider in crowd),
            "late_first_attempts": self.world.late_firsts,
        }
        return Outcome(
            store=self._kind,
            seed=self._seed,
            seconds=self._seconds,
            storm_seconds=self._storm_seconds,
            messages=sum(provider.messages for provider in crowd),
            faults=verdict.faults,
            counters=counters,
            violations=[*problems, *(str(violation) for violation in verdict.violations)],
            found=verdict.total + len(problems),
            rest_ms=rest_ms,
            took_seconds=0.0,
        )
