"""Redis is killed while orders come in and buttons are pressed: the bot answers, and everything is there afterwards."""

import asyncio
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from apps.dispatch.tests.orders import storefront
from apps.dispatch.tests.running import PATIENCE_SECONDS, Running
from apps.dispatch.tests.test_killed import Crew
from dispatch.flow import flow
from tests.conformance.redis_servers import RedisServer
from turnkeeper import App, open_store

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(4 * PATIENCE_SECONDS)]

OUTAGE_SECONDS = float(os.environ.get("DISPATCH_OUTAGE_SECONDS", "0"))
"""How long the store stays away at least; 60 to see what a minute does."""

BEFORE = 3
"""Orders that come while the store is there, and are worked on while it is away."""

ORDERS = BEFORE + max(3, int(OUTAGE_SECONDS / 2))
"""All of them: while the store is away one every two seconds, or three at once."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a server that keeps what it acknowledged."""
    folder = tmp_path / "redis"
    folder.mkdir()
    started = RedisServer(folder, "--appendonly", "yes", "--appendfsync", "always")
    yield started
    started.stop()


async def test_the_bot_goes_on_without_its_store(server: RedisServer, tmp_path: Path) -> None:
    """Clicks are answered, the outage is told once in the log and in the health page, nothing is lost or doubled."""
    log = tmp_path / "bot.log"
    async with Running(server.url(), log=log, folder=tmp_path).running() as bot:
        crew = Crew(bot)
        for number in range(1, BEFORE + 1):
            await bot.order(storefront(name=f"#{number}"), delivery=f"d{number}")
        crew.drives = False
        await bot.until(lambda: crew.press_everything() == BEFORE * 4)
        await bot.until(partial(_all_answered, crew))
        await _rest(server)
        crew.drives = True
        server.stop()
        for number in range(BEFORE + 1, ORDERS + 1):
            await bot.order(storefront(name=f"#{number}"), delivery=f"d{number}")
            crew.press_everything()
            await asyncio.sleep(OUTAGE_SECONDS / (ORDERS - BEFORE))
        await bot.until(lambda: crew.press_everything() == ORDERS * 6)
        await bot.until(partial(_all_answered, crew))
        during = (await bot.client.get(f"{bot.url}/health")).json()
        told = log.read_text().count("store_away")  # a busy machine's server may be slow, and away again, later
        server.restart()
        await bot.until_health("ok")

    app = App(flow, store=server.url())
    view = app.view(flow)
    async with app.running():
        orders = dict(view)
    events = ["received", *["time_sent", "time_confirmed"] * 2, "assigned", "delivered"]
    assert during["status"] == "degraded"
    assert told == 1
    assert len(orders) == ORDERS
    for order in orders.values():
        assert sorted(entry["type"] for entry in order.status_history) == sorted(events)
        assert order.status == "delivered"


async def _rest(server: RedisServer) -> None:
    """Wait until nothing of any order is on its way: what the store holds unsent waits for the store."""
    store = open_store(server.url())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            page = await store.catalog.find(flow=flow.name)
            if not any(summary.waiting or summary.unsent for summary in page.items):
                break
            await asyncio.sleep(0.05)
    await store.close()


def _all_answered(crew: Crew) -> bool:
    crew.press_everything()
    return crew.bot.telegram.undelivered == 0 and all(
        query in crew.bot.telegram.toasts for query in crew.pressed.values()
    )
