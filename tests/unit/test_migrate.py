"""Conversations move between stores whole, once, and whatever interrupts the move."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.migration_states import KINDS, conversation, documents, fill, is_empty, snapshot
from turnkeeper.errors import ConfigurationError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.operations.migration import Plan, Report, migrate
from turnkeeper.operations.moving import Moved, Mover
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Begin, Duplicate, Incoming, Queued
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing import ManualClock

pytestmark = pytest.mark.anyio

PLAN = Plan(collections=("session",))


class Failing:
    """A store of which one call fails: never sent, or applied with its answer lost."""

    def __init__(self, store: Store, calls: "Calls") -> None:
        self._store = store
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        if name in {"turns", "deliveries", "documents", "catalog"}:
            return FailingPort(getattr(self._store, name), self._calls)
        return getattr(self._store, name)


class FailingPort:
    """One port of it."""

    def __init__(self, port: object, calls: "Calls") -> None:
        self._port = port
        self._calls = calls

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._port, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._calls.made += 1
            await self._calls.before()
            if self._calls.made == self._calls.fails_at and not self._calls.applied:
                raise StoreUnavailableError("pulled the plug before")
            answer = await method(*args, **kwargs)
            if self._calls.made == self._calls.fails_at:
                raise StoreUnavailableError("pulled the plug after")
            return answer

        return call


class Calls:
    """Counts the calls to both stores of a move, and says which one fails."""

    def __init__(self, fails_at: int = 0, *, applied: bool = False) -> None:
        self.made = 0
        self.fails_at = fails_at
        self.applied = applied

    async def before(self) -> None:
        """Do what happens before a call: nothing here."""


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that only the test moves."""
    return ManualClock()


async def filled(clock: ManualClock, count: int) -> MemoryStore:
    """Return a store with conversations in every state, whose workers are gone."""
    store = MemoryStore(clock=clock)
    await fill(store, count, large=count <= KINDS)
    clock.advance(timedelta(seconds=1))
    return store


async def run(source: Store, target: Store, clock: ManualClock, plan: Plan = PLAN) -> Report:
    """Move everything."""
    return await migrate(source, target, plan, clock=clock)


async def test_everything_moves_and_comes_back_the_same(clock: ManualClock) -> None:
    """A roll-out can be rolled back: what was waiting, unsent, scheduled, dead or large is as it was."""
    source, target = await filled(clock, 40), MemoryStore(clock=clock)
    before, papers = await snapshot(source, 40), await documents(source)

    there = await run(source, target, clock)
    moved = await snapshot(target, 40)
    left = await is_empty(source, 40)
    back = await run(target, source, clock)

    assert there.is_complete
    assert back.is_complete
    assert (there.conversations, there.documents) == (40, 4)
    assert moved == before
    assert left
    assert await snapshot(source, 40) == before
    assert await documents(source) == papers
    assert await is_empty(target, 40)


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
async def test_a_move_that_failed_anywhere_is_finished_by_the_next(clock: ManualClock, *, applied: bool) -> None:
    """Whichever call is the last one: nothing is lost, nothing is doubled, and no conversation lives twice."""
    counted = Calls()
    source = await filled(clock, KINDS)
    papers = await documents(source)
    await run(Failing(source, counted), Failing(MemoryStore(clock=clock), counted), clock)

    for fails_at in range(1, counted.made + 1):
        source, target = await filled(clock, KINDS), MemoryStore(clock=clock)
        wanted = await snapshot(source, KINDS)
        calls = Calls(fails_at, applied=applied)
        with pytest.raises(StoreUnavailableError):
            await run(Failing(source, calls), Failing(target, calls), clock)
        both = {
            key for key, one in (await snapshot(source, KINDS)).items() if one and (await snapshot(target, KINDS))[key]
        }
        report = await run(source, target, clock)

        assert not both, fails_at
        assert report.is_complete, fails_at
        assert await snapshot(target, KINDS) == wanted, fails_at
        assert await documents(target) == papers, fails_at
        assert await is_empty(source, KINDS), fails_at


async def test_a_repeated_message_is_still_a_duplicate(clock: ManualClock) -> None:
    """A provider that did not hear the first 2xx repeats it to the new server."""
    source, target = await filled(clock, KINDS), MemoryStore(clock=clock)
    await run(source, target, clock)

    answers = [
        await target.turns.begin(
            Begin(
                conversation=conversation(number),
                token="again",
                lease_ms=1_000,
                message=Incoming(id=f"{conversation(number).key}:hello", payload=b"again"),
            )
        )
        for number in range(KINDS)
    ]

    assert answers == [Duplicate(done=True, reply=b"welcome")] * KINDS


