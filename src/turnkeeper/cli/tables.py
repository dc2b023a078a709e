"""Prints facts for people: columns that line up, nothing cut off where a program may read it.

Texts of people are printed as they are, but on one line: they have no meaning as markup here.
"""

import os
import sys
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

MAX_CELL = 48
"""Columns of a terminal that one text takes at most; programs read the JSON."""


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, nothing: str, texts: Sequence[str] = ()) -> None:
    """Print rows under their heads; the columns in `texts` are shortened on a terminal, ids never are.

    Args:
        head: Names of the columns.
        rows: As many cells each.
        nothing: What to print when there are no rows.
        texts: Heads of the columns that hold what people wrote.
    """
    if not rows:
        sys.stdout.write(nothing + "\n")
        return
    limit = max(MAX_CELL, _terminal_width() // 3)
    shown = [
        [_short(cell, limit) if name in texts else _one_line(cell) for name, cell in zip(head, row, strict=True)]
        for row in rows
    ]
    widths = [max(cell_len(row[index]) for row in (head, *shown)) for index in range(len(head))]
    for row in (head, *shown):
        line = "  ".join(set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print names and values under each other."""
    width = max(cell_len(name) for name, _ in facts)
    for name, value in facts:
        sys.stdout.write(f"{set_cell_size(name, width)}  {_one_line(value)}".rstrip() + "\n")


def _terminal_width() -> int:
    """Return the terminal's columns; where the output goes elsewhere, as many as anybody may want."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return MAX_CELL * 100


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _short(text: str, limit: int) -> str:
    line = _one_line(text)
    return line if cell_len(line) <= limit else set_cell_size(line, limit - 1).rstrip() + "…"
