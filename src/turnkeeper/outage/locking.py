"""Locks a file for as long as this process lives: what nobody locks was left behind.

The lock is SQLite's own, so it works wherever SQLite does, and it ends with the process however that ends.
"""

import sqlite3
from pathlib import Path


def lock_file(path: Path) -> sqlite3.Connection:
    """Open a file and lock it for as long as the connection lives.

    Raises:
        sqlite3.OperationalError: Another process has it.
    """
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=ON")  # macOS: fsync alone leaves the data in the drive's cache
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
