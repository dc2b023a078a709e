"""The page of the dispatch demonstration in a real browser: an order to the door, the bot killed between."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser.chromium import Chromium, Tab
from tests.conformance.guard import Guard
from tests.conformance.redis_servers import free_port

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]

GROUP = "document.getElementById('chat-1001')"

START_SECONDS = 60.0
"""How long it may take to serve its page on a machine that is busy with other tests."""

END_SECONDS = 30.0
"""How long the demonstration may take to end, its bot included."""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Start one browser for all tests of this file."""
    with Chromium(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run `python -m dispatch.demo` in a folder of its own."""
    port = free_port()
    folder = tmp_path_factory.mktemp("demo")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TELEGRAM_", "DISPATCH_"))}
    demo = subprocess.Popen(
        [sys.executable, "-m", "dispatch.demo", "--port", str(port), "--store", f"sqlite:///{folder / 'dispatch.db'}"],
        cwd=folder,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    guard = Guard(demo)
    yield f"http://127.0.0.1:{port}"
    demo.send_signal(signal.SIGINT)
    try:
        demo.wait(END_SECONDS)
    finally:
        guard.kill()


def open_page(chromium: Chromium, url: str) -> Tab:
    """Open the page once it is served, and wait until the bot runs."""
    tab = chromium.tab("about:blank")
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(url)
            break
        except httpx.HTTPError:
            assert time.monotonic() < deadline, "the demonstration did not start"
            time.sleep(0.05)
    tab.open(url)
    tab.wait_for("document.getElementById('bot').textContent.includes('bot is running')")
    return tab


def press(tab: Tab, text: str, *, chat: str = "") -> None:
    """Press the first button that begins with this text, once it is there."""
    found = (
        f"[...document.querySelectorAll('{f'[id={chr(34)}chat{chat}{chr(34)}]' if chat else '#chats'} button')]"
        f".find(node => node.textContent.startsWith({text!r}))"
    )
    tab.wait_for(found)
    tab.get(f"{found}.click()")


def test_an_order_is_delivered_although_the_bot_is_killed(chromium: Chromium, url: str) -> None:
    """Order, ask, confirm, kill, take, deliver: what was pressed while the bot was away counts, once."""
    tab = open_page(chromium, url)
    tab.get("document.getElementById('order').click()")
    tab.wait_for(f"{GROUP}?.textContent.includes('dishbee #')")
    while True:
        tab.wait_for(f"{GROUP}.querySelector('.row button')")
        first = tab.get(f"{GROUP}.querySelector('.row button').textContent")
        if "asap?" not in first:
            break
        vendor = first.partition(":")[0]
        chat = {"JS": "-2001", "LR": "-2002", "HB": "-2003"}[vendor]
        press(tab, first, chat="-1001")
        press(tab, "✅", chat=chat)
        tab.wait_for(f"{GROUP}.textContent.includes('{vendor}: ✅')")
        tab.wait_for(f"!{GROUP}.querySelector('.row button').textContent.startsWith('{vendor}:')")
    tab.get("document.getElementById('kill').click()")
    tab.wait_for("document.getElementById('bot').classList.contains('away')")
    press(tab, "🚴 I take it", chat="-1001")
    tab.wait_for("document.getElementById('bot').textContent.includes('bot is running')")
    press(tab, "✅ Delivered", chat="-1001")
    tab.wait_for(f"{GROUP}.textContent.includes('Delivered by Ana')")

    assert tab.get(f"{GROUP}.querySelectorAll('li[data-message]').length") == 1
    assert tab.complaints == []


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_every_screen(chromium: Chromium, url: str, *, width: int, dark: bool) -> None:
    """Nothing has to be scrolled sideways, and what can be pressed is in sight."""
    tab = open_page(chromium, url)
    tab.show_as(width=width, height=800, dark=dark)
    if shots := os.environ.get("DISPATCH_SHOTS"):
        tab.screenshot(Path(shots) / f"dispatch-{width}-{'dark' if dark else 'light'}.png")

    assert tab.get("document.documentElement.scrollWidth <= innerWidth")
    assert tab.get("document.getElementById('order').getBoundingClientRect().bottom <= innerHeight")
