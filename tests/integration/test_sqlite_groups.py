"""The writer thread: many operations in one commit, and one that fails does not take the others with it."""

import asyncio
import threading

import pytest

from tests.integration.sqlite_child import conversation
from tests.integration.sqlite_gate import Gate, begin, queue_behind_first
from turnkeeper.errors import InvalidMessageError, LimitError, OutcomeUnknownError
from turnkeeper.ports import faults
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.limits import MAX_PAYLOAD_BYTES
from turnkeeper.ports.turns import Commit, Committed, Granted
from turnkeeper.stores.sqlite import SqliteStore

pytestmark = pytest.mark.anyio

ANA = conversation("ana")


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


async def test_half_a_character_is_refused(store: SqliteStore) -> None:
    """A lone surrogate cannot be stored as text; the error says what to do."""
    with pytest.raises(InvalidMessageError, match="Unicode"):
        await store.turns.begin(begin("ana", "m\ud800"))
