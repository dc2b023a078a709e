"""One JSON object a line over a local socket: how providers and workers speak in a chaos run, in place of HTTP."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

MAX_LINE_BYTES = 64 * 1024
"""Of a message or a reply with its envelope."""

Answer = Callable[[bytes], Awaitable[bytes | None]]
"""Gets a line and returns the answer; None hangs up without one."""


class Cut(Exception):  # noqa: N818 - what happened, and nobody's error
    """The connection ended without an answer."""


async def ask(path: Path, line: bytes, *, within: float) -> bytes:
    """Send a line and return the answer.

    Raises:
        Cut: There was none in so many seconds: nobody listens, or the connection ended.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_LINE_BYTES)
            writer.write(line + b"\n")
            answer = await reader.readline()
    except (OSError, TimeoutError) as exc:
        raise Cut(str(exc)) from exc
    finally:
        if writer is not None:
            writer.close()
    if not answer.endswith(b"\n"):
        raise Cut("the answer is not whole")
    return answer


async def send_and_leave(path: Path, line: bytes, *, within: float) -> None:
    """Send a line, or a part of one, and hang up without waiting for an answer."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(within):
            _, writer = await asyncio.open_unix_connection(str(path))
            writer.write(line)
            await writer.drain()
            writer.close()


async def serve(path: Path, answer: Answer) -> asyncio.Server:
    """Answer one line of each connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if line.endswith(b"\n") and (said := await answer(line)) is not None:
                writer.write(said + b"\n")
                await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    return await asyncio.start_unix_server(talk, str(path), limit=MAX_LINE_BYTES, backlog=1024)


class Webhook(msgspec.Struct, frozen=True):
    """A message on its way from a provider to a worker."""

    person: str
    id: str
    text: str
    channel: str


class Sending(msgspec.Struct, frozen=True):
    """A reply on its way from a worker to a provider."""

    id: str
    to: str
    text: str
    attempt: int
    maybe_sent: bool


class Status(msgspec.Struct, frozen=True):
    """What was answered, as HTTP would. `outcome` says more where there is more, `replies` are those of a done turn."""

    code: int
    outcome: str = ""
    replies: tuple[str, ...] | None = None
