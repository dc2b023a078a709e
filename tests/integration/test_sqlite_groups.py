"""The writer thread: many operations in one commit, and one that fails does not take the others with it."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.sqlite_child import conversation
from turnkeeper.errors import LimitError, OutcomeUnknownError, StoreBusyError, StoreUnavailableError
from turnkeeper.ports import faults
from turnkeeper.ports.deliveries import Lane
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.limits import MAX_PAYLOAD_BYTES
from turnkeeper.ports.turns import Begin, Begun, Commit, Committed, Granted, Incoming
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.stores.sqlite.file import operations

pytestmark = pytest.mark.anyio

ANA = conversation("ana")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the store's file is."""
    return tmp_path / "groups.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[SqliteStore]:
    """Give the test an open store."""
    store = SqliteStore(file)
    await store.open()
    yield store
    await store.close()


class Gate:
    """Counts the commits, and holds the first one until it is opened."""

    def __init__(self) -> None:
        self.commits = 0
        self.is_reached = threading.Event()
        self.may_pass = threading.Event()

    def __call__(self, point: str) -> None:
        """Be the fault hook."""
        if point == "sqlite.before_commit":
            self.commits += 1
            self.is_reached.set()
            self.may_pass.wait(timeout=30)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Hold the first commit until the test opens the gate."""
    gate = Gate()
    faults.install(gate)
    yield gate
    gate.may_pass.set()
    faults.clear()


def begin(person: str, message_id: str = "m1", *, payload: bytes = b"hello") -> Begin:
    """Return a request for the first turn of a person."""
    message = Incoming(id=message_id, payload=payload)
    return Begin(conversation=conversation(person), token=f"{person} {message_id}", lease_ms=15_000, message=message)


def commit(granted: Granted) -> Commit:
    """Return a commit of Ana's turn."""
    return Commit(
        conversation=ANA,
        token=granted.token,
        fence=granted.fence,
        version=granted.version,
        generation=granted.generation,
        commit_id="c1",
        take=1,
        state=b"state",
    )


async def queue_behind_first(store: SqliteStore, gate: Gate, *requests: Begin) -> list["asyncio.Task[Begun]"]:
    """Start one operation, and the others while it is being committed; let it go on then."""
    first = asyncio.ensure_future(store.turns.begin(begin("first")))
    await asyncio.to_thread(gate.is_reached.wait)
    others = [asyncio.ensure_future(store.turns.begin(request)) for request in requests]
    await asyncio.sleep(0)
    gate.may_pass.set()
    await first
    return others


async def test_what_gathers_during_a_commit_shares_the_next_one(store: SqliteStore, gate: Gate) -> None:
    """A hundred operations cost two commits: the one that was under way, and one for all others."""
    tasks = await queue_behind_first(store, gate, *(begin(f"p{number}") for number in range(99)))
    answers = await asyncio.gather(*tasks)

    assert all(isinstance(answer, Granted) for answer in answers)
    assert gate.commits == 2


async def test_a_refused_operation_does_not_cost_the_others_a_commit(store: SqliteStore, gate: Gate) -> None:
    """What is refused before it wrote anything is answered, and the rest of its group is committed as one."""
    large = begin("large", payload=bytes(MAX_PAYLOAD_BYTES + 1))
    tasks = await queue_behind_first(store, gate, begin("before"), large, begin("after"))
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(answer) for answer in answers] == [Granted, LimitError, Granted]
    assert gate.commits == 2


async def test_an_operation_that_fails_halfway_fails_alone(store: SqliteStore, gate: Gate) -> None:
    """SQLite's error in one operation undoes that one only: the others of its group are committed one by one."""
    odd = DocumentKey(collection="c", id="odd")
    fine = DocumentKey(collection="c", id="fine")
    first = asyncio.ensure_future(store.turns.begin(begin("first")))
    await asyncio.to_thread(gate.is_reached.wait)
    tasks = [
        asyncio.ensure_future(store.turns.begin(begin("before"))),
        # A time to live that no 64-bit integer holds is found by SQLite only, after the group's first write.
        asyncio.ensure_future(store.documents.put(odd, b"x", ttl_ms=1 << 80)),
        asyncio.ensure_future(store.documents.put(fine, b"x")),
    ]
    await asyncio.sleep(0)
    gate.may_pass.set()
    await first
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(answer) for answer in answers] == [Granted, OverflowError, str]
    assert await store.documents.get(odd) is None
    assert await store.documents.get(fine) is not None
    assert gate.commits == 3


async def test_an_answer_never_comes_before_its_commit(store: SqliteStore, gate: Gate) -> None:
    """While the commit is under way nobody is told anything."""
    task = asyncio.ensure_future(store.turns.begin(begin("ana")))
    await asyncio.to_thread(gate.is_reached.wait)
    for _ in range(100):
        await asyncio.sleep(0)

    assert not task.done()

    gate.may_pass.set()
    assert isinstance(await task, Granted)


