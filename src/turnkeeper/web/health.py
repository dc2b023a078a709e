"""`GET /health`: 200 if messages can be taken, 503 with the reason if not."""

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnkeeper.errors import TurnkeeperError
from turnkeeper.ports.catalog import StoreInfo
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.web.answers import UNAVAILABLE, json_answer

if TYPE_CHECKING:
    from turnkeeper.app import App

HEALTH_SECONDS = 3.0
"""How long the store may take to answer: below the usual patience of a load balancer (5 s)."""

_NO_ANSWER = f"the store took no write within {HEALTH_SECONDS:g} s: another process locks it, or its disk hangs"

_PROBE = DocumentKey(collection="turnkeeper.health", id="probe")

_PROBE_KEPT_MS = 60_000
"""The probe leaves nothing behind for longer than anybody looks."""


def health_routes(app: "App") -> list[Route]:
    """Return the routes. They answer the same whether or not the application was started."""

    async def health(_: Request) -> Response:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                info = await _prove(app)
        except TimeoutError:
            return json_answer({"status": "down", "reason": _NO_ANSWER}, status=UNAVAILABLE)
        except TurnkeeperError as exc:
            return json_answer({"status": "down", "reason": str(exc)}, status=UNAVAILABLE)
        store = {"kind": info.kind, "durability": info.durability, "may_lose": info.loses}
        return json_answer({"status": "ok", "flows": list(app.flows), "store": store})

    async def redis(_: Request) -> Response:
        return json_answer({"configured": False})

    return [Route("/health", health), Route("/health/redis", redis)]


async def _prove(app: "App") -> StoreInfo:
    """Return what the store is, after a write: a store that only reads (locked, full) takes no messages."""
    await app.store.documents.put(_PROBE, b"{}", ttl_ms=_PROBE_KEPT_MS)
    return await app.info()
