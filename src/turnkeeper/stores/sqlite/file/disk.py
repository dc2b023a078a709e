"""Watches what SQLite cannot tell in time: that the disk is nearly full, and that somebody took the file away.

What is left of the disk below the reserve is for commits: a store that accepted messages until nothing can be written
could not finish the turns that it accepted.
"""

import os
import time
from pathlib import Path

RESERVE_BYTES = 16 * 1024 * 1024
"""Four logs of `CHECKPOINT_PAGES`: room to commit some thousand turns, and to bring the log into the file."""

_LOOK_SECONDS = 0.2
"""How old an answer may get. Looking costs 3 µs; in that time not much more than the reserve can be written."""


class Disk:
    """What is known of one file's disk. Belongs to the writer's thread."""

    def __init__(self, path: Path) -> None:
        """Take the database; it must be there."""
        self._path = path
        self._file = self._name()
        self._looked_at = float("-inf")
        self.is_short_of_room = False
        self.is_file_gone = False

    def look(self) -> None:
        """Look, if the last time was long enough ago."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        self.is_file_gone = self._name() != self._file
        facts = os.statvfs(self._path.parent)
        self.is_short_of_room = facts.f_bavail * facts.f_frsize < RESERVE_BYTES

    def _name(self) -> tuple[int, int] | None:
        """Return what names the file to the kernel, None if nothing has its path."""
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            return None
        return facts.st_dev, facts.st_ino
