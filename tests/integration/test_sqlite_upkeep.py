"""What keeps a file small and quick over years: checkpoints, purges, indexes, and a clock that never runs backwards."""

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.sqlite_child import conversation, send
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.turns import Begin, Commit, Granted, Idle, Incoming, Queued
from turnkeeper.stores.sqlite import SqliteStore, catalog, deliveries
from turnkeeper.stores.sqlite.file.checkpoints import LIMIT_PAGES, PAGE_BYTES
from turnkeeper.stores.sqlite.file.storetime import StoreTime
from turnkeeper.stores.sqlite.steps import heads, inbox, lanes
from turnkeeper.testing import ManualClock

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


class LooseClock(ManualClock):
    """A machine's clock: somebody may set it back."""

    def __init__(self) -> None:
        super().__init__()
        self.offset_ms = 0

    def now_ms(self) -> int:
        """Return the time that the machine shows."""
        return super().now_ms() + self.offset_ms


async def test_the_log_stays_short_under_constant_load(tmp_path: Path) -> None:
    """Twenty people write without a pause: the write-ahead log begins anew again and again."""
    path = tmp_path / "busy.db"
    store = SqliteStore(path, durability="memory")

    async def talk(person: str) -> None:
        for number in range(150):
            await send(store, person, f"{'x' * 200}{number}")

    await asyncio.gather(*(talk(f"p{number}") for number in range(20)))

    log_bytes = path.with_name("busy.db-wal").stat().st_size
    assert log_bytes < 1.5 * LIMIT_PAGES * PAGE_BYTES
    await store.close()


def test_time_never_runs_backwards() -> None:
    """After a step back it goes on at half speed, so that leases still end."""
    clock = LooseClock()
    time = StoreTime(clock)
    start = time.read()

    clock.offset_ms = -3_600_000
    at_step = time.read()
    clock.advance(timedelta(seconds=10))
    later = time.read()
    clock.advance(timedelta(hours=2))
    caught_up = time.read()

    assert at_step == start
    assert later == start + 5_000
    assert caught_up == clock.now_ms()


def test_time_follows_what_another_process_saw() -> None:
    """A process whose clock is behind starts from the time that the file knows."""
    clock = LooseClock()
    time = StoreTime(clock)

    assert time.read(clock.now_ms() + 500) == clock.now_ms() + 500


async def test_a_clock_set_back_over_a_restart_does_not_revive_a_lease(tmp_path: Path) -> None:
    """The file remembers how late it was: an expired lease stays expired."""
    clock = LooseClock()
    store = SqliteStore(tmp_path / "clock.db", clock=clock)
    await store.turns.begin(begin("ana", "m1", owner="first"))
    clock.advance(timedelta(seconds=20))
    await store.turns.begin(begin("ben", "m1"))
    await store.close()

    clock.offset_ms = -19_000
    store = SqliteStore(tmp_path / "clock.db", clock=clock)
    taken = await store.turns.begin(begin("ana", None, owner="second"))

    assert isinstance(taken, Granted)
    await store.close()


def begin(person: str, message_id: str | None, *, owner: str = "t") -> Begin:
    """Return a request for a turn."""
    message = None if message_id is None else Incoming(id=message_id, payload=b"hello")
    return Begin(conversation=conversation(person), token=owner, lease_ms=15_000, message=message)


async def test_what_is_over_is_cleared_away(tmp_path: Path) -> None:
    """A year later the rows of everything that nobody can read are gone, without anybody asking for them."""
    clock = ManualClock()
    path = tmp_path / "old.db"
    store = SqliteStore(path, clock=clock)
    for number in range(120):
        granted = await store.turns.begin(begin(f"p{number}", "m1"))
        assert isinstance(granted, Granted)
        await store.turns.commit(short_lived(granted, f"p{number}"))
        key = DocumentKey(collection="c", id=str(number))
        await store.documents.put(key, b"x", ttl_ms=1000)
    await send(store, "kept", "m1")

    for _ in range(12):  # over, outlived, remembered for a while, gone: three conversations of a step each time
        clock.advance(DAY * 30)
        for _ in range(4):
            await store.deliveries.due()
            clock.advance(timedelta(minutes=2))
    await store.close()

    left = {table: count(path, table) for table in ("conversation", "state", "message", "log", "document")}
    assert left == {"conversation": 1, "state": 1, "message": 0, "log": 0, "document": 0}


