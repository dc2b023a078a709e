"""`serve` and `demo`: one process that takes messages, runs turns, jobs and timers, and shows the browser phone."""

import asyncio
import ipaddress
import socket
import sys

import uvicorn
from rich.console import Console

from turnkeeper.app import App
from turnkeeper.cli.loading import load_app
from turnkeeper.cli.logs import configure
from turnkeeper.errors import ConfigurationError
from turnkeeper.observe.masking import mask_url
from turnkeeper.stores.urls import ChosenStore
from turnkeeper.web.asgi import build

OPEN_STREAMS_SECONDS = 2
"""How long a stop waits for open pages; they come back by themselves."""


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

    Raises:
        ConfigurationError: The application, store, host or port cannot be used.
    """
    configure(log_format)
    app, chosen = load_app(reference, store=store)
    local = _is_loopback(host)
    has_phone = local if phone is None else phone
    listener = _listen(host, port)
    console = Console(stderr=not is_demo, highlight=False)
    asyncio.run(_check(app))
    _announce(console, app, chosen, listener, has_phone=has_phone, is_demo=is_demo)
    if has_phone and not local:
        console.print(
            "[bold red]Warning:[/] the browser phone is open on this network: anybody who reaches it can speak for "
            "any number and read any conversation.",
        )
    config = uvicorn.Config(
        build(app, phone=has_phone, any_host=not local),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=OPEN_STREAMS_SECONDS,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    if not server.started:
        raise SystemExit(1)


async def _check(app: App) -> None:
    """Open the store once, so that what is wrong with it is one line and not a failed start-up."""
    try:
        await app.store.open()
        app.durability = await app.info()
    finally:
        await app.stop()


def _announce(
    console: Console, app: App, chosen: ChosenStore, listener: socket.socket, *, has_phone: bool, is_demo: bool
) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    console.print(f"store       {mask_url(chosen.url)}  ({chosen.reason})", soft_wrap=True)
    info = app.durability
    if info is not None:
        console.print(f"durability  {info.durability}: may lose {info.loses}", soft_wrap=True)
    console.print(f"serving     {', '.join(app.flows)} on {url}", soft_wrap=True)
    if has_phone:
        console.print(f"phone       {url}phone", soft_wrap=True)
    if is_demo:
        console.print(
            f"\nOpen [bold]{url}[/] and text [bold]plan[/], then [bold]swap salmon for chicken[/].\n"
            "Kill this process in the middle of it (kill -9), start it again: the conversation goes on.\n"
            "Stop with Ctrl-C.",
            soft_wrap=True,
        )
    sys.stdout.flush()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as exc:
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {exc.strerror or exc}; choose another with --port"
        ) from exc
    listener.set_inheritable(True)
    return listener
