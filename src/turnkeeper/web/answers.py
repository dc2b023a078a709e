"""JSON answers, and what each error of the tree means over HTTP.

503 is said wherever repeating helps: providers repeat it, and do not all repeat 429.
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
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

BAD_REQUEST, TOO_LARGE, WRONG_TYPE = 400, 413, 415
UNAVAILABLE, BROKEN = 503, 500

_HALF = r"the body holds half of a character (one of \ud800 to \udfff alone), such as a cut emoji; send whole ones"

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

_encode = msgspec.json.Encoder().encode


def json_answer(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response that nobody on the way keeps."""
    return Response(
        _encode(content),
        status_code=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type="application/json",
    )


def error_answer(text: str, *, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as JSON, with `Retry-After` where repeating helps."""
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == UNAVAILABLE else {}
    return json_answer({"error": text}, status=status, headers={**retry, **(headers or {})})


async def read_json(request: Request) -> dict[str, object]:
    """Return the request's JSON object.

    Raises:
        HTTPException: 415 for another content type (a form of a foreign page must not get in), 413, 400.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(WRONG_TYPE, "send JSON with Content-Type: application/json")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise HTTPException(TOO_LARGE, f"the body has more than {MAX_BODY_BYTES} bytes; send less")
    except ClientDisconnect as exc:
        raise HTTPException(BAD_REQUEST, "the body ended too early; send it again") from exc
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except UnicodeDecodeError as exc:
        raise HTTPException(BAD_REQUEST, "the body is not UTF-8; send JSON in UTF-8") from exc
    except (msgspec.DecodeError, RecursionError) as exc:
        if _has_half_character(body):
            raise HTTPException(BAD_REQUEST, _HALF) from exc
        raise HTTPException(BAD_REQUEST, f"the body is not a JSON object: {exc}") from exc


def _has_half_character(body: bytearray) -> bool:
    """Tell whether half of a surrogate pair is all that is wrong: what msgspec says of it does not help."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return _SURROGATE.search(body) is not None


def status_of(error: TurnkeeperError) -> int:
    """Return the HTTP status that tells a client what it may do."""
    match error:
        case RetryableError() | OutcomeUnknownError() | ConfigurationError():
            return UNAVAILABLE
        case LimitError():
            return TOO_LARGE
        case InvalidMessageError():
            return BAD_REQUEST
        case _:
            return BROKEN


async def _turnkeeper_error(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, TurnkeeperError):  # pragma: no cover - registered for that class only
        raise exc
    status = status_of(exc)
    level = logging.WARNING if status >= BROKEN else logging.INFO
    logger.log(level, "request_refused", extra={"status": status, "error": type(exc).__name__, "reason": str(exc)})
    return error_answer(str(exc), status=status)


async def _http_error(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):  # pragma: no cover - registered for that class only
        raise exc
    return error_answer(exc.detail, status=exc.status_code, headers=exc.headers)


async def _broken(_: Request, __: Exception) -> Response:
    """Answer what nobody expected; Starlette raises it again for the server's log."""
    return error_answer("something went wrong here; it is in the server's log", status=BROKEN)


def error_handlers() -> dict[Any, Callable[[Request, Exception], Awaitable[Response]]]:
    """Return the handlers that a Starlette application takes."""
    return {TurnkeeperError: _turnkeeper_error, HTTPException: _http_error, Exception: _broken}
