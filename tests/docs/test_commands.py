"""The reference lists every command with every option."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from turnkeeper.cli.main import cli

PAGE = Path(__file__).parents[2] / "docs/reference/index.md"

Command = Any
"""Click's; Typer carries it along, or takes the installed one, depending on its version."""


def commands(command: Command, name: str) -> Iterator[tuple[str, Command]]:
    """Yield every command that does something, under its whole name."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from commands(inner, f"{name} {word}")


@pytest.mark.parametrize(("name", "command"), list(commands(get_command(cli), "turnkeeper")))
def test_a_command_is_in_the_reference(name: str, command: Command) -> None:
    """On a line of its own, with its options in their long form."""
    options = {max(each.opts, key=len) for each in command.params if each.opts[0].startswith("-")}

    (line,) = re.findall(rf"^\$ {name} (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert {word for word in line.split() if word.startswith("--")} >= options - {"--help"}
