"""The means of a chaos run do what they say: what is cut is cut exactly, and a tame run is not taken for a storm."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.append_only import whole_transactions
from tests.chaos.conducting import Outcome
from tests.chaos.floors import SHARES, extra_seconds, least, what_is_missing
from tests.chaos.idling import spent
from tests.chaos.leftovers import Left, keys, keys_of, rows, rows_of
from tests.chaos.lines import Cut, ask, send_and_leave, serve
from tests.chaos.proxy import Proxy
from tests.chaos.redis_server import Server
from tests.chaos.table import lines, side_by_side
from tests.chaos.witness import NOT_YET, without_answered
from tests.chaos.worker import open_store
from tests.chaos.world import EVERYWHERE, ON_REDIS, ON_REPLICATED_REDIS, ON_SQLITE, Fault, World
from turnkeeper.testing.history import Ending, Footprint, Reported, check

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]

ON_SQLITE_ALL = EVERYWHERE | ON_SQLITE

SET = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\n"
MULTI = b"*1\r\n$5\r\nMULTI\r\n"
EXEC = b"*1\r\n$4\r\nEXEC\r\n"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (SET + SET, 2 * len(SET)),
        (SET + SET[:-1], len(SET)),
        (SET + MULTI + SET + EXEC, len(SET + MULTI + SET + EXEC)),
        (SET + MULTI + SET + EXEC[:-3], len(SET)),
        (SET + MULTI + SET[:9], len(SET)),
        (b"#TS:1795234258\r\n" + SET, len(b"#TS:1795234258\r\n" + SET)),
        (b"", 0),
        (b"*3\r\n$3", 0),
    ],
)
def test_a_cut_file_ends_with_a_whole_transaction(text: bytes, kept: int, tmp_path: Path) -> None:
    """Half a command goes, and a transaction without its end goes whole."""
    file = tmp_path / "aof"
    file.write_bytes(SET + text)

    found = whole_transactions(file, len(SET), len(SET + text))

    assert found == kept


class Upper:
    """A server that answers in capitals, and remembers what reached it."""

    def __init__(self) -> None:
        """Have heard nothing."""
        self.heard: list[bytes] = []
        self.has_heard = asyncio.Event()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the other end is gone."""
        while said := await _read(reader):
            self.heard.append(said)
            self.has_heard.set()
            writer.write(said.upper())
        writer.close()


class Stage:
    """A server behind a proxy."""

    def __init__(self, world: World, proxy: Proxy, upper: Upper) -> None:
        """Take what is there."""
        self.world = world
        self.proxy = proxy
        self.upper = upper

    async def say(self, *words: bytes) -> list[bytes]:
        """Send words one after the other on one connection; an empty answer is its end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)
        answers: list[bytes] = []
        for word in words:
            writer.write(word)
            answers.append(await _read(reader))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        return answers


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(100)
    except ConnectionError:
        return b""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Build one without a storm."""
    world = World(seed=1, folder=tmp_path)
    upper = Upper()
    server = await asyncio.start_unix_server(upper.talk, str(tmp_path / "s"))
    proxy = Proxy(world, tmp_path / "s")
    await proxy.open()
    yield Stage(world, proxy, upper)
    await proxy.close()
    server.close()
    await server.wait_closed()
    world.close()


async def test_the_proxy_forwards(stage: Stage) -> None:
    """Without a storm it is not noticed."""
    assert await stage.say(b"one", b"two") == [b"ONE", b"TWO"]


