"""Connections as their callers see them: what a failed or crowded one tells, and who is told."""

import asyncio
import gc
import re
import threading
import traceback
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError, StoreUnreadableError
from turnkeeper.stores.redis.connections import dialling
from turnkeeper.stores.redis.connections.addresses import parse_place
from turnkeeper.stores.redis.connections.dialling import Dialler
from turnkeeper.stores.redis.connections.line import Greet, Line
from turnkeeper.stores.redis.connections.loops import PerLoop
from turnkeeper.stores.redis.connections.multiplexer import Multiplexer
from turnkeeper.stores.redis.connections.proving import Proof, ProvenLine
from turnkeeper.stores.redis.deployments.choosing import open_wire

pytestmark = pytest.mark.anyio

SOON = 5.0
"""Seconds after which a test gives up."""

INFO = b"redis_version:7.0.0\r\nrun_id:a\r\nrole:master\r\nconnected_slaves:1\r\n"
"""What the server says of itself."""

Answer = Callable[[bytes], bytes | None]


def bulk(text: bytes) -> bytes:
    """Return a reply that holds a text."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


class Answering(asyncio.Protocol):
    """A server that answers each command as a test wants it; None hangs up."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every command of what came."""
        for command in re.split(rb"(?=\*\d+\r\n\$)", data)[1:]:
            said = self.answer(command)
            if said is None:
                self.transport.abort()
                return
            self.transport.write(said)


@pytest.fixture
async def path(tmp_path: Path) -> str:
    """Return where a server is to listen."""
    return str(tmp_path / "s")


async def listening(path: str, answer: Answer) -> asyncio.Server:
    """Return a server that answers so."""
    return await asyncio.get_running_loop().create_unix_server(lambda: Answering(answer), path)


def line_to(path: str, *, greet: Greet = lambda _: None, answer_seconds: float = 0.2) -> Line:
    """Return a line to the server."""

    async def dial() -> Multiplexer:
        _, found = await asyncio.get_running_loop().create_unix_connection(
            lambda: Multiplexer("redis://test", answer_seconds=answer_seconds), path
        )
        return found

    return Line(dial, url="redis://test", greet=greet)


@pytest.mark.parametrize("said", [None, b""], ids=["hangs up", "says nothing"])
async def test_a_server_that_fails_before_it_was_used_got_nothing(path: str, said: bytes | None) -> None:
    """Only the greeting was lost: no caller needs to wonder what became of its commands."""
    server = await listening(path, lambda _: said)
    line = line_to(path)

    with pytest.raises(StoreUnavailableError, match="nothing was sent"):
        await line.send([("SET", "a", "1")])
    await line.close()
    server.close()


async def test_one_callers_bad_argument_is_nobody_elses(path: str) -> None:
    """Calls that are proven together fail alone."""
    answers = {b"INFO": bulk(INFO), b"WAIT": b":1\r\n", b"SET": b"+OK\r\n", b"EVAL": b"+OK\r\n"}
    server = await listening(path, lambda sent: next(reply for name, reply in answers.items() if name in sent))
    proven = ProvenLine(
        lambda greet: line_to(path, greet=greet), Proof(durability="replica"), url="redis://test", in_cluster=False
    )

    async def send(value: str) -> object:
        return await proven.send([("SET", "{a}", value)], key="{a}")

    async with asyncio.timeout(SOON):
        good, bad, other = await asyncio.gather(send("1"), send("\ud800"), send("2"), return_exceptions=True)

    assert good == other == [b"OK"]
    assert isinstance(bad, UnicodeEncodeError)
    await proven.close()
    server.close()


async def test_a_call_that_waited_too_long_for_the_proofs_of_others_is_not_sent(path: str) -> None:
    """A time for an answer counts from when a caller asks, also behind a WAIT that takes long."""
    sent: list[bytes] = []
    arrived = asyncio.Event()

    def answer(command: bytes) -> bytes:
        sent.append(command)
        arrived.set()
        return bulk(INFO) if b"INFO" in command else b""

    server = await listening(path, answer)
    proof = Proof(durability="replica", answer_seconds=0.1)
    line = line_to(path, answer_seconds=0.3)
    proven = ProvenLine(lambda _: line, proof, url="redis://test", in_cluster=False)
    first = asyncio.create_task(proven.send([("SET", "{a}", "1")], key="{a}"))
    await arrived.wait()

    with pytest.raises(StoreUnavailableError, match="nothing was sent"):
        await proven.send([("SET", "{a}", "2")], key="{a}")
    with pytest.raises(OutcomeUnknownError):
        await first
    assert not any(b"2\r\n" in command.split(b"SET")[-1] for command in sent if b"SET" in command)
    await proven.close()
    server.close()


async def test_an_event_loop_that_is_over_is_not_kept() -> None:
    """What belongs to a loop refers to it; a process that runs many loops must not keep them all."""
    loops = PerLoop(asyncio.get_running_loop)
    over: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    def use() -> None:
        async def run() -> None:
            over.append(weakref.ref(loops.get()))

        thread = threading.Thread(target=asyncio.run, args=(run(),))
        thread.start()
        thread.join()

    for _ in range(4):
        use()
    gc.collect()

    assert [one() is None for one in over[:3]] == [True] * 3


def test_where_several_hosts_lead_shows_no_password() -> None:
    """Neither that of the servers nor that of the sentinels."""
    place = parse_place("redis+sentinel://app:geheim@h1,h2/service?sentinel_password=wache")

    assert "geheim" not in repr(place)
    assert "wache" not in repr(place)


@pytest.mark.parametrize(
    "url", ["redis://:geh/eim@host:6379/0", "redis://:geh#eim@host", "redis://:geh?eim@host", "redis://:]geh[@host"]
)
def test_a_password_with_bare_signs_is_not_quoted(url: str) -> None:
    """It is cut off in the middle by the rules of URLs, and an error text must not show the piece."""
    with pytest.raises(Exception, match=r"\*\*\*") as caught:
        open_wire(url)

    assert "geh" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_server_that_repeats_a_password_is_not_quoted(path: str) -> None:
    """A server without AUTH says what it was asked for, with its arguments."""
    said = b"-ERR unknown command 'AUTH', with args beginning with: 'geheim'\r\n"
    server = await listening(path, lambda _: said)
    dialler = Dialler(f"unix://:geheim@{path}", answer_seconds=1, connect_seconds=dialling.CONNECT_SECONDS)

    with pytest.raises(StoreUnreadableError, match="refused the connection") as caught:
        await dialler.dial()
    assert "geheim" not in str(caught.value)
    server.close()


async def test_a_sentinel_that_repeats_a_password_is_not_quoted() -> None:
    """An old sentinel does not know AUTH either."""
    said = b"-ERR unknown command 'AUTH', with args beginning with: 'wache'\r\n"
    server = await asyncio.get_running_loop().create_server(lambda: Answering(lambda _: said), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire = open_wire(f"redis+sentinel://127.0.0.1:{port}/service?sentinel_password=wache")

    with pytest.raises((StoreUnreadableError, StoreUnavailableError)) as caught:
        await wire.open()
    assert "wache" not in "".join(traceback.format_exception(caught.value))
    await wire.close()
    server.close()
