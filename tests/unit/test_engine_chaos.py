"""Three engines on one store while everything fails at random: what must hold afterwards, by the seed.

Engines die between any two steps, answers get lost, the store refuses, providers answer anything, messages are
delivered twice, and the clock jumps over leases while turns run. Then the faults stop.
"""

import asyncio
import contextlib
import random
import types
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from tests.unit.echo_program import CHANNEL, EchoProgram, text
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.settings import Settings
from turnkeeper.errors import OutcomeUnknownError, RetryableError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.channel import OnUnknown, Outgoing, SendOutcome, Sent
from turnkeeper.ports.program import Rules, Tools, TurnInput
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Begin, Granted, Queued
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

PEOPLE = tuple(ConversationId(flow="echo", person=f"p{number}") for number in range(6))
LEASE = timedelta(seconds=15)
SEND_LEASE = timedelta(seconds=30)
SETTINGS = Settings(
    work=False,
    heartbeat=False,
    lease=LEASE,
    send_lease=SEND_LEASE,
    send_attempts=1_000,
    send_backoff=timedelta(milliseconds=10),
    max_send_backoff=timedelta(seconds=1),
)
RULES = Rules(max_attempts=1_000, backoff=timedelta(milliseconds=10), max_backoff=timedelta(seconds=1))
STEPS = 260
SEEDS = {"memory": range(40), "sqlite": range(3)}


class DeathError(BaseException):
    """The process is gone; nothing that it still wanted to do is done."""


class World:
    """What the engines share, and what is remembered of them."""

    def __init__(self, seed: int, store: Store, clock: ManualClock) -> None:
        """Take the seed of everything that happens."""
        self.chance = random.Random(seed)
        self.store = store
        self.clock = clock
        self.faults = 0.04
        self.accepted: dict[str, list[str]] = {}
        self.delivered: dict[str, list[tuple[str, str, bool]]] = {}
        self.durable: set[str] = set()
        self.sending = 0

    def happens(self, probability: float) -> bool:
        """Return whether something that goes wrong that often goes wrong now."""
        return self.faults > 0 and self.chance.random() < probability


class Line:
    """What connects an engine with the world; cut once it is dead."""

    def __init__(self, world: World) -> None:
        """Be whole."""
        self.world = world
        self.is_cut = False

    def check(self) -> None:
        """Stop the dead."""
        if self.is_cut:
            raise DeathError


class Port:
    """A port over a line: calls are refused, answered, or done without an answer."""

    def __init__(self, port: object, line: Line) -> None:
        """Take the port."""
        self._port = port
        self._line = line

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)
        world = self._line.world

        async def call(*args: Any, **options: Any) -> Any:
            self._line.check()
            if world.happens(world.faults):
                raise StoreUnavailableError("refused")
            answer = await method(*args, **options)
            if args and isinstance(args[0], Begin) and args[0].message and isinstance(answer, Granted | Queued):
                accepted = world.accepted.setdefault(args[0].conversation.person, [])
                if args[0].message.id not in accepted:
                    accepted.append(args[0].message.id)
            if name != "due" and world.happens(world.faults):
                raise OutcomeUnknownError("the answer was cut")
            self._line.check()
            return answer

        return call


class LinedStore:
    """The store over a line."""

    def __init__(self, line: Line) -> None:
        """Take the line."""
        store = line.world.store
        self.turns = cast("Any", Port(store.turns, line))
        self.deliveries = cast("Any", Port(store.deliveries, line))
        self.documents = store.documents
        self.catalog = store.catalog

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class Provider:
    """Takes, refuses, or takes without saying so."""

    name = CHANNEL
    on_unknown = OnUnknown.RESEND

    def __init__(self, line: Line) -> None:
        """Take the line of the engine that it serves."""
        self._line = line

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """Remember what was taken."""
        self._line.check()
        self._line.world.sending += 1
        try:
            return await self._take(outgoing)
        finally:
            self._line.world.sending -= 1

    async def _take(self, outgoing: Outgoing) -> Sent:
        world = self._line.world
        for _ in range(world.chance.randrange(3)):
            await asyncio.sleep(0)
        self._line.check()
        if world.happens(0.05):
            return Sent(outcome=SendOutcome.RETRY)
        world.delivered.setdefault(outgoing.reply.to, []).append(
            (outgoing.id, outgoing.reply.text, outgoing.maybe_sent)
        )
        if world.happens(0.05):
            raise ValueError("the connection broke")
        return Sent(outcome=SendOutcome.UNKNOWN if world.happens(0.05) else SendOutcome.ACCEPTED)

    async def close(self) -> None:
        """Do nothing."""


class Process:
    """An engine that can die."""

    def __init__(self, world: World) -> None:
        """Start it."""
        self.line = Line(world)

        async def dawdle(turn: TurnInput, tools: Tools) -> None:
            for _ in range(world.chance.randrange(6)):
                await asyncio.sleep(0)
            self.line.check()
            if world.happens(0.03):
                raise ValueError("the handler failed")

        self.engine = Engine(
            store=LinedStore(self.line),
            programs={"echo": EchoProgram(rules=RULES, handle=dawdle, attempts=1_000)},
            channels={CHANNEL: Provider(self.line)},
            settings=SETTINGS,
            entropy=world.chance,
        )


