"""The bot's process: started, watched, killed on demand and started again, as a supervisor on a server does."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping

RESTART_SECONDS = 3.0
"""How long it stays away after a kill: long enough to press a button meanwhile."""

_END_SECONDS = 15.0
"""How long it may take to stop by itself."""

_WATCH = 'read -r ended || kill "$0"'
"""A shell beside the bot: when the demonstration is killed its pipe closes, and the bot, left alone, is told to end."""


def environ_of_demo(environ: Mapping[str, str], *, api: str) -> dict[str, str]:
    """Return the environment without what names a real account: the stand-in knows the demonstration's secrets only."""
    kept = {name: value for name, value in environ.items() if not name.startswith(("TELEGRAM_", "DISPATCH_"))}
    return {**kept, "TELEGRAM_API": api}


class Bot:
    """One process of `turnkeeper serve dispatch.app:app`."""

    def __init__(self, *, port: int, api: str, store: str) -> None:
        """Take where it serves, where its Bot API is, and its store."""
        self._command = (
            sys.executable,
            "-m",
            "turnkeeper.cli",
            "serve",
            "dispatch.app:app",
            "--port",
            str(port),
            "--store",
            store,
        )
        self._environ = environ_of_demo(os.environ, api=api)
        self._process: asyncio.subprocess.Process | None = None
        self.starts = 0

    @property
    def status(self) -> str:
        """`running` or `away`."""
        return "running" if self._process is not None and self._process.returncode is None else "away"

    async def keep_running(self) -> None:
        """Start it, and again whenever it ends."""
        while True:
            self._process = await asyncio.create_subprocess_exec(*self._command, env=self._environ)
            self.starts += 1
            watch = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", _WATCH, str(self._process.pid)),
                stdin=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C ends the demonstration and its bot, and this when they are gone
            )
            try:
                await self._process.wait()
            finally:
                await watch.communicate(b"\n")
            await asyncio.sleep(RESTART_SECONDS)

    def kill(self) -> None:
        """Kill it, if it runs: nothing that it still wanted to write is written."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Let it finish what it is at, and end."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _END_SECONDS)
        except TimeoutError:
            self.kill()
            await self._process.wait()
