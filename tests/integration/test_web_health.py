"""`GET /health` is 200 when a message would be taken now, and else 503 with the reason; so is `GET /health/redis`."""

import sqlite3
import time
from pathlib import Path

import httpx
import pytest
from redis import Redis

from tests.conformance.redis_servers import RedisServer
from tests.integration.notebook import flow
from turnkeeper.app import App
from turnkeeper.errors import StoreFullError
from turnkeeper.policy.outage import Outage, OutagePolicy
from turnkeeper.stores.memory import MemoryStore
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


async def test_a_store_that_cannot_be_reached_is_unhealthy_and_its_password_stays_secret() -> None:
    """The reason is for everybody who can reach the route."""
    app = App(flow, store="redis://user:hunter2@127.0.0.1:1")
    answer, of_redis = await ask(app), await ask(app, "/health/redis")
    await app.stop()

    assert (answer.status_code, of_redis.status_code) == (503, 503)
    assert "cannot be reached" in answer.json()["reason"]
    assert (of_redis.json()["configured"], of_redis.json()["status"]) == (True, "down")
    assert "cannot be reached" in of_redis.json()["reason"]
    assert "hunter2" not in answer.text + of_redis.text


async def test_messages_that_are_taken_elsewhere_are_degraded_and_no_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load balancer must not take a process away that accepts into its journal; the reason says what is wrong."""
    monkeypatch.chdir(tmp_path)
    app = App(flow, store="redis://user:hunter2@127.0.0.1:1", outage="queue")
    async with app.running():
        answer, of_redis = await ask(app), await ask(app, "/health/redis")

    assert (answer.status_code, of_redis.status_code) == (200, 503)
    told = answer.json()
    assert (told["status"], told["policy"], told["journal"]) == ("degraded", "queue", 0)
    assert "127.0.0.1:1" in told["reason"]
    assert "hunter2" not in answer.text


async def test_a_store_that_can_never_be_used_is_down_under_every_policy(tmp_path: Path) -> None:
    """Waiting does not help: somebody must act."""
    answer = await ask(App(flow, store=f"sqlite:///{tmp_path}", outage="queue"))

    assert (answer.status_code, answer.json()["status"]) == (503, "down")
    assert "is a folder" in answer.json()["reason"]


@pytest.mark.parametrize("policy", ["fail", "queue", "carry_on"])
async def test_a_full_redis_is_down_under_every_policy(
    tmp_path: Path, server: RedisServer, database: int, client: Redis, policy: OutagePolicy
) -> None:
    """It answers, so that nothing is taken in its place; a balancer that sends messages here would see them refused."""
    app = App(flow, store=server.url(database), outage=Outage(policy=policy, folder=str(tmp_path)))
    async with app.running():
        client.config_set("maxmemory", 1)
        try:
            full = await ask(app)
            with pytest.raises(StoreFullError):
                await app.accept("+15551230001", app.message("hello", id="m1"))
        finally:
            client.config_set("maxmemory", 0)
        free = await ask(app)

    assert full.status_code == 503
    assert "raise maxmemory" in full.json()["reason"]
    assert free.status_code == 200


async def test_redis_is_not_configured(tmp_path: Path) -> None:
    """Monitors that look for Redis learn that there is none to look at, without asking the store there is."""
    answer = await ask(App(flow, store=f"sqlite:///{tmp_path}/a.db"), "/health/redis")

    assert (answer.status_code, answer.json()) == (200, {"configured": False})
    assert not (tmp_path / "a.db").exists()


async def test_redis_is_not_configured_where_another_open_store_was_brought() -> None:
    """An application need not name its store by URL."""
    answer = await ask(App(flow, store=MemoryStore()), "/health/redis")

    assert (answer.status_code, answer.json()) == (200, {"configured": False})


async def test_a_working_redis_tells_its_facts(server: RedisServer) -> None:
    """Version, policy and what may be lost, for whoever is woken at night."""
    app = App(flow, store=server.url(server.fresh()))
    async with app.running():
        health, answer = await ask(app), await ask(app, "/health/redis")

    assert (health.status_code, health.json()["store"]["kind"]) == (200, "redis")
    assert answer.status_code == 200
    facts = answer.json()
    assert (facts["configured"], facts["status"], facts["policy"]) == (True, "ok", "noeviction")
    assert facts["took_ms"] > 0
    assert facts["version"]


async def test_a_redis_that_hangs_does_not_hang_the_answer(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paused server is told within the patience of the route; afterwards it is healthy again."""
    monkeypatch.setattr(health, "HEALTH_SECONDS", 0.2)
    app = App(flow, store=server.url(server.fresh()))
    before = await ask(app)
    with Redis(unix_socket_path=str(server.socket)) as operator:
        operator.client_pause(60_000, all=False)
        began = time.monotonic()
        paused, of_redis = await ask(app), await ask(app, "/health/redis")
        took = time.monotonic() - began
        operator.client_unpause()
        monkeypatch.undo()
        after = await ask(app)
    await app.stop()

    assert (before.status_code, paused.status_code, of_redis.status_code, after.status_code) == (200, 503, 503, 200)
    assert "the server is paused" in paused.json()["reason"]
    assert took < 3
