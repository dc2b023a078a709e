"""Moves committed pages from the write-ahead log into the database, where it stalls nobody.

The bulk is copied by a thread of its own. But under constant load it never reaches the end of the log, so that the
log would only grow; the last few pages are copied by the writer, between two batches, once the bulk is done.
"""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

CHECKPOINT_PAGES = 1_000
"""Pages written before the bulk is copied: 4 MB, SQLite's own default, a few milliseconds of copying."""

PAGES_PER_ROW = 2
"""Pages that one changed row costs at most on average (its own and one of an index), measured 0.6 to 1.6."""

PAGE_BYTES = 4096


class Checkpoints:
    """Keeps the log of one open store short. `wrote` and `finish_if_copied` are called by the writer only."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Take how to open a connection that may write."""
        self._connect = connect
        self._pages = 0
        self._asked = threading.Event()
        self._has_copied = threading.Event()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="turnkeeper-sqlite-checkpoint", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._is_closed = True
        self._asked.set()
        self._thread.join()

    def wrote(self, *, rows: int, blob_bytes: int) -> None:
        """Count what a transaction wrote; the log's length itself cannot be asked for."""
        self._pages += rows * PAGES_PER_ROW + blob_bytes // PAGE_BYTES
        if self._pages >= CHECKPOINT_PAGES:
            self._pages = 0
            self._asked.set()

    def finish_if_copied(self, connection: sqlite3.Connection) -> None:
        """Copy the pages that were written while the bulk was copied, so that the log can begin anew."""
        if self._has_copied.is_set():
            self._has_copied.clear()
            checkpoint(connection)

    def _run(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if self._is_closed:
                return
            try:
                with contextlib.closing(self._connect()) as connection:
                    checkpoint(connection)
            except sqlite3.Error as exc:
                logger.warning("sqlite_checkpoint_failed", extra={"reason": str(exc)})
            self._has_copied.set()


def checkpoint(connection: sqlite3.Connection, mode: str = "PASSIVE") -> None:
    """Copy what can be copied without waiting for anybody. What fails is tried again next time, with more to copy."""
    try:
        connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    except sqlite3.Error as exc:
        logger.warning("sqlite_checkpoint_failed", extra={"reason": str(exc)})
