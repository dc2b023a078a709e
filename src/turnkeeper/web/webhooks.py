"""Mounts webhooks: what they read is durable before the sender gets its 2xx.

A request that cannot be read is answered with 200 and dropped: its sender would repeat it for a day, to no avail.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from turnkeeper.errors import InvalidMessageError, LimitError
from turnkeeper.ports.webhook import Arrival, Webhook, WebhookRefusedError, WebhookRequest, WebhookUnreadableError
from turnkeeper.web.answers import BAD_REQUEST, TOO_LARGE, UNAVAILABLE, error_answer, json_answer

if TYPE_CHECKING:
    from turnkeeper.app import App

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
"""A provider's request: an order of a thousand lines has less than half of it."""


def webhook_routes(app: "App", webhooks: Sequence[Webhook]) -> list[Route]:
    """Return a route for each webhook."""
    return [Route(webhook.path, _Endpoint(app, webhook).take, methods=["POST"]) for webhook in webhooks]


class _Endpoint:
    """One webhook of one application."""

    def __init__(self, app: "App", webhook: Webhook) -> None:
        self._app = app
        self._webhook = webhook

    async def take(self, request: Request) -> Response:
        """Answer 200 once everything in a request is durable, 503 if it is not, 401 or 403 if it is forged."""
        asked = WebhookRequest(
            headers={name.lower(): value for name, value in request.headers.items()},
            query=dict(request.query_params),
            params={name: str(value) for name, value in request.path_params.items()},
            body=await _body(request),
        )
        try:
            arrivals = self._webhook.read(asked)
        except WebhookRefusedError as exc:
            logger.warning("webhook_refused", extra={"path": self._webhook.path, "reason": str(exc)})
            return error_answer(str(exc), status=exc.status)
        except WebhookUnreadableError as exc:
            return self._ignored(exc)
        await self._app.start()
        for arrival in arrivals:
            if (refused := await self._accept(arrival)) is not None:
                return refused
        return json_answer({"accepted": len(arrivals)})

    async def _accept(self, arrival: Arrival) -> Response | None:
        """Make one message durable; return an answer only if that did not work."""
        try:
            accepted = await self._app.accept(arrival.person, arrival.message, flow=arrival.flow)
        except (InvalidMessageError, LimitError) as exc:
            return self._ignored(exc)
        if accepted.durable:
            return None
        return error_answer(f"not taken: {accepted.outcome.value}; send it again", status=UNAVAILABLE)

    def _ignored(self, error: Exception) -> Response:
        logger.warning("webhook_ignored", extra={"path": self._webhook.path, "reason": str(error)})
        return json_answer({"ignored": str(error)})


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise HTTPException(TOO_LARGE, f"the body has more than {MAX_BODY_BYTES} bytes")
    except ClientDisconnect as exc:
        raise HTTPException(BAD_REQUEST, "the body ended too early; send it again") from exc
    return bytes(body)
