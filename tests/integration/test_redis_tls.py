"""TLS in front of a server: trusted, not trusted, with a certificate of the client, and where nobody speaks it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_servers import RedisServer, free_port
from tests.integration.redis_papers import make_papers
from turnkeeper.errors import StoreUnavailableError, StoreUnreadableError
from turnkeeper.ports.turns import Committed
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.scenario import Talk

pytestmark = pytest.mark.anyio

LARGE = bytes(range(256)) * 4096
"""A value of 1 MB, which is many records of TLS."""


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an authority, a certificate for localhost and one for a client."""
    return make_papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return the server behind TLS."""
    server = RedisServer(tmp_path, port=free_port())
    yield server
    server.stop()


@contextlib.asynccontextmanager
async def tls(server: RedisServer, papers: Path, *, asks_clients: bool = False) -> AsyncIterator[int]:
    """Speak TLS in front of a server, as stunnel does; not every build of Redis can itself. Return the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=papers / "ca.crt")
    context.load_cert_chain(papers / "server.crt", papers / "server.key")
    if asks_clients:
        context.verify_mode = ssl.CERT_REQUIRED

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_unix_connection(server.socket)
        await asyncio.gather(pump(reader, behind[1]), pump(behind[0], writer))

    listening = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    try:
        yield int(listening.sockets[0].getsockname()[1])
    finally:
        listening.close()


async def test_turns_run_through_tls(server: RedisServer, papers: Path) -> None:
    """With a large state too; the authority is named in the URL."""
    async with tls(server, papers) as port:
        store = RedisStore(f"rediss://localhost:{port}/0?ssl_ca_certs={papers}/ca.crt")
        talk = Talk(store, ManualClock())
        assert isinstance(await talk.turn("m1"), Committed)
        wire = open_wire(f"valkeys://127.0.0.1:{port}/0?ssl_ca_certs={papers}/ca.crt")
        replies = await asyncio.gather(*(wire.send([("ECHO", LARGE)], key="") for _ in range(8)))
        await wire.close()
        await store.close()

    assert replies == [[LARGE]] * 8


async def test_a_client_shows_its_own_certificate(server: RedisServer, papers: Path) -> None:
    """Where the server asks for one; without it the text says how to give it."""
    async with tls(server, papers, asks_clients=True) as port:
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={papers}/ca.crt"
        shown = open_wire(f"{url}&ssl_certfile={papers}/client.crt&ssl_keyfile={papers}/client.key")
        assert await shown.send([("PING",)], key="") == [b"PONG"]
        await shown.close()
        with pytest.raises((StoreUnreadableError, StoreUnavailableError), match="ssl_certfile="):
            await open_wire(url).open()


async def test_an_authority_that_nobody_named_is_not_trusted(server: RedisServer, papers: Path) -> None:
    """Nothing is sent to a server that may be anybody."""
    async with tls(server, papers) as port:
        with pytest.raises(StoreUnreadableError, match=r"certificate is not trusted.*ssl_ca_certs="):
            await open_wire(f"rediss://localhost:{port}").open()


async def test_tls_where_nobody_speaks_it_says_so(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And how to write the URL; the server waits for the end of a line that never comes."""
    monkeypatch.setattr("turnkeeper.stores.redis.deployments.single.CONNECT_SECONDS", 0.3)
    with pytest.raises(StoreUnavailableError, match="if it does not speak TLS, write redis://"):
        await open_wire(f"rediss://127.0.0.1:{server.port}").open()


async def test_plain_text_to_a_tls_port_says_so(server: RedisServer, papers: Path) -> None:
    """The other way round."""
    async with tls(server, papers) as port:
        with pytest.raises(StoreUnavailableError, match="if it speaks TLS, write rediss://"):
            await open_wire(f"redis://127.0.0.1:{port}/1").open()


async def test_an_authority_that_is_no_file_is_told(server: RedisServer, papers: Path) -> None:
    """Before a byte is sent, and as what no repetition mends."""
    async with tls(server, papers) as port:
        url = f"rediss://localhost:{port}?ssl_ca_certs=nowhere.crt"
        with pytest.raises(StoreUnreadableError, match=r"nowhere\.crt.*No such file.*Check their paths"):
            await open_wire(url).open()
