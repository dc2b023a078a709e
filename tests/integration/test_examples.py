"""The bot with a plain dict and the same bot with a mirror: run as people run them, and killed."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from tests.conformance.redis_servers import RedisServer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

PATIENCE_SECONDS = 60.0
"""How long anything may take on a machine that is busy with other tests."""

WRITTEN_TOGETHER = 64
"""Values that a mirror writes at the same time: of the last batch before a kill any part may be missing."""

DAY = ["new 5866 dishbee #26", "time 5866 JS 14:35", "assign 5866 Zoë", "show 5866", "show 1", "count"]


class Kept(msgspec.Struct, frozen=True):
    """A store of orders, and how to find out which is the newest in it, without Turnkeeper."""

    url: str
    newest: Callable[[], int]


def talk(example: str | Path, lines: list[str], folder: Path) -> list[str]:
    """Give an example these lines, and return its answers."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / example],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        cwd=folder,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    return done.stdout.splitlines()


def test_both_say_the_same_and_only_one_remembers(tmp_path: Path) -> None:
    """The lines that change data are the same in both."""
    first = [talk(example, DAY, tmp_path) for example in ("orders_in_a_dict.py", "orders_in_a_mirror.py")]
    again = [talk(example, ["count"], tmp_path) for example in ("orders_in_a_dict.py", "orders_in_a_mirror.py")]

    assert first[0] == first[1]
    assert first[0][3] == "dishbee #26: assigned, {'JS': '14:35'}"
    assert again == [["0 orders"], ["1 orders"]]


@pytest.fixture(params=["sqlite", "redis"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """Return each store in which the example can keep its orders."""
    if request.param == "sqlite":
        yield Kept(url=f"sqlite:///{tmp_path / 'orders.db'}", newest=lambda: _newest_in(tmp_path / "orders.db"))
        return
    server = RedisServer(tmp_path)
    with server.client() as client:
        names = partial(client.scan_iter, match="order:*", count=1000)
        yield Kept(url=server.url(), newest=lambda: max((int(name.partition(b":")[2]) for name in names()), default=0))
    server.stop()


@pytest.mark.timeout(180)
def test_what_a_kill_may_lose_is_what_was_not_written_yet(kept: Kept, tmp_path: Path) -> None:
    """A burst of a thousand orders, killed in the middle: all that the store had before is there, and nothing torn."""
    example = tmp_path / "bot.py"
    example.write_text((EXAMPLES / "orders_in_a_mirror.py").read_text().replace("sqlite:///orders.db", kept.url))
    bot = subprocess.Popen([sys.executable, example], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert bot.stdin is not None
    bot.stdin.write("".join(f"new {n} order {n}\ntime {n} JS 14:35\n" for n in range(1000)))
    bot.stdin.flush()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (seen := kept.newest()) < WRITTEN_TOGETHER and time.monotonic() < deadline:
        time.sleep(0.005)
    bot.send_signal(signal.SIGKILL)
    bot.wait()
    bot.stdin.close()

    left = int(talk(example, ["count"], tmp_path)[0].split()[0])
    shown = talk(example, [f"show {n}" for n in range(seen - WRITTEN_TOGETHER)], tmp_path)
    assert WRITTEN_TOGETHER <= seen < left + WRITTEN_TOGETHER
    assert all(line.startswith(f"order {n}: new, ") for n, line in enumerate(shown))


def _newest_in(path: Path) -> int:
    """Return the highest number of an order in a file, 0 while there is none."""
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            (newest,) = connection.execute("SELECT max(CAST(id AS INTEGER)) FROM document").fetchone()
        except sqlite3.OperationalError:
            return 0
    return newest or 0
