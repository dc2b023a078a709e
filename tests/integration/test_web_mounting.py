"""The application is mounted into a host such as FastAPI, under a prefix, with and without a lifespan of the host."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from tests.integration.notebook import SETTINGS, flow
from turnkeeper.app import App
from turnkeeper.errors import ConfigurationError

pytestmark = pytest.mark.anyio

NUMBER = "+15551230001"


@pytest.fixture
def app(tmp_path: Path) -> App:
    """Return the notebook on a file."""
    return App(flow, store=f"sqlite:///{tmp_path}/a.db", settings=SETTINGS)


def host_of(app: App, *, with_lifespan: bool) -> FastAPI:
    """Return a host with a route of its own."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with app.running():
            yield

    host = FastAPI(lifespan=lifespan) if with_lifespan else FastAPI()

    @host.get("/own")
    async def own() -> str:
        return "mine"

    host.mount("/bot", app.asgi(phone=True))
    return host


async def test_the_host_starts_and_stops_it(app: App) -> None:
    """With `app.running()` in the host's lifespan the application works as long as the host does."""
    host = host_of(app, with_lifespan=True)
    transport = httpx.ASGITransport(host)
    async with (
        host.router.lifespan_context(host),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        engine = app.engine
        taken = await client.post(f"/bot/phone/{NUMBER}/messages", json={"text": "milk", "id": "m1"})
        own = await client.get("/own")
        assert app.engine is engine

    assert (taken.status_code, own.json()) == (202, "mine")
    with pytest.raises(ConfigurationError, match="not running"):
        _ = app.engine


async def test_without_a_lifespan_the_first_request_starts_it(app: App) -> None:
    """A host that does not know about it gets a working application all the same."""
    transport = httpx.ASGITransport(host_of(app, with_lifespan=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        healthy = await client.get("/bot/health")
        taken = await client.post(f"/bot/phone/{NUMBER}/messages", json={"text": "milk", "id": "m1"})
        assert await app.at_rest(NUMBER, within=SETTINGS.lease * 10)
        thread = (await client.get(f"/bot/phone/{NUMBER}/messages")).json()
    await app.stop()

    assert (healthy.status_code, taken.status_code) == (200, 202)
    assert [line["text"] for line in thread] == ["milk", "noted milk"]


async def test_served_by_itself_it_starts_and_stops_with_its_server(app: App) -> None:
    """Any ASGI server runs it: its own lifespan is that of the application."""
    served = app.asgi()

    async with served.router.lifespan_context(served):
        assert app.engine is not None

    with pytest.raises(ConfigurationError, match="not running"):
        _ = app.engine


async def test_the_page_finds_its_files_under_the_prefix(app: App) -> None:
    """Every address on the page begins with where it is mounted, and leads somewhere."""
    transport = httpx.ASGITransport(host_of(app, with_lifespan=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        front = await client.get("/bot/")
        page = (await client.get(front.headers["location"])).text
        script = await client.get("/bot/phone/assets/phone.js")
        style = await client.get("/bot/phone/assets/phone.css")

    assert front.headers["location"] == "/bot/phone"
    assert 'src="/bot/phone/assets/phone.js"' in page
    assert 'href="/bot/phone/assets/phone.css"' in page
    assert 'data-root="/bot"' in page
    assert (script.status_code, style.status_code) == (200, 200)


async def test_without_the_phone_there_is_none(app: App) -> None:
    """What is not asked for is not offered: the front route says what is served, and nothing speaks for anybody."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi()), base_url="http://localhost") as client:
        front = await client.get("/")
        phone = await client.get(f"/phone/{NUMBER}/messages")

    assert front.json() == {"flows": ["notebook"]}
    assert phone.status_code == 404


async def test_an_error_nobody_expected_is_json_and_in_the_log(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client learns nothing about the inside; the server's log does, because the error goes on."""

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(app, "thread", broken)
    transport = httpx.ASGITransport(app.asgi(phone=True), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get(f"/phone/{NUMBER}/messages")
    await app.stop()

    assert answer.status_code == 500
    assert "server's log" in answer.json()["error"]
    assert "inside" not in answer.text
