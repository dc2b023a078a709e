"""JSON answers, and what each error of the tree means over HTTP.

503 is said wherever repeating helps: providers repeat it, and do not all repeat 429.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from turnkeeper.errors import (
    ConfigurationError,
    InvalidMessageError,
    LimitError,
    OutcomeUnknownError,
    RetryableError,
    TurnkeeperError,
)

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2
"""When a client should try again after 503."""

MAX_BODY_BYTES = 256 * 1024
"""Request body; a text has at most 10,000 characters, 40 KB in the worst encoding."""

_encode = msgspec.json.Encoder().encode


def json_answer(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(_encode(content), status_code=status, headers=headers, media_type="application/json")


def error_answer(text: str, *, status: int) -> Response:
    """Return an error as JSON, with `Retry-After` where repeating helps."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else None  # noqa: PLR2004 - HTTP's number
    return json_answer({"error": text}, status=status, headers=headers)


async def read_json(request: Request) -> dict[str, object]:
    """Return the request's JSON object.

    Raises:
        HTTPException: 415 for another content type (a form of a foreign page must not get in), 413, 400.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send JSON with Content-Type: application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body has more than {MAX_BODY_BYTES} bytes; send less")
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise HTTPException(400, f"the body is not a JSON object: {exc}") from exc


def status_of(error: TurnkeeperError) -> int:
    """Return the HTTP status that tells a client what it may do."""
    if isinstance(error, RetryableError | OutcomeUnknownError):
        return 503
    if isinstance(error, LimitError):
        return 413
    if isinstance(error, InvalidMessageError):
        return 400
    if isinstance(error, ConfigurationError):
        return 503
    return 500


async def _turnkeeper_error(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, TurnkeeperError):  # pragma: no cover - registered for that class only
        raise exc
    logger.warning("request_refused", extra={"error": type(exc).__name__, "reason": str(exc)})
    return error_answer(str(exc), status=status_of(exc))


async def _http_error(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):  # pragma: no cover - registered for that class only
        raise exc
    return error_answer(exc.detail, status=exc.status_code)


def error_handlers() -> dict[Any, Callable[[Request, Exception], Awaitable[Response]]]:
    """Return the handlers that a Starlette application takes."""
    return {TurnkeeperError: _turnkeeper_error, HTTPException: _http_error}
