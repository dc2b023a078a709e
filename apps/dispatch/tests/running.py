"""Runs the dispatch bot as a process of its own, against Telegram's stand-in on loopback, and kills it."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvicorn
from starlette.applications import Starlette

from dispatch.shops import DEMO_SECRET, signed
from tests.conformance.guard import Guard
from turnkeeper.testing.telegram import TelegramStandIn

ROOT = Path(__file__).resolve().parents[3]

PATIENCE_SECONDS = float(os.environ.get("DISPATCH_PATIENCE_SECONDS", "60"))
"""How long anything may take on a machine that is busy with other tests; a burst of a thousand takes longer."""


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _path() -> str:
    """Return where the bot finds its modules: the tests' own, then whatever this process was given."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


class Running:
    """A bot's process, the chats, and the shops."""

    def __init__(self, store: str, *, log: Path | None = None, folder: Path | None = None) -> None:
        """Take the bot's store, where its log goes, and the folder that it runs in."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.telegram = TelegramStandIn(webhook=f"{self.url}/webhooks/telegram", secret=DEMO_SECRET)
        self._store = store
        self._folder = folder
        self._api = ""
        self._guard: Guard | None = None
        self.log = log
        self.client = httpx.AsyncClient(timeout=10)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Running"]:
        """Serve the Bot API and bring updates; start the bot."""
        config = uvicorn.Config(Starlette(routes=self.telegram.routes), port=0, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
        self._api = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        async with self.telegram.running(), self.client:
            try:
                await self.start()
                yield self
            finally:
                self.kill()
                server.should_exit = True
                await serving

    async def start(self, **environ: str) -> None:
        """Start the bot and wait until it answers."""
        command = [sys.executable, "-m", "turnkeeper.cli", "serve", "apps.dispatch.tests.quick_bot:app"]
        with open(self.log or os.devnull, "ab") as log:  # noqa: ASYNC230, PTH123 - opened once, at a start
            process = subprocess.Popen(  # noqa: ASYNC220 - it is only started here, and waited for elsewhere
                [*command, "--port", str(self.port), "--store", self._store],
                env={**os.environ, "TELEGRAM_API": self._api, "PYTHONPATH": _path(), **environ},
                cwd=self._folder,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self._guard = Guard(process)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    await self.client.get(f"{self.url}/health")
                    return
                await asyncio.sleep(0.05)

    async def until_health(self, status: str) -> None:
        """Wait until the health page says so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.client.get(f"{self.url}/health")).json()["status"] != status:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """Kill the bot with SIGKILL. Safe to call twice."""
        if self._guard is not None:
            self._guard.kill()

    async def order(self, body: dict[str, Any], *, delivery: str) -> None:
        """Send an order as its shop does: again and again until there is a 2xx."""
        raw = msgspec.json.encode(body)
        headers = signed("dishbee", raw, delivery=delivery)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await self.client.post(f"{self.url}/webhooks/orders/dishbee", content=raw, headers=headers)
                    if answer.is_success:
                        return
                await asyncio.sleep(0.05)

    def press(self, chat: str, message_id: int, data: str, *, user: str) -> str:
        """Press a button; the stand-in brings the click until the bot has it."""
        return self.telegram.click(chat, message_id, data, user=user)

    async def until(self, told: Any) -> None:
        """Wait until it is so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not told():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.02)
