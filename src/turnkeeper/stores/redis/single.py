"""A plain wire: one connection of redis-py for each event loop, one batch of commands at a time.

redis-py opens the connection and speaks TLS and AUTH; it never repeats anything here (its own retries are off).
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Sequence
from weakref import WeakKeyDictionary

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ExecAbortError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, StoreUnavailableError, StoreUnreadableError
from turnkeeper.observe.masking import mask_url
from turnkeeper.stores.redis.wire import Command, ErrorReply

CONNECT_SECONDS = 5.0
"""A server of the same data centre that does not answer for so long is not there."""

_CODES: tuple[tuple[type[ResponseError] | type[RedisError], str], ...] = (
    (NoScriptError, "NOSCRIPT"),
    (OutOfMemoryError, "OOM"),
    (BusyLoadingError, "LOADING"),
    (ReadOnlyError, "READONLY"),
    (NoPermissionError, "NOPERM"),
    (TryAgainError, "TRYAGAIN"),
    (ClusterDownError, "CLUSTERDOWN"),
    (ExecAbortError, "EXECABORT"),
)
"""redis-py takes the code off some errors and makes a class of it."""


class _Line:
    """One connection and who may write to it."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.connection = connection
        self.turn = asyncio.Lock()
        self._end = self._until_the_loop_ends()

    async def connect(self) -> None:
        """Connect, unless it is connected already."""
        if not self.connection.is_connected:
            await self.connection.connect()  # type: ignore[no-untyped-call]  # redis-py
            await anext(self._end, None)

    async def close(self) -> None:
        """Let go of it for good."""
        await self._end.aclose()
        await _drop(self)

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        """Close the connection when its loop ends: a loop that ends closes its generators, and nothing else of ours."""
        try:
            while True:
                yield
        finally:
            await _drop(self)


class SingleConnectionWire:
    """See `turnkeeper.stores.redis.wire.Wire`. For one server that is not part of a cluster."""

    in_cluster = False

    def __init__(self, url: str, *, answer_seconds: float = 10.0) -> None:
        """Take a URL as redis-py reads it, without parameters of ours.

        Raises:
            ConfigurationError: It is no URL of a Redis server.
        """
        self.url = mask_url(url)
        self._answer_seconds = answer_seconds
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()
        self._lock = threading.Lock()
        try:
            self._pool = ConnectionPool.from_url(
                url,
                protocol=2,
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=answer_seconds,
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, TypeError) as exc:
            raise ConfigurationError(f"{self.url!r} is no URL of a Redis server: {exc}") from None

    def _line(self) -> _Line:
        loop = asyncio.get_running_loop()
        with self._lock:
            line = self._lines.get(loop)
            if line is None:
                line = self._lines[loop] = _Line(self._pool.make_connection())  # type: ignore[no-untyped-call]
            return line

    async def send(self, commands: Sequence[Command], *, key: str, durable: bool = False) -> list[object]:  # noqa: ARG002 - one node has all
        """See `Wire.send`."""
        line = self._line()
        async with line.turn:
            await self._connect(line)
            try:
                await line.connection.send_packed_command(line.connection.pack_commands(commands), check_health=False)
                return [await self._reply(line) for _ in commands]
            except (TimeoutError, RedisError, OSError) as exc:
                await _drop(line)
                raise OutcomeUnknownError(f"{self.url} did not answer: {exc}; repeat with the same ids") from exc
            except BaseException:
                # The answers of a cancelled call would be taken for those of the next one.
                await _drop(line)
                raise

    async def _connect(self, line: _Line) -> None:
        try:
            await line.connect()
        except (AuthenticationError, NoPermissionError) as exc:
            raise StoreUnreadableError(f"{self.url} refused the user or password: {exc}; nothing was written") from exc
        except ResponseError as exc:
            raise StoreUnreadableError(f"{self.url} refused the connection: {exc}; nothing was written") from exc
        except (TimeoutError, RedisError, OSError) as exc:
            await _drop(line)
            raise StoreUnavailableError(f"{self.url} cannot be reached: {exc}; nothing was sent") from exc

    async def _reply(self, line: _Line) -> object:
        try:
            reply: object = await line.connection.read_response(disable_decoding=True)
        except ResponseError as exc:
            return _error(exc)
        except (BusyLoadingError, ReadOnlyError) as exc:
            return _error(exc)
        return _translated(reply)

    async def send_all(self, commands: Sequence[Command]) -> list[list[object]]:
        """See `Wire.send_all`."""
        return [await self.send(commands, key="")]

    async def open(self) -> None:
        """See `Wire.open`."""
        line = self._line()
        async with line.turn:
            await self._connect(line)

    async def close(self) -> None:
        """See `Wire.close`. Connections of other loops close when their loop does."""
        loop = asyncio.get_running_loop()
        with self._lock:
            line = self._lines.pop(loop, None)
        if line is not None:
            await line.close()


async def _drop(line: _Line) -> None:
    with contextlib.suppress(RedisError, OSError, asyncio.TimeoutError):
        await line.connection.disconnect(nowait=True)


def _error(error: RedisError) -> ErrorReply:
    text = str(error)
    for kind, code in _CODES:
        if isinstance(error, kind):
            return ErrorReply(code, text)
    return ErrorReply(text.partition(" ")[0], text)


def _translated(reply: object) -> object:
    if isinstance(reply, RedisError):
        return _error(reply)
    return [_translated(one) for one in reply] if isinstance(reply, list) else reply
