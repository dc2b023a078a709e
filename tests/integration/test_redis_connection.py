"""The connection to a real server: lazy, shared, replaced when it is cut, and given up when nobody answers."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_servers import RedisServer, free_port
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, StoreUnavailableError, StoreUnreadableError
from turnkeeper.stores.redis.connections import line as lines
from turnkeeper.stores.redis.connections.dialling import Dialler
from turnkeeper.stores.redis.deployments.single import SingleConnectionWire

pytestmark = pytest.mark.anyio

QUICK = 0.3
"""Seconds that an answer may take, where a test waits for one that never comes."""

SOON = 5.0
"""Seconds after which a test gives up."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a server that a test may kill."""
    server = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    yield server
    server.resume()
    server.stop()


@pytest.fixture
async def wire(server: RedisServer) -> AsyncIterator[SingleConnectionWire]:
    """Return the wire under test."""
    wire = SingleConnectionWire.to(server.url(), answer_seconds=QUICK)
    yield wire
    await wire.close()


def connections(server: RedisServer) -> int:
    """Return how many connections the server has besides the one that asks."""
    with server.client() as client:
        return int(client.info("clients")["connected_clients"]) - 1


async def until_connections(server: RedisServer, count: int) -> None:
    """Wait until the server has noticed."""
    async with asyncio.timeout(SOON):
        while connections(server) != count:  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.01)


async def pong(wire: SingleConnectionWire) -> None:
    """Ask until the server answers again."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                assert await wire.send([("PING",)], key="") == [b"PONG"]
            except StoreUnavailableError:
                await asyncio.sleep(0.01)
            else:
                return


async def test_a_silent_connection_is_kept_alive(tmp_path: Path) -> None:
    """A firewall that forgets it would cost the first message after a quiet night the time of an answer."""
    server = RedisServer(tmp_path, port=free_port())
    try:
        multiplexer = await Dialler(server.tcp_url(), answer_seconds=SOON, connect_seconds=SOON).dial()
        transport = multiplexer._transport  # noqa: SLF001 - what only the kernel shows
        assert transport is not None
        connected = transport.get_extra_info("socket")
        idle = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        is_kept = connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        multiplexer.cut("it was looked at only")
    finally:
        server.stop()

    assert (is_kept, idle) == (1, 30)


async def test_nothing_is_connected_before_the_first_call(server: RedisServer, wire: SingleConnectionWire) -> None:
    """And then once, whoever asks at the same time."""
    before = connections(server)
    answers = await asyncio.gather(*(wire.send([("ECHO", str(n))], key="") for n in range(50)))

    assert before == 0
    assert answers == [[str(n).encode()] for n in range(50)]
    assert connections(server) == 1


async def test_a_cut_connection_is_replaced_by_the_next_call(server: RedisServer, wire: SingleConnectionWire) -> None:
    """What was in flight is told as unknown; nothing is repeated."""
    await wire.open()
    blocked = asyncio.ensure_future(wire.send([("BLPOP", "nothing", 0)], key=""))
    await asyncio.sleep(0.02)
    with server.client() as client:
        client.execute_command("CLIENT KILL TYPE normal SKIPME yes")

    with pytest.raises(OutcomeUnknownError, match="repeat with the same ids"):
        await blocked
    assert await wire.send([("PING",)], key="") == [b"PONG"]
    assert (wire.primary_changes, wire.restarts) == (0, 0)


async def test_a_killed_server_is_used_again_soon_after_it_is_back(
    server: RedisServer, wire: SingleConnectionWire
) -> None:
    """Calls meanwhile fail at once, most of them without an attempt to connect; the restart is counted."""
    await wire.open()
    server.stop()
    began = time.monotonic()
    with contextlib.suppress(OutcomeUnknownError):  # until the end of the connection is noticed
        await wire.send([("GET", "a")], key="")
    for _ in range(100):
        with pytest.raises(StoreUnavailableError, match="nothing was sent"):
            await wire.send([("SET", "a", 1)], key="")
    took = time.monotonic() - began
    server.restart()
    await pong(wire)

    assert took < 3
    assert await wire.send([("EXISTS", "a")], key="") == [0]
    assert (wire.primary_changes, wire.restarts) == (0, 1)


async def test_a_server_that_stops_answering_is_given_up_in_time(
    server: RedisServer, wire: SingleConnectionWire
) -> None:
    """Its connection is replaced, so that late answers meet nobody."""
    await wire.open()
    server.pause()
    began = time.monotonic()
    with pytest.raises(OutcomeUnknownError, match=r"no answer within 0\.3 s"):
        await wire.send([("SET", "late", 1)], key="")
    took = time.monotonic() - began
    server.resume()

    assert QUICK / 2 < took < SOON
    assert await wire.send([("GET", "other")], key="") == [None]


async def test_a_caller_that_is_cancelled_while_connecting_ends_nobody_elses_attempt(
    server: RedisServer, wire: SingleConnectionWire
) -> None:
    """One attempt serves all."""
    first = asyncio.ensure_future(wire.send([("PING",)], key=""))
    second = asyncio.ensure_future(wire.send([("PING",)], key=""))
    await asyncio.sleep(0)
    first.cancel()

    assert await second == [b"PONG"]
    assert first.cancelled()


async def test_cancelled_calls_do_not_shift_the_answers(wire: SingleConnectionWire) -> None:
    """A thousand calls, every third cancelled at another moment: each of the others gets its own."""

    async def echo(n: int) -> list[object]:
        return await wire.send([("ECHO", f"{n}"), ("ECHO", f"{n}!")], key="")

    tasks = [asyncio.create_task(echo(n)) for n in range(1000)]
    for n, task in enumerate(tasks):
        if n % 3 == 0:
            task.cancel()
        if n % 50 == 0:
            await asyncio.sleep(0)
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    for n, answer in enumerate(answers):
        assert answer == [f"{n}".encode(), f"{n}!".encode()] or isinstance(answer, asyncio.CancelledError)
    assert sum(isinstance(answer, list) for answer in answers) >= 666


async def test_each_event_loop_has_its_own_connection(server: RedisServer, wire: SingleConnectionWire) -> None:
    """The heartbeat's thread is not held up by the loop of the handlers; its connection ends with its loop."""
    await wire.open()
    counts = []

    def beat() -> None:
        async def ask() -> None:
            await wire.send([("PING",)], key="")
            counts.append(connections(server))

        asyncio.run(ask())

    thread = threading.Thread(target=beat)
    thread.start()
    await asyncio.to_thread(thread.join)

    assert counts == [2]
    await until_connections(server, 1)


