"""A process that ends at any named point, killed or by itself, loses nothing and repeats nothing unmarked."""

import asyncio
import multiprocessing
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_servers import RedisServer
from tests.crash import bot
from tests.crash.bot import Way
from tests.crash.promises import check
from turnkeeper.ports.faults import POINTS

LATER = {"sqlite.before_commit": (1, 2, 3, 5, 8), "sqlite.after_commit": (1, 2, 3, 5, 8), "before_settle": (1, 4)}
"""Points that one turn passes more than once: at which passage the process ends."""

OF_THE_ENGINE = frozenset(point for point in POINTS if "." not in point)

CASES = [
    *(
        ("sqlite", Way.KILL, point, nth)
        for point in sorted(POINTS - {"in_recovery"})
        for nth in LATER.get(point, (1, 3))
    ),
    *(("sqlite", Way.EXIT, point, 2) for point in sorted(POINTS - {"in_recovery"})),
    *(("redis", Way.KILL, point, nth) for point in sorted(OF_THE_ENGINE - {"in_recovery"}) for nth in (1, 3)),
    *(("redis", Way.EXIT, point, 2) for point in sorted(OF_THE_ENGINE - {"in_recovery"})),
]

IN_RECOVERY = [
    (backend, way, first)
    for backend in ("sqlite", "redis")
    for way in (Way.KILL, Way.EXIT)
    for first in ("in_handler", "after_commit", "before_send", "in_job")
]

SECONDS = 60
"""Until a process must have ended: thirty times what it takes."""

STATUSES = {Way.KILL: -signal.SIGKILL, Way.EXIT: bot.EXIT_STATUS}

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([bot.__name__])
"""Every bot is a process of its own, forked from one that has done the importing: that costs more than a bot does."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Keep one Redis for all tests of this file; each test has a database of its own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


class Place:
    """Where one test's bot lives: a folder, and the store."""

    def __init__(self, directory: Path, redis: str) -> None:
        """Take a Redis URL, empty for a file in the folder."""
        self.directory = directory
        self._redis = redis

    def run_bot(self, way: Way | None = None, point: str = "", nth: int = 0) -> int | None:
        """Run the bot to its end; return its exit status, negative for a signal, None if it had to be ended."""
        process = PROCESSES.Process(target=bot.main, args=(self.directory, self._redis, way, point, nth))
        process.start()
        process.join(SECONDS)
        status = process.exitcode
        process.kill()
        process.join()
        process.close()
        return status

    def check(self) -> None:
        """Assert the promises."""
        app = bot.build(self.directory, bot.open_store(self.directory, self._redis))

        async def look() -> None:
            await check(app, self.directory)
            await app.store.close()

        asyncio.run(look())


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return an empty store of the kind that the test's parameter `backend` names."""
    if request.getfixturevalue("backend") == "sqlite":
        return Place(tmp_path, "")
    server: RedisServer = request.getfixturevalue("server")
    return Place(tmp_path, server.url(server.fresh()))


@pytest.mark.parametrize(("backend", "way", "point", "nth"), CASES)
def test_a_process_that_ends_anywhere_loses_nothing_and_repeats_nothing_unmarked(
    backend: str, way: Way, point: str, nth: int, place: Place
) -> None:
    """Ended at this point, and started again: applied once, in order, every reply sent."""
    ended = place.run_bot(way, point, nth)
    assert ended == STATUSES[way], f"{point} was not reached {nth} times"
    assert bot.facts(place.directory / "reached") == [point]

    ended = place.run_bot()

    assert ended == 0
    place.check()


@pytest.mark.parametrize(("backend", "way", "first"), IN_RECOVERY)
def test_a_process_that_ends_while_it_recovers_loses_nothing(backend: str, way: Way, first: str, place: Place) -> None:
    """Ended once, again while another process takes over, and started a third time."""
    assert place.run_bot(way, first, 1) == STATUSES[way]
    ended = place.run_bot(way, "in_recovery", 1)
    assert ended == STATUSES[way], "in_recovery was not reached"

    ended = place.run_bot()

    assert ended == 0
    place.check()


@pytest.mark.parametrize("backend", ["sqlite", "redis"])
@pytest.mark.parametrize("way", [Way.KILL, Way.EXIT])
def test_every_point_is_tried(backend: str, way: Way) -> None:
    """A crash point at which no test ends a process is not known to be safe."""
    reachable = {point for point in POINTS if "." not in point or point.startswith(f"{backend}.")}

    tried = {point for where, how, point, _ in CASES if (where, how) == (backend, way)}

    assert tried | {"in_recovery"} == reachable
