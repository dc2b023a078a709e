"""What a client of the web routes sees while the store is away, under each outage policy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.unit.outage_bench import ANA, Bench, heard
from turnkeeper.app import App
from turnkeeper.policy.outage import OutagePolicy
from turnkeeper.web.asgi import build

pytestmark = pytest.mark.anyio

MESSAGES = f"/phone/{ANA}/messages"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a store, a clock and a folder."""
    return Bench(tmp_path / "local")


@asynccontextmanager
async def browser(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """Be a browser on this machine."""
    transport = httpx.ASGITransport(build(app, phone=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_fail_answers_503_and_says_when_to_come_back(bench: Bench) -> None:
    """A provider repeats it then; nothing was written."""
    app, switch = bench.server("fail")
    async with app.running(), browser(app) as client:
        await bench.away(app, switch)
        refused = await client.post(MESSAGES, json={"text": "milk", "id": "m1"})
        health = await client.get("/health")
        await bench.back(app, switch)
        again = await client.post(MESSAGES, json={"text": "milk", "id": "m1"})

        assert (refused.status_code, health.status_code, again.status_code) == (503, 503, 202)
        assert int(refused.headers["retry-after"]) >= 1
        assert "nothing was written" in refused.json()["error"]
        assert await heard(app) == ["milk"]


@pytest.mark.parametrize("policy", ["queue", "carry_on"])
async def test_the_others_take_the_message_and_say_so_in_the_health(bench: Bench, policy: OutagePolicy) -> None:
    """202 all the time; `/health` stays 200 and says that it is degraded, and why."""
    app, switch = bench.server(policy)
    async with app.running(), browser(app) as client:
        await bench.away(app, switch)
        taken = await client.post(MESSAGES, json={"text": "milk", "id": "m1"})
        health = await client.get("/health")
        await bench.back(app, switch)
        after = await client.get("/health")

        assert (taken.status_code, health.status_code) == (202, 200)
        assert health.json()["status"] == "degraded"
        assert "switched off" in health.json()["reason"]
        assert after.json()["status"] == "ok"
        assert await heard(app) == ["milk"]


async def test_the_phone_shows_what_is_answered_here(bench: Bench) -> None:
    """Under `carry_on` the page reads the conversation where it is."""
    app, switch = bench.server("carry_on")
    async with app.running(), browser(app) as client:
        await bench.away(app, switch)
        await client.post(MESSAGES, json={"text": "milk", "id": "m1"})
        assert await app.at_rest(ANA, within=timedelta(seconds=20))
        thread = await client.get(MESSAGES)

        assert [line["text"] for line in thread.json()] == ["milk", "1: milk"]
