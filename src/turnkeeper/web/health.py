"""`GET /health`: 200 if messages can be taken, 503 with the reason if not."""

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnkeeper.errors import TurnkeeperError
from turnkeeper.web.answers import json_answer

if TYPE_CHECKING:
    from turnkeeper.app import App

HEALTH_SECONDS = 3.0
"""How long the store may take to answer: below the usual patience of a load balancer (5 s)."""


def health_routes(app: "App") -> list[Route]:
    """Return the routes. They answer the same whether or not the application was started."""

    async def health(_: Request) -> Response:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                info = await app.info()
        except TimeoutError:
            return json_answer(
                {"status": "down", "reason": f"the store did not answer within {HEALTH_SECONDS} s"}, status=503
            )
        except TurnkeeperError as exc:
            return json_answer({"status": "down", "reason": str(exc)}, status=503)
        store = {"kind": info.kind, "durability": info.durability, "may_lose": info.loses}
        return json_answer({"status": "ok", "store": store})

    return [Route("/health", health)]
