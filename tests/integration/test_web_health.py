"""`GET /health` is 200 when a message would be taken now, and else 503 with the reason."""

import sqlite3
from pathlib import Path

import httpx
import pytest

from tests.integration.notebook import flow
from turnkeeper.app import App
from turnkeeper.stores.sqlite import schema
from turnkeeper.stores.sqlite.file import disk
from turnkeeper.web import health
from turnkeeper.web.asgi import build

pytestmark = pytest.mark.anyio


async def ask(app: App, path: str = "/health") -> httpx.Response:
    """Ask as a load balancer does, under the machine's address."""
    transport = httpx.ASGITransport(build(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.7:8000") as client:
        return await client.get(path)


async def test_a_working_store_is_healthy(tmp_path: Path) -> None:
    """It says which flows are served, and what the store may lose."""
    app = App(flow, store=f"sqlite:///{tmp_path}/a.db")
    async with app.running():
        answer = await ask(app)

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["flows"] == ["notebook"]
    assert answer.json()["store"]["kind"] == "sqlite"
    assert answer.json()["store"]["durability"] == "disk"


async def test_health_does_not_need_a_started_application(tmp_path: Path) -> None:
    """A mounted application that had no message yet answers too."""
    app = App(flow, store=f"sqlite:///{tmp_path}/a.db")

    answer = await ask(app)
    await app.stop()

    assert answer.status_code == 200


async def test_a_locked_file_is_unhealthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading would work, taking a message would not: that is what counts. Afterwards it is healthy again."""
    monkeypatch.setattr(health, "HEALTH_SECONDS", 0.05)
    app = App(flow, store=f"sqlite:///{tmp_path}/a.db")
    async with app.running():
        other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        locked = await ask(app)
        other.execute("ROLLBACK")
        other.close()
        monkeypatch.undo()
        free = await ask(app)

    assert locked.status_code == 503
    assert "another process locks it" in locked.json()["reason"]
    assert free.status_code == 200


async def test_a_full_disk_is_unhealthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would refuse a message refuses the probe; with room it is healthy again."""
    monkeypatch.setattr(disk, "_LOOK_SECONDS", 0.0)
    app = App(flow, store=f"sqlite:///{tmp_path}/a.db")
    async with app.running():
        monkeypatch.setattr(disk, "RESERVE_BYTES", 1 << 62)
        full = await ask(app)
        monkeypatch.setattr(disk, "RESERVE_BYTES", 0)
        free = await ask(app)

    assert full.status_code == 503
    assert "nearly full" in full.json()["reason"]
    assert free.status_code == 200


async def test_a_file_of_another_application_is_unhealthy(tmp_path: Path) -> None:
    """It says which file, and leaves it alone."""
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE precious (thing)")
    other.commit()
    other.close()
    before = path.read_bytes()

    answer = await ask(App(flow, store=f"sqlite:///{path}"))

    assert answer.status_code == 503
    assert "another application" in answer.json()["reason"]
    assert path.read_bytes() == before


async def test_a_newer_store_is_unhealthy(tmp_path: Path) -> None:
    """A roll-back of the code must not touch what newer code wrote."""
    path = tmp_path / "newer.db"
    app = App(flow, store=f"sqlite:///{path}")
    async with app.running():
        pass
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    newer.commit()
    newer.close()

    answer = await ask(App(flow, store=f"sqlite:///{path}"))

    assert answer.status_code == 503
    assert "upgrade turnkeeper" in answer.json()["reason"]


async def test_an_unknown_store_is_unhealthy_and_its_password_stays_secret() -> None:
    """The reason is for everybody who can reach the route."""
    answer = await ask(App(flow, store="redis://user:hunter2@cache:6379"))

    assert answer.status_code == 503
    assert "REDIS_ENABLED=false" in answer.json()["reason"]
    assert "hunter2" not in answer.text


async def test_redis_is_not_configured(tmp_path: Path) -> None:
    """Monitors that look for Redis learn that there is none to look at."""
    answer = await ask(App(flow, store=f"sqlite:///{tmp_path}/a.db"), "/health/redis")

    assert (answer.status_code, answer.json()) == (200, {"configured": False})
