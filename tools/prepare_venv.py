"""Make the virtual environment that the Makefile's targets run in, or see that it stands.

It runs on the machine's own python3 with nothing installed, however old that is: no syntax here may be newer than
3.6, or an old Python would print a syntax error where this file wants to say what is wrong.
"""

import argparse
import configparser
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)

# What `python -m pip install` gets, by purpose. `dev` contains `demo`: an environment for tests also runs the demo.
INSTALLED = {
    "demo": ["--editable", ".[sms,telegram,web]", "--editable", "apps/mealplan", "--editable", "apps/dispatch"],
    "dev": ["--editable", ".[dev]", "--editable", "apps/mealplan", "--editable", "apps/dispatch"],
}
SERVED_BY = {"demo": ("demo", "dev"), "dev": ("dev",)}

# uv reads no pip configuration. Where one of these is set, the person has said where packages come from: pip then.
PIP_SETTINGS = ("index-url", "extra-index-url", "find-links", "no-index", "proxy", "cert", "client-cert", "constraint")
PIP_FILES = (
    "/etc/pip.conf",
    "/etc/xdg/pip/pip.conf",
    "/Library/Application Support/pip/pip.conf",
    "~/.pip/pip.conf",
    "~/Library/Application Support/pip/pip.conf",
    os.environ.get("XDG_CONFIG_HOME", "~/.config") + "/pip/pip.conf",
    os.environ.get("PIP_CONFIG_FILE", os.devnull),
    sys.prefix + "/pip.conf",
)


class Venv:
    """One virtual environment and the stamps in it that tell what was finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.python = path / "bin" / "python"

    def facts(self) -> "dict[str, str]":
        """Return what must still hold for a stamp to count: same place, same interpreter, same projects."""
        return {
            "root": str(ROOT),
            "venv": str(self.path),
            "interpreter": os.path.realpath(str(self.python)),
            "projects": digest_projects(),
        }

    def stamps(self) -> "dict[str, dict[str, str]]":
        """Return the recorded facts by purpose; a stamp that cannot be read counts as none."""
        found = {}
        for purpose in INSTALLED:
            with contextlib.suppress(OSError, ValueError):
                found[purpose] = json.loads(self.stamp_path(purpose).read_text(encoding="utf-8"))
        return found

    def stamp_path(self, purpose: str) -> Path:
        """Return where the stamp of that purpose lies; inside, so that it goes when the environment goes."""
        return self.path / f"turnkeeper-{purpose}.json"

    def is_ready(self, purpose: str) -> bool:
        """Return whether nothing needs to be done."""
        stamps, facts = self.stamps(), self.facts()
        return self.python.exists() and any(stamps.get(served) == facts for served in SERVED_BY[purpose])

    def is_ours(self) -> bool:
        """Return whether this script finished it, here, for an interpreter that is still there."""
        lasting = {key: value for key, value in self.facts().items() if key != "projects"}
        return self.python.exists() and any(lasting.items() <= stamp.items() for stamp in self.stamps().values())

    def build(self, purpose: str) -> None:
        """Install what the purpose needs. The stamp is taken away first and written last.

        Interrupted at any point it leaves no stamp, and the next run starts from nothing.
        """
        if self.is_ours() and (uses_uv() or (self.path / "bin" / "pip").exists()):  # uv makes environments without pip
            say(f"Bringing {self.path.name} up to date ({purpose}) ...")
        else:
            command = creator(self)
            remove(self.path)
            say(f"Making {self.path.name} ({purpose}); this takes about a minute, once ...")
            run(command)
        for served in INSTALLED:
            with contextlib.suppress(FileNotFoundError):
                self.stamp_path(served).unlink()
        run([*installer(self), *INSTALLED[purpose]])
        unfinished = self.path / "unfinished-stamp"
        unfinished.write_text(json.dumps(self.facts()), encoding="utf-8")
        unfinished.replace(self.stamp_path(purpose))


def digest_projects() -> str:
    """Return a digest of everything that decides what gets installed."""
    digest = hashlib.sha256()
    for path in [ROOT / "pyproject.toml", *sorted(ROOT.glob("apps/*/pyproject.toml")), Path(__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def creator(venv: Venv) -> "list[str]":
    """Return the command that makes an empty environment."""
    if uses_uv():
        return ["uv", "venv", "--quiet", "--python", base_python(), str(venv.path)]
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip is None or ensurepip.origin is None:  # no origin: a folder that was left behind empty
        fail(
            f"{base_python()} cannot make virtual environments: its `ensurepip` is missing. "
            "On Debian and Ubuntu this one command (as root) brings it:\n\n    apt install python3-venv\n"
        )
    return [base_python(), "-m", "venv", str(venv.path)]


def installer(venv: Venv) -> "list[str]":
    """Return the command that installs into the environment, to be followed by what to install."""
    if uses_uv():
        return ["uv", "pip", "install", "--quiet", "--python", str(venv.python)]
    return [str(venv.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def uses_uv() -> bool:
    """Return whether uv does the work: it is there, and no pip configuration would be passed over by it."""
    return shutil.which("uv") is not None and not pip_is_configured()


def pip_is_configured() -> bool:
    """Return whether the person or the machine told pip where packages come from."""
    if any(os.environ.get("PIP_" + name.upper().replace("-", "_")) for name in PIP_SETTINGS):
        return True
    found = configparser.RawConfigParser(strict=False)
    found.read(Path(name).expanduser() for name in PIP_FILES)
    return any(found.has_option(section, name) for section in found.sections() for name in PIP_SETTINGS)


def base_python() -> str:
    """Return the interpreter to build on; never the one inside an environment, which may be the one to be removed."""
    return sys.executable if sys.prefix == sys.base_prefix else os.path.realpath(sys.executable)


def remove(path: Path) -> None:
    """Remove a foreign, moved or half-made environment. Of a link only the link goes, never what it points to."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        say(f"{path} was not finished here by this Makefile (foreign, moved or half-made): building it anew.")
        shutil.rmtree(str(path))


def run(command: "list[str]") -> None:
    """Run it in the repository's root; end this script with what to do when it fails."""
    if subprocess.call(command, cwd=str(ROOT)) != 0:
        fail(f"`{' '.join(command)}` failed; its reason stands above. Nothing was recorded: run the same again.")


def say(text: str) -> None:
    """Tell the person at once, also through a pipe."""
    print(text, flush=True)


def fail(text: str) -> None:
    """End with exit status 1."""
    sys.exit(f"\n{text}")


def main() -> None:
    """Read the arguments and do what is needed. Two at the same time wait for each other."""
    if sys.version_info < OLDEST_PYTHON:
        found = f"{sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}"
        fail(f"Turnkeeper needs Python 3.11 or newer; {found}. Name another one, as in: make demo PYTHON=python3.12")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("purpose", choices=sorted(INSTALLED))
    parser.add_argument("--venv", default=".venv", help="its folder, seen from the repository's root")
    arguments = parser.parse_args()
    venv = Venv(ROOT / arguments.venv)
    if venv.is_ready(arguments.purpose):
        return
    with venv.path.with_name(venv.path.name + ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not venv.is_ready(arguments.purpose):
            venv.build(arguments.purpose)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("Interrupted. Nothing was recorded: the next run starts anew.")
