"""Reads standard input line by line without blocking the event loop, one line at a time.

A daemon thread reads, straight from the descriptor: a thread of the loop's pool would hold up Ctrl-C until the next
line, and one that is blocked in Python's buffered reader makes the interpreter abort at its end.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator

MAX_LINE_BYTES = 1024 * 1024
"""A longer line is passed over whole instead of being taken in pieces; a message has at most 40 KB."""

_CHUNK_BYTES = 64 * 1024


class Input:
    """The lines of standard input, without their ends; bytes that are no UTF-8 become replacement characters."""

    def __init__(self, *, tell: Callable[[str], None]) -> None:
        """Take who is told of a line that was passed over."""
        self._tell = tell

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield line after line; the next one is not read before it is asked for."""
        if sys.__stdin__ is None:  # closed by whoever started this process
            return
        descriptor = sys.__stdin__.fileno()
        loop = asyncio.get_running_loop()
        found: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        wanted = threading.Semaphore(0)

        def read() -> None:
            lines = _lines(descriptor)
            while wanted.acquire():
                try:
                    line: bytes | Exception | None = next(lines, None)
                except OSError as exc:
                    line = exc
                try:
                    loop.call_soon_threadsafe(found.put_nowait, line)
                except RuntimeError:  # the loop is closed: nobody listens any more
                    return

        threading.Thread(target=read, name="turnkeeper-input", daemon=True).start()
        while True:
            wanted.release()
            line = await found.get()
            if line is None:
                return
            if isinstance(line, Exception):
                raise line
            if len(line) > MAX_LINE_BYTES:
                self._tell(f"a line of more than {MAX_LINE_BYTES} bytes was passed over; send it in parts")
                continue
            yield line.decode("utf-8", "replace").rstrip("\r\n")


def _lines(descriptor: int) -> Iterator[bytes]:
    """Yield the lines, the last one also without an end; of a line that is too long only a longer beginning."""
    buffer = b""
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        *complete, rest = (buffer + chunk).split(b"\n")
        yield from complete
        buffer = rest[: MAX_LINE_BYTES + 1]
    if buffer:
        yield buffer
