"""`python -m dispatch.demo`: Telegram's stand-in with its page here, the bot in a process of its own."""

import argparse
import os
import socket
import sys
from pathlib import Path

import uvicorn

from dispatch.demo.bot import Bot
from dispatch.demo.page import Page
from dispatch.shops import DEMO_SECRET
from turnkeeper.testing.telegram import TelegramStandIn

FOLDER = Path(".turnkeeper")


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m dispatch.demo", description="The dispatch bot without an account.")
    parser.add_argument("--port", type=int, default=8000, help="of the page")
    parser.add_argument("--store", default=os.environ.get("TURNKEEPER_STORE") or "sqlite:///.turnkeeper/dispatch.db")
    asked = parser.parse_args()
    bot_port = _free_port()
    address = f"http://127.0.0.1:{bot_port}"
    telegram = TelegramStandIn(
        webhook=f"{address}/webhooks/telegram", secret=DEMO_SECRET, keep=FOLDER / "demo-telegram.json"
    )
    bot = Bot(port=bot_port, api=f"http://127.0.0.1:{asked.port}", store=asked.store)
    page = Page(telegram, bot, shop_url=f"{address}/webhooks/orders/dishbee")
    sys.stdout.write(f"Open http://127.0.0.1:{asked.port}/  (Ctrl-C ends it; orders stay in {asked.store})\n")
    sys.stdout.flush()
    uvicorn.run(page.build(), host="127.0.0.1", port=asked.port, log_level="warning", timeout_graceful_shutdown=1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
