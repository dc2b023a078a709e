"""The journal: messages accepted on this machine's disk while the store is away, one SQLite file a process.

A process locks its file for as long as it lives; a file that nobody locks was left behind and may be taken over.
"""

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from turnkeeper.engine.wire import UNREADABLE
from turnkeeper.errors import OutcomeUnknownError, StoreFullError, StoreUnreadableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Message
from turnkeeper.outage.locking import lock_file

T = TypeVar("T")

APPLICATION_ID = 0x546B4A31
"""`TkJ1` in the file's header: a journal, and nothing else, is taken over."""

_CREATE = (
    "CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT NOT NULL, "
    "message TEXT NOT NULL, identity BLOB NOT NULL, payload BLOB NOT NULL, refused TEXT NOT NULL DEFAULT '', "
    "UNIQUE (conversation, message))"
)
_APPEND = "INSERT OR IGNORE INTO entry (conversation, message, identity, payload) VALUES (?, ?, ?, ?)"
_COLUMNS = "seq, identity, payload"
_BATCH = 256
"""Entries of one transaction at most: a burst is synced together, and nobody waits for the whole of it."""

_NAMES = 5
"""Tried for a new file: a neighbour looks at each for a millisecond, when both start at the same moment."""

_encode = msgspec.json.Encoder().encode
_decode_identity = msgspec.json.Decoder(ConversationId).decode
_decode_message = msgspec.json.Decoder(Message).decode


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the journal; `seq` orders all of them."""

    seq: int
    conversation: ConversationId
    message: Message


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages were taken over, and the flows of those that were left."""

    count: int = 0
    left: frozenset[str] = frozenset()


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the journal that this code cannot read: newer code wrote it, or the disk spoiled it."""

    seq: int
    reason: str


_Values = tuple[str | int | bytes, ...]
_Wish = tuple[str, _Values, "asyncio.Future[bool]"]


class Journal:
    """One process's journal. Everything that it does with its file happens in a thread of its own."""

    def __init__(self, path: Path, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        """Take an open file; see `open_journal`."""
        self.path = path
        self._connection = connection
        self._thread = thread
        self._wishes: list[_Wish] = []
        self._writing: asyncio.Task[None] | None = None

    @property
    def is_writing(self) -> bool:
        """Whether a message is on its way into the file."""
        return self._writing is not None

    async def append(self, conversation: ConversationId, message: Message) -> bool:
        """Keep a message durably; False if it is there already. Safe to repeat.

        Raises:
            StoreFullError: The disk has no room. Nothing was written.
            OutcomeUnknownError: The disk failed; it may be there.
        """
        return await self._change(_APPEND, (conversation.key, message.id, _encode(conversation), _encode(message)))

    async def _change(self, statement: str, values: _Values) -> bool:
        """Change a row durably, in one transaction with whatever else was wanted meanwhile; False if none changed."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._wishes.append((statement, values, future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await future

    async def _write(self) -> None:
        """Write what gathered while the last batch was synced, until nothing did."""
        try:
            while self._wishes:
                batch, self._wishes = self._wishes[:_BATCH], self._wishes[_BATCH:]
                try:
                    changed = await self._run(partial(_change_all, self._connection, [one[:2] for one in batch]))
                except (StoreFullError, OutcomeUnknownError) as exc:
                    for _, _, future in batch:
                        if not future.done():
                            future.set_exception(exc)
                    continue
                for (_, _, future), is_changed in zip(batch, changed, strict=True):
                    if not future.done():  # its asker is gone; the change stays, as one whose answer was lost
                        future.set_result(is_changed)
        finally:
            self._writing = None

    async def counts(self) -> dict[str, int]:
        """Return how many messages of which conversation are there, by its key, refused ones apart."""
        return dict(
            await self._select("SELECT conversation, count(*) FROM entry WHERE refused = '' GROUP BY conversation", ())
        )

    async def refused(self) -> int:
        """Return how many messages no store can take."""
        ((count,),) = await self._select("SELECT count(*) FROM entry WHERE refused <> ''", ())
        return int(count)

    async def first(self, key: str, *, limit: int = 32) -> list[Entry | Unreadable]:
        """Return the earliest messages of a conversation."""
        rows = await self._select(
            f"SELECT {_COLUMNS} FROM entry WHERE conversation = ? AND refused = '' ORDER BY seq LIMIT ?",  # noqa: S608
            (key, limit),
        )
        return [_entry(*row) for row in rows]

    async def remove(self, seq: int) -> None:
        """Forget a message that the store has. Safe to repeat."""
        await self._change("DELETE FROM entry WHERE seq = ?", (seq,))

    async def refuse(self, seq: int, reason: str) -> None:
        """Set a message aside that no store can take; it stays in the file for an operator."""
        await self._change("UPDATE entry SET refused = ? WHERE seq = ?", (reason, seq))

    async def adopt(self, path: Path, *, flows: Collection[str]) -> Adopted:
        """Take over the messages of some flows from a file that nobody has; remove it if it is empty then.

        Safe to repeat. What cannot be read is taken over, and set aside where it is replayed.
        """
        return await self._run(lambda: _adopt(self._connection, path, flows))

    async def close(self) -> None:
        """Let go of the file; an empty one is removed."""
        if self._writing is not None:
            await self._writing
        await self._run(lambda: _let_go(self._connection, self.path))
        self._thread.shutdown(wait=False)

    async def _select(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        return await self._run(lambda: self._connection.execute(statement, values).fetchall())

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.OperationalError as exc:
            if "full" in str(exc):
                raise StoreFullError(f"the disk of {self.path} is full; nothing was written, make room") from exc
            raise OutcomeUnknownError(f"{self.path} failed: {exc}; send it again, and look at its disk") from exc
        except sqlite3.Error as exc:
            raise OutcomeUnknownError(f"{self.path} failed: {exc}; send it again, and look at its disk") from exc


def _entry(seq: int, identity: bytes, payload: bytes) -> Entry | Unreadable:
    try:
        return Entry(seq=seq, conversation=_decode_identity(identity), message=_decode_message(payload))
    except UNREADABLE as exc:
        return Unreadable(seq=seq, reason=f"it cannot be read: {exc}")


async def open_journal(folder: Path, *, owner: str) -> Journal:
    """Return a new journal in a folder (an absolute path), which is made if it is not there.

    Args:
        folder: On a disk that survives this process.
        owner: Names whose journals are alike; goes into the file's name.

    Raises:
        StoreUnreadableError: The folder cannot be written.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="turnkeeper-journal")
    try:
        path, connection = await asyncio.get_running_loop().run_in_executor(thread, _create, folder, owner)
    except (OSError, sqlite3.Error) as exc:
        thread.shutdown(wait=False)
        raise StoreUnreadableError(
            f"no journal can be kept in {folder} ({exc}); give Outage(folder=…) a folder that this user may write"
        ) from exc
    return Journal(path, connection, thread)