async def test_a_cut_request_never_arrives_whole(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server gets a part or nothing, the client gets the end of its connection."""
    monkeypatch.setattr("tests.chaos.proxy.REQUEST_CUT", 1.0)
    stage.world.start_storm()

    answers = await stage.say(b"one")

    assert b"ONE" not in answers
    assert b"one" not in stage.upper.heard


async def test_a_cut_answer_is_one_to_a_request_that_arrived(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server did it, the client does not know."""
    monkeypatch.setattr("tests.chaos.proxy.REQUEST_CUT", 0.0)
    monkeypatch.setattr("tests.chaos.proxy.ANSWER_CUT", 1.0)
    stage.world.start_storm()

    answers = await stage.say(b"one")

    assert answers == [b""]
    assert stage.upper.heard == [b"one"]


async def test_a_broken_dam_loses_the_answers_behind_it(stage: Stage) -> None:
    """What was done behind a closed dam is told to nobody once the connections are cut."""
    stage.proxy.dam.clear()
    telling = asyncio.create_task(stage.say(b"one"))
    await stage.upper.has_heard.wait()

    stage.proxy.break_all()
    stage.proxy.dam.set()

    assert await telling == [b""]


async def test_a_line_is_answered_or_cut(tmp_path: Path) -> None:
    """Whoever asks gets a whole line or is told that there is none."""

    async def answer(line: bytes) -> bytes | None:
        return line.strip().upper() if line != b"hang up\n" else None

    server = await serve(tmp_path / "s", answer)
    assert await ask(tmp_path / "s", b"one", within=1.0) == b"ONE\n"
    await send_and_leave(tmp_path / "s", b"two\n", within=1.0)

    with pytest.raises(Cut):
        await ask(tmp_path / "s", b"hang up", within=1.0)
    with pytest.raises(Cut):
        await ask(tmp_path / "nobody", b"one", within=1.0)
    server.close()


def test_a_commit_whose_worker_was_killed_has_an_unknown_ending() -> None:
    """A worker says that it asks before it asks; of that only what was never answered is left."""
    asked = Reported(conversation="c", commit="one", ending=Ending.UNKNOWN, answered_ms=NOT_YET)
    refused = Reported(conversation="c", commit="one", ending=Ending.REFUSED, answered_ms=5)

    assert list(without_answered([asked, refused])) == [refused]
    assert list(without_answered([asked, refused, asked])) == [refused, asked]


def missing(faults: dict[str, int], *, seconds: float = 180.0, messages: int = 20_000) -> list[str]:
    """Return what a run on SQLite lacks that did this."""
    return what_is_missing(seconds=seconds, messages=messages, faults=faults, expected=ON_SQLITE_ALL)


def test_a_run_without_one_kind_of_fault_is_a_failure() -> None:
    """So is one in which a kind is half of everything."""
    often = {fault.value: 300 for fault in ON_SQLITE_ALL}

    assert missing(often) == []
    assert missing(often | {Fault.DISK_FULL.value: 4}) == ["not tried enough: SQLite disk full, 4 of at least 5"]
    (lopsided,) = missing(often | {Fault.WEBHOOK_REPEATED.value: 100_000})
    assert "tried too much" in lopsided


def test_a_run_with_few_messages_or_faults_is_a_failure() -> None:
    """Three minutes need twenty thousand messages and five thousand faults, other times their part of them."""
    often = {fault.value: 300 for fault in ON_SQLITE_ALL}
    seldom = {fault.value: 30 for fault in ON_SQLITE_ALL}

    assert missing(often, messages=19_999) == ["not tried enough: messages, 19,999 of at least 20,000"]
    assert missing(seldom) == [f"not tried enough: faults, {30 * len(ON_SQLITE_ALL)} of at least 5,000"]
    assert missing(seldom, seconds=18, messages=2_000) == []


def test_a_kind_that_has_a_part_of_the_time_must_happen_as_often() -> None:
    """A run on both has every kind five times: also those that only one of the two kinds of Redis knows."""
    spent = {"sqlite": EVERYWHERE | ON_SQLITE, "redis": EVERYWHERE | ON_REDIS}
    spent["replicated"] = EVERYWHERE | ON_REPLICATED_REDIS

    demanded: Counter[Fault] = Counter()
    for store, share in SHARES.items():
        demanded.update({fault: least(fault, seconds=180.0 * share) for fault in spent[store]})

    assert set(demanded) == set(Fault)
    assert min(demanded.values()) == 5
    assert demanded[Fault.FAILED_OVER] == demanded[Fault.REDIS_KILLED] == demanded[Fault.DISK_FULL] == 5


def test_the_longest_run_on_both_ends_within_ten_minutes() -> None:
    """Storms that go on as long as they may leave each run 18 seconds for starting, resting and judging."""
    storms = [180.0 * share for share in SHARES.values()]

    assert sum(storm + extra_seconds(storm) + 18 for storm in storms) <= 10 * 60


def test_faults_are_counted_while_a_run_lasts(tmp_path: Path) -> None:
    """What was struck so far is known by kind, whatever else was written down."""
    world = World(seed=1, folder=tmp_path)
    world.record(Reported(conversation="c", commit="one", ending=Ending.REFUSED, answered_ms=5))
    for fault in (Fault.DISK_FULL, Fault.FILE_READ, Fault.DISK_FULL):
        world.strike(fault)

    counted = world.faults()
    world.close()

    assert counted == {Fault.DISK_FULL.value: 2, Fault.FILE_READ.value: 1}


def outcome(store: str) -> Outcome:
    """Return a run that did nothing."""
    return Outcome(
        store=store,
        seed=1,
        seconds=180.0,
        storm_seconds=180.0,
        messages=1,
        faults={},
        counters=defaultdict(int),
        violations=[],
        found=0,
        rest_ms=1,
        took_seconds=1.0,
    )


def test_the_table_names_every_expected_fault() -> None:
    """What was not tried stands in it as well."""
    table = "\n".join(lines(outcome("sqlite"), expected=ON_SQLITE_ALL))

    assert all(f"| - {fault.value} | 0 |" in table for fault in ON_SQLITE_ALL)


def test_runs_stand_side_by_side() -> None:
    """Each kind has a line; where a store does not know it, its column is empty."""
    table = list(side_by_side([(outcome("sqlite"), ON_SQLITE_ALL), (outcome("redis"), EVERYWHERE | ON_REDIS)]))

    assert table[0] == "| | sqlite | redis |"
    assert f"| - {Fault.DISK_FULL.value} | 0 |  |" in table
    assert f"| - {Fault.TAIL_CUT.value} |  | 0 |" in table
    assert f"| - {Fault.WORKER_KILLED.value} | 0 | 0 |" in table


async def test_what_stays_behind_is_counted_by_kind(tmp_path: Path) -> None:
    """A step that is still remembered, or a message that still waits, is one too many."""
    server = Server(tmp_path / "redis")
    await server.start()
    left = Left(conversations=1, turns=2, messages=2)
    for words in (("SET", "{p0}:h:chaos:ana", "head"), ("RPUSH", "{p0}:l:chaos:ana", "1", "2")):
        await server.command(*words)
    clean = dict(await keys(server))
    await server.command("HSET", "{p0}:m:chaos:ana", "count", "1")
    leaking = dict(await keys(server))
    server.kill()

    baseline = Footprint(entries=keys_of(left, "chaos"), is_baseline=True)

    assert clean == {"h": 1, "l": 1, "l members": 2}
    assert check([baseline, Footprint(entries=clean)]).is_clean
    assert check([baseline, Footprint(entries=leaking)]).found == {12: 2}


async def test_rows_are_counted_by_table(tmp_path: Path) -> None:
    """A new file holds what every file holds."""
    store = open_store(f"sqlite://{tmp_path / 'chaos.db'}")
    await store.open()
    await store.close()

    held = dict(rows(tmp_path / "chaos.db"))

    assert held["meta"] == 1
    assert sum(held.values()) == 1
    assert set(rows_of(Left(conversations=0, turns=0, messages=0))) <= set(held)


def test_what_a_process_spends_is_counted() -> None:
    """Work and writes are seen from outside, and both only grow."""
    before = spent([os.getpid()])
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    Path(os.devnull).write_bytes(b"x")

    after = spent([os.getpid()])

    assert after.cpu_ms - before.cpu_ms >= 40
    assert after.writes > before.writes


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_a_run_that_is_stopped_says_so_and_leaves_nobody_behind(store: str, tmp_path: Path) -> None:
    """Ctrl-C reaches every process of a terminal at once. It is no verdict, and no riddle of tracebacks."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos", "--store", store, "--seconds", "60"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        cwd=ROOT,
    )
    assert run.stdout is not None
    first = run.stdout.readline()
    os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=30)

    assert first.startswith(f"chaos on {store}: ")
    assert said.splitlines()[-1] == "stopped: nothing was judged"
    assert run.returncode == 130
