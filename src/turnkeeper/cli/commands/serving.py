"""`serve` and `demo`: one process that takes messages, runs turns, jobs and timers, and shows the browser phone.

A signal ends it gracefully: what runs may finish within the grace, the rest is given back so that the next start goes
on at once. A handler that blocks the process cannot hold it up for longer. Standard output says where it serves and on
what, standard error is the log.
"""

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
import sys
import threading
from datetime import timedelta
from types import FrameType

import msgspec
import uvicorn
from starlette.applications import Starlette

from turnkeeper.app import App
from turnkeeper.cli.loading import load_app, tell_of_new_folder
from turnkeeper.cli.logs import configure
from turnkeeper.cli.telling import naming
from turnkeeper.engine.settings import Settings
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, RetryableError
from turnkeeper.observe.masking import mask_url
from turnkeeper.stores.urls import ChosenStore
from turnkeeper.web.asgi import build
from turnkeeper.web.suggestions import Suggestions

logger = logging.getLogger(__name__)

OPEN_STREAMS = timedelta(seconds=2)
"""How long a stop waits for requests under way; open pages end their streams sooner and come back by themselves."""

FORCE_AFTER = timedelta(seconds=5)
"""How long after the grace a process that hangs is ended: 17 s in all, below the usual 30 s before SIGKILL."""

DEMO_LEASE = timedelta(seconds=5)
"""A demonstration is killed on purpose, and nobody should wait 15 s then; it costs three times the renewals."""

OPEN_PHONE = (
    "WARNING     the browser phone has no login: whoever reaches this server can speak for any number and read any "
    "conversation"
)

BACKLOG = 512
"""Connections that may wait to be accepted: a burst of providers' webhooks."""


class _Server(uvicorn.Server):
    """Ends on SIGTERM and SIGINT without raising them again, so that a stop that went well exits with 0."""

    def __init__(self, config: uvicorn.Config, *, served: Starlette, patience: timedelta) -> None:
        super().__init__(config)
        self._served = served
        self._patience = patience
        self.lines: list[str] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server.startup`. Whoever reads the lines may connect, and may end it by a signal."""
        await super().startup(sockets=sockets)
        sys.stdout.write("\n".join(self.lines) + "\n")
        sys.stdout.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a signal handler
        """See `uvicorn.Server.handle_exit`."""
        self._served.state.is_stopping = True
        if not self.should_exit:
            watchdog = threading.Timer(self._patience.total_seconds(), _end_now)
            watchdog.daemon = True
            watchdog.start()
        self.force_exit = self.should_exit
        self.should_exit = True


def run_server(
    reference: str,
    *,
    store: str | None,
    host: str,
    port: int,
    phone: bool | None,
    log_format: str,
    is_demo: bool,
) -> None:
    """Serve until SIGTERM or SIGINT, then give back what runs.

    Args:
        reference: The application, as module:attribute.
        store: What `--store` said.
        host: Address to listen on.
        port: 0 takes a free one.
        phone: Mount the browser phone; None: on loopback only, for browsers of this machine only.
        log_format: `text` or `json`.
        is_demo: Say what to try, and recover soon from a kill.

    Raises:
        ConfigurationError: The application, store, host or port cannot be used.
        RetryableError: The store cannot be used now.
    """
    configure(log_format)
    app, chosen = load_app(reference, store=store)
    if is_demo:
        app.settings = _impatient(app.settings)
    has_phone = _is_loopback(host) if phone is None else phone
    is_open = bool(phone) and not is_demo
    listener = _listen(host, port)
    tell_of_new_folder(chosen.url)
    served = build(app, phone=has_phone, anywhere=is_open)
    config = uvicorn.Config(
        served,
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="off",  # the application runs around the server here
        timeout_graceful_shutdown=int(OPEN_STREAMS.total_seconds()),
    )
    server = _Server(config, served=served, patience=OPEN_STREAMS + app.settings.grace + FORCE_AFTER)
    url = _url(listener)
    lines = [f"phone       {url}phone"] if has_phone else []
    lines += [OPEN_PHONE] if is_open else []
    lines += _invitation(app, url) if is_demo else []
    with contextlib.closing(listener), naming(chosen.reason):
        asyncio.run(_serve(app, server, listener, chosen, lines))


async def _serve(app: App, server: _Server, listener: socket.socket, chosen: ChosenStore, lines: list[str]) -> None:
    async with app.running():
        server.lines = [
            f"serving     {', '.join(app.flows)} on {_url(listener)}",
            *await _store_lines(app, chosen),
            *lines,
        ]
        await server.serve(sockets=[listener])
        logger.info("stopping", extra={"grace_seconds": app.settings.grace.total_seconds()})
    logger.info("stopped")


async def _store_lines(app: App, chosen: ChosenStore) -> list[str]:
    """Say where conversations are kept and what that may lose; a store that is away stops no server that goes on."""
    try:
        info = await app.info()
    except (RetryableError, OutcomeUnknownError) as exc:
        if app.outage.policy == "fail":
            raise
        where = mask_url(chosen.url or app.store_url or "given in code")
        return [f"store       {where}  ({chosen.reason})", f"            away: {exc}; policy {app.outage.policy}"]
    return [
        f"store       {mask_url(chosen.url or info.url)}  ({chosen.reason})",
        f"durability  {info.durability}: may lose {info.loses}",
    ]


def _invitation(app: App, url: str) -> list[str]:
    plan = app.flow.check()
    says = [f'"{each.say}"' for each in Suggestions(plan).here(plan.start)]
    what = f"say {says[0]}" if says else "say something"
    return [
        "",
        f"Open {url} and {what}.",
        "Kill this process while it works (kill -9) and start it again: the conversation goes on.",
        "Stop it with Ctrl-C.",
    ]


def _impatient(settings: Settings) -> Settings:
    """Return settings whose leases end soon after a kill."""
    if settings.lease <= DEMO_LEASE:
        return settings
    return msgspec.structs.replace(settings, lease=DEMO_LEASE, renew_every=DEMO_LEASE / 4)


def _end_now() -> None:
    """End a process that hangs. Nothing is lost by it: what it held is taken over when its leases end."""
    logger.error("stop_forced")
    os._exit(1)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _listen(host: str, port: int) -> socket.socket:
    listener: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Now, because two sockets that do not listen yet may have the same address.
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as exc:
        if listener is not None:
            listener.close()
        reason = getattr(exc, "strerror", None) or exc
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {reason}; choose another one with --port or --host"
        ) from exc
    return listener
