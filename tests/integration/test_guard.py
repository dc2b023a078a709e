"""A server that a test started ends with the process that started it, however that ends."""

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.redis_servers import RedisServer
from tests.integration.server_process import PATIENCE_SECONDS, ROOT, environment

STARTER = """
import os, sys
from pathlib import Path
from tests.conformance.redis_servers import RedisServer

server = RedisServer(Path(sys.argv[1]))
if sys.argv[2] == "paused":
    server.pause()
print("started", flush=True)
if sys.argv[2] == "leaves":
    os._exit(1)
sys.stdin.read()
"""


def wait_until_gone(path: Path) -> None:
    """Return when nobody listens at this socket any more."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE_SECONDS)
        with contextlib.suppress(ConnectionError):
            line.connect(str(path))
            assert line.recv(1) == b""


@pytest.mark.parametrize("how", ["killed", "paused", "leaves"])
def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path, how: str) -> None:
    """Killed, or gone without any finalizer: no server stays, not even one that stands still."""
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path), how],
        cwd=ROOT,
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        starter.kill()

    wait_until_gone(tmp_path / "redis.sock")


def test_a_server_that_cannot_start_says_so(tmp_path: Path) -> None:
    """Nothing waits for it until a time limit."""
    with pytest.raises(AssertionError, match=r"redis-server ended with 1"):
        RedisServer(tmp_path, "--no-such-option", "1")
