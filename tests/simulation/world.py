"""One simulated run: workers, people, faults, rest, and the history of it all. The same seed gives the same history."""

import asyncio
import contextlib
import hashlib
import logging
import pkgutil
import random
import types
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module

import msgspec

from tests.simulation.bot import CHANNEL, JOB_TIMEOUT, TURN_TIMEOUT
from tests.simulation.network import SEND_TIMEOUT, Network, Provider, Weather, WiredStore
from tests.simulation.people import Person
from tests.simulation.subjects import subject_of
from turnkeeper import engine as engine_package
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.settings import Settings
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.channel import OnUnknown
from turnkeeper.ports.limits import MAX_INBOX
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import LogRecord
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.memory import begin as memory_begin
from turnkeeper.testing.history import (
    AnyEvent,
    Dead,
    Fault,
    Footprint,
    Healed,
    Idle,
    Redriven,
    Rested,
    Setup,
    Sight,
    Verdict,
    check,
    to_line,
)
from turnkeeper.testing.virtual_time import Process, VirtualClock, VirtualLoop, virtual_monotonic

LEASE = timedelta(seconds=15)
SEND_LEASE = timedelta(seconds=30)

ALLOWANCE = timedelta(seconds=22 + 10) + TURN_TIMEOUT + JOB_TIMEOUT
"""The bot's own waits: a slow handler, a timer, a handler and a job that hang."""

POLL = timedelta(seconds=2.5)
"""Rarer than in production: most of a run's steps would be looks that find nothing."""

SETTINGS = Settings(
    lease=LEASE,
    renew_every=timedelta(seconds=5),
    send_lease=SEND_LEASE,
    send_timeout=timedelta(seconds=SEND_TIMEOUT),
    send_attempts=1_000,
    send_backoff=timedelta(milliseconds=50),
    max_send_backoff=timedelta(seconds=1),
    poll=POLL,
    heartbeat=False,  # its thread; the simulation beats instead
)

BEAT_SECONDS = 1.5
IDLE_SECONDS = 10.0
REST_SECONDS = 0.25
LONGEST_TALK = 400.0
"""Virtual seconds after which people who still try are left alone: something is stuck."""

BROKEN = frozenset({"turn_broken", "lane_broken", "due_broken", "due_killed", "worker_broken", "settle_broken"})
"""What the engine logs when its own code fails."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one seed gave. `troubles`: failures of the engine's own code and states that lie, which no history tells."""

    seed: int
    digest: str
    turns: int
    messages: int
    verdict: Verdict
    troubles: tuple[str, ...]

    @property
    def violations(self) -> int:
        """How many promises were broken."""
        return self.verdict.total + len(self.troubles)


class Worker:
    """A process with an engine, and the heartbeat that its thread would be."""

    def __init__(self, world: "World", name: str) -> None:
        """Start it."""
        self.process = Process(name)
        self._world = world
        self.engine = Engine(
            store=WiredStore(world.store, world.network),
            programs={world.program.name: world.program},
            channels={CHANNEL: Provider(world.network, world.on_unknown)},
            settings=SETTINGS,
            entropy=random.Random(world.chance.getrandbits(64)),
        )
        world.loop.begin(self.process, self.engine.start())
        world.loop.begin(self.process, self._beat())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await self.engine._heartbeat.beat()  # noqa: SLF001 - the thread's part


