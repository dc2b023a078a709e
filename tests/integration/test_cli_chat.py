"""`turnkeeper chat`: one message a line, every answer before the next line is read, and nothing lost in between."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.notebook import open_gate
from tests.integration.server_process import COMMAND, PATIENCE_SECONDS, environment, run_cli

BOT = "tests.integration.notebook:app"
NUMBER = "+15551230001"
CHAT = ("chat", BOT, "--as", NUMBER, "--store", "sqlite:///a.db")
MEALS = ("chat", "mealplan.app:app", "--as", NUMBER, "--store", "sqlite:///meals.db")


def test_the_meal_planner_is_talked_through_to_its_recipes(tmp_path: Path) -> None:
    """Each line waits for the background work that the one before started: plan, change, confirm, recipes."""
    done = run_cli(tmp_path, *MEALS, stdin=b"plan\nswap salmon for chicken\nyes\nrecipes now\n")

    assert (done.returncode, done.stderr) == (0, "")
    order = ["Analyzing your cart", "5 dinners", "Salmon out", "Here is what changed", "Confirmed!", "Enjoy your week!"]
    places = [done.stdout.index(text) for text in order]
    assert places == sorted(places)


def test_it_ends_with_the_input(tmp_path: Path) -> None:
    """The last line counts without a line end; no input at all is no error."""
    done = run_cli(tmp_path, *CHAT, stdin=b"milk\neggs")
    nothing = run_cli(tmp_path, *CHAT)

    assert (done.returncode, done.stdout) == (0, "noted milk\nnoted eggs\n")
    assert (nothing.returncode, nothing.stdout) == (0, "")


def test_one_person_is_one_conversation_in_every_spelling(tmp_path: Path) -> None:
    """The terminal speaks for the same person as the browser phone does."""
    open_gate(tmp_path)
    for spelling in ("+1 (555) 123-0001", "15551230001", NUMBER):
        assert run_cli(tmp_path, "chat", BOT, "--as", spelling, "--store", "sqlite:///a.db", stdin=b"milk\n").stdout

    listed = run_cli(tmp_path, "conversations", "list", "--store", "sqlite:///a.db")

    assert re.search(r"notebook:\+15551230001 +open +3 ", listed.stdout)


def test_lines_that_say_nothing_are_told_and_passed_over(tmp_path: Path) -> None:
    """An empty line, only NULs, too long a text: the lines around them are answered."""
    lines = [b"milk", b"", b"\0\0", b"x" * 100_000, b"eggs"]

    done = run_cli(tmp_path, *CHAT, stdin=b"\n".join(lines) + b"\n")

    assert (done.returncode, done.stdout) == (0, "noted milk\nnoted eggs\n")
    assert done.stderr.count("the text is empty") == 2
    assert done.stderr.count("10000 are allowed") == 1


def test_a_line_without_end_is_passed_over_whole(tmp_path: Path) -> None:
    """A megabyte without a line break is no message, and its tail is not taken for one."""
    done = run_cli(tmp_path, *CHAT, stdin=b"milk\n" + b"x" * 3_000_000 + b"\neggs\r\n")

    assert (done.returncode, done.stdout) == (0, "noted milk\nnoted eggs\n")
    assert "passed over" in done.stderr


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    """Invalid UTF-8 and control characters do not end the talk; emoji and other scripts are words."""
    done = run_cli(tmp_path, *CHAT, stdin=b"caf\xe9\nmi\0lk\n" + "👍 נעים\n".encode())

    assert (done.returncode, done.stdout) == (0, "noted caf�\nnoted milk\nnoted 👍 נעים\n")


def test_a_terminal_without_unicode_shows_a_question_mark(tmp_path: Path) -> None:
    """What cannot be shown is no reason to stop."""
    done = run_cli(tmp_path, *CHAT, stdin="👍\nmilk\n".encode(), env={"PYTHONIOENCODING": "latin-1"})

    assert (done.returncode, done.stdout) == (0, "noted ?\nnoted milk\n")


def test_a_choice_shows_its_buttons(tmp_path: Path) -> None:
    """As words that can be typed."""
    done = run_cli(tmp_path, *CHAT, stdin=b"pick\n")

    assert done.stdout == "Which?\n[Red one]  [Blue one]\n"


def test_work_that_takes_too_long_is_told(tmp_path: Path) -> None:
    """With `--wait` over, the next line is read; the answer comes at the next start, once."""
    done = run_cli(tmp_path, *CHAT, "--wait", "0.2", stdin=b"work on it\nmilk\n")
    open_gate(tmp_path)
    later = run_cli(tmp_path, *CHAT)
    again = run_cli(tmp_path, *CHAT)

    assert (done.returncode, done.stdout) == (0, "working\nnoted milk\n")
    assert "still working after 0.2 s" in done.stderr
    assert later.stdout == "done WORK ON IT\n"
    assert again.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_talk_that_was_ended_in_the_middle_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    """However the process ends while work is under way: the next start brings the answer, once."""
    with subprocess.Popen(
        [*COMMAND, *CHAT], cwd=tmp_path, env=environment(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        os.write(process.stdin.fileno(), b"milk\nwork on it\n")
        assert process.stdout.readline() == b"noted milk\n"
        wait_for_status(tmp_path, version=2)
        process.send_signal(number)
        process.wait(timeout=PATIENCE_SECONDS)
    open_gate(tmp_path)

    done = run_cli(tmp_path, *CHAT, stdin=b"eggs\n")

    assert process.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    assert done.stdout == "working\ndone WORK ON IT\nnoted eggs\n"


def wait_for_status(folder: Path, *, version: int) -> None:
    """Return once the conversation was committed that often."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    connection = sqlite3.connect(f"file:{folder}/a.db?mode=ro", uri=True)
    while time.monotonic() < deadline:
        row = connection.execute("SELECT max(version) FROM conversation").fetchone()
        if row[0] is not None and row[0] >= version:
            connection.close()
            return
        time.sleep(0.01)
    raise AssertionError(f"version {version} was never committed")


