"""The browser phone: a page that texts as any number, for demonstrations and for trying a bot out.

There is no login by design, so it is only ever offered on the machine of whoever runs it. The page reads the committed
conversation again and again: nothing is pushed that could be lost.
"""

import asyncio
import html
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from turnkeeper.dialogue.thread import Question
from turnkeeper.engine.results import Taken
from turnkeeper.errors import InvalidMessageError, TurnkeeperError
from turnkeeper.model.message import Kind
from turnkeeper.web.answers import BAD_REQUEST, UNAVAILABLE, error_answer, json_answer, read_json
from turnkeeper.web.suggestions import Suggestions, pending_question

if TYPE_CHECKING:
    from turnkeeper.app import App

DEFAULT_NUMBER = "+15551230001"
"""Whom the page speaks for at first: a number of the range kept for fiction."""

LOOK_SECONDS = 0.25
"""How often an open page's conversation is looked at: a reply is seen within a blink."""

STREAM_LOOKS = 80
"""A stream ends after 20 s and the page opens the next one: a host that stops waits no longer for it, and no proxy
closes it for being silent."""

_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})

_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_DRAWING_HEADERS = {
    **_PAGE_HEADERS,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}
"""The drawing brings its style sheet in itself; it has no script, and none could run."""

_ASSETS = {"phone.js": "text/javascript", "phone.css": "text/css", "icon.svg": "image/svg+xml"}

_KINDS = {"text": Kind.TEXT, "action": Kind.ACTION}


def phone_routes(app: "App", *, anywhere: bool = False) -> list[Route]:
    """Return the page, its assets and its JSON routes. See `turnkeeper.web.asgi.build` for `anywhere`."""
    phone = _Phone(app, anywhere=anywhere)
    return [
        Route("/phone", phone.page),
        Route("/phone/assets/{name}", phone.asset),
        Route("/phone/graph.svg", phone.graph),
        Route("/phone/{number}", phone.page),
        Route("/phone/{number}/messages", phone.messages, methods=["GET", "POST"]),
        Route("/phone/{number}/state", phone.state),
        Route("/phone/{number}/events", phone.events),
    ]