class World:
    """Everything of one run."""

    def __init__(self, seed: int) -> None:
        """Draw what kind of run this is: how many of whom, how hasty, which faults."""
        self.chance = random.Random(seed)
        self.history: list[AnyEvent] = []
        self.troubles: list[str] = []
        self.loop = VirtualLoop(random.Random(self.chance.getrandbits(64)))
        self.clock = VirtualClock(self.loop)
        self.store: Store = MemoryStore(clock=self.clock)
        self.weather = Weather(self.chance)
        self.network = Network(self.loop, self.weather, self.history.append)
        policy = self.chance.choice(("queue", "queue", "coalesce", "interrupt", "reject"))
        retain_ms = self.chance.choice((86_400_000, 86_400_000, 20_000))
        self._subject = subject_of(seed, clock=self.clock, chance=self.chance, policy=policy, retain_ms=retain_ms)
        self.program = self._subject.program
        self.on_unknown = self.chance.choice((OnUnknown.RESEND, OnUnknown.RESEND, OnUnknown.HOLD))
        self.room = self.chance.choice((MAX_INBOX, MAX_INBOX, 4))
        flow = self.program.name
        self.who = [ConversationId(flow=flow, person=f"p{number}") for number in range(self.chance.randint(1, 6))]
        self.deaths = self.chance.choice((0.0, 0.1, 0.3))
        self._count = self.chance.randint(1, 4)
        self.workers: list[Worker] = []
        self._dead: list[Process] = []
        self._leaving: list[Worker] = []

    def note(self, event: AnyEvent) -> None:
        """Write something down."""
        self.history.append(event)

    async def live(self) -> None:
        """Let people talk while everything fails, then heal, rest, and look."""
        self.note(
            Setup(
                lease_ms=LEASE // timedelta(milliseconds=1),
                send_lease_ms=SEND_LEASE // timedelta(milliseconds=1),
                allowance_ms=ALLOWANCE // timedelta(milliseconds=1),
                idle_per_second=1 / POLL.total_seconds(),
                resends=self.on_unknown is OnUnknown.RESEND,
                retains=True,
            )
        )
        self.workers = [Worker(self, f"w{number}") for number in range(self._count)]
        people = asyncio.create_task(self._talk())
        fate = asyncio.create_task(self._fate())
        await asyncio.sleep(self.chance.choice((10.0, 30.0, 60.0)))
        fate.cancel()
        self._heal()
        await asyncio.wait({people}, timeout=LONGEST_TALK)
        if self.chance.random() < 0.3:
            await self._redrive()
        self.note(Healed(at_ms=self.clock.now_ms()))
        if await self._rest():
            self.note(Rested(at_ms=self.clock.now_ms()))
            await self._idle()
        await self._look(is_last=True)
        self._end()
        await self._tell()
        await self._weigh()

    async def _talk(self) -> None:
        hurry = self.chance.choice((0.0, 0.5, 6.0))
        people = [
            Person(
                who,
                network=self.network,
                chance=self.chance,
                workers=lambda: self.workers,
                words=(self._subject.words, self._subject.rare_words),
                count=self.chance.randint(1, 12),
                hurry=hurry,
            )
            for who in self.who
        ]
        for task in [asyncio.create_task(person.talk()) for person in people]:
            await task

    async def _fate(self) -> None:
        """Kill, freeze and replace workers; look in between."""
        while True:
            await asyncio.sleep(self.chance.random() * 3)
            if self.chance.random() < 0.2:
                await self._look(is_last=False)
            if self.chance.random() >= self.deaths:
                continue
            worker = self.chance.choice(self.workers)
            if worker.process.is_dead:
                continue
            kind = self.chance.choice(("kill", "kill", "freeze", "deploy"))
            self.note(Fault(kind=kind, at_ms=self.clock.now_ms()))
            if kind == "freeze":
                self.loop.freeze(worker.process)
                self.loop.call_later(self.chance.choice((0.1, 3.0, 17.0, 40.0)), self.loop.thaw, worker.process)
            elif kind == "kill":
                self._kill(worker)
                self.loop.call_later(self.chance.choice((0.0, 1.0, 20.0)), self._replace, worker)
            else:
                self._replace(worker)
                self.loop.begin(worker.process, worker.engine.stop())
                self._leaving.append(worker)

    def _kill(self, worker: Worker) -> None:
        self.loop.kill(worker.process)
        self._dead.append(worker.process)

    def _replace(self, worker: Worker) -> None:
        if worker in self.workers:
            self._count += 1
            self.workers[self.workers.index(worker)] = Worker(self, f"w{self._count}")

    def _heal(self) -> None:
        self.weather.calm()
        for worker in tuple(self.workers):
            self.loop.thaw(worker.process)
            if worker.process.is_dead:
                self._replace(worker)

    async def _redrive(self) -> None:
        """Put back what died so far, as an operator does."""
        page = await self.store.deliveries.dead(limit=100)
        for letter in page.items:
            self.note(Redriven(conversation=letter.conversation.key, source=letter.source_id))
        await self.store.deliveries.redrive([letter.id for letter in page.items])

    async def _rest(self) -> bool:
        """Wait until nothing is due and nothing will be; False if that never comes."""
        until = self.loop.time() + 4 * (2 * SEND_LEASE + ALLOWANCE).total_seconds()
        while self.loop.time() < until:
            due = await self.store.deliveries.due()
            if not due.items and due.next_ms is None and not any(worker.engine.is_busy for worker in self.workers):
                return True
            await asyncio.sleep(REST_SECONDS)
        return False

    async def _idle(self) -> None:
        for worker in self._leaving:  # gone by now; if one is not, it asks nothing either
            self._kill(worker)
        before = self.network.round_trips
        await asyncio.sleep(IDLE_SECONDS)
        trips = self.network.round_trips - before
        self.note(Idle(workers=len(self.workers), window_ms=int(IDLE_SECONDS * 1_000), round_trips=trips))

    async def _look(self, *, is_last: bool) -> None:
        due = await self.store.deliveries.due(limit=256)
        for who in self.who:
            exported = await self.store.catalog.export(who)
            if exported is None:
                continue
            self.note(
                Sight(
                    conversation=who.key,
                    at_ms=self.clock.now_ms(),
                    version=exported.version,
                    waiting=tuple(waiting.id for waiting in exported.inbox),
                    unsent=tuple(delivery.id for delivery in exported.deliveries),
                    applied=self._subject.applied(exported.state) if exported.state else None,
                    expires_ms=None if exported.inbox or exported.deliveries else exported.expires_ms,
                    is_indexed=(due.next_ms is not None or any(item.conversation == who for item in due.items))
                    if is_last
                    else None,
                    is_last=is_last,
                )
            )

    def _end(self) -> None:
        for worker in self.workers:
            self._kill(worker)

    async def _tell(self) -> None:
        """Read the logs and the dead letters."""
        for who in self.who:
            records: list[LogRecord] = []
            while page := await self.store.turns.history(who, before=records[-1].seq if records else None):
                records += page
            records.reverse()
            for turn in self._subject.turns(who.key, records):
                self.note(turn)
            exported = await self.store.catalog.export(who)
            state = None if exported is None else exported.state
            self.troubles += (f"{who.key}: {text}" for text in self._subject.disagreements(state, records))
        cursor: str | None = None
        while True:
            letters = await self.store.deliveries.dead(cursor=cursor, limit=100)
            for letter in letters.items:
                self.note(Dead(conversation=letter.conversation.key, source=letter.source_id))
            if letters.cursor is None:
                return
            cursor = letters.cursor

    async def _weigh(self) -> None:
        """Count what is left when everything has had its time: nothing but what waits for an operator."""
        self.loop.jump(timedelta(days=60).total_seconds())
        for who in self.who:  # the sweep comes with a write
            await self.store.deliveries.cancel(who, ids=())
        self.loop.jump(timedelta(days=60).total_seconds())
        for who in self.who:
            await self.store.deliveries.cancel(who, ids=())
        tables = self.store._medium._tables  # type: ignore[attr-defined]  # noqa: SLF001 - what nobody can see counts too
        kinds = ("heads", "busy", "logs", "documents", "feed")
        self.note(Footprint(entries=dict.fromkeys(kinds, 0), is_baseline=True))
        self.note(Footprint(entries={kind: len(getattr(tables, kind)) for kind in kinds}))

    def close(self) -> None:
        """Let go of everything."""
        self.loop.bury(self._dead)
        self.loop.close()


