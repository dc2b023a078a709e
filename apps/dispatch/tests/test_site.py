"""The office's list of what is to be done, from the live view."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from apps.dispatch.tests.orders import PLACED, arrival, later, marketplace, request, storefront
from dispatch.flow import flow
from dispatch.shops import OrderWebhook
from dispatch.site import WORKING_FOR, build
from turnkeeper import App
from turnkeeper.testing import FakeChannel, ManualClock

pytestmark = pytest.mark.anyio


class Office:
    """A bot, its view, and whoever asks for the list."""

    def __init__(self, store: str = "memory://") -> None:
        """Start nothing yet."""
        self.clock = ManualClock(PLACED)
        self.app = App(
            flow,
            store=store,
            channels=[FakeChannel("telegram")],
            webhooks=[OrderWebhook({})],
            clock=self.clock,
        )
        self.orders = self.app.view(flow)
        self.site = build(self.app, self.orders, token="a-token")

    async def ask(self, token: str = "a-token", path: str = "/orders") -> httpx.Response:  # noqa: S107 - a test's
        """Ask for the list."""
        transport = httpx.ASGITransport(app=self.site)
        async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
            return await client.get(path, headers={"authorization": f"Bearer {token}"})

    async def take(self, shop: str, body: object) -> None:
        """Let an order come in, and wait until the view shows it."""
        came = arrival(shop, body)
        await self.app.handle(came.person, came.message)
        while came.person not in self.orders:
            await self.orders.changed()


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    """Return an office that is open."""
    opened = Office()
    async with opened.app.running():
        yield opened


async def test_the_list_shows_what_is_worked_on_newest_first(office: Office) -> None:
    """With the users' own names; an order older than two days leaves it and stays in the store."""
    await office.take("smoothr", marketplace())
    await office.take("dishbee", storefront(created_at=later(60), updated_at=later(60)))
    first = (await office.ask()).json()
    office.clock.advance(WORKING_FOR + timedelta(minutes=30))
    second = (await office.ask()).json()

    assert [order["id"] for order in first["orders"]] == ["dishbee_26", "smoothr_123"]
    assert first["orders"][0]["customer"]["name"] == "Zoë Müller"
    assert [order["id"] for order in second["orders"]] == ["dishbee_26"]
    assert (second["total"], second["orders"][0]["status"]) == (2, "new")


async def test_the_list_asks_for_its_token(office: Office) -> None:
    """Without it nobody reads a customer's address; without a token in the settings there is no list."""
    closed = build(office.app, office.orders, token="")
    refused = await office.ask(token="wrong")
    health = await office.ask(path="/health")
    office.site = closed
    gone = await office.ask(token="")

    assert (refused.status_code, health.status_code, gone.status_code) == (401, 200, 404)


async def test_all_orders_are_back_before_the_first_update_is_handled(tmp_path: Path) -> None:
    """A restart: the first webhook starts the application, and every order is in memory when its answer comes."""
    url = f"sqlite:///{tmp_path / 'orders.db'}"
    before = Office(url)
    async with before.app.running():
        for number in range(1, 41):
            await before.take("dishbee", storefront(name=f"#{number}"))
    after = Office(url)
    first = request("dishbee", storefront(name="#99"))
    transport = httpx.ASGITransport(app=after.app.asgi())
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
        answer = await client.post("/webhooks/orders/dishbee", content=first.body, headers=dict(first.headers))
    known = set(after.orders)
    await after.app.stop()

    assert answer.status_code == 200
    assert known >= {f"dishbee_{number}" for number in range(1, 41)}