def left_behind(own: Path, *, owner: str) -> list[Path]:
    """Return the owner's other journals beside this one, oldest first; a living process may have some of them."""
    others = (path for path in own.parent.glob(f"journal-{owner}-*.db") if path != own)
    found: list[tuple[float, Path]] = []
    for path in others:
        with contextlib.suppress(FileNotFoundError):  # another process has just taken it over
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]


def _create(folder: Path, owner: str) -> tuple[Path, sqlite3.Connection]:
    folder.mkdir(parents=True, exist_ok=True)
    path, connection = _new_file(folder, owner)
    try:
        with _transaction(connection):
            connection.execute(_CREATE)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    except sqlite3.Error:
        connection.close()
        raise
    return path, connection


def _new_file(folder: Path, owner: str) -> tuple[Path, sqlite3.Connection]:
    """Return a new locked file; one that a neighbour is just looking at stays behind, empty."""
    for _ in range(_NAMES - 1):
        path = _new_path(folder, owner)
        with contextlib.suppress(sqlite3.OperationalError):
            return path, lock_file(path)
    path = _new_path(folder, owner)
    return path, lock_file(path)


def _new_path(folder: Path, owner: str) -> Path:
    return folder / f"journal-{owner}-{secrets.token_hex(6)}.db"


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _change_all(connection: sqlite3.Connection, changes: Sequence[tuple[str, _Values]]) -> list[bool]:
    with _transaction(connection):
        return [connection.execute(statement, values).rowcount == 1 for statement, values in changes]


def _adopt(connection: sqlite3.Connection, path: Path, flows: Collection[str]) -> Adopted:
    """Copy first, remove after: killed in between, the next process finds messages twice, and each counts once."""
    try:
        other = lock_file(path, must_exist=True)
    except sqlite3.OperationalError:
        return Adopted()  # its process lives, or another one has just taken it over
    try:
        if other.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            return Adopted()
        found = other.execute("SELECT seq, conversation, message, identity, payload FROM entry ORDER BY seq").fetchall()
        flow_of = {row[0]: _flow(row[3]) for row in found}
        left = frozenset(flow for flow in flow_of.values() if flow is not None and flow not in flows)
        taken = [row for row in found if flow_of[row[0]] not in left]
        added = sum(_change_all(connection, [(_APPEND, row[1:]) for row in taken])) if taken else 0
        _change_all(other, [("DELETE FROM entry WHERE seq = ?", row[:1]) for row in taken])
    finally:
        other.close()
    if not left:
        path.unlink(missing_ok=True)
    return Adopted(count=added, left=left)


def _flow(identity: bytes) -> str | None:
    try:
        return _decode_identity(identity).flow
    except UNREADABLE:
        return None


def _let_go(connection: sqlite3.Connection, path: Path) -> None:
    (count,) = connection.execute("SELECT count(*) FROM entry").fetchone()
    connection.close()
    if not count:
        path.unlink(missing_ok=True)
