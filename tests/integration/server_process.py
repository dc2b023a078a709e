"""A real server process for tests: started on a free port, watched, killed, started again on the same port and file."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.conformance.guard import Guard

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0
"""How long anything may take on a machine that is busy with other tests."""

COMMAND = [sys.executable, "-m", "turnkeeper.cli"]
_SERVING = re.compile(rb"serving .* on http://\S+:(\d+)/")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment without any setting that the person at this machine may have."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_CONFIG") if name in os.environ
    }
    paths = [ROOT / "src", ROOT / "apps/mealplan/src", ROOT, folder]
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, paths)), **more}


def free_port() -> int:
    """Return a port that nobody has now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """`turnkeeper serve` or `demo` in a folder of its own. As a context manager it is killed at the end."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        app: str = "mealplan.app:app",
        command: str = "serve",
        port: int = 0,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Take what to start; `start` starts it."""
        self._folder = folder
        self._env = environment(folder, **(env or {}))
        self._command = [*COMMAND, command, app, *arguments]
        self._process: subprocess.Popen[bytes]
        self._guard: Guard
        self._output = b""
        self.port = port

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """What it printed so far, on both streams."""
        return self._output.decode()

    @property
    def exit_status(self) -> int | None:
        """How it ended; None: it runs."""
        return self._process.poll()

    def start(self) -> None:
        """Start it (again, on the same port) and return once it serves."""
        self._process = subprocess.Popen(
            [*self._command, "--port", str(self.port)],
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._guard = Guard(self._process)
        self._output = b""
        found = self._read_until(_SERVING)
        self.port = int(found[1])

    def kill(self) -> None:
        """End it as a power cut would. Safe to call twice."""
        self._guard.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit status."""
        self._process.send_signal(number)
        rest, _ = self._process.communicate(timeout=PATIENCE_SECONDS)
        self._output += rest
        self._guard.kill()
        return self._process.returncode

    def wait_for_line(self, pattern: str) -> None:
        """Return once it printed something that matches."""
        self._read_until(re.compile(pattern.encode()))

    def _read_until(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        stream = self._process.stdout
        if stream is None:
            raise AssertionError("its output is not read")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := pattern.search(self._output)) is None:
            ready, _, _ = select.select([stream], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(stream.fileno(), 65536) if ready else b""
            if not chunk:
                raise AssertionError(f"the server ended or says nothing:\n{self.output}")
            self._output += chunk
        return found


class Phone:
    """The browser phone's routes for one number."""

    def __init__(self, server: ServerProcess, number: str = "+15551230001") -> None:
        """Take whom to speak for."""
        self._server = server
        self._number = number

    def send(self, text: str, **more: object) -> httpx.Response:
        """Hand a message over."""
        return httpx.post(self._url("messages"), json={"text": text, **more}, timeout=PATIENCE_SECONDS)

    def thread(self) -> list[dict[str, str]]:
        """Return what was said."""
        answer = httpx.get(self._url("messages"), timeout=PATIENCE_SECONDS)
        answer.raise_for_status()
        lines: list[dict[str, str]] = answer.json()
        return lines

    def replies(self) -> list[str]:
        """Return what was answered."""
        return [line["text"] for line in self.thread() if line["direction"] == "out"]

    def state(self) -> dict[str, object]:
        """Return where the conversation stands, with its stored state."""
        answer = httpx.get(self._url("state?full=1"), timeout=PATIENCE_SECONDS)
        answer.raise_for_status()
        conversations = answer.json()["conversations"]
        return conversations[0] if conversations else {}

    def wait_for_reply(self, part: str) -> list[str]:
        """Return the replies once one of them holds the text."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            replies = self.replies()
            if any(part in reply for reply in replies):
                return replies
            time.sleep(0.02)
        raise AssertionError(f"no reply has {part!r}: {self.replies()}\n{self._server.output}")

    def wait_for_status(self, status: str) -> None:
        """Return once the conversation stands there."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.state().get("status") == status:
                return
            time.sleep(0.02)
        raise AssertionError(f"never in {status}: {self.state()}\n{self._server.output}")

    def _url(self, what: str) -> str:
        return f"{self._server.url}/phone/{self._number}/{what}"


def run_cli(
    folder: Path, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a folder; its output as text."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder, **(env or {})),
        input=stdin,
        capture_output=True,
        timeout=2 * PATIENCE_SECONDS,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
