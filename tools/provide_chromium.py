"""See that the browser tests find a Chromium; install it where that needs no question, else say how.

It installs only as root on a machine with apt-get (a container, a CI runner). Everywhere else it ends with the one
command to type: software on a person's machine is that person's decision.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGE = "chromium"


def has_browser_tests() -> bool:
    """Return whether any test needs a browser at all."""
    return any(ROOT.glob("tests/browser/test_*.py"))


def find_chromium() -> str | None:
    """Return the first Chromium on PATH."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def may_install() -> bool:
    """Return whether installing needs nobody's password and no question."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install() -> None:
    """Install the distribution's Chromium; an old package list is brought up to date first."""
    print(f"The browser tests need Chromium: running apt-get install {PACKAGE} ...", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", PACKAGE],
    ):
        subprocess.run(command, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)


def main() -> None:
    """Exit 0 when the tests will find what they need."""
    if not has_browser_tests() or find_chromium():
        return
    if may_install():
        install()
    if not find_chromium():
        sys.exit(
            "\nThe browser tests need Chromium, and there is none on PATH. On Debian and Ubuntu this one command "
            f"(as root) brings it:\n\n    apt install {PACKAGE}\n"
        )


if __name__ == "__main__":
    main()
