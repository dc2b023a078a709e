"""One connection that everybody on an event loop shares: packs commands, writes once a loop tick, hands answers out.

Who was alone the last time is written at once, for there is nobody to wait for. A caller that is cancelled leaves its
place in the line of answers: the answer comes and is dropped. What the transport was given counts as sent, whether or
not the kernel took it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

import hiredis
import msgspec

from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError, TurnkeeperError
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply, pack

MAX_CALLS_IN_FLIGHT = 4096
"""Written and not answered: more than Redis answers in 50 ms are a queue, not a pipeline."""

MAX_BYTES_IN_FLIGHT = 16 * 1024 * 1024
"""Of commands written and not answered: what a stopped server makes the kernel and this process hold for it."""

MAX_CALLS_WAITING = 16_384
"""Behind those in flight; one more is refused at once, because the server is not keeping up."""

MAX_BYTES_WAITING = 64 * 1024 * 1024
"""Of commands behind those in flight."""

LAST_LOOK_SECONDS = 0.01
"""A loop that a handler held up reads first what has come meanwhile, before it calls an answer late."""

_OTHER_SERVER = "READONLY"
"""What a primary answers that has become a replica: new calls must find the new one."""


class _Call(msgspec.Struct, eq=False):
    """The commands of one caller, and where their answers go."""

    answer: asyncio.Future[list[object]]
    packed: bytes
    size: int
    count: int
    since: float
    replies: list[object]


class Multiplexer(asyncio.Protocol):
    """See the module. Belongs to one event loop, and to one connection: a cut one is replaced, not mended."""

    def __init__(self, url: str, *, answer_seconds: float, keep: object = None) -> None:
        """Take a name for texts, how long an answer may take from when a caller asks, and what must live as long."""
        self.url = url
        self.is_open = False
        self._limit = answer_seconds
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader(replyError=cast("Callable[[str], Exception]", self._refusal))
        self._waiting: deque[_Call] = deque()
        self._flying: deque[_Call] = deque()
        self._waiting_bytes = self._flying_bytes = 0
        self._is_scheduled = self._is_paused = self._is_alone = False
        self._sweeper: asyncio.TimerHandle | None = None
        self._drained: asyncio.Future[None] | None = None
        self._keep = keep

    def call(self, commands: Sequence[Command]) -> asyncio.Future[list[object]]:
        """Return the future answers, in order. Several calls of one loop tick leave together.

        Raises:
            StoreUnavailableError: Too many wait already, or the connection is closed. Nothing was sent.
        """
        if not self.is_open:
            raise StoreUnavailableError(f"the connection to {self.url} is closed; nothing was sent, repeat")
        packed = pack(commands[0]) if len(commands) == 1 else b"".join(map(pack, commands))
        waiting, loop = self._waiting, self._loop
        size = len(packed)
        if waiting and (len(waiting) >= MAX_CALLS_WAITING or self._waiting_bytes + size > MAX_BYTES_WAITING):
            raise StoreUnavailableError(
                f"{self.url} does not keep up: {len(waiting)} calls with {self._waiting_bytes} bytes wait; nothing was "
                "sent, repeat later"
            )
        answer = loop.create_future()
        if not commands:
            answer.set_result([])  # no reply would ever end it
            return answer
        waiting.append(_Call(answer, packed, size, len(commands), loop.time(), []))
        self._waiting_bytes += size
        if not self._is_scheduled:
            if self._is_alone and not self._flying:
                self._flush()
            else:
                self._is_scheduled = True
                loop.call_soon(self._flush)
        return answer

    async def close(self, *, grace_seconds: float) -> None:
        """Take no more calls, wait so long for the answers that are due, and close. Safe to call twice."""
        self.retire()
        if self._transport is not None:
            if self._drained is None:
                self._drained = self._loop.create_future()
            await asyncio.wait({self._drained}, timeout=grace_seconds)
            self.cut("it was closed")

    def retire(self) -> None:
        """Take no more calls, and close as soon as the last answer is there."""
        self.is_open = False
        self._close_if_done()

    def cut(self, reason: str) -> None:
        """Close now, and tell every caller what is known of its commands. Safe to call twice."""
        self.is_open = False
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        flying, self._flying = self._flying, deque()
        waiting, self._waiting = self._waiting, deque()
        self._waiting_bytes = self._flying_bytes = 0
        for call in flying:
            _fail(call, OutcomeUnknownError(f"{self.url} did not answer: {reason}; repeat with the same ids"))
        for call in waiting:
            _fail(call, StoreUnavailableError(f"{self.url} did not answer: {reason}; nothing was sent, repeat"))
        self._say_drained()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`. The server has accepted user, password and database already."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.cut(f"the connection was closed ({exc or 'by the server'})")

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`: the server reads slower than we write."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._is_paused = False
        self._flush()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        read, flying = self._reader.gets, self._flying
        reply: object = None
        try:
            self._reader.feed(data)
            # A RESP2 reply is never False: that is how the parser says that it needs more.
            while (reply := read()) is not False:
                call = flying[0]
                replies = call.replies
                replies.append(reply)
                if len(replies) == call.count:
                    flying.popleft()
                    self._flying_bytes -= call.size
                    if not call.answer.done():
                        call.answer.set_result(replies)
        except (hiredis.HiredisError, IndexError) as exc:
            said = reply.text if isinstance(reply, ErrorReply) else repr(exc)
            self.cut(f"it said something that nobody asked for ({said})")
            return
        if self._waiting and not self._is_scheduled:
            self._flush()
        if not self.is_open or self._drained is not None:
            self._close_if_done()

    # The rest.

    def _flush(self) -> None:
        """Write what waits, as much as may be in flight."""
        self._is_scheduled = False
        if self._is_paused or self._transport is None:
            return
        waiting, flying, pieces = self._waiting, self._flying, []
        waiting_bytes, flying_bytes, was_idle = self._waiting_bytes, self._flying_bytes, not flying
        while waiting:
            call = waiting[0]
            size = call.size
            if flying and (flying_bytes + size > MAX_BYTES_IN_FLIGHT or len(flying) >= MAX_CALLS_IN_FLIGHT):
                break
            waiting.popleft()
            waiting_bytes -= size
            if call.answer.cancelled():
                continue
            flying.append(call)
            flying_bytes += size
            pieces.append(call.packed)
            call.packed = b""
        self._waiting_bytes, self._flying_bytes = waiting_bytes, flying_bytes
        if pieces:
            self._is_alone = was_idle and len(pieces) == 1
            self._transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            if self._sweeper is None:
                self._sweep()

    def _sweep(self, overdue: _Call | None = None) -> None:
        """Cut a connection whose oldest call is over its time, also after a last look; one timer serves all calls."""
        self._sweeper = None
        oldest = self._flying[0] if self._flying else self._waiting[0] if self._waiting else None
        if oldest is None:
            return
        due = oldest.since + self._limit
        if due > self._loop.time():
            self._sweeper = self._loop.call_at(due, self._sweep)
        elif oldest is overdue:
            self.cut(f"no answer within {self._limit:g} s")
        else:
            self._sweeper = self._loop.call_later(LAST_LOOK_SECONDS, self._sweep, oldest)

    def _refusal(self, text: str) -> ErrorReply:
        """Return what the server refused; the parser calls this for each error, also inside a list."""
        if _OTHER_SERVER in text:  # before 7.0 a script's error comes wrapped in a text of its own
            self.is_open = False
        return ErrorReply(text.partition(" ")[0], text)

    def _close_if_done(self) -> None:
        if self._flying or self._waiting:
            return
        self._say_drained()
        if self._transport is not None:
            self._transport.close()

    def _say_drained(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)


def _fail(call: _Call, error: TurnkeeperError) -> None:
    if not call.answer.done():
        call.answer.set_exception(error)
