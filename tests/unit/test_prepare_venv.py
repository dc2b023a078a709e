"""The promises of `tools/prepare_venv.py`: nothing to do when it is done, and never trust what it did not finish."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import prepare_venv
from tools.prepare_venv import Venv

SCRIPT = Path(prepare_venv.__file__)


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    """Return an environment whose interpreter is there, without any stamp."""
    made = Venv(tmp_path / "venv")
    made.python.parent.mkdir(parents=True)
    made.python.symlink_to(sys.executable)
    return made


def stamp(venv: Venv, purpose: str, **changed: str) -> None:
    """Record the environment as finished."""
    venv.stamp_path(purpose).write_text(json.dumps({**venv.facts(), **changed}), encoding="utf-8")


def run_script(before: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a process of its own in which that code ran before, with nothing on PATH."""
    code = (
        f"import sys, runpy; {before}; sys.argv[0] = 'prepare_venv'; runpy.run_path({str(SCRIPT)!r}, None, '__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"PATH": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("finished", "asked", "ready"),
    [("demo", "demo", True), ("dev", "dev", True), ("dev", "demo", True), ("demo", "dev", False)],
)
def test_a_finished_environment_needs_nothing(venv: Venv, finished: str, asked: str, *, ready: bool) -> None:
    """An environment for tests also runs the demo; one for the demo has no tests' tools."""
    stamp(venv, finished)

    assert venv.is_ready(asked) is ready


def test_an_environment_without_a_stamp_is_not_trusted(venv: Venv) -> None:
    """Somebody else's environment, or one whose installation was interrupted, is built anew."""
    assert not venv.is_ready("demo")
    assert not venv.is_ours()


def test_half_a_stamp_is_none(venv: Venv) -> None:
    """A stamp that was cut off counts as none."""
    venv.stamp_path("demo").write_text('{"root": "/', encoding="utf-8")

    assert not venv.is_ready("demo")
    assert not venv.is_ours()


def test_a_moved_environment_is_not_trusted(venv: Venv, tmp_path: Path) -> None:
    """Its scripts still name the old place."""
    stamp(venv, "demo")
    moved = Venv(venv.path.rename(tmp_path / "elsewhere"))

    assert not moved.is_ready("demo")
    assert not moved.is_ours()


def test_a_moved_repository_is_not_trusted(venv: Venv) -> None:
    """The installed packages still point to the old sources."""
    stamp(venv, "demo", root="/somewhere/else")

    assert not venv.is_ready("demo")
    assert not venv.is_ours()


def test_an_environment_whose_interpreter_went_is_not_trusted(venv: Venv) -> None:
    """An upgrade of the machine's Python may take the interpreter away."""
    stamp(venv, "demo")
    venv.python.unlink()

    assert not venv.is_ready("demo")
    assert not venv.is_ours()


def test_changed_projects_are_installed_into_what_is_there(venv: Venv) -> None:
    """A new dependency brings the environment up to date; it is not built anew."""
    stamp(venv, "demo", projects="an older digest")

    assert not venv.is_ready("demo")
    assert venv.is_ours()


def test_of_a_link_only_the_link_goes(venv: Venv, tmp_path: Path) -> None:
    """What a linked `.venv` points to belongs to somebody else."""
    link = tmp_path / "link"
    link.symlink_to(venv.path)

    prepare_venv.remove(link)

    assert not link.is_symlink()
    assert venv.python.exists()


def test_a_missing_ensurepip_is_named_with_its_remedy(tmp_path: Path) -> None:
    """Where Debian's python3-venv is missing, the one command that brings it is the last thing on the screen."""
    done = run_script("sys.modules['ensurepip'] = None", "demo", "--venv", str(tmp_path / "venv"))

    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("\n    apt install python3-venv")
    assert not (tmp_path / "venv").exists()


def test_an_old_python_is_named_with_its_remedy(tmp_path: Path) -> None:
    """Where python3 is too old, the person reads which one was found and how to name another."""
    done = run_script("sys.version_info = (3, 9, 2)", "demo", "--venv", str(tmp_path / "venv"))

    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "is 3.9" in done.stderr


@pytest.mark.parametrize(("index", "expected"), [("", True), ("https://packages.example/simple", False)])
def test_pip_works_where_pip_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: str, *, expected: bool
) -> None:
    """Where uv would do, it does the work; but it reads no pip configuration: it would look in the wrong place."""
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\n", encoding="utf-8")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(prepare_venv, "PIP_FILES", ())
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", index)

    assert prepare_venv.uses_uv() is expected
