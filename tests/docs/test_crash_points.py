"""The page on testing a bot names every point at which `Simulator.crash` lets a worker die."""

import re
from pathlib import Path

from turnkeeper.ports.faults import POINTS

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "test-a-bot.md"


def test_the_page_names_every_crash_point() -> None:
    """In its table, and none that is not there; those of one store cannot be asked for."""
    named = re.findall(r"^\| `(\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)

    assert sorted(named) == sorted(point for point in POINTS if "." not in point)
