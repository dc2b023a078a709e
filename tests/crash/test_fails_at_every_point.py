"""A bug or a cancellation at any named point costs time and nothing else: the process goes on, and so does the talk.

On SQLite the points around COMMIT belong to a thread, which an exception can hit and a cancellation cannot.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_servers import RedisServer
from tests.crash import bot
from tests.crash.bot import Way
from tests.crash.promises import check
from turnkeeper.ports import faults
from turnkeeper.ports.clock import SystemClock
from turnkeeper.ports.faults import POINTS
from turnkeeper.ports.store import Store
from turnkeeper.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

OF_THE_ENGINE = frozenset(point for point in POINTS if "." not in point)
BACKENDS = ("memory", "sqlite", "redis")
PASSAGES = (1, 3)

CASES = [
    *(
        (backend, way, point, nth)
        for backend in BACKENDS
        for way in (Way.RAISE, Way.CANCEL)
        for point in sorted(OF_THE_ENGINE - {"in_recovery"})
        for nth in PASSAGES
    ),
    *(("sqlite", Way.RAISE, point, nth) for point in sorted(POINTS - OF_THE_ENGINE) for nth in (2, 4, 7)),
]

LEAVES_WORK = "before_send"
"""Failing there leaves a claim to run out, so that something has to be recovered."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Keep one Redis for all tests of this file; each test has a database of its own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return an empty store of the kind that the test's parameter `backend` names; points are quiet afterwards."""
    backend: str = request.getfixturevalue("backend")
    if backend == "memory":
        yield MemoryStore(clock=SystemClock())
    elif backend == "sqlite":
        yield bot.open_store(tmp_path)
    else:
        server: RedisServer = request.getfixturevalue("server")
        yield bot.open_store(tmp_path, server.url(server.fresh()))
    faults.clear()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the tracebacks of the failures that the tests cause out of the report."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def live(store: Store, directory: Path) -> None:
    """Let the bot take everything and come to rest, then check what it did."""
    app = bot.build(directory, store)
    async with app.running():
        await bot.run(directory, app)
        await check(app, directory)


@pytest.mark.parametrize(("backend", "way", "point", "nth"), CASES)
async def test_a_failure_anywhere_loses_nothing_and_repeats_nothing_unmarked(
    backend: str, way: Way, point: str, nth: int, store: Store, tmp_path: Path
) -> None:
    """Applied once, in order, every reply sent, by the same process."""
    bot.fail_at([(point, nth, way)], tmp_path)

    await live(store, tmp_path)

    assert bot.facts(tmp_path / "reached") == [point], f"{point} was not reached {nth} times"


@pytest.mark.parametrize("way", [Way.RAISE, Way.CANCEL])
@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_failure_of_the_recovery_loses_nothing(backend: str, way: Way, store: Store, tmp_path: Path) -> None:
    """What fails while it takes over is taken over in its turn."""
    bot.fail_at([(LEAVES_WORK, 1, Way.RAISE), ("in_recovery", 1, way)], tmp_path)

    await live(store, tmp_path)

    assert bot.facts(tmp_path / "reached") == [LEAVES_WORK, "in_recovery"]