async def test_a_closed_wire_connects_again(server: RedisServer, wire: SingleConnectionWire) -> None:
    """Closing lets go of the connection, twice if one likes."""
    await wire.open()
    await wire.close()
    await wire.close()
    await until_connections(server, 0)

    assert await wire.send([("PING",)], key="") == [b"PONG"]


async def test_closing_while_others_connect_leaves_nobody_waiting(wire: SingleConnectionWire) -> None:
    """They are told that nothing was sent."""
    waiting = [asyncio.ensure_future(wire.send([("PING",)], key="")) for _ in range(3)]
    await asyncio.sleep(0)
    await wire.close()

    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, StoreUnavailableError) for answer in answers)


async def test_the_pause_between_attempts_grows_to_two_seconds_at_most(tmp_path: Path) -> None:
    """A caller is told for how long nobody tries again."""
    wire = SingleConnectionWire.to(f"unix://{tmp_path}/nobody.sock")
    pauses = []
    loop = asyncio.get_running_loop()
    for _ in range(12):
        with pytest.raises(StoreUnavailableError):
            await wire.open()
        line = wire._nodes.get()._line  # noqa: SLF001 - else the test would have to wait for real
        pauses.append(line._not_before - loop.time())  # noqa: SLF001
        line._not_before = 0.0  # noqa: SLF001

    assert pauses[0] <= lines.FIRST_PAUSE_SECONDS
    assert lines.LONGEST_PAUSE_SECONDS / 3 < pauses[-1] <= lines.LONGEST_PAUSE_SECONDS


async def test_nobody_is_repeated_by_redis_py(server: RedisServer, wire: SingleConnectionWire) -> None:
    """A command that the server was told once is counted once, whatever happened to its answer."""
    await wire.open()
    server.pause()
    with pytest.raises(OutcomeUnknownError):
        await wire.send([("INCR", "n")], key="")
    server.resume()

    assert await wire.send([("GET", "n")], key="") in ([b"1"], [None])


@pytest.mark.parametrize(
    ("url", "kind", "advice"),
    [
        ("redis://no-such-host.invalid:6379", StoreUnavailableError, "cannot be reached"),
        ("redis://127.0.0.1:1", StoreUnavailableError, "cannot be reached"),
        ("unix:///nowhere/redis.sock", StoreUnavailableError, "cannot be reached"),
    ],
)
async def test_nobody_there_is_told_as_such(url: str, kind: type[Exception], advice: str) -> None:
    """It may be there later."""
    with pytest.raises(kind, match=advice):
        await SingleConnectionWire.to(url).open()


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://127.0.0.1:port/0", "redis://h?db=x", "redis://h?a=1"])
async def test_what_is_no_url_of_a_server_is_refused_at_once(url: str) -> None:
    """Before anything is connected, and without the password."""
    with pytest.raises(ConfigurationError, match="is no URL of a Redis server"):
        SingleConnectionWire.to(url)


async def test_a_wrong_database_number_says_what_to_do(server: RedisServer) -> None:
    """Nothing was written."""
    with pytest.raises(StoreUnreadableError, match="no such database"):
        await SingleConnectionWire.to(server.url(99_999)).open()


async def test_a_password_that_is_wrong_or_missing_says_what_to_do(tmp_path: Path) -> None:
    """And never shows the one that was tried."""
    server = RedisServer(tmp_path, "--requirepass", "right one")
    try:
        await SingleConnectionWire.to(server.url(password="right%20one")).open()
        with pytest.raises(StoreUnreadableError, match="refused the user or password") as caught:
            await SingleConnectionWire.to(server.url(password="wrong-one")).open()
        with pytest.raises(StoreUnreadableError, match="asks for a password"):
            await SingleConnectionWire.to(server.url()).open()
    finally:
        server.stop()
    assert "wrong-one" not in str(caught.value)


async def test_a_server_that_accepts_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a firewall or a stopped process does."""
    monkeypatch.setattr("turnkeeper.stores.redis.deployments.single.CONNECT_SECONDS", QUICK)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        wire = SingleConnectionWire.to(f"redis://127.0.0.1:{listening.getsockname()[1]}", answer_seconds=QUICK)
        with pytest.raises(StoreUnavailableError, match="nothing was sent"):
            await wire.open()


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"<!DOCTYPE html>", b"220 mail ESMTP\r\n"])
async def test_a_port_of_something_else_is_told_as_such(greeting: bytes) -> None:
    """Repeating changes nothing, so it is not called away."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(greeting)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(StoreUnreadableError, match="is no Redis server"):
            await SingleConnectionWire.to(f"redis://127.0.0.1:{port}").open()
