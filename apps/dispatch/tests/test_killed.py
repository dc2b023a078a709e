"""The bot is killed in a burst of webhooks and clicks: nothing is lost, and nothing counts twice."""

import asyncio
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from apps.dispatch.tests.orders import storefront
from apps.dispatch.tests.running import PATIENCE_SECONDS, Running
from dispatch.flow import flow
from tests.conformance.redis_servers import RedisServer
from turnkeeper import App, open_store

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(4 * PATIENCE_SECONDS)]

ORDERS = int(os.environ.get("DISPATCH_BURST", "40"))
"""Orders of the burst; each gets six clicks. `DISPATCH_BURST=150` makes it more than a thousand."""

CHATS = {"JS": "-2001", "LR": "-2002"}


class Crew:
    """Everybody who presses buttons, as fast as they appear."""

    def __init__(self, bot: Running) -> None:
        """Take the bot."""
        self.bot = bot
        self.pressed: dict[str, str] = {}
        self.drives = True

    def _driving(self) -> set[str]:
        return {"take", "delivered"} if self.drives else set()

    def press_everything(self) -> int:
        """Press what leads each order on: ask, confirm, take, delivered; each button once. Return how many so far."""
        for (chat, message_id), shown in tuple(self.bot.telegram.messages.items()):
            for button in shown["buttons"]:
                _order, action, _what, time, version = button["data"].split("|")
                wanted = (action, time, version) == ("ask", "asap", "0") or action in self._driving()
                first = action == "confirm" and button is shown["buttons"][0]
                if (wanted or first) and button["data"] not in self.pressed:
                    self.pressed[button["data"]] = self.bot.press(chat, message_id, button["data"], user="Ana")
        return len(self.pressed)


def _has_pressed(crew: Crew, count: int) -> bool:
    return crew.press_everything() > count


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return a store that outlives the bot."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'dispatch.db'}"
        return
    server = RedisServer(tmp_path)
    yield server.url()
    server.stop()


async def test_a_burst_with_kills_loses_nothing_and_counts_nothing_twice(url: str) -> None:
    """Three kills while orders come in and buttons are pressed; at the end every order is delivered, once."""
    async with Running(url).running() as bot:
        crew = Crew(bot)
        coming = [
            asyncio.create_task(bot.order(storefront(name=f"#{n}"), delivery=f"d{n}")) for n in range(1, ORDERS + 1)
        ]
        for kill in range(1, 4):
            await bot.until(partial(_has_pressed, crew, ORDERS * kill))
            bot.kill()
            await bot.start()
        await asyncio.gather(*coming)
        await bot.until(lambda: crew.press_everything() == ORDERS * 6)
        await bot.until(lambda: bot.telegram.undelivered == 0)
        await bot.until(lambda: all(query in bot.telegram.toasts for query in crew.pressed.values()))

    app = App(flow, store=open_store(url))
    view = app.view(flow)
    async with app.running():
        orders = dict(view)
    assert len(orders) == ORDERS
    for order in orders.values():
        types = [entry["type"] for entry in order.status_history]
        assert sorted(types) == sorted(
            ["received", *["time_sent", "time_confirmed"] * 2, "assigned", "delivered"],
        )
        assert (order.status, order.assigned_to) == ("delivered", "Ana")
        assert set(order.messages) == {"-1001", *CHATS.values()}
