"""The one thread that writes: it takes whatever is queued, runs it in one transaction, and commits once for all.

While it commits, the next batch gathers. An answer leaves only after the COMMIT that it depends on; if more waits by
then, it leaves just before the next COMMIT: the event loop works while the disk does, and not while statements need
the interpreter as well. Operations must validate before their first write; one that fails after it costs the batch a
second run, each in a transaction of its own, so that it fails alone.
"""

import logging
import sqlite3
import time

from turnkeeper.errors import (
    InvalidMessageError,
    OutcomeUnknownError,
    StoreBusyError,
    StoreFullError,
    StoreUnavailableError,
    TurnkeeperError,
)
from turnkeeper.ports.faults import reach
from turnkeeper.stores.sqlite.file.checkpoints import Checkpoints
from turnkeeper.stores.sqlite.file.disk import Disk
from turnkeeper.stores.sqlite.file.failures import is_busy, translate
from turnkeeper.stores.sqlite.file.operations import Operation, OperationQueue, Outcome, deliver
from turnkeeper.stores.sqlite.file.patience import pause
from turnkeeper.stores.sqlite.file.storetime import StoreTime
from turnkeeper.stores.sqlite.file.wakeups import Wakeups

logger = logging.getLogger(__name__)

MAX_GROUP = 256
"""Operations in one transaction: about 10 ms of work. So long waits a latecomer for the batch before, at most, and an
answer for the statements of the batch behind."""

MAX_GROUP_BYTES = 8 * 1024 * 1024
"""Payloads, states and parts in one transaction, for the same reason: some 10 ms of copying."""

CLOCK_STEP_MS = 1_000
"""How old the persisted time may get: so much a lease can be short after a crash and a clock that was set back."""


class Transaction:
    """What an operation may use to write. Shared by all operations of one batch; `now_ms` is one for all."""

    __slots__ = (
        "_clock_ms",
        "_connection",
        "_first",
        "_rows",
        "blob_bytes",
        "execute",
        "has_published",
        "heads",
        "is_short_of_room",
        "now_ms",
        "number",
        "soonest_ms",
    )

    def __init__(
        self, connection: sqlite3.Connection, time: StoreTime, disk: Disk, heads: dict[tuple[str, str, str], object]
    ) -> None:
        """Read where the last transaction, of whichever process, left off.

        Args:
            connection: It has begun.
            time: The store's clock.
            disk: Where the file is.
            heads: For `steps.heads`, which keeps there what it knows that the file holds. It outlives the transaction.
        """
        self._connection = connection
        self._rows = connection.total_changes
        self.is_short_of_room = disk.is_short_of_room
        self.execute = connection.execute
        self.heads = heads
        self._first, self._clock_ms = self.execute("SELECT number, clock_ms FROM meta").fetchone()
        self.number: int = self._first
        self.now_ms = time.read(self._clock_ms)
        self.soonest_ms: int | None = None
        self.has_published = False
        self.blob_bytes = 0

    def next_number(self) -> int:
        """Return a number that is greater than every one before it in this store."""
        self.number += 1
        return self.number

    def publish(self) -> int:
        """Return the next number for a state that those who watch must hear of, and wake them."""
        self.has_published = True
        return self.next_number()

    def require_room(self) -> None:
        """Let what may still be refused pass only while there is more room than what is begun will need.

        Raises:
            StoreFullError: The disk is nearly full.
        """
        if self.is_short_of_room:
            raise StoreFullError("the disk is nearly full; nothing was written, what is left is for turns under way")

    def note_due(self, due_ms: int | None) -> None:
        """Remember that something is due then, to wake who waits for it."""
        if due_ms is not None and (self.soonest_ms is None or due_ms < self.soonest_ms):
            self.soonest_ms = due_ms

    def finish(self) -> None:
        """Leave word for the next transaction. One that wrote nothing leaves none, so that it costs no fsync."""
        is_late = self.now_ms - self._clock_ms >= CLOCK_STEP_MS and self._connection.total_changes != self._rows
        if self.number != self._first or is_late:
            self.execute("UPDATE meta SET number = ?, clock_ms = ? WHERE id = 1", (self.number, self.now_ms))


