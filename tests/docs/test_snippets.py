"""What the documentation shows works: each snippet runs, each command exists, and each command is shown.

The Python snippets of a page run in order and share their names, as they would for a person who types them in;
`await` may stand at the top level. Of a command line its sub-command and its options are checked, it is not run.
"""

import ast
import asyncio
import gc
import inspect
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Protocol, cast, runtime_checkable

import pytest
from typer.main import get_command

from turnkeeper.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<body>.*?)^(?P=indent)```", re.DOTALL | re.MULTILINE)
TARGET = re.compile(r"^(?P<name>[a-z]+):.*##", re.MULTILINE)


class Parameter(Protocol):
    """What is read of an option or argument. typer brings its own copy of click, so the classes have no fixed home."""

    opts: list[str]
    secondary_opts: list[str]


class Command(Protocol):
    """What is read of a command."""

    params: list[Parameter]


@runtime_checkable
class Group(Protocol):
    """What is read of a command that has sub-commands."""

    params: list[Parameter]
    commands: dict[str, Command]


def blocks(page: Path, *languages: str) -> Iterator[tuple[int, str]]:
    """Yield (number of its first line, text) of each fenced block in one of these languages."""
    text = page.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        if fence["language"] in languages:
            yield text.count("\n", 0, fence.start("body")) + 1, dedent(fence["body"])


def pages_with(*languages: str) -> pytest.MarkDecorator:
    """Return the parameter `page`: each page that has such a block."""
    pages = [page for page in PAGES if any(blocks(page, *languages))]
    return pytest.mark.parametrize("page", pages, ids=[str(page.relative_to(ROOT)) for page in pages])


def command_lines(page: Path) -> Iterator[list[str]]:
    """Yield the words of each command that the page shows, without what is set, piped or chained around it."""
    shown = [
        line.removeprefix("$ ") for _, body in blocks(page, "console") for line in joined(body) if line[:2] == "$ "
    ]
    shown += [line for _, body in blocks(page, "bash") for line in joined(body)]
    for line in shown:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("();<>|&"):
                if words:
                    yield words
                words = []
            elif words or not re.match(r"^[A-Z_]+=", word):
                words.append(word)


def joined(body: str) -> list[str]:
    """Return the lines of a block; one that ends in a backslash goes on in the next."""
    return body.replace("\\\n", " ").splitlines()


def options(command: Command | Group) -> dict[str, Parameter]:
    """Return the command's parameters by each way to write their option."""
    return {option: parameter for parameter in command.params for option in parameter.opts + parameter.secondary_opts}


def check_command(words: list[str]) -> list[str]:
    """Walk from `turnkeeper` through the sub-commands; return what does not exist."""
    command = cast("Command | Group", get_command(cli))
    waiting = iter(words[1:])
    for word in waiting:
        name, equals, _ = word.partition("=")
        if word == "--help":
            continue
        if word.startswith("-"):
            if name not in options(command):
                return [f"{' '.join(words)}: no option {name}"]
            if not equals and not getattr(options(command)[name], "is_flag", False):
                next(waiting, None)
        elif isinstance(command, Group):
            if word not in command.commands:
                return [f"{' '.join(words)}: no command {word}"]
            command = command.commands[word]
    return []


def leaves(command: Command | Group, path: str) -> Iterator[str]:
    """Yield each command that does something, as it is typed."""
    if isinstance(command, Group):
        for name, inner in command.commands.items():
            yield from leaves(inner, f"{path} {name}")
    else:
        yield path


@pages_with("python")
def test_python_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copied from the page into a file, the code works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNKEEPER_STORE", "memory://")
    module = ModuleType("snippet")
    monkeypatch.setitem(sys.modules, "snippet", module)
    gc.collect()  # a task that an earlier page left would log its end while this page's imports are parsed

    with asyncio.Runner() as runner:
        for line, body in blocks(page, "python"):
            source = "\n" * (line - 1) + body  # so that a traceback names the page's own line
            code = compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, vars(module))  # noqa: S307 -- our own documentation
            if inspect.iscoroutine(result):
                runner.run(result)


@pages_with("console", "bash")
def test_shown_commands_exist(page: Path) -> None:
    """A command that a page shows has this sub-command and these options."""
    wrong = [
        problem
        for words in command_lines(page)
        if Path(words[0]).name == "turnkeeper"
        for problem in check_command(words)
    ]

    assert not wrong


@pages_with("console", "bash")
def test_shown_make_targets_exist(page: Path) -> None:
    """`make` knows each target that a page shows."""
    targets = {target["name"] for target in TARGET.finditer((ROOT / "Makefile").read_text(encoding="utf-8"))}
    shown = {
        word
        for words in command_lines(page)
        if words[0] == "make"
        for word in words[1:]
        if "=" not in word and not word.startswith("-")
    }

    assert shown <= targets


def test_each_command_is_documented() -> None:
    """No command is known only to those who read the code."""
    text = " ".join(" ".join(page.read_text(encoding="utf-8").split()) for page in PAGES)

    missing = [path for path in leaves(cast("Command | Group", get_command(cli)), "turnkeeper") if path not in text]

    assert not missing, "show each command in README.md or docs/"
