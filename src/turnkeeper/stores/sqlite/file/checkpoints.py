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

LIMIT_PAGES = 4 * CHECKPOINT_PAGES
"""Pages in the log at which the writer waits for the bulk, so that a slow disk cannot make it grow without end."""

PAGES_PER_ROW = 2
"""Pages that one changed row costs when it is committed alone: its own and one of an index."""

LEAST_SHARE = 0.25
"""Rows of one commit share pages: with 64 conversations one costs a tenth of what it costs alone. What is counted on
is measured at every checkpoint, but never less than this: should large groups end, the log gets four times too long
once, which the disk's reserve still holds."""

PAGE_BYTES = 4096

_STALL_SECONDS = 5.0
"""Longest wait of the writer for the bulk; by then something else is wrong, and a long log is the smaller evil."""


class Checkpoints:
    """Keeps the log of one open store short. `wrote` and `finish` are called by the writer only."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Take how to open a connection that may write."""
        self._connect = connect
        self._unasked_pages = 0.0
        self._log_pages = 0.0
        self._log_pages_alone = 0
        self._share = 1.0
        self._asked = threading.Event()
        self._is_copying = False
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
        pages_alone = rows * PAGES_PER_ROW + blob_bytes // PAGE_BYTES
        pages = pages_alone * self._share
        self._log_pages_alone += pages_alone
        self._log_pages += pages
        self._unasked_pages += pages
        if self._unasked_pages >= CHECKPOINT_PAGES:
            self._unasked_pages = 0.0
            self._is_copying = True
            self._asked.set()

    @property
    def needs_writer(self) -> bool:
        """Whether `finish` has something to do, which may take some milliseconds, or to wait for."""
        return self._has_copied.is_set() or (self._is_copying and self._log_pages >= LIMIT_PAGES)

    def finish(self, connection: sqlite3.Connection) -> None:
        """Copy the pages that were written while the bulk was copied, so that the log can begin anew."""
        if self._log_pages >= LIMIT_PAGES and self._is_copying:
            self._has_copied.wait(_STALL_SECONDS)
        if self._has_copied.is_set():
            self._has_copied.clear()
            pages = checkpoint(connection)
            if pages is not None:
                self._share = min(max(pages / max(self._log_pages_alone, 1), LEAST_SHARE), 1.0)
                self._log_pages = 0.0
                self._log_pages_alone = 0

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
            self._is_copying = False
            self._has_copied.set()


def checkpoint(connection: sqlite3.Connection, mode: str = "PASSIVE") -> int | None:
    """Copy what can be copied without waiting for anybody; return the log's pages if that was all of them, else None.

    What is left over, because somebody still reads it or the disk is full, is copied next time.
    """
    try:
        is_busy, pages, copied = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    except sqlite3.Error as exc:
        logger.warning("sqlite_checkpoint_failed", extra={"reason": str(exc)})
        return None
    return int(pages) if not is_busy and pages == copied else None
