"""The threads that read: a page of history or a large part never waits behind a commit, nor blocks an event loop."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

from turnkeeper.errors import TurnkeeperError
from turnkeeper.stores.sqlite.file.failures import is_busy, translate
from turnkeeper.stores.sqlite.file.operations import Operation, OperationQueue, Outcome, deliver
from turnkeeper.stores.sqlite.file.patience import pause
from turnkeeper.stores.sqlite.file.storetime import StoreTime

READERS = 2
"""Threads: one slow read (a page of 100,000 counts) must not hold up the look for what is due."""


class View:
    """What a read may use: committed facts, and the time."""

    __slots__ = ("_connection", "execute", "now_ms")

    def __init__(self, connection: sqlite3.Connection, now_ms: int) -> None:
        """Take the thread's own connection."""
        self._connection = connection
        self.execute = connection.execute
        self.now_ms = now_ms

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all statements inside see the same commit."""
        self.execute("BEGIN")
        try:
            yield
        finally:
            self.execute("ROLLBACK")


class Readers:
    """Serve the reads of one open store."""

    def __init__(
        self,
        *,
        path: str,
        reads: OperationQueue[View],
        connect: Callable[[], sqlite3.Connection],
        time: StoreTime,
    ) -> None:
        """Take how to open a connection that cannot write."""
        self._path = path
        self._reads = reads
        self._connect = connect
        self._time = time
        self._threads = [
            threading.Thread(target=self._run, name=f"turnkeeper-sqlite-read-{number}", daemon=True)
            for number in range(READERS)
        ]

    def start(self) -> None:
        """Begin to serve; the file must be there."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Return when the queue, closed before, is drained."""
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with contextlib.ExitStack() as opened:
            connection: sqlite3.Connection | None = None
            while batch := self._reads.take(1):
                (operation,) = batch
                try:
                    if connection is None:
                        connection = opened.enter_context(contextlib.closing(self._connect()))
                except sqlite3.Error as exc:
                    deliver([Outcome(operation, error=self._translated(exc))])
                else:
                    deliver([self._read(connection, operation)])

    def _read(self, connection: sqlite3.Connection, operation: Operation[View]) -> Outcome[View]:
        while True:
            try:
                return Outcome(operation, operation.run(View(connection, self._time.read())))
            except sqlite3.Error as exc:
                if is_busy(exc) and time.monotonic() < operation.deadline:
                    pause()
                    continue
                return Outcome(operation, error=self._translated(exc))
            except Exception as exc:  # noqa: BLE001 - the caller gets it; the thread must go on serving others
                return Outcome(operation, error=exc)

    def _translated(self, exc: sqlite3.Error) -> TurnkeeperError:
        error = translate(exc, path=self._path)
        error.__cause__ = exc
        return error
