"""The bot with a plain dict and the same bot with a mirror: run as people run them, and killed."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

PATIENCE_SECONDS = 60.0
"""How long anything may take on a machine that is busy with other tests."""

WRITTEN_TOGETHER = 64
"""Values that a mirror writes at the same time: of the last batch before a kill any part may be missing."""

DAY = ["new 5866 dishbee #26", "time 5866 JS 14:35", "assign 5866 Zoë", "show 5866", "show 1", "count"]


def talk(example: str, lines: list[str], folder: Path) -> list[str]:
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


@pytest.mark.timeout(180)
def test_what_a_kill_may_lose_is_what_was_not_written_yet(tmp_path: Path) -> None:
    """A burst of a thousand orders, killed in the middle: all that the store had before is there, and nothing torn."""
    bot = subprocess.Popen(
        [sys.executable, EXAMPLES / "orders_in_a_mirror.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
    )
    assert bot.stdin is not None
    bot.stdin.write("".join(f"new {n} order {n}\ntime {n} JS 14:35\n" for n in range(1000)))
    bot.stdin.flush()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (seen := _newest(tmp_path / "orders.db")) < WRITTEN_TOGETHER and time.monotonic() < deadline:
        time.sleep(0.005)
    bot.send_signal(signal.SIGKILL)
    bot.wait()
    bot.stdin.close()

    left = int(talk("orders_in_a_mirror.py", ["count"], tmp_path)[0].split()[0])
    shown = talk("orders_in_a_mirror.py", [f"show {n}" for n in range(seen - WRITTEN_TOGETHER)], tmp_path)
    assert WRITTEN_TOGETHER <= seen < left + WRITTEN_TOGETHER
    assert all(line.startswith(f"order {n}: new, ") for n, line in enumerate(shown))


def _newest(path: Path) -> int:
    """Return the highest number of an order in the store, 0 while there is none."""
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            (newest,) = connection.execute("SELECT max(CAST(id AS INTEGER)) FROM document").fetchone()
        except sqlite3.OperationalError:
            return 0
    return newest or 0
