"""While the store takes nothing, a message is refused clearly; sent again under its id, it counts once."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.integration.notebook import SETTINGS, flow
from turnkeeper.app import App
from turnkeeper.errors import OutcomeUnknownError
from turnkeeper.ports import faults
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.stores.sqlite.file import operations
from turnkeeper.web.asgi import build

pytestmark = pytest.mark.anyio

NUMBER = "+15551230001"
MESSAGES = f"/phone/{NUMBER}/messages"


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """Return a store in a file."""
    return SqliteStore(tmp_path / "a.db")


@pytest.fixture
async def app(store: SqliteStore) -> AsyncIterator[App]:
    """Run the notebook on it."""
    app = App(flow, store=store, settings=SETTINGS)
    async with app.running():
        yield app


@pytest.fixture
async def client(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """Be a browser on this machine."""
    transport = httpx.ASGITransport(build(app, phone=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def thread(app: App, client: httpx.AsyncClient) -> list[str]:
    """Return what was said and answered once everything came to rest."""
    assert await app.at_rest(NUMBER, within=SETTINGS.lease * 10)
    return [line["text"] for line in (await client.get(MESSAGES)).json()]


async def test_a_locked_file_refuses_and_recovers(
    app: App, client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the file: 503, nothing written; afterwards the same message is taken once."""
    monkeypatch.setattr(operations, "OPERATION_SECONDS", 0.05)
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    refused = await client.post(MESSAGES, json={"text": "milk", "id": "m1"})
    other.execute("ROLLBACK")
    other.close()
    monkeypatch.undo()

    again = await client.post(MESSAGES, json={"text": "milk", "id": "m1"})

    assert (refused.status_code, again.status_code) == (503, 202)
    assert refused.headers["retry-after"] == "2"
    assert "locked by another process" in refused.json()["error"]
    assert again.json()["outcome"] == "accepted"
    assert await thread(app, client) == ["milk", "noted milk"]


async def test_a_full_database_refuses_and_recovers(app: App, client: httpx.AsyncClient, store: SqliteStore) -> None:
    """What was acknowledged stays, what was refused was not taken, and with room it goes on."""
    await client.post(MESSAGES, json={"text": "milk", "id": "m1"})
    before = await thread(app, client)
    await limit_pages(store, 1)
    long_text = "x" * 10_000
    taken: list[str] = []
    answer = await client.post(MESSAGES, json={"text": long_text, "id": "x0"})
    while answer.status_code == 202 and len(taken) < 20:
        taken.append(f"x{len(taken)}")
        answer = await client.post(MESSAGES, json={"text": long_text, "id": f"x{len(taken)}"})
    await limit_pages(store, 1_000_000)

    again = await client.post(MESSAGES, json={"text": long_text, "id": f"x{len(taken)}"})

    assert answer.status_code == 503
    assert "free disk space" in answer.json()["error"]
    assert again.json() == {"id": f"x{len(taken)}", "outcome": "accepted"}
    assert before == ["milk", "noted milk"]
    assert await app.at_rest(NUMBER, within=SETTINGS.lease * 10)
    said = [line["id"] for line in (await client.get(MESSAGES)).json() if line["direction"] == "in"]
    assert said == ["m1", *taken, f"x{len(taken)}"]


async def test_a_lost_answer_asks_to_send_again(app: App, client: httpx.AsyncClient) -> None:
    """Nobody knows whether it was taken: 503, and the repetition finds it taken or takes it."""

    def lose(point: str) -> None:
        if point == "sqlite.after_commit":
            raise OSError("the answer was lost")

    faults.install(lose)
    try:
        unknown = await client.post(MESSAGES, json={"text": "milk", "id": "m1"})
    finally:
        faults.clear()

    again = await client.post(MESSAGES, json={"text": "milk", "id": "m1"})

    assert (unknown.status_code, again.status_code) == (503, 202)
    assert OutcomeUnknownError.__name__ not in unknown.text
    assert (await thread(app, client)).count("noted milk") == 1


async def limit_pages(store: SqliteStore, pages: int) -> None:
    """Let the database grow to so many pages and no further, as a full disk would."""
    medium = store._medium  # noqa: SLF001 - SQLite's limit belongs to the connection that writes
    await medium.write(lambda transaction: transaction.execute(f"PRAGMA max_page_count = {pages}").fetchone())
