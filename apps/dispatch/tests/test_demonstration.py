"""The demonstration and its bot are two processes that end together."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apps.dispatch.tests.running import free_port
from dispatch.demo.bot import environ_of_demo
from tests.conformance.guard import Guard


def test_the_demonstration_has_nothing_to_do_with_a_real_account() -> None:
    """The stand-in and the page sign with the demonstration's secrets, whatever the environment names."""
    real = {"TELEGRAM_TOKEN": "123456:ABC", "TELEGRAM_SECRET": "s", "DISPATCH_SECRET_DISHBEE": "s", "PATH": "/bin"}

    assert environ_of_demo(real, api="http://here") == {"PATH": "/bin", "TELEGRAM_API": "http://here"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_demonstration_that_ends_leaves_no_bot_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Killed or stopped: everybody who could still print something is gone. An account that is set changes nothing."""
    environ = {**os.environ, "TELEGRAM_TOKEN": "123456:an-account", "DISPATCH_SECRET_DISHBEE": "its-shop"}
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
