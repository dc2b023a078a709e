"""Locks a file for as long as this process lives: what nobody locks was left behind.

The lock is SQLite's own, so it works wherever SQLite does, and it ends with the process however that ends.
"""

import sqlite3
from pathlib import Path


def lock_file(path: Path, *, must_exist: bool = False) -> sqlite3.Connection:
    """Open a file and lock it for as long as the connection lives; make it, unless it `must_exist`.

    Raises:
        sqlite3.OperationalError: Another process has it, or removed it meanwhile: a lock on a removed file keeps nobody
            out.
    """
    before = _identity(path)
    place = f"{path.absolute().as_uri()}?mode={'rw' if must_exist else 'rwc'}"
    connection = sqlite3.connect(place, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=ON")  # macOS: fsync alone leaves the data in the drive's cache
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        if before is not None and _identity(path) != before:
            raise sqlite3.OperationalError(f"{path} was removed by the process that had it")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _identity(path: Path) -> int | None:
    """Return which file it is, None if there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
