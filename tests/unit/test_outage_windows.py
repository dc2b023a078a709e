"""Moments between two steps of an outage: what is under way just then is neither lost nor done twice."""

import asyncio
import secrets
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.unit.outage_bench import ANA, SETTINGS, Bench, SwitchedStore, counting_flow
from turnkeeper import App
from turnkeeper.engine.engine import Engine
from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage import Breaker
from turnkeeper.outage.carry.local import LocalSide, new_place
from turnkeeper.outage.carry.recent import Recent
from turnkeeper.outage.carry.seeding import seed
from turnkeeper.outage.carry.writing_back import WayBack, WriteBack
from turnkeeper.outage.journal import Journal, left_behind, open_journal
from turnkeeper.outage.locking import lock_file
from turnkeeper.policy.outage import Outage
from turnkeeper.ports.catalog import ExportedDelivery
from turnkeeper.ports.deliveries import Lane
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Begin, EffectKind
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

NAME = ConversationId(flow="counting", person=ANA)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a store, a clock and a folder."""
    return Bench(tmp_path / "local")


async def _alone(_side: LocalSide, _request: Begin) -> None:
    """Let anything begin."""


async def test_a_job_that_is_just_being_claimed_here_is_not_brought_back(bench: Bench) -> None:
    """Its claim was asked for before the conversation rested, and is granted after: it runs here, so not there."""

    def engine(store: Store) -> Engine:
        return Engine(store=store, programs={}, channels={}, settings=SETTINGS)

    place = await new_place(bench.folder, owner="test")
    side = LocalSide(place, new_engine=engine, clock=bench.clock, redirect=_alone)
    await side.load()
    recent = Recent(conversations=1, size_bytes=1000)
    note, exported = seed(NAME, recent, write_id="w", now_ms=bench.clock.now_ms())
    job = ExportedDelivery(
        id="j1", kind=EffectKind.JOB, payload=b"{}", due_ms=bench.clock.now_ms(), name="cook", attempts=0,
        maybe_sent=False, committed_ms=bench.clock.now_ms(),
    )  # fmt: skip
    await side.settle(note, msgspec.structs.replace(exported, deliveries=(job,)))
    lane = Lane(conversation=NAME, name="j1")
    claiming = asyncio.create_task(side.store.deliveries.claim(lane, token="t", lease=MINUTE))
    await asyncio.sleep(0)
    side.rest(NAME)

    way = await WriteBack(bench.store, side, clock=bench.clock).attempt(NAME, done=())

    assert await claiming is not None
    assert way is WayBack.LATER
    await side.close()


async def test_a_journal_that_somebody_else_took_over_is_not_made_again(tmp_path: Path) -> None:
    """Two processes see what a dead one left behind; the slower one leaves no empty file in its place."""
    dead, first, slow = [await open_journal(tmp_path, owner="test") for _ in range(3)]
    found = left_behind(slow.path, owner="test")
    await dead.close()
    assert (await first.adopt(dead.path, flows=["shop"])).count == 0

    assert [(await slow.adopt(path, flows=["shop"])).count for path in found] == [0, 0]
    assert not dead.path.exists()
    assert left_behind(slow.path, owner="test") == [first.path]
    await first.close()
    await slow.close()


async def test_a_probe_that_breaks_does_not_end_the_watch() -> None:
    """An error that no store should raise is one more failure; the store is asked again."""
    clock = ManualClock()
    ms = timedelta(milliseconds=1)
    breaker = Breaker(clock=clock, failures=1, first_wait=50 * ms, longest_wait=2000 * ms)
    breaker.trip(StoreUnavailableError("gone"))
    asked: list[int] = []

    async def probe() -> None:
        asked.append(1)
        if len(asked) == 1:
            raise KeyError("redis_version")

    watch = asyncio.create_task(breaker.watch(probe))
    async with asyncio.timeout(5):
        while breaker.is_open:
            clock.advance(ms)
            await asyncio.sleep(0)

    assert len(asked) == 2
    watch.cancel()


class Closes(SwitchedStore):
    """A store that counts how often it was closed, and cannot be read while `is_deaf`."""

    closed = 0

    async def close(self) -> None:
        """Count."""
        self.closed += 1


def app_over(store: Store, bench: Bench) -> App:
    """Return an application that queues."""
    outage = Outage(policy="queue", folder=str(bench.folder))
    return App(counting_flow(), store=store, settings=SETTINGS, clock=bench.clock, outage=outage)


async def test_a_start_that_fails_leaves_nothing_open(bench: Bench) -> None:
    """Who retries it begins with a closed store, and nobody else is kept out by it."""
    store = Closes(MemoryStore(clock=bench.clock))
    app = app_over(store, bench)
    bench.folder.write_text("not a folder")

    with pytest.raises(Exception, match="no journal can be kept"):
        await app.start()
    assert store.closed == 1


async def test_what_cannot_be_stopped_keeps_nothing_else_running(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal whose disk fails at the end: the engine stops and the store is closed all the same."""
    store = Closes(MemoryStore(clock=bench.clock))
    app = app_over(store, bench)
    await app.start()
    engine = app.engine

    async def fail(_: Journal) -> None:
        raise OutcomeUnknownError("the disk failed")

    monkeypatch.setattr(Journal, "close", fail)
    with pytest.raises(OutcomeUnknownError):
        await app.stop()

    assert store.closed == 1
    with pytest.raises(StoreUnavailableError):
        await engine.accept(NAME, app.message("one"))


async def test_a_caller_who_gives_up_leaves_no_conversation_half_moved(bench: Bench) -> None:
    """Whatever is in the local store is fenced off from the store's engine, however early its first caller left."""
    app, switch = bench.server("carry_on")
    people = [f"+1555123{number}" for number in range(1000, 1060)]
    async with app.running():
        for person in people:
            await app.handle(person, app.message("one", id="m1"), within=MINUTE)
        await bench.away(app, switch)
        await app.handle(ANA, app.message("first", id="m3"), within=MINUTE)
        for number, person in enumerate(people):
            accepting = asyncio.create_task(app.accept(person, app.message("two", id="m2")))
            for _ in range(8 * number):
                await asyncio.sleep(0)
            accepting.cancel()
        await app.handle(ANA, app.message("last", id="m4"), within=MINUTE)
        here = [person for person in people if await lives_here(app, person)]

        assert app.health().carried == len(here) + 1
        await bench.back(app, switch)


async def lives_here(app: App, person: str) -> bool:
    """Return whether a conversation can be read while the store is away."""
    try:
        return bool(await app.summaries(person))
    except StoreUnavailableError:
        return False


async def test_a_neighbour_who_looks_at_a_new_journal_does_not_end_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes that start together look whether each other's files were left behind, and lock them for that."""
    looked_at = lock_file(tmp_path / "journal-test-0.db")
    names = iter(["0", "1"])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(names))

    journal = await open_journal(tmp_path, owner="test")

    assert journal.path.name == "journal-test-1.db"
    await journal.close()
    looked_at.close()
