"""The page of the demonstration: the group, the vendors' chats, and what can be done to the bot."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from random import Random
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dispatch.demo.bot import Bot
from dispatch.shops import signed
from dispatch.team import DEMO
from turnkeeper import ConfigurationError, SystemClock
from turnkeeper.testing.telegram import TelegramStandIn

_ASSETS = {"dispatch.js": "text/javascript", "dispatch.css": "text/css"}

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

_DISHES = {
    "JS": ("Käsespätzle", "Schnitzel", "Semmelknödel mit Pilzen", "Apfelstrudel"),
    "LR": ("Falafel", "Hummus", "Halloumi im Brot", "Linsensuppe"),
    "HB": ("Burger", "Pommes", "Veggie Burger", "Limonade"),
}
_PEOPLE = ("Zoë Müller", "Jürgen Groß", "Ana Ionescu", "Łukasz Nowak", "Mehmet Öz", "Søren Ask")


class Page:
    """The page's routes over the stand-in and the bot's process."""

    def __init__(self, telegram: TelegramStandIn, bot: Bot, *, shop_url: str) -> None:
        """Take the chats, the bot, and where the shops' webhooks go."""
        self._telegram = telegram
        self._bot = bot
        self._shop_url = shop_url
        self._clock = SystemClock()
        self._number = self._clock.now_ms() // 1000 % 10_000
        self._orders: set[asyncio.Task[None]] = set()

    def build(self) -> Starlette:
        """Return the ASGI application: the page, its data, and the Bot API that the bot calls."""

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with self._telegram.running():
                watching = asyncio.create_task(self._bot.keep_running())
                try:
                    yield
                finally:
                    watching.cancel()
                    await asyncio.gather(watching, *self._orders, return_exceptions=True)
                    await self._bot.stop()

        return Starlette(
            lifespan=lifespan,
            routes=[
                Route("/", self.page),
                Route("/assets/{name}", self.asset),
                Route("/chats", self.chats),
                Route("/click", self.click, methods=["POST"]),
                Route("/order", self.order, methods=["POST"]),
                Route("/kill", self.kill, methods=["POST"]),
                *self._telegram.routes,
            ],
        )

    async def page(self, _: Request) -> Response:
        """Return the page."""
        html = files("dispatch.demo").joinpath("dispatch.html").read_text("utf-8")
        return Response(html, media_type="text/html", headers=_HEADERS)

    async def asset(self, request: Request) -> Response:
        """Return script or style."""
        name = request.path_params["name"]
        if name not in _ASSETS:
            return Response("no such asset", status_code=404)
        content = files("dispatch.demo").joinpath(name).read_bytes()
        return Response(content, media_type=_ASSETS[name], headers=_HEADERS)

    async def chats(self, _: Request) -> Response:
        """Return every chat with its messages, the answers to clicks, and how the bot is."""
        names = {DEMO.group: "Couriers (group)", **{chat: f"Vendor {name}" for name, chat in DEMO.vendors.items()}}
        chats: dict[str, dict[str, Any]] = {chat: {"id": chat, "name": names[chat], "messages": []} for chat in names}
        for (chat, _number), shown in self._telegram.messages.items():
            if chat in chats:
                chats[chat]["messages"].append(shown)
        facts = {"bot": self._bot.status, "waiting": self._telegram.undelivered + len(self._orders)}
        return JSONResponse({"chats": list(chats.values()), "toasts": self._telegram.toasts, **facts})

    async def click(self, request: Request) -> Response:
        """Press a button as a user."""
        asked = await request.json()
        try:
            query = self._telegram.click(
                str(asked["chat"]), int(asked["message"]), str(asked["data"]), user=str(asked["user"])
            )
        except (KeyError, TypeError, ValueError, ConfigurationError) as exc:
            return JSONResponse({"error": str(exc)}, status_code=400)
        return JSONResponse({"query": query}, status_code=202)

    async def order(self, _: Request) -> Response:
        """Let a customer order something; the shop repeats its webhook until the bot has it."""
        self._number += 1
        task = asyncio.create_task(
            self._send_order(_sample(self._number, datetime.fromtimestamp(self._clock.now_ms() / 1000, tz=UTC)))
        )
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)
        return JSONResponse({"order": f"dishbee_{self._number}"}, status_code=202)

    async def _send_order(self, order: dict[str, Any]) -> None:
        body = msgspec.json.encode(order)
        headers = signed("dishbee", body, delivery=f"demo-{order['id']}")
        async with httpx.AsyncClient(timeout=10) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.post(self._shop_url, content=body, headers=headers)).is_success:
                        return
                await asyncio.sleep(0.3)

    async def kill(self, _: Request) -> Response:
        """Kill the bot's process with SIGKILL; it is started again after a while."""
        self._bot.kill()
        return JSONResponse({"bot": self._bot.status}, status_code=202)


def _sample(number: int, now: datetime) -> dict[str, Any]:
    """Return an order that somebody may have placed; the number decides what is in it."""
    chance = Random(number)  # noqa: S311 - no secret
    vendors = chance.sample(sorted(_DISHES), chance.choice((1, 2, 2)))
    lines = [
        {"title": chance.choice(_DISHES[vendor]), "vendor": vendor, "quantity": chance.randint(1, 3)}
        for vendor in vendors
        for _ in range(chance.randint(1, 2))
    ]
    wanted = (now + timedelta(minutes=75)).astimezone()
    return {
        "id": number,
        "name": f"#{number}",
        "created_at": now.isoformat(),
        "updated_at": now.isoformat(),
        "line_items": lines,
        "shipping_address": {
            "name": chance.choice(_PEOPLE),
            "phone": f"+4915550{number:04}",
            "address1": f"Innstraße {chance.randint(1, 90)}",
            "city": "Passau",
            "zip": "94032",
        },
        "total_price": f"{chance.randint(12, 58)}.50",
        "note_attributes": [{"name": "delivery_time", "value": f"{wanted:%H}:{wanted.minute // 5 * 5:02}"}],
    }
