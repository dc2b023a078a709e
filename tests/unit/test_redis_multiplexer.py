"""The shared connection: who gets which answer, whatever is cancelled, cut, late or too much."""

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given, strategies

from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError
from turnkeeper.stores.redis.connections import multiplexer
from turnkeeper.stores.redis.connections.multiplexer import Multiplexer
from turnkeeper.stores.redis.deployments.wire import ErrorReply

pytestmark = pytest.mark.anyio

SOON = 5.0
"""Seconds after which a test gives up."""


class Scripted(asyncio.Protocol):
    """A server that keeps what it reads, and says what a test tells it to."""

    def __init__(self) -> None:
        self.reads: list[bytes] = []
        self.transport: asyncio.Transport
        self.changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.changed.set()

    def data_received(self, data: bytes) -> None:
        """Keep what came."""
        self.reads.append(data)
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell a test that waits for it."""
        self.changed.set()

    def say(self, answers: bytes) -> None:
        """Send bytes as they are."""
        self.transport.write(answers)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(SOON):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()

    async def until_read(self, end: bytes) -> None:
        """Wait until the last thing that came ends so."""
        await self.until(lambda: b"".join(self.reads).endswith(end))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Scripted]:
    """Return a server that one connection reaches."""
    scripted = Scripted()
    listening = await asyncio.get_running_loop().create_unix_server(lambda: scripted, tmp_path / "s")
    yield scripted
    listening.close()
    scripted.transport.abort()


@pytest.fixture
async def line(server: Scripted, tmp_path: Path) -> AsyncIterator[Multiplexer]:
    """Return an open connection that gives up after 0.2 s."""
    loop = asyncio.get_running_loop()
    _, line = await loop.create_unix_connection(
        lambda: Multiplexer("redis://test", answer_seconds=0.2), str(tmp_path / "s")
    )
    await server.until(lambda: hasattr(server, "transport"))
    yield line
    line.cut("the test is over")


async def test_what_is_asked_for_in_one_tick_leaves_in_one_write(line: Multiplexer, server: Scripted) -> None:
    """And each caller gets its own answers, in the order of its commands."""
    first = line.call([("GET", "a"), ("GET", b"b")])
    second = line.call([("SETEX", "c", 5, "x")])
    await server.until_read(b"x\r\n")
    server.say(b"$1\r\nA\r\n$-1\r\n+OK\r\n")

    assert await first == [b"A", None]
    assert await second == [b"OK"]
    gets = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n"
    assert server.reads == [gets + b"*4\r\n$5\r\nSETEX\r\n$1\r\nc\r\n$1\r\n5\r\n$1\r\nx\r\n"]


async def test_a_call_of_nothing_is_answered_at_once(line: Multiplexer) -> None:
    """No reply would ever end it."""
    assert await line.call([]) == []


async def test_who_was_alone_is_written_at_once() -> None:
    """Without a further turn of the loop; not so once others talk too: their calls leave together again."""
    here, there = socket.socketpair()
    there.settimeout(0)
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(lambda: Multiplexer("redis://test", answer_seconds=SOON), sock=here)
    at_once_and_later: list[tuple[int, int]] = []
    for asked in (1, 1, 2, 2):
        calls = [line.call([("GET", "a")]) for _ in range(asked)]
        at_once = _commands_read(there)
        await asyncio.sleep(0)
        at_once_and_later.append((at_once, _commands_read(there)))
        there.send(b"$1\r\nA\r\n" * asked)
        assert await asyncio.gather(*calls) == [[b"A"]] * asked
    line.cut("the test is over")
    there.close()

    assert at_once_and_later == [(0, 1), (1, 0), (1, 1), (0, 2)]


def _commands_read(end: socket.socket) -> int:
    """Return how many commands have come by now."""
    try:
        return end.recv(1000).count(b"GET")
    except BlockingIOError:
        return 0


async def test_a_cancelled_caller_leaves_its_place_in_the_line(line: Multiplexer, server: Scripted) -> None:
    """Its answer is dropped; the next caller does not get it."""
    first = line.call([("GET", "a")])
    second = line.call([("GET", "b")])
    await server.until_read(b"b\r\n")
    first.cancel()
    server.say(b"$1\r\nA\r\n$1\r\nB\r\n")

    assert await second == [b"B"]


async def test_a_call_that_is_cancelled_before_it_leaves_is_never_sent(line: Multiplexer, server: Scripted) -> None:
    """It takes no place either."""
    first = line.call([("GET", "a")])
    first.cancel()
    second = line.call([("GET", "b")])
    await server.until_read(b"b\r\n")
    server.say(b"$1\r\nB\r\n")

    assert await second == [b"B"]
    assert b"".join(server.reads) == b"*2\r\n$3\r\nGET\r\n$1\r\nb\r\n"


async def test_a_cut_connection_tells_what_was_sent_from_what_was_not(
    line: Multiplexer, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In flight: the outcome is unknown. Still waiting for its turn: nothing was sent."""
    monkeypatch.setattr(multiplexer, "MAX_CALLS_IN_FLIGHT", 1)
    sent, waiting = line.call([("GET", "a")]), line.call([("GET", "b")])
    await server.until_read(b"a\r\n")
    server.transport.abort()

    with pytest.raises(OutcomeUnknownError, match="repeat with the same ids"):
        await sent
    with pytest.raises(StoreUnavailableError, match="nothing was sent"):
        await waiting
    with pytest.raises(StoreUnavailableError, match="is closed"):
        await line.call([("GET", "c")])


