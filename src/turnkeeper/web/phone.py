"""The browser phone: a page that texts as any number, for demonstrations and for trying a bot out.

There is no login by design, so it is only ever offered on the machine of whoever runs it. The page reads the committed
conversation again and again: nothing is pushed that could be lost.
"""

import asyncio
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from turnkeeper.engine.results import Taken
from turnkeeper.model.conversation import ConversationId
from turnkeeper.web.answers import error_answer, json_answer, read_json

if TYPE_CHECKING:
    from turnkeeper.app import App

DEFAULT_NUMBER = "+15551230001"
"""Whom the page speaks for at first: a number of the range kept for fiction."""

LOOK_SECONDS = 0.25
"""How often an open page's conversation is looked at: a reply is seen within a blink."""

HEARTBEAT_LOOKS = 60
"""A comment every 15 s keeps proxies from closing a silent stream."""

_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", "::1", "testserver"})

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_ASSETS = {"phone.js": "text/javascript", "phone.css": "text/css"}


def phone_routes(app: "App", *, any_host: bool = False) -> list[Route]:
    """Return the page, its assets and its four JSON routes. See `turnkeeper.web.asgi.build` for `any_host`."""
    phone = _Phone(app, any_host=any_host)
    return [
        Route("/phone", phone.page),
        Route("/phone/assets/{name}", phone.asset),
        Route("/phone/graph.svg", phone.graph),
        Route("/phone/{number}", phone.page),
        Route("/phone/{number}/messages", phone.send, methods=["POST"]),
        Route("/phone/{number}/messages", phone.messages, methods=["GET"]),
        Route("/phone/{number}/state", phone.state),
        Route("/phone/{number}/events", phone.events),
    ]


class _Phone:
    """The routes' functions over one application."""

    def __init__(self, app: "App", *, any_host: bool) -> None:
        self._app = app
        self._any_host = any_host

    async def _enter(self, request: Request) -> ConversationId | None:
        """Check the host name, start the application if the host of a mount did not, and name the conversation."""
        host = request.headers.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if not self._any_host and name not in _LOCAL_HOSTS:
            raise HTTPException(403, f"the browser phone answers on this machine only, not as {name!r}")
        await self._app.start()
        number = request.path_params.get("number")
        return None if number is None else self._app.conversation(number)

    async def page(self, request: Request) -> Response:
        """Return the page; the script finds the number in the path."""
        await self._enter(request)
        html = files("turnkeeper.web.pages").joinpath("phone.html").read_text("utf-8")
        html = html.replace("{{root}}", request.scope.get("root_path", "")).replace("{{number}}", DEFAULT_NUMBER)
        return Response(html, media_type="text/html", headers=_HEADERS)

    async def asset(self, request: Request) -> Response:
        """Return script or style."""
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise HTTPException(404, f"no asset {name!r}")
        content = files("turnkeeper.web.pages").joinpath(name).read_bytes()
        return Response(content, media_type=_ASSETS[name], headers=_HEADERS)

    async def graph(self, request: Request) -> Response:
        """Return the flow's diagram."""
        await self._enter(request)
        return Response(self._app.flow.graph().svg(), media_type="image/svg+xml", headers={"Cache-Control": "no-store"})

    async def send(self, request: Request) -> Response:
        """Take a text: 202 once it is durable, 503 if it is not; a repeated id is a duplicate and also 202."""
        conversation = await self._enter(request)
        body = await read_json(request)
        text, message_id = body.get("text"), body.get("id")
        if not isinstance(text, str) or not text.strip():
            return error_answer('"text" must be a text that is not empty', status=400)
        if message_id is not None and not isinstance(message_id, str):
            return error_answer('"id" must be a text that names this message', status=400)
        message = self._app.message(text, id=message_id, channel="phone")
        if conversation is None:  # pragma: no cover - the route has a number
            raise HTTPException(404, "no number")
        accepted = await self._app.accept(conversation.person, message)
        if not accepted.durable:
            reason = "too many messages wait" if accepted.outcome is Taken.FULL else "the conversation is busy"
            return error_answer(f"{reason}; send it again", status=503)
        return json_answer({"id": message.id, "outcome": accepted.outcome.value}, status=202)

    async def messages(self, request: Request) -> Response:
        """Return the thread, oldest first."""
        await self._enter(request)
        lines = await self._app.thread(request.path_params["number"])
        return json_answer(
            [{"id": line.id, "direction": line.direction, "text": line.text, "at": line.at} for line in lines],
            headers={"Cache-Control": "no-store"},
        )

    async def state(self, request: Request) -> Response:
        """Return what the store holds of this number's conversations: status, version, state, what waits."""
        await self._enter(request)
        found = []
        for summary in await self._app.summaries(request.path_params["number"]):
            exported = await self._app.store.catalog.export(summary.conversation)
            state = msgspec.Raw(exported.state) if exported and exported.state else None
            found.append(
                {
                    "conversation": summary.conversation.key,
                    "status": summary.status,
                    "version": summary.version,
                    "waiting": summary.waiting,
                    "unsent": summary.unsent,
                    "state": state,
                }
            )
        return json_answer(found, headers={"Cache-Control": "no-store"})

    async def events(self, request: Request) -> Response:
        """Stream a line whenever the conversation moved; the page then reads it again."""
        await self._enter(request)
        number = request.path_params["number"]
        return StreamingResponse(
            self._changes(number, request),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _changes(self, number: str, request: Request) -> AsyncIterator[str]:
        yield "retry: 500\n\n"
        seen: object = None
        looks = 0
        while not await request.is_disconnected():
            now = tuple(
                (summary.conversation.key, summary.version, summary.waiting, summary.unsent, summary.changed_ms)
                for summary in await self._app.summaries(number)
            )
            looks += 1
            if now != seen:
                seen = now
                yield "event: changed\ndata: {}\n\n"
            elif looks % HEARTBEAT_LOOKS == 0:
                yield ": still here\n\n"
            await asyncio.sleep(LOOK_SECONDS)