class Writer:
    """Writes for one open store. Everything but the constructor belongs to one thread."""

    def __init__(
        self,
        *,
        path: str,
        writes: OperationQueue[Transaction],
        time: StoreTime,
        wakeups: Wakeups,
        checkpoints: Checkpoints,
    ) -> None:
        """Take what it serves."""
        self._path = path
        self._writes = writes
        self._time = time
        self._wakeups = wakeups
        self._checkpoints = checkpoints
        self._unanswered: list[Outcome[Transaction]] = []
        self._connection: sqlite3.Connection
        self._disk: Disk
        self._heads: dict[tuple[str, str, str], object] = {}
        self._data_version = -1

    def serve(self, connection: sqlite3.Connection, disk: Disk) -> None:
        """Write until the queue is closed and drained."""
        self._connection = connection
        self._disk = disk
        try:
            while batch := self._take():
                disk.look()
                if disk.is_file_gone:
                    deliver([Outcome(operation, error=self._gone()) for operation in batch])
                    continue
                while batch := self._begin(batch):
                    outcomes, batch = self._commit_some(batch)
                    self._answer()  # whom this batch, if it failed, has not let go of yet
                    self._unanswered = outcomes
                    if self._checkpoints.needs_writer:
                        self._answer()
                        self._checkpoints.finish(connection)
        finally:
            self._answer()

    def _take(self) -> list[Operation[Transaction]]:
        if not self._writes.has_more:
            self._answer()  # nobody knows how long there will be nothing to do
        return self._writes.take(MAX_GROUP)

    def _answer(self) -> None:
        """Let go of the last batch's answers. Safe to call twice."""
        outcomes, self._unanswered = self._unanswered, []
        deliver(outcomes)

    def _begin(self, batch: list[Operation[Transaction]]) -> list[Operation[Transaction]]:
        """Take the file's write lock; who waited too long for another process to let go of it is told so."""
        while batch:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as exc:
                if not is_busy(exc):
                    error = self._translated(exc, in_commit=False)
                    deliver([Outcome(operation, error=error) for operation in batch])
                    return []
            else:
                return batch
            self._answer()  # this may take long
            now = time.monotonic()
            late = [operation for operation in batch if operation.deadline <= now]
            if late:
                deliver([Outcome(operation, error=self._busy()) for operation in late])
                batch = [operation for operation in batch if operation.deadline > now]
            pause()
        return []

    def _commit_some(
        self, batch: list[Operation[Transaction]]
    ) -> tuple[list[Outcome[Transaction]], list[Operation[Transaction]]]:
        """Run and commit what has begun, as much as one commit may hold; return the answers and the rest."""
        connection = self._connection
        rows = connection.total_changes
        tried: list[Operation[Transaction]] = []
        outcomes: list[Outcome[Transaction]] = []
        in_commit = False
        try:
            self._forget_if_foreign()
            transaction = Transaction(connection, self._time, self._disk, self._heads)
            for operation in batch:
                tried.append(operation)
                outcomes.append(self._run(transaction, operation))
                if transaction.blob_bytes > MAX_GROUP_BYTES:
                    break
            transaction.finish()
            self._answer()
            reach("sqlite.before_commit")
            in_commit = True
            connection.execute("COMMIT")
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is given to the callers, and the thread goes on
            self._roll_back()
            tried = tried or batch
            return self._after_failure(tried, exc, in_commit=in_commit), batch[len(tried) :]
        self._checkpoints.wrote(rows=connection.total_changes - rows, blob_bytes=transaction.blob_bytes)
        self._wakeups.committed(soonest_ms=transaction.soonest_ms, has_published=transaction.has_published)
        try:
            reach("sqlite.after_commit")
        except Exception as exc:  # noqa: BLE001 - the commit stands, but its answer is lost, as a crash here would do
            outcomes = [self._lost(operation, exc) for operation in tried]
        return outcomes, batch[len(tried) :]

    def _forget_if_foreign(self) -> None:
        """Know nothing of the file any more if another connection, of whichever process, wrote to it meanwhile."""
        (data_version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version:
            self._data_version = data_version
            self._heads.clear()

    def _after_failure(
        self, tried: list[Operation[Transaction]], exc: Exception, *, in_commit: bool
    ) -> list[Outcome[Transaction]]:
        """Run each operation of a group that failed alone, so that the others of it do not fail."""
        error = self._translated(exc, in_commit=in_commit)
        if len(tried) == 1 or isinstance(error, OutcomeUnknownError):
            return [Outcome(operation, error=error) for operation in tried]
        outcomes: list[Outcome[Transaction]] = []
        for operation in tried:
            if begun := self._begin([operation]):
                outcomes += self._commit_some(begun)[0]
        return outcomes

    def _run(self, transaction: Transaction, operation: Operation[Transaction]) -> Outcome[Transaction]:
        """Run one operation. A refusal before its first write is its answer; anything else is the batch's problem."""
        rows = self._connection.total_changes
        try:
            return Outcome(operation, operation.run(transaction))
        except TurnkeeperError as exc:
            if self._connection.total_changes != rows:
                raise
            return Outcome(operation, error=exc)

    def _roll_back(self) -> None:
        self._heads.clear()  # they are as after the transaction
        try:
            if self._connection.in_transaction:  # after a full disk SQLite may have done it by itself
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as exc:
            logger.warning("sqlite_rollback_failed", extra={"reason": str(exc)})

    def _translated(self, exc: Exception, *, in_commit: bool) -> Exception:
        error: TurnkeeperError
        if isinstance(exc, UnicodeEncodeError):
            error = InvalidMessageError(f"an id or a name holds half a character ({exc.reason}); send valid Unicode")
        elif isinstance(exc, sqlite3.Error):
            error = translate(exc, path=self._path, in_commit=in_commit)
        else:
            return exc
        error.__cause__ = exc
        return error

    def _lost(self, operation: Operation[Transaction], exc: Exception) -> Outcome[Transaction]:
        error = OutcomeUnknownError(f"{self._path}: the answer was lost ({exc}); repeat it with the same ids")
        error.__cause__ = exc
        return Outcome(operation, error=error)

    def _busy(self) -> StoreBusyError:
        return StoreBusyError(
            f"{self._path} is locked by another process; nothing was written, repeat it or stop that process"
        )

    def _gone(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"{self._path} was removed or replaced while it was open; nothing was written, put it back or restart"
        )