def say_nothing_of_the_dead(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Report what a task ended with, unless that was the death of its process."""
    if not isinstance(context.get("exception"), DeathError):
        loop.default_exception_handler(context)


async def live(world: World, pause: float) -> list[Process]:
    """Let everything happen; return the engines that are left."""
    asyncio.get_running_loop().set_exception_handler(say_nothing_of_the_dead)
    processes = [Process(world) for _ in range(3)]
    sent: list[tuple[ConversationId, str]] = []
    for number in range(STEPS):
        process = world.chance.choice(processes)
        again = bool(sent) and world.happens(0.2)
        who, words = world.chance.choice(sent[-20:]) if again else (world.chance.choice(PEOPLE), f"m{number}")
        if not again and world.chance.random() < 0.2:
            words = f"job {words}"
        sent.append((who, words))
        try:
            accepted = await process.engine.accept(who, text(words))
        except (RetryableError, OutcomeUnknownError, DeathError):
            pass
        else:
            if accepted.durable:
                world.durable.add(f"{who.person}/{words}")
        for _ in range(world.chance.randrange(8)):
            await asyncio.sleep(pause)
        with contextlib.suppress(RetryableError, OutcomeUnknownError):
            await process.engine.look()
        if world.happens(0.06):
            process.line.is_cut = True
            processes[processes.index(process)] = Process(world)
        if world.happens(0.3):
            seconds = world.chance.choice((0.1, 1, 5, 31))
            if seconds < 1 or not world.sending:  # a send takes less than its claim lasts: `send_timeout` sees to it
                world.clock.advance(timedelta(seconds=seconds))
    return processes


async def drain(world: World, processes: list[Process], pause: float) -> timedelta:
    """Let everything come to rest without faults; return how long that took on the store's clock."""
    world.faults = 0
    start = world.clock.now
    quiet = 0
    while quiet < 3:
        is_busy = False
        for process in processes:
            is_busy = await process.engine.look() or is_busy
        await asyncio.sleep(pause)
        if is_busy:
            quiet = 0
            continue
        due = await world.store.deliveries.due()
        if due.next_ms is None and not due.items:
            quiet += 1
        else:
            world.clock.advance(timedelta(seconds=0.5))
    return world.clock.now - start


async def check(world: World) -> None:
    """Assert I1 to I7 of the durability design."""
    assert (await world.store.deliveries.dead()).items == (), "nothing dies of faults alone"
    for who in PEOPLE:
        exported = await world.store.catalog.export(who)
        assert exported is not None
        heard = msgspec.json.decode(exported.state or b"[]", type=list[str])
        words = [said for said in heard if not said.startswith("result ")]
        accepted = [one for one in world.accepted[who.person] if not one.startswith("result:")]
        jobs = [said for said in words if said.startswith("job ")]
        delivered = world.delivered.get(who.person, [])

        durable = {one.split("/", 1)[1] for one in world.durable if one.startswith(f"{who.person}/")}
        assert durable <= set(words), "I1, I7: what was reported durable is applied"
        assert len(words) == len(set(words)), "I2: nothing is applied twice"
        assert len(heard) - len(words) == len(jobs), "I2: every job's result is applied once"
        assert words == accepted, "I3: in order of acceptance"
        assert exported.version == len(heard), "I4: one version a turn"
        first: dict[str, str] = {}
        for effect_id, said, maybe_sent in delivered:
            assert maybe_sent or effect_id not in first, f"I6: {effect_id} was repeated unmarked"
            first.setdefault(effect_id, said)
        assert list(first.values()) == [f"echo {said}" for said in heard], "I5, I6: all replies, no others, in order"
        assert exported.deliveries == (), "I11: everything is delivered"


async def run(seed: int, store: Store, clock: ManualClock, pause: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live, drain, check. The engines' own clock is the store's, so that a jump is one for both."""
    for module in ("running.commit", "heartbeat", "delivering.outbox", "delivering.settling"):
        monkeypatch.setattr(f"turnkeeper.engine.{module}.time", types.SimpleNamespace(monotonic=clock.monotonic))
    world = World(seed, store, clock)
    processes = await live(world, pause)

    took = await drain(world, processes, pause)

    await check(world)
    assert took <= 2 * max(LEASE, SEND_LEASE) + timedelta(seconds=1), "I11: it drains in time"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat lost answers at once: the store's clock is not the one that these waits use."""
    monkeypatch.setattr("turnkeeper.engine.running.commit._REPEAT_SECONDS", (0.001, 0.002))
    monkeypatch.setattr("turnkeeper.engine.delivering.settling._REPEAT_SECONDS", (0.001, 0.002))
    monkeypatch.setattr("turnkeeper.engine.delivering.jobs._HOME_SECONDS", (0.001, 0.002))


@pytest.mark.parametrize("seed", SEEDS["memory"])
async def test_nothing_is_lost_or_repeated_unmarked_in_memory(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The promises hold after every failure that this seed brings."""
    clock = ManualClock()

    await run(seed, MemoryStore(clock=clock), clock, 0, monkeypatch)


@pytest.mark.parametrize("seed", SEEDS["sqlite"])
async def test_nothing_is_lost_or_repeated_unmarked_on_sqlite(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same on a file."""
    clock = ManualClock()
    store = SqliteStore(tmp_path / "chaos.db", clock=clock, durability="memory")
    await store.open()

    await run(seed, store, clock, 0.001, monkeypatch)

    await store.close()
