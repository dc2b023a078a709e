"""Builds the ASGI application of an `App`.

A mounted sub-application gets no lifespan events: the first request then starts the application, and stopping it
gracefully is the host's part (`async with app.running(): yield` in the host's own lifespan).
"""

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from turnkeeper.web.answers import error_handlers, json_answer
from turnkeeper.web.health import health_routes
from turnkeeper.web.phone import phone_routes
from turnkeeper.web.webhooks import webhook_routes

if TYPE_CHECKING:
    from turnkeeper.app import App


def build(app: "App", *, phone: bool = False, anywhere: bool = False) -> Starlette:
    """Return the ASGI application: health, and with `phone` the browser phone.

    Its `state.is_stopping` may be set by whoever runs it, so that open streams end before the server waits for them.

    Args:
        app: What is served.
        phone: Mount the browser phone, which lets anybody speak for any number.
        anywhere: Answer the phone's routes under any host name and behind any proxy, not only to browsers on this
            machine. The name is checked because a page elsewhere can point a name of its own at 127.0.0.1.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with app.running():
            yield

    async def root(request: Request) -> Response:
        if phone:
            return RedirectResponse(f"{request.scope.get('root_path', '')}/phone")
        return json_answer({"flows": list(app.flows)})

    routes: list[BaseRoute] = [Route("/", root), *health_routes(app), *webhook_routes(app, app.webhooks)]
    if phone:
        routes += phone_routes(app, anywhere=anywhere)
    built = Starlette(routes=routes, lifespan=lifespan, exception_handlers=error_handlers())
    built.state.is_stopping = False
    return built