class _Phone:
    """The routes' functions over one application."""

    def __init__(self, app: "App", *, anywhere: bool) -> None:
        self._app = app
        self._anywhere = anywhere
        self._suggestions = Suggestions(app.flow.check())

    def _admit(self, request: Request) -> None:
        """Let only browsers of this machine in, unless the operator chose otherwise."""
        if self._anywhere:
            return
        host = request.headers.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if name.lower() not in _LOCAL_HOSTS:
            raise HTTPException(403, f"the browser phone answers on this machine only, not as {name!r}")
        if any(header in request.headers for header in _PROXY_HEADERS):
            raise HTTPException(403, "the browser phone answers on this machine only, not behind a proxy")

    async def _enter(self, request: Request) -> str:
        """Admit, start the application if the host of a mount did not, and return the person in its normal form."""
        self._admit(request)
        await self._app.start()
        return self._app.conversation(request.path_params["number"]).person

    async def page(self, request: Request) -> Response:
        """Return the page of a number; one that cannot be one gets the page too, which says so."""
        self._admit(request)
        asked = request.path_params.get("number", DEFAULT_NUMBER)
        problem = ""
        try:
            person = self._app.conversation(asked).person
        except InvalidMessageError as exc:
            person, problem = asked, str(exc)
        page = files("turnkeeper.web.pages").joinpath("phone.html").read_text("utf-8")
        for name, value in {
            "root": request.scope.get("root_path", ""),
            "number": person,
            "problem": problem,
            "flow": self._app.flow.name,
        }.items():
            page = page.replace("{{" + name + "}}", html.escape(value))
        status = BAD_REQUEST if problem else 200
        return Response(page, status_code=status, media_type="text/html", headers=_PAGE_HEADERS)

    async def asset(self, request: Request) -> Response:
        """Return script, style or icon."""
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise HTTPException(404, f"no asset {name!r}")
        content = files("turnkeeper.web.pages").joinpath(name).read_bytes()
        return Response(content, media_type=_ASSETS[name], headers=_PAGE_HEADERS)

    async def graph(self, request: Request) -> Response:
        """Return the flow's diagram."""
        self._admit(request)
        return Response(self._app.flow.graph().svg(), media_type="image/svg+xml", headers=_DRAWING_HEADERS)

    async def messages(self, request: Request) -> Response:
        """Return the thread, or take a message."""
        person = await self._enter(request)
        return await (self._send(request, person) if request.method == "POST" else self._thread(person))

    async def _send(self, request: Request, person: str) -> Response:
        """Take a text: 202 once it is durable, 503 if it is not; a repeated id is a duplicate and also 202.

        `kind` may be `action`: a button was pressed, and the text is its data.
        """
        body = await read_json(request)
        text, message_id, kind = body.get("text"), body.get("id"), body.get("kind", "text")
        if not isinstance(text, str) or not text.strip():
            return error_answer('"text" must be a text that is not empty', status=BAD_REQUEST)
        if message_id is not None and not isinstance(message_id, str):
            return error_answer('"id" must be a text that names this message', status=BAD_REQUEST)
        if not isinstance(kind, str) or kind not in _KINDS:
            return error_answer('"kind" must be "text" or "action"', status=BAD_REQUEST)
        message = self._app.message(text, id=message_id, channel="phone", kind=_KINDS[kind])
        accepted = await self._app.accept(person, message)
        if not accepted.durable:
            reason = "too many messages wait" if accepted.outcome is Taken.FULL else "the conversation is busy"
            return error_answer(f"{reason}; send it again", status=UNAVAILABLE)
        return json_answer({"id": message.id, "outcome": accepted.outcome.value}, status=202)

    async def _thread(self, person: str) -> Response:
        """Return the thread, oldest first; `buttons` only where a reply has some."""
        lines = await self._app.thread(person)
        found: list[dict[str, object]] = []
        for line in lines:
            shown: dict[str, object] = {"id": line.id, "direction": line.direction, "text": line.text, "at": line.at}
            if line.buttons:
                shown["buttons"] = line.buttons
            found.append(shown)
        return json_answer(found)

    async def state(self, request: Request) -> Response:
        """Return where this number's conversations stand and what can be said; `?full=1` adds the stored states."""
        summaries = await self._app.summaries(await self._enter(request))
        is_full = request.query_params.get("full") == "1"
        conversations: list[dict[str, object]] = []
        question: Question | None = None
        for summary in summaries:
            shown: dict[str, object] = {
                "conversation": summary.conversation.key,
                "status": summary.status,
                "version": summary.version,
                "waiting": summary.waiting,
                "unsent": summary.unsent,
            }
            if is_full or summary is summaries[0]:
                found = await self._app.inspect(summary.conversation)  # where it lives now, also in an outage
                state = found.exported.state if found else None
                question = question if conversations else pending_question(state)
                if is_full:
                    shown["state"] = msgspec.Raw(state) if state else None
            conversations.append(shown)
        status = summaries[0].status if summaries else ""
        suggestions = self._suggestions.here(status or self._app.flow.check().start, question=question)
        return json_answer({"conversations": conversations, "suggestions": suggestions})

    async def events(self, request: Request) -> Response:
        """Stream a line at first and whenever the conversation moved; the page then reads it again."""
        return StreamingResponse(
            self._changes(await self._enter(request), request),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _changes(self, person: str, request: Request) -> AsyncIterator[str]:
        yield "retry: 500\n\n"
        seen: object = None
        for _ in range(STREAM_LOOKS):
            if request.app.state.is_stopping or await request.is_disconnected():
                return
            now, event = await self._look(person)
            if now != seen:
                seen = now
                yield event
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, person: str) -> tuple[object, str]:
        """Return what is to be compared with the look before, and the event to send if it differs."""
        try:
            summaries = await self._app.summaries(person)
        except TurnkeeperError as exc:
            return str(exc), f"event: trouble\ndata: {msgspec.json.encode(str(exc)).decode()}\n\n"
        moved = tuple(
            (summary.conversation.key, summary.version, summary.waiting, summary.unsent, summary.changed_ms)
            for summary in summaries
        )
        return moved, "event: changed\ndata: {}\n\n"
