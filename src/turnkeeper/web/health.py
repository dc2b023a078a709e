"""`GET /health`: 200 if messages can be taken, 503 with the reason if not. `GET /health/redis`: the same of the server.

It is `degraded` and 200 while messages are taken but the store does not have them yet (outage policies).

Both are answered within `HEALTH_SECONDS`, whatever the store does: a monitor that hangs tells nothing.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError, TurnkeeperError
from turnkeeper.outage.standing import Health
from turnkeeper.ports.catalog import StoreInfo
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.stores.urls import REDIS_SCHEMES
from turnkeeper.web.answers import UNAVAILABLE, json_answer

if TYPE_CHECKING:
    from turnkeeper.app import App

HEALTH_SECONDS = 3.0
"""How long the store may take to answer: below the usual patience of a load balancer (5 s)."""

_PROBE = DocumentKey(collection="turnkeeper.health", id="probe")

_PROBE_KEPT_MS = 60_000
"""The probe leaves nothing behind for longer than anybody looks."""


def health_routes(app: "App") -> list[Route]:
    """Return the routes. They answer the same whether or not the application was started."""

    async def health(_: Request) -> Response:
        found = await _asked(app)
        known = app.health()
        if isinstance(found, _Down) and not (found.is_away and _is_taken_elsewhere(app, known)):
            return json_answer({"status": "down", "reason": found.reason, **_outage(known)}, status=UNAVAILABLE)
        flows = {"flows": list(app.flows)}
        if isinstance(found, _Down):
            return json_answer(
                {"status": "degraded", "reason": known.reason or found.reason, **flows, **_outage(known)}
            )
        store = {"kind": found.kind, "durability": found.durability, "may_lose": found.loses}
        if known.status != "ok":
            return json_answer(
                {"status": "degraded", "reason": known.reason, **flows, "store": store, **_outage(known)}
            )
        return json_answer({"status": "ok", **flows, "store": store})

    async def redis(_: Request) -> Response:
        if app.store_url is not None and not _is_redis(app.store_url):
            return json_answer({"configured": False})
        began = time.perf_counter()
        found = await _asked(app)
        if isinstance(found, _Down):
            return json_answer({"configured": True, "status": "down", "reason": found.reason}, status=UNAVAILABLE)
        if found.kind != "redis":  # an application may bring an open store instead of a URL
            return json_answer({"configured": False})
        facts = {"durability": found.durability, "may_lose": found.loses, **found.facts}
        took_ms = round((time.perf_counter() - began) * 1000, 1)
        return json_answer({"configured": True, "status": "ok", "took_ms": took_ms, **facts})

    return [Route("/health", health), Route("/health/redis", redis)]


class _Down(NamedTuple):
    """Why the store takes no messages now, and whether it is away, so that others may take them."""

    reason: str
    is_away: bool


async def _asked(app: "App") -> StoreInfo | _Down:
    """Return what the store says of itself, or why it takes no messages now."""
    try:
        async with asyncio.timeout(HEALTH_SECONDS):
            return await _prove(app)
    except TimeoutError:
        return _Down(_no_answer(app), is_away=True)
    except TurnkeeperError as exc:
        # What the outage policies take in the store's place; a store that is full or locked refuses under each of them.
        return _Down(str(exc), is_away=isinstance(exc, StoreUnavailableError | OutcomeUnknownError))


def _is_taken_elsewhere(app: "App", known: Health) -> bool:
    """Return whether messages are accepted although the store does not take them."""
    return known.policy != "fail" and known.journal < app.outage.journal_messages


def _outage(known: Health) -> dict[str, object]:
    """Return what an operator wants to know while not everything is well."""
    since = None if known.since_ms is None else datetime.fromtimestamp(known.since_ms / 1000, tz=UTC)
    return {
        "policy": known.policy,
        "since": since,
        "journal": known.journal,
        "refused": known.refused,
        "carried": known.carried,
        "conflicts": known.conflicts,
    }


async def _prove(app: "App") -> StoreInfo:
    """Return what the store is, after a write: a store that only reads (locked, full) takes no messages."""
    await app.store.documents.put(_PROBE, b"{}", ttl_ms=_PROBE_KEPT_MS)
    return await app.info()


def _no_answer(app: "App") -> str:
    causes = "another process locks it, or its disk hangs"
    if app.store_url is not None and _is_redis(app.store_url):
        causes = "the server is paused, overloaded, or the network drops what is sent"
    return f"the store took no write within {HEALTH_SECONDS:g} s: {causes}"


def _is_redis(url: str) -> bool:
    return urlsplit(url).scheme in REDIS_SCHEMES
