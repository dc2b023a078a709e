"""The bot with the office's list of what is to be done: `uvicorn dispatch.site:site`.

`GET /orders` shows customers' names and addresses, so it asks for `DISPATCH_TOKEN`; without one it is not there.
"""

import contextlib
import hmac
import os
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from dispatch.app import app, orders
from dispatch.order import Order
from turnkeeper import App, days

WORKING_FOR = days(2)
"""An order that is older leaves the list; it stays in the store for its seven days."""


def working_list(
    orders: Mapping[str, Order], now: datetime, *, working_for: timedelta = WORKING_FOR
) -> list[dict[str, Any]]:
    """Return the orders that somebody still works on, newest first, as plain JSON values."""
    kept = [
        (order.created_at, order_id, order)
        for order_id, order in orders.items()
        if order.created_at is not None and now - order.created_at <= working_for
    ]
    newest = sorted(kept, key=lambda entry: entry[:2], reverse=True)
    return [{"id": order_id, **msgspec.to_builtins(order)} for _, order_id, order in newest]


def build(app: App, orders: Mapping[str, Order], *, token: str) -> Starlette:
    """Return the ASGI application.

    Args:
        app: The bot.
        orders: Its view.
        token: What a caller must show as `Authorization: Bearer …`; empty: there is no list.
    """
    expected = f"Bearer {token}".encode()

    async def show(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
            return JSONResponse({"error": "the token is missing or wrong"}, status_code=401)
        now = datetime.fromtimestamp(app.clock.now_ms() / 1000).astimezone()
        return JSONResponse({"orders": working_list(orders, now), "total": len(orders)})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with app.running():
            yield

    routes: list[BaseRoute] = [Route("/orders", show)] if token else []
    return Starlette(routes=[*routes, Mount("/", app.asgi())], lifespan=lifespan)


site = build(app, orders, token=os.environ.get("DISPATCH_TOKEN", ""))