def short_lived(granted: Granted, person: str) -> Commit:
    """Return a commit of a state that is kept for a day."""
    return Commit(
        conversation=conversation(person),
        token=granted.token,
        fence=granted.fence,
        version=0,
        generation=granted.generation,
        commit_id="c1",
        take=1,
        state=b"state",
        log=b"entry",
        retain_ms=86_400_000,
    )


def count(path: Path, table: str) -> int:
    """Return how many rows a table has."""
    connection = sqlite3.connect(path)
    (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own names
    connection.close()
    return int(rows)


async def test_a_purge_is_told_to_who_watches(tmp_path: Path) -> None:
    """A view hears that a state is over although nobody wrote to it."""
    clock = ManualClock()
    store = SqliteStore(tmp_path / "watched.db", clock=clock)
    granted = await store.turns.begin(begin("ana", "m1"))
    assert isinstance(granted, Granted)
    await store.turns.commit(short_lived(granted, "ana"))
    seen = await store.catalog.watch(flow="shop")

    clock.advance(DAY * 2)
    await store.deliveries.due()
    changes = await store.catalog.watch(flow="shop", cursor=seen.cursor)

    assert [(one.conversation, one.state) for one in changes.items] == [(conversation("ana"), None)]
    await store.close()


@pytest.mark.parametrize(
    "statement",
    [
        heads.BY_NAME,
        heads.BY_PERSON,
        inbox.FIND,
        inbox.HAND_OUT,
        lanes.FIRST,
        lanes.BY_NAME,
        catalog.OF_SHELF,
        catalog.CHANGES,
        deliveries.DUE_TURNS,
        deliveries.DUE_LANES,
        deliveries.NEXT_TURN,
        deliveries.NEXT_LANE,
    ],
)
async def test_no_hot_statement_reads_or_sorts_a_whole_table(tmp_path: Path, statement: str) -> None:
    """Every one finds its rows, in order, by an index: it costs the same among ten and among a million."""
    path = tmp_path / "plans.db"
    store = SqliteStore(path)
    await store.open()
    await store.close()

    connection = sqlite3.connect(path)
    names = {"now": 0, "before_ms": 0, "before": 0, "flow": "", "status": "", "after": 0, "limit": 1}
    parameters = names if ":flow" in statement else (0,) * statement.count("?")
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    connection.close()

    assert steps
    assert not [step for step in steps if step.startswith(("SCAN", "USE TEMP"))]


async def test_the_first_page_is_the_same_work_for_many(tmp_path: Path) -> None:
    """A page of a list over all statuses reads a page of rows, and is in order."""
    store = SqliteStore(tmp_path / "many.db", durability="memory")
    clockwise = [f"p{number:03}" for number in range(300)]
    for person in clockwise:
        await send(store, person, "m1")

    first = await store.catalog.find(flow="shop", limit=100)
    second = await store.catalog.find(flow="shop", limit=100, cursor=first.cursor)
    third = await store.catalog.find(limit=200, cursor=second.cursor)

    listed = [one.conversation.person for page in (first, second, third) for one in page.items]
    assert sorted(listed) == clockwise
    assert third.cursor is None
    await store.close()


async def test_a_long_inbox_costs_no_more(tmp_path: Path) -> None:
    """Messages behind a running turn are numbered, handed out in order, and counted without being read."""
    store = SqliteStore(tmp_path / "long.db", durability="memory")
    await store.turns.begin(begin("ana", "m0", owner="owner"))

    answers = [await store.turns.begin(begin("ana", f"m{number}", owner=f"t{number}")) for number in range(1, 200)]
    late = await store.turns.begin(begin("ana", None, owner="late"))

    assert all(isinstance(answer, Queued) and answer.position == at for at, answer in enumerate(answers, 2))
    assert isinstance(late, Idle)
    await store.close()
