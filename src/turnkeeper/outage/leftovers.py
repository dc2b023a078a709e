"""Tells an operator of files that were left behind and that this process leaves alone: once each, not every look."""

import asyncio
import logging
import sqlite3
from collections.abc import Collection
from pathlib import Path

from turnkeeper.outage.locking import lock_file

logger = logging.getLogger(__name__)

_KINDS = {"journal": "messages of another store", "carry": "conversations of another store"}
"""How the names of such files begin, and what is in them if their owner is another one."""


class Leftovers:
    """What was told already."""

    def __init__(self) -> None:
        """Nothing was."""
        self._told: set[Path] = set()

    def tell(self, path: Path, reason: str, *, flows: Collection[str] = ()) -> None:
        """Tell of a file, unless that was done."""
        if path in self._told:
            return
        self._told.add(path)
        logger.warning("left_alone", extra={"file": path.name, "reason": reason, "flows": ", ".join(sorted(flows))})

    async def tell_of_other_stores(self, folder: Path, *, owner: str) -> None:
        """Tell of files in a folder that belong to another store and that no living process has."""
        for path, reason in await asyncio.to_thread(_of_other_stores, folder, owner, frozenset(self._told)):
            self.tell(path, reason)


def _of_other_stores(folder: Path, owner: str, told: Collection[Path]) -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    for kind, reason in _KINDS.items():
        for path in sorted(folder.glob(f"{kind}-*-*.db")):
            lock = path if kind == "journal" else path.with_suffix(".lock")
            if not path.name.startswith(f"{kind}-{owner}-") and path not in told and _is_free(lock):
                found.append((path, reason))
    return found


def _is_free(path: Path) -> bool:
    try:
        lock_file(path, must_exist=True).close()
    except sqlite3.Error:
        return False
    return True
