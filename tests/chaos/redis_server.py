"""One real Redis server of a chaos run: started, killed, asked past every proxy."""

import asyncio
import signal
import socket
import subprocess
from pathlib import Path

from tests.conformance.guard import Guard
from tests.conformance.redis_servers import server_program

START_SECONDS = 30.0
_LOOK_SECONDS = 0.01


class Server:
    """A server on a Unix socket in a folder of its own; with a TCP port too if it is to have replicas."""

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        """Take what it is started with each time."""
        folder.mkdir()
        self.folder = folder
        self.path = folder / "s"
        self.port = port
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    async def start(self, *options: str) -> None:
        """Start it, with more options for this time, and wait until it answers."""
        self.path.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it is only started here, and waited for elsewhere
                [
                    server_program(), "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.path),
                    "--dir", str(self.folder), "--save", "", "--maxmemory-policy", "noeviction",
                    *self._options, *options,
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the conductor, who stops it
            )  # fmt: skip
        self._guard = Guard(self._process)
        async with asyncio.timeout(START_SECONDS):
            while await self.command("PING") != b"+PONG":  # noqa: ASYNC110 - another process
                await asyncio.sleep(_LOOK_SECONDS)

    def kill(self) -> None:
        """Kill it. Safe to call twice."""
        if self._guard is not None:
            self._guard.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def command(self, *words: str) -> bytes:
        """Send one command; return the first line of the answer, nothing if there is none."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.path))
        except OSError:
            return b""
        try:
            sent = [word.encode() for word in words]
            writer.write(b"*%d\r\n" % len(sent) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in sent))
            return (await reader.readline()).rstrip()
        except OSError:
            return b""
        finally:
            writer.close()

    async def fact(self, section: str, name: str) -> str:
        """Return what INFO tells; nothing if it does not."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        try:
            writer.write(f"INFO {section}\r\n".encode())
            size = int((await reader.readline())[1:])
            text = (await reader.readexactly(size)).decode()
        finally:
            writer.close()
        return next((line.partition(":")[2] for line in text.splitlines() if line.startswith(f"{name}:")), "")

    async def until(self, section: str, name: str, wanted: str) -> None:
        """Return when INFO tells that."""
        async with asyncio.timeout(START_SECONDS):
            while await self.fact(section, name) != wanted:  # noqa: ASYNC110 - another process
                await asyncio.sleep(_LOOK_SECONDS)


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