@pytest.mark.parametrize("limit", ["MAX_CALLS_IN_FLIGHT", "MAX_BYTES_IN_FLIGHT"])
async def test_what_is_over_the_limit_waits_for_answers(
    line: Multiplexer, server: Scripted, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """It leaves when there is room, and is not lost."""
    monkeypatch.setattr(multiplexer, limit, 1)
    answers = [line.call([("GET", name)]) for name in "abc"]
    for name in (b"a", b"b", b"c"):
        await server.until_read(name + b"\r\n")
        assert len(b"".join(server.reads).split(b"GET")) == 2
        server.reads.clear()
        server.say(b"$1\r\n" + name + b"\r\n")

    assert [await answer for answer in answers] == [[b"a"], [b"b"], [b"c"]]


@pytest.mark.parametrize("limit", ["MAX_CALLS_WAITING", "MAX_BYTES_WAITING"])
async def test_a_line_that_is_too_long_is_refused_at_once(
    line: Multiplexer, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """Nothing grows without end while the server does not keep up."""
    monkeypatch.setattr(multiplexer, limit, 1)
    first = line.call([("GET", "a")])

    with pytest.raises(StoreUnavailableError, match="does not keep up"):
        await line.call([("GET", "b")])
    first.cancel()


async def test_an_answer_that_never_comes_ends_the_connection(line: Multiplexer, server: Scripted) -> None:
    """The oldest call's time counts; one that was answered before does not hasten it."""
    quick = line.call([("GET", "a")])
    await server.until_read(b"a\r\n")
    server.say(b"$1\r\nA\r\n")
    await quick
    loop = asyncio.get_running_loop()
    began = loop.time()
    late = line.call([("GET", "b")])

    with pytest.raises(OutcomeUnknownError, match=r"no answer within 0\.2 s"):
        await late
    assert 0.15 < loop.time() - began < SOON
    assert not line.is_open


async def test_a_loop_that_was_held_up_reads_before_it_gives_up(
    line: Multiplexer, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer came in time; that nobody had time to read it is not the server's fault."""
    monkeypatch.setattr(line, "_limit", 0.02)
    answer = line.call([("GET", "a")])
    await server.until_read(b"a\r\n")
    server.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * 1024 * 1024)
    large = bytes(600 * 1024)  # more than one read
    server.say(b"$%d\r\n%b\r\n" % (len(large), large))
    time.sleep(0.05)  # noqa: ASYNC251 - the point of the test

    assert await answer == [large]
    assert line.is_open


async def test_a_server_that_stops_reading_ends_the_connection(line: Multiplexer, server: Scripted) -> None:
    """What fits into no buffer any more waits, and is told that nothing of it was sent."""
    server.transport.pause_reading()
    large = line.call([("SET", "a", bytes(4 * 1024 * 1024))])
    await asyncio.sleep(0)
    second = line.call([("GET", "b")])

    with pytest.raises(OutcomeUnknownError):
        await large
    with pytest.raises(StoreUnavailableError, match="nothing was sent"):
        await second


async def test_a_demoted_primary_gets_no_new_calls(line: Multiplexer, server: Scripted) -> None:
    """Those in flight get their answers; then the connection closes, so that the new primary is looked for."""
    first, second = line.call([("SET", "a", 1)]), line.call([("GET", "a")])
    await server.until_read(b"a\r\n")
    server.say(b"-READONLY You can't write against a read only replica.\r\n")

    assert await first == [ErrorReply("READONLY", "READONLY You can't write against a read only replica.")]
    with pytest.raises(StoreUnavailableError, match="is closed"):
        await line.call([("GET", "b")])
    server.say(b"$1\r\nA\r\n")
    assert await second == [b"A"]
    await server.until(server.transport.is_closing)


async def test_an_answer_that_nobody_asked_for_ends_the_connection(line: Multiplexer, server: Scripted) -> None:
    """Else it would be taken for somebody's."""
    server.say(b"-ERR max number of clients reached\r\n")
    await server.until(server.transport.is_closing)

    with pytest.raises(StoreUnavailableError):
        await line.call([("GET", "a")])


async def test_bytes_that_are_no_reply_end_the_connection(line: Multiplexer, server: Scripted) -> None:
    """As an HTTP server would send them."""
    answer = line.call([("GET", "a")])
    server.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with pytest.raises(OutcomeUnknownError, match="nobody asked for"):
        await answer


async def test_closing_waits_for_the_answers_that_are_due(line: Multiplexer, server: Scripted) -> None:
    """And takes no further calls meanwhile."""
    answer = line.call([("GET", "a")])
    await server.until_read(b"a\r\n")
    closing = asyncio.create_task(line.close(grace_seconds=SOON))
    await asyncio.sleep(0)
    assert not line.is_open
    server.say(b"$1\r\nA\r\n")

    assert await answer == [b"A"]
    async with asyncio.timeout(SOON / 2):
        await closing
        await line.close(grace_seconds=SOON)


async def test_closing_does_not_wait_for_ever(line: Multiplexer) -> None:
    """After its grace it says that the outcome is unknown."""
    answer = line.call([("GET", "a")])
    await asyncio.sleep(0)
    await line.close(grace_seconds=0.01)

    with pytest.raises(OutcomeUnknownError):
        await answer


@given(cuts=strategies.lists(strategies.integers(1, 60), max_size=8, unique=True))
def test_replies_may_arrive_in_any_pieces(cuts: list[int]) -> None:
    """Lists, errors within lists, nothing and numbers are the same, wherever the stream is cut."""
    said = b"*3\r\n:1\r\n-NOSCRIPT gone\r\n*1\r\n$-1\r\n$5\r\na\r\nbc\r\n-OOM full\r\n:-7\r\n"

    async def hear() -> list[object]:
        line = Multiplexer("redis://test", answer_seconds=SOON)
        line.is_open = True
        answer = line.call([("X",)] * 4)
        line.connection_made(Silent())
        await asyncio.sleep(0)
        edges = [0, *sorted(cuts), len(said)]
        for start, end in itertools.pairwise(edges):
            line.data_received(said[start:end])
        return await answer

    assert asyncio.run(hear()) == [
        [1, ErrorReply("NOSCRIPT", "NOSCRIPT gone"), [None]],
        b"a\r\nbc",
        ErrorReply("OOM", "OOM full"),
        -7,
    ]


class Silent(asyncio.Transport):
    """A transport into nothing."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Drop it."""
