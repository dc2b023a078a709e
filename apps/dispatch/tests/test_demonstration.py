"""The demonstration and its bot are two processes that end together."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apps.dispatch.tests.running import free_port
from tests.conformance.guard import Guard


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_demonstration_that_ends_leaves_no_bot_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Killed or stopped: everybody who could still print something is gone."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TELEGRAM_", "DISPATCH_"))}
    demo = subprocess.Popen(
        [sys.executable, "-m", "dispatch.demo", "--port", str(free_port()), "--store", "sqlite:///dispatch.db"],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    guard = Guard(demo)
    assert demo.stdout is not None
    with demo.stdout as output:
        while not (line := output.readline()).startswith(b"phone "):
            assert line, "the bot did not start"
        demo.send_signal(number)

        rest = output.read()  # to the end: until nobody has it any more

    guard.kill()
    assert b"stopped" in rest