async def test_a_dry_run_counts_and_writes_nothing(clock: ManualClock) -> None:
    """Neither in the source nor in the target."""
    source, target = await filled(clock, 20), MemoryStore(clock=clock)
    before = await snapshot(source, 20)

    report = await run(source, target, clock, Plan(dry_run=True, collections=("session",)))

    assert (report.conversations, report.documents) == (18, 2)  # the two forgotten ones are in no list
    assert await snapshot(source, 20) == before
    assert await is_empty(target, 20)


async def test_one_flow_can_move_alone(clock: ManualClock) -> None:
    """The others stay where they are."""
    source, target = await filled(clock, KINDS), MemoryStore(clock=clock)

    report = await run(source, target, clock, Plan(flow="another"))

    assert (report.conversations, report.is_complete) == (0, True)
    assert await is_empty(target, KINDS)


async def test_a_conversation_that_is_there_already_stays_in_both(clock: ManualClock) -> None:
    """Neither is thrown away; the report names it."""
    source, target = await filled(clock, KINDS), MemoryStore(clock=clock)
    before = await snapshot(source, KINDS)
    await fill(target, 1)
    there = await snapshot(target, 1)

    report = await run(source, target, clock)

    assert report.conflicts == [conversation(0).key]
    assert not report.is_complete
    assert await snapshot(target, 1) == there
    assert (await snapshot(source, KINDS))[conversation(0).key] == before[conversation(0).key]


async def test_a_store_is_not_moved_into_itself(clock: ManualClock) -> None:
    """It would end with erasing everything."""
    source = await filled(clock, KINDS)
    before = await snapshot(source, KINDS)

    with pytest.raises(ConfigurationError, match="same store"):
        await run(source, source, clock)

    assert await snapshot(source, KINDS) == before


async def test_a_source_that_is_served_is_refused(clock: ManualClock) -> None:
    """A running turn that goes on being renewed is a server; nothing is moved."""
    source, target = MemoryStore(clock=clock), MemoryStore(clock=clock)
    message = Incoming(id="m", payload=b"m")
    await source.turns.begin(Begin(conversation=conversation(1), token="w", lease_ms=60_000, message=message))

    with pytest.raises(ConfigurationError, match="it is being served"):
        await migrate(source, target, Plan(), clock=Hurrying(clock))

    assert await is_empty(target, 2)


async def test_a_turn_that_runs_is_left_alone(clock: ManualClock) -> None:
    """Its worker commits in the source as if nobody had come."""
    source, target = MemoryStore(clock=clock), MemoryStore(clock=clock)
    message = Incoming(id="m", payload=b"m")
    await source.turns.begin(Begin(conversation=conversation(1), token="w", lease_ms=60_000, message=message))
    before = await snapshot(source, 2)

    moved = await Mover(source, target).move(conversation(1))

    assert moved is Moved.BUSY
    assert await snapshot(source, 2) == before
    assert await is_empty(target, 2)


@pytest.mark.parametrize("number", range(KINDS))
async def test_a_message_that_comes_at_any_moment_of_a_move_is_in_one_store(clock: ManualClock, number: int) -> None:
    """Accepted by a served source before any call of it: moved too, or begun anew there and named; never lost."""
    counted = Calls()
    source, target = await filled(clock, KINDS), MemoryStore(clock=clock)
    await Mover(Failing(source, counted), Failing(target, counted)).move(conversation(number))

    for comes_at in range(1, counted.made + 1):
        source, target = await filled(clock, KINDS), MemoryStore(clock=clock)
        late = Arriving(source, comes_at, conversation(number))
        mover = Mover(Failing(source, late), Failing(target, late))
        moves = [await mover.move(late.who), await mover.move(late.who)]

        assert late.came, comes_at
        places = [await target.catalog.export(late.who), await source.catalog.export(late.who)]
        waits = [one is not None and late.id in {each.id for each in one.inbox} for one in places]
        assert waits in ([True, False], [False, True]), (comes_at, waits)
        assert waits[0] or Moved.CONFLICT in moves, comes_at


class Arriving(Calls):
    """Lets a message come to the source before one of the calls."""

    def __init__(self, source: Store, comes_at: int, who: ConversationId) -> None:
        super().__init__()
        self._source = source
        self._comes_at = comes_at
        self.who = who
        self.id = "late"
        self.came = False

    async def before(self) -> None:
        """Accept it, once; nobody runs it."""
        if self.made != self._comes_at or self.came:
            return
        message = Incoming(id=self.id, payload=b"late")
        begun = await self._source.turns.begin(
            Begin(conversation=self.who, token="server", lease_ms=1, message=message, run=False)
        )
        assert isinstance(begun, Queued)
        self.came = True


class Hurrying:
    """A clock whose sleeps move it, for code that waits."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return self._clock.now_ms()

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float, /) -> None:
        """See `Clock.sleep`."""
        self._clock.advance(timedelta(seconds=seconds))
