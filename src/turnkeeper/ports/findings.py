"""What an examination of a store tells: one finding for each thing that was looked at, and what to do about it."""

from collections.abc import Sequence
from typing import Literal

import msgspec

Level = Literal["ok", "warn", "danger"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    Attributes:
        check: Its name, stable for programs.
        level: `ok`; `warn`: it works, and somebody should know; `danger`: accepted messages may be lost, or it fails.
        found: What it is.
        advice: What to do and why; empty where there is nothing to do.
    """

    check: str
    level: Level
    found: str
    advice: str = ""


def worst(findings: Sequence[Finding]) -> Level:
    """Return the worst level among findings."""
    levels = {one.level for one in findings}
    return "danger" if "danger" in levels else "warn" if "warn" in levels else "ok"
