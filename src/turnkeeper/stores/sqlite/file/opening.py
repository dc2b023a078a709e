"""Opens the file: looks first, creates the tables if it is empty, refuses what is not ours without touching it.

The file is never opened other than through SQLite: closing a descriptor of one's own would drop SQLite's locks
(https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from turnkeeper.errors import (
    StoreBusyError,
    StoreFullError,
    StoreNewerError,
    StoreUnreadableError,
    TurnkeeperError,
)
from turnkeeper.stores.sqlite import schema
from turnkeeper.stores.sqlite.file.failures import is_busy, translate
from turnkeeper.stores.sqlite.file.operations import OPERATION_SECONDS
from turnkeeper.stores.sqlite.file.patience import pause

Durability = Literal["disk", "memory"]
"""`disk` survives a power cut; `memory` survives a crash of the process, a power cut may take the last commits."""

OLDEST_SQLITE = (3, 24, 0)
"""The first with upserts."""

_SYNCHRONOUS = {"disk": "FULL", "memory": "NORMAL"}

CACHED_STATEMENTS = 256
"""More than there are, so that none is ever compiled twice."""

CACHE_KIB = 16 * 1024
"""Pages kept by the writer: the upper levels of all indexes of a million conversations."""

JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024
"""What stays of the write-ahead log after a burst. Not less: overwriting it is faster than growing it."""


def open_writer(path: Path, *, durability: Durability) -> sqlite3.Connection:
    """Return the connection that writes, after making sure that the file is ours and has our tables.

    Raises:
        StoreUnreadableError: It is not ours or cannot be used; it was not touched.
        StoreNewerError: It has a newer schema; it was not touched.
        StoreBusyError: Another process held it for too long.
        StoreFullError: There is no room for it.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise StoreUnreadableError(f"SQLite {sqlite3.sqlite_version} is too old for {path}; install {needed} or newer")
    connection: sqlite3.Connection | None = None
    try:
        _prepare_folder(path)
        _refuse_foreign(path)
        connection = connect(path, writable=True)
        _prepare_file(path, connection, durability)
    except (OSError, sqlite3.Error, TurnkeeperError) as exc:
        if connection is not None:
            connection.close()
        if isinstance(exc, TurnkeeperError):
            raise
        raise _cannot_open(path, exc) from exc
    return connection


def _prepare_file(path: Path, connection: sqlite3.Connection, durability: Durability) -> None:
    _until_free(lambda: _adopt(path, connection))
    _until_free(lambda: _use_log(path, connection))
    connection.execute(f"PRAGMA synchronous={_SYNCHRONOUS[durability]}")
    connection.execute("PRAGMA secure_delete=ON")  # what was erased is overwritten; costs nothing measurable
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    connection.execute(f"PRAGMA journal_size_limit={JOURNAL_LIMIT_BYTES}")


def connect(path: Path, *, writable: bool = False) -> sqlite3.Connection:
    """Return a connection to an existing store, to be used by the calling thread only."""
    uri = f"file:{quote(str(path))}?mode={'rwc' if writable else 'rw'}"
    connection = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None, cached_statements=CACHED_STATEMENTS)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    if writable:
        connection.execute("PRAGMA fullfsync=ON")  # macOS: fsync alone leaves the data in the drive's cache
        connection.execute("PRAGMA checkpoint_fullfsync=ON")
    else:
        connection.execute("PRAGMA query_only=ON")
    return connection


def _prepare_folder(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise StoreUnreadableError(f"{path} is a folder; name a file in it, such as {path / 'turnkeeper.db'}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StoreUnreadableError(f"{path.parent} cannot be written; SQLite needs to put files beside {path.name}")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise StoreUnreadableError(f"{path} cannot be read and written by this user; change its owner or rights")


def _refuse_foreign(path: Path) -> None:
    """Judge the file by its header alone: `immutable` makes SQLite take no lock and write nothing, not even `-shm`."""
    if not path.exists() or path.stat().st_size == 0:
        return
    uri = f"file:{quote(str(path))}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            application_id, version = _identity(connection)
    except sqlite3.DatabaseError:
        if not path.with_name(f"{path.name}-wal").exists():
            raise
        return  # killed in the middle of a checkpoint: whole only together with its log, through which `_adopt` looks
    if application_id != schema.APPLICATION_ID:
        raise StoreUnreadableError(
            f"{path} belongs to another application (application_id {application_id}); "
            "it was not touched, choose another path"
        )
    if version > schema.VERSION:
        raise StoreNewerError(where=str(path), found=version, known=schema.VERSION)


def _adopt(path: Path, connection: sqlite3.Connection) -> None:
    """Create the tables if nobody did, and look again: what the header alone could not tell stands in the log."""
    if _identity(connection) == (0, 0):
        _create(connection)
    application_id, version = _identity(connection)
    if version > schema.VERSION:
        raise StoreNewerError(where=str(path), found=version, known=schema.VERSION)
    if application_id != schema.APPLICATION_ID or version < schema.VERSION:
        raise StoreUnreadableError(f"{path} is an unknown kind of store (schema {version}); restore it from a backup")
    connection.execute("BEGIN IMMEDIATE")  # tells now, not at the first turn, that the file cannot be written
    connection.execute("ROLLBACK")
    connection.execute("SELECT number FROM meta").fetchone()


def _create(connection: sqlite3.Connection) -> None:
    """Make the tables and sign the file, in one transaction and before the log is used: all of it or an empty file."""
    connection.execute("BEGIN EXCLUSIVE")
    try:
        if _identity(connection) == (0, 0):
            for statement in schema.CREATE:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={schema.VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _use_log(path: Path, connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; the file remembers it."""
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise StoreUnreadableError(
            f"{path}: its file system cannot share a write-ahead log between processes; use a local disk"
        )


def _identity(connection: sqlite3.Connection) -> tuple[int, int]:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(application_id), int(version)


def _until_free(action: Callable[[], None]) -> None:
    """Repeat while another process is in the way, as long as any operation waits."""
    deadline = time.monotonic() + OPERATION_SECONDS
    while True:
        try:
            return action()
        except sqlite3.OperationalError as exc:
            if not is_busy(exc) or time.monotonic() >= deadline:
                raise
        pause()


def _cannot_open(path: Path, exc: Exception) -> TurnkeeperError:
    """Return what to raise instead: at opening nobody expects that waiting gives the right to write."""
    if not isinstance(exc, sqlite3.Error):
        return StoreUnreadableError(f"{path} cannot be reached ({exc}); check its folder, owner and rights")
    error = translate(exc, path=str(path))
    if isinstance(error, (StoreBusyError, StoreFullError, StoreUnreadableError)):
        return error
    return StoreUnreadableError(f"{path} cannot be opened ({exc}); check its owner, rights and disk")
