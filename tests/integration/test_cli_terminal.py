"""At a real terminal: answers appear by themselves, Ctrl-D and Ctrl-C end the talk, tables fit."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.notebook import open_gate
from tests.integration.server_process import COMMAND, PATIENCE_SECONDS, environment, run_cli

BOT = "tests.integration.notebook:app"
NUMBER = "+15551230001"
STORE = ("--store", "sqlite:///a.db")
CTRL_C, CTRL_D = b"\x03", b"\x04"


class Terminal:
    """A command at a terminal of 80 columns."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        """Start it."""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=folder,
            env=environment(folder, TERM="xterm"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - else Ctrl-C is only a letter
        )
        os.close(theirs)
        self.shown = ""

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def wait_for(self, pattern: str) -> None:
        """Return once something that matches was shown."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not re.search(pattern, self.shown):
            if not self._read(deadline):
                raise AssertionError(f"{pattern!r} was never shown:\n{self.shown}")

    def end(self) -> int:
        """Show the rest and return the exit status."""
        while self._read(time.monotonic() + PATIENCE_SECONDS):
            pass
        return self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """End it in any case."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0, deadline - time.monotonic()))
        try:
            chunk = os.read(self._ours, 65536) if ready else b""
        except OSError:  # the other end was closed
            chunk = b""
        self.shown += chunk.decode()
        return bool(chunk)


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Terminal]:
    """Talk to the notebook."""
    terminal = Terminal(tmp_path, "chat", BOT, "--as", NUMBER, *STORE)
    yield terminal
    terminal.close()


def test_answers_appear_while_nobody_types(chat: Terminal, tmp_path: Path) -> None:
    """Also those of work that ends later; Ctrl-D ends the talk well."""
    chat.wait_for("you are \\+15551230001")
    chat.type(b"work on it\n")
    chat.wait_for("\nworking\r")
    open_gate(tmp_path)
    chat.wait_for("\ndone WORK ON IT\r")
    chat.type(CTRL_D)

    assert chat.end() == 0
    assert chat.shown.count("done WORK ON IT") == 1


def test_ctrl_c_ends_the_talk_at_once(chat: Terminal) -> None:
    """Without another line being typed, and without a traceback."""
    chat.wait_for("you are")
    chat.type(CTRL_C)

    assert chat.end() == 130
    assert "Traceback" not in chat.shown


def test_a_table_fits_and_cuts_no_id(tmp_path: Path) -> None:
    """Long texts are shortened at a terminal; what is copied from it, such as ids, is whole."""
    run_cli(tmp_path, "chat", BOT, "--as", NUMBER, *STORE, stdin=b"word " * 100 + b"\n")
    terminal = Terminal(tmp_path, "conversations", "show", NUMBER, *STORE)
    status = terminal.end()
    terminal.close()

    log = terminal.shown.splitlines()[-1]
    assert status == 0
    assert f"notebook:{NUMBER}" in terminal.shown
    assert log.count("…") == 2
