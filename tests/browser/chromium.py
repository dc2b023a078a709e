"""Drives the machine's own Chromium without a window, over DevTools' pipe: no driver to download, no port to take.

Waiting is done in the page, by a condition that is looked at every 20 ms; nothing here guesses how long things take.
"""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

FLAGS = (
    "--headless",
    "--no-sandbox",  # containers run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # a container's is too small
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)

PATIENCE_SECONDS = 60.0
"""How long anything may take on a machine that is busy with other tests."""

_FIRST_FREE = 10
"""Descriptors of the pipe are moved above the two numbers that Chromium expects them at, 3 and 4."""

_EXEC = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)

KEYS = {"Enter": 13, "Tab": 9, " ": 32, "Escape": 27}


class BrowserError(Exception):
    """The browser refused a command, a script failed, or a wait took too long."""


class Chromium:
    """One browser with a profile of its own."""

    def __init__(self, profile: Path) -> None:
        """Start it."""
        binary = next(filter(None, map(shutil.which, NAMES)), None)
        if binary is None:
            raise BrowserError("there is no Chromium on PATH; `make test` says how to get one")
        to_browser, self._write = _pipe()
        self._read, from_browser = _pipe()
        command = [sys.executable, "-c", _EXEC, str(to_browser), str(from_browser), binary, *FLAGS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser, from_browser),
            env={**os.environ, "HOME": str(profile)},  # it keeps crash reports there, whatever its profile is
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._last_id = 0
        self._buffer = b""
        self._targets: list[str] = []
        self.complaints: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with contextlib.suppress(BrowserError, OSError):
            self.ask("Browser.close")
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def tab(self, url: str) -> "Tab":
        """Open a page in a tab of its own."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._targets.append(target)
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session)
        for domain in ("Page", "Runtime", "Log"):
            tab.ask(f"{domain}.enable")
        tab.open(url)
        return tab

    def close_tabs(self) -> None:
        """Close every tab that was opened."""
        while self._targets:
            self.ask("Target.closeTarget", targetId=self._targets.pop())

    def ask(self, method: str, *, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._last_id += 1
        number = self._last_id
        command: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        os.write(self._write, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE_SECONDS + 5
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        """Keep what a page complained of."""
        heard = self.complaints.setdefault(event.get("sessionId", ""), [])
        match event:
            case {"method": "Log.entryAdded", "params": {"entry": {"level": "error", "text": text, **rest}}}:
                heard.append(f"{text} {rest.get('url', '')}")
            case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
                heard.append(details.get("exception", {}).get("description", details["text"]))

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(self._read, 1 << 20) if ready else b""
            if not chunk:
                raise BrowserError("the browser ended" if ready else "the browser does not answer")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


class Tab:
    """One page."""

    def __init__(self, browser: Chromium, session: str) -> None:
        """Take the session that commands for this page go to."""
        self._browser = browser
        self._session = session

    @property
    def complaints(self) -> list[str]:
        """What this page's console says went wrong: blocked or missing files, failed scripts."""
        return self._browser.complaints.get(self._session, [])

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command about this page."""
        return self._browser.ask(method, session=self._session, **parameters)

    def open(self, url: str) -> None:
        """Go to a page and wait until its scripts ran."""
        self.ask("Page.navigate", url=url)
        path = json.dumps(url)
        self.wait_for(f"location.href === new URL({path}).href && document.readyState === 'complete'")

    def get(self, expression: str) -> Any:
        """Return the value of an expression of the page."""
        result = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise BrowserError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true; it is asked again after a navigation."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            script = (
                f"new Promise(done => {{ const started = Date.now(); (function look() {{ "
                f"if ({condition}) done(true); else if (Date.now() - started > 1000) done(false); "
                f"else setTimeout(look, 20); }})(); }})"
            )
            with contextlib.suppress(BrowserError):  # the page went away while it waited
                if self.get(script):
                    return
        raise BrowserError(f"never true: {condition}; the page says: {self.get('document.body.innerText')}")

    def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        self.ask("Input.insertText", text=text)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key and let it go."""
        facts = {
            "key": key,
            "code": "Space" if key == " " else key,
            "windowsVirtualKeyCode": KEYS[key],
            "modifiers": 8 if shift else 0,
        }
        text = {"Enter": "\r", " ": " "}.get(key)
        self.ask("Input.dispatchKeyEvent", type="keyDown", **facts, **({"text": text} if text else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", **facts)

    def show_as(self, *, width: int, height: int, dark: bool = False) -> None:
        """Pretend to be a screen of that size."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def show(self) -> None:
        """Come to the front; the tabs behind are hidden, and a page may know it."""
        self.ask("Page.bringToFront")

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as PNG."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for end in ends)
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