async def test_a_cancelled_caller_leaves_a_whole_operation(store: SqliteStore, gate: Gate) -> None:
    """The caller is gone, the message is there."""
    task = asyncio.ensure_future(store.turns.begin(begin("ana")))
    await asyncio.to_thread(gate.is_reached.wait)

    task.cancel()
    gate.may_pass.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(await store.turns.begin(begin("ana")), Granted)
    assert (await store.catalog.counts()).waiting == 1


async def test_a_crash_before_the_commit_leaves_nothing(store: SqliteStore) -> None:
    """The caller learns of it, nothing is written, and the next operation works."""
    with _failing_at("sqlite.before_commit"), pytest.raises(RuntimeError, match="injected"):
        await store.turns.begin(begin("ana"))

    assert (await store.catalog.counts()).waiting == 0
    assert isinstance(await store.turns.begin(begin("ana")), Granted)


async def test_a_crash_after_the_commit_leaves_an_unknown_outcome(store: SqliteStore) -> None:
    """The commit stands; repeating it with the same id tells so."""
    granted = await store.turns.begin(begin("ana"))
    assert isinstance(granted, Granted)
    request = commit(granted)

    with _failing_at("sqlite.after_commit"), pytest.raises(OutcomeUnknownError):
        await store.turns.commit(request)

    assert await store.turns.commit(request) == Committed(version=1, repeated=True)


class _failing_at:  # noqa: N801 - reads as what it does
    """Raise at a point, inside the block."""

    def __init__(self, point: str) -> None:
        self._point = point

    def __enter__(self) -> None:
        faults.install(self._fail)

    def __exit__(self, *_: object) -> None:
        faults.clear()

    def _fail(self, point: str) -> None:
        if point == self._point:
            raise RuntimeError("injected")


async def test_another_thread_may_use_the_store(store: SqliteStore) -> None:
    """A heartbeat has its own event loop; a blocked main loop does not hold it up."""
    granted = await store.turns.begin(begin("ana"))
    assert isinstance(granted, Granted)

    def in_thread() -> object:
        return asyncio.run(store.turns.begin(begin("ben")))

    thread_answers: list[object] = []
    thread = threading.Thread(target=lambda: thread_answers.append(in_thread()))
    thread.start()
    thread.join(timeout=30)  # this loop is blocked meanwhile

    assert isinstance(thread_answers[0], Granted)


async def test_a_lock_of_somebody_else_is_waited_for(store: SqliteStore, file: Path) -> None:
    """Another connection writes for a moment: the operation waits, and succeeds."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    task = asyncio.ensure_future(store.turns.begin(begin("ana")))
    await asyncio.sleep(0.02)
    assert not task.done()
    other.execute("ROLLBACK")

    assert isinstance(await task, Granted)
    other.close()


async def test_a_lock_that_lasts_is_an_error(store: SqliteStore, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the operation's time it is told who is in the way; nothing was written, and later it works."""
    monkeypatch.setattr(operations, "OPERATION_SECONDS", 0.05)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StoreBusyError, match="another process"):
        await store.turns.begin(begin("ana"))

    other.execute("ROLLBACK")
    other.close()
    assert isinstance(await store.turns.begin(begin("ana")), Granted)


async def test_too_much_at_once_is_refused(store: SqliteStore, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of the writer is bounded."""
    monkeypatch.setattr(operations, "MAX_QUEUED", 3)
    requests = [begin(f"p{number}") for number in range(5)]

    tasks = await queue_behind_first(store, gate, *requests)
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(answer) for answer in answers] == [Granted] * 3 + [StoreBusyError] * 2


async def test_closing_finishes_what_was_sent(store: SqliteStore, gate: Gate) -> None:
    """What was queued before is done; what comes later is refused and says how to go on."""
    tasks = await queue_behind_first(store, gate, begin("ana"), begin("ben"))

    await store.close()

    assert all(isinstance(answer, Granted) for answer in await asyncio.gather(*tasks))
    with pytest.raises(StoreUnavailableError, match="open"):
        await store.turns.begin(begin("cleo"))
    await store.close()
    await store.open()
    assert (await store.catalog.counts()).waiting == 3


async def test_closing_ends_a_wait(store: SqliteStore) -> None:
    """Whoever waits for something due is told that the store is closed."""
    task = asyncio.ensure_future(store.deliveries.due(wait=timedelta(minutes=10)))
    assert await store.deliveries.claim(Lane(conversation=ANA), token="t", lease=timedelta(seconds=1)) is None

    await store.close()

    with pytest.raises(StoreUnavailableError):
        await task
