"""When the writer lets go of answers: after their commit, and never behind something that may take long."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.sqlite_gate import begin
from turnkeeper.errors import InvalidMessageError
from turnkeeper.ports import faults
from turnkeeper.ports.turns import Begun, Granted
from turnkeeper.stores.sqlite import SqliteStore

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 30


class Steps:
    """Lets the writer come to its next commit, and do what the test wants before or after it."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.first_is_ready = threading.Event()
        self.may_pass = threading.Event()
        self.second_is_ready = threading.Event()
        self.may_end = threading.Event()
        self.after_first: Callable[[], object] = lambda: None

    def __call__(self, point: str) -> None:
        """Be the fault hook."""
        self.reached.append(point)
        if point == "sqlite.after_commit":
            if self.reached.count(point) == 1:
                self.after_first()
        elif self.reached.count(point) == 1:
            self.first_is_ready.set()
            self.may_pass.wait(PATIENCE_SECONDS)
        elif self.reached.count(point) == 2:
            self.second_is_ready.set()
            self.may_end.wait(PATIENCE_SECONDS)


@pytest.fixture
def steps() -> Iterator[Steps]:
    """Hold the first two commits until the test lets them pass."""
    steps = Steps()
    faults.install(steps)
    yield steps
    steps.may_pass.set()
    steps.may_end.set()
    faults.clear()


async def two_batches(
    store: SqliteStore, steps: Steps, *, second_id: str = "m1"
) -> tuple["asyncio.Task[Begun]", "asyncio.Task[Begun]"]:
    """Start one operation, and a second one that waits for the first one's commit."""
    first = asyncio.ensure_future(store.turns.begin(begin("first")))
    await asyncio.to_thread(steps.first_is_ready.wait, PATIENCE_SECONDS)
    second = asyncio.ensure_future(store.turns.begin(begin("second", second_id)))
    await asyncio.sleep(0)
    return first, second


async def test_an_answer_does_not_wait_for_the_next_commit(store: SqliteStore, steps: Steps) -> None:
    """The first one is answered while the second one's commit has not even begun."""
    first, second = await two_batches(store, steps)
    steps.may_pass.set()
    await asyncio.to_thread(steps.second_is_ready.wait, PATIENCE_SECONDS)
    answer = await asyncio.wait_for(first, PATIENCE_SECONDS)

    assert isinstance(answer, Granted)
    assert not second.done()


async def test_an_answer_does_not_wait_for_another_process(store: SqliteStore, file: Path, steps: Steps) -> None:
    """The file is taken right after the first commit: its answer comes although the second batch cannot begin."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    steps.after_first = lambda: other.execute("BEGIN IMMEDIATE")
    steps.may_end.set()
    first, second = await two_batches(store, steps)
    steps.may_pass.set()
    answer = await asyncio.wait_for(first, PATIENCE_SECONDS)
    was_held = not second.done()
    other.execute("ROLLBACK")
    other.close()

    assert isinstance(answer, Granted)
    assert was_held
    assert isinstance(await second, Granted)


async def test_an_answer_outlives_the_failure_of_the_next_batch(store: SqliteStore, steps: Steps) -> None:
    """The second operation fails in its first statement: it is told so, and the first one has its answer."""
    first, second = await two_batches(store, steps, second_id="half a character: \ud800")
    steps.may_pass.set()
    answers = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), PATIENCE_SECONDS)

    assert [type(answer) for answer in answers] == [Granted, InvalidMessageError]


async def test_closing_answers_everything(store: SqliteStore, steps: Steps) -> None:
    """What was committed or queued when the store is closed has its answer."""
    steps.may_end.set()
    first, second = await two_batches(store, steps)
    closing = asyncio.ensure_future(store.close())
    steps.may_pass.set()
    await closing
    answers = await asyncio.wait_for(asyncio.gather(first, second), PATIENCE_SECONDS)

    assert all(isinstance(answer, Granted) for answer in answers)