def test_a_locked_file_is_one_clear_line(tmp_path: Path) -> None:
    """Another process holds the file: which one, that nothing was written, and no traceback."""
    run_cli(tmp_path, *CHAT, stdin=b"milk\n")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    failed = run_cli(tmp_path, *CHAT, stdin=b"eggs\n")
    other.execute("ROLLBACK")
    other.close()
    done = run_cli(tmp_path, *CHAT, stdin=b"eggs\n")

    assert failed.returncode == 1
    assert "locked by another process" in one_line(failed)
    assert done.stdout == "noted eggs\n"


def test_a_lock_in_the_middle_is_waited_for(tmp_path: Path) -> None:
    """The line is told to wait, and handed over once when the file is free: no line is lost, none counts twice."""
    with subprocess.Popen(
        [*COMMAND, *CHAT],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        os.write(process.stdin.fileno(), b"milk\n")
        assert process.stdout.readline() == b"noted milk\n"
        with contextlib.closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            os.write(process.stdin.fileno(), b"eggs\n")
            told = process.stderr.readline()
            other.execute("ROLLBACK")
        rest, _ = process.communicate(b"bread\n", timeout=PATIENCE_SECONDS)

    assert b"locked by another process" in told
    assert b"trying again" in told
    assert (process.returncode, rest) == (0, b"noted eggs\nnoted bread\n")


@pytest.mark.parametrize(
    ("store", "reason"),
    [
        ("redis://user:hunter2@127.0.0.1:1/0", "cannot be reached"),
        ("bla", "sqlite:////absolute.db"),
        ("sqlite://user:hunter2@host/a.db", "names no file"),
        ("sqlite:///other.db", "another application"),
        ("sqlite:///text.db", "not"),
        ("sqlite:///folder", "is a folder"),
        ("sqlite:///newer.db", "upgrade turnkeeper"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_clear_line(tmp_path: Path, store: str, reason: str) -> None:
    """It says what to do, shows no password, and touches nothing."""
    prepare_unusable(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    failed = run_cli(tmp_path, "chat", BOT, "--as", NUMBER, "--store", store, stdin=b"milk\n")

    assert failed.returncode == 1
    assert reason in one_line(failed)
    assert "hunter2" not in failed.stdout + failed.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def prepare_unusable(folder: Path) -> None:
    """Make files that are no stores of ours."""
    (folder / "folder").mkdir()
    (folder / "text.db").write_text("This is a letter to my grandmother.\n" * 100)
    run_cli(folder, "chat", BOT, "--as", NUMBER, "--store", "sqlite:///newer.db", stdin=b"milk\n")
    for name, statement in {
        "other.db": "CREATE TABLE precious (thing)",
        "newer.db": "PRAGMA user_version = 4711",
    }.items():
        with contextlib.closing(sqlite3.connect(folder / name)) as connection:
            connection.execute(statement)
            connection.commit()


@pytest.mark.parametrize("speaker", ["abc", "12", "+", "", "🙂"])
def test_a_speaker_who_is_nobody_is_one_clear_line(tmp_path: Path, speaker: str) -> None:
    """It says what a number looks like."""
    failed = run_cli(tmp_path, "chat", BOT, "--as", speaker, "--store", "sqlite:///a.db", stdin=b"milk\n")

    assert failed.returncode == 1
    assert "+15551234567" in one_line(failed)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return what was said on standard error: one line, and no traceback."""
    (line,) = done.stderr.splitlines()
    assert line.startswith("turnkeeper: ")
    return line
