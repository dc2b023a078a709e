"""One open file with all its threads. A new one is made after `close`, after a failed opening, and after a fork."""

import logging
import os
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from turnkeeper.errors import StoreUnavailableError, TurnkeeperError
from turnkeeper.ports.clock import Clock
from turnkeeper.stores.sqlite.file.checkpoints import Checkpoints, checkpoint
from turnkeeper.stores.sqlite.file.disk import Disk
from turnkeeper.stores.sqlite.file.opening import Durability, connect, open_writer
from turnkeeper.stores.sqlite.file.operations import OperationQueue, Outcome, deliver
from turnkeeper.stores.sqlite.file.readers import Readers, View
from turnkeeper.stores.sqlite.file.storetime import StoreTime
from turnkeeper.stores.sqlite.file.wakeups import Wakeups
from turnkeeper.stores.sqlite.file.writer import MAX_GROUP, Transaction, Writer

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Session:
    """Everything between `open` and `close`. Its threads are daemons: a forgotten `close` never hangs an exit."""

    def __init__(self, path: Path, *, clock: Clock, durability: Durability) -> None:
        """Start to open; the first answers tell whether it worked."""
        self.path = path
        self.process = os.getpid()
        self.clock = clock
        self.time = StoreTime(clock)
        self.is_closed = False
        self._durability: Durability = durability
        self._writes: OperationQueue[Transaction] = OperationQueue(where=str(path))
        self._reads: OperationQueue[View] = OperationQueue(where=str(path))
        read_only = partial(connect, path)
        self.wakeups = Wakeups(read_only)
        self._readers = Readers(path=str(path), reads=self._reads, connect=read_only, time=self.time)
        self._checkpoints = Checkpoints(partial(connect, path, writable=True))
        self._writer = Writer(
            path=str(path),
            writes=self._writes,
            time=self.time,
            wakeups=self.wakeups,
            checkpoints=self._checkpoints,
        )
        self._thread = threading.Thread(target=self._run, name="turnkeeper-sqlite-write", daemon=True)
        self._thread.start()

    def write(self, run: Callable[[Transaction], T]) -> Awaitable[T]:
        """Do it in a transaction, and answer when that is committed. See `OperationQueue.ask`."""
        return self._writes.ask(run)

    def read(self, run: Callable[[View], T]) -> Awaitable[T]:
        """Do it on what is committed. See `OperationQueue.ask`."""
        return self._reads.ask(run)

    def begin_close(self) -> None:
        """Take nothing more. Safe to call twice."""
        self.is_closed = True
        self._writes.close()

    def join(self) -> None:
        """Return when what was queued is done and the file is closed. Blocks."""
        self._thread.join()

    def _run(self) -> None:
        try:
            connection = open_writer(self.path, durability=self._durability)
        except TurnkeeperError as exc:
            self._give_up(exc)
            return
        try:
            self._readers.start()
            self._checkpoints.start()
            self._writer.serve(connection, Disk(self.path))
        except Exception as exc:
            logger.exception("sqlite_writer_broken")
            self._give_up(StoreUnavailableError(f"{self.path}: the writer failed ({exc}); please report this"))
        self._reads.close()
        self._readers.join()
        self.wakeups.close()
        self._checkpoints.close()
        # The last one to leave moves the log into the file and removes it, so that the file alone can be copied.
        checkpoint(connection, "TRUNCATE")
        connection.close()

    def _give_up(self, error: TurnkeeperError) -> None:
        """Tell everybody who asked what is wrong; the next operation tries with a new session."""
        self.is_closed = True
        for queue in (self._writes, self._reads):
            queue.close(error)
            while batch := queue.take(MAX_GROUP):
                deliver([Outcome(operation, error=error) for operation in batch])
