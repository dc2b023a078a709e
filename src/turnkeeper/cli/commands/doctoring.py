"""`doctor`: looks at a store and its settings, and says what is dangerous and what to do about it."""

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import msgspec
import typer

from turnkeeper.cli.options import AsJson, Store
from turnkeeper.cli.telling import naming, told
from turnkeeper.errors import TurnkeeperError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnkeeper.ports.findings import Finding

DANGER = 1
"""Exit status when something may lose accepted messages, or does not work."""

UNKNOWN = 2
"""Exit status when the store could not be asked."""


def doctor(store: Store = None, *, as_json: AsJson = False) -> None:
    """Examine a store: versions, settings, what may be lost. Exit status 0, 1 on danger, 2 if it cannot be asked."""
    from turnkeeper.observe.masking import mask_url
    from turnkeeper.ports.findings import worst
    from turnkeeper.stores.urls import choose_store, examine_store

    try:
        chosen = choose_store(os.environ, given=store)
        with naming(chosen.reason):
            findings = asyncio.run(examine_store(chosen.url))
    except TurnkeeperError as exc:
        sys.stderr.write(f"turnkeeper: {told(exc)}\n")
        raise typer.Exit(UNKNOWN) from exc
    level = worst(findings)
    place = mask_url(chosen.url)
    if as_json:
        everything = {"store": place, "reason": chosen.reason, "level": level, "findings": findings}
        sys.stdout.write(msgspec.json.encode(everything).decode() + "\n")
    else:
        sys.stdout.write(f"{place}  ({chosen.reason})\n\n{_table(findings)}\n{_conclusion(findings)}\n")
    if level == "danger":
        raise typer.Exit(DANGER)


def _table(findings: "Sequence[Finding]") -> str:
    width = max(len(one.check) for one in findings)
    lines = []
    for one in findings:
        lines.append(f"{one.level:<6}  {one.check:<{width}}  {' '.join(one.found.split())}")
        if one.advice:
            lines.append(f"{'':<{8 + width}}  -> {one.advice}")
    return "\n".join(lines) + "\n"


def _conclusion(findings: "Sequence[Finding]") -> str:
    dangers = sum(one.level == "danger" for one in findings)
    warnings = sum(one.level == "warn" for one in findings)
    if not dangers and not warnings:
        return "everything is as it should be"
    return f"danger: {dangers}, warnings: {warnings}"