class _Ears(logging.Handler):
    """Hears what the engine says of its own failures."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Remember it."""
        if record.msg in BROKEN:
            self.heard.append(f"{record.msg}: {record.exc_info[1]!r}" if record.exc_info else str(record.msg))


@contextlib.contextmanager
def small_inboxes(room: int) -> Iterator[None]:
    """Let a conversation hold so many waiting messages: to fill an inbox of 200 would take a run for itself."""
    memory_begin.__dict__["MAX_INBOX"] = room
    try:
        yield
    finally:
        memory_begin.__dict__["MAX_INBOX"] = MAX_INBOX


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Keep the engine's log off the terminal, but hear of failures of its own code."""
    logger = logging.getLogger("turnkeeper")
    ears = _Ears()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(ears)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield ears.heard
    finally:
        logger.removeHandler(ears)
        logger.setLevel(level)
        logger.propagate = propagate


def engine_modules() -> list[types.ModuleType]:
    """Return every module of the engine."""
    found = pkgutil.walk_packages(engine_package.__path__, "turnkeeper.engine.")
    return [import_module(info.name) for info in found]


def history_of(seed: int) -> tuple[list[AnyEvent], tuple[str, ...]]:
    """Run a seed; return its history and the engine's own failures."""
    world = World(seed)
    with listening() as heard, small_inboxes(world.room), virtual_monotonic(world.loop, engine_modules()):
        try:
            world.loop.run_until_complete(world.live())
            troubles = (*heard, *world.loop.troubles, *world.troubles)
        finally:
            world.close()
    return world.history, troubles


def simulate(seed: int) -> Outcome:
    """Run a seed and judge it."""
    history, troubles = history_of(seed)
    digest = hashlib.blake2b(digest_size=8)
    for event in history:
        digest.update(to_line(event))
    verdict = check(history)
    return Outcome(
        seed=seed,
        digest=digest.hexdigest(),
        turns=verdict.counters["turns"],
        messages=verdict.counters["messages"],
        verdict=verdict,
        troubles=troubles,
    )
