"""Says in Turnkeeper's words what SQLite reported: was anything written, may it be repeated, who must act.

The codes are SQLite's extended result codes (https://www.sqlite.org/rescode.html); their low byte is the kind.
"""

import sqlite3

from turnkeeper.errors import (
    OutcomeUnknownError,
    PermanentError,
    StoreBusyError,
    StoreFullError,
    StoreUnavailableError,
    StoreUnreadableError,
    TurnkeeperError,
)

_KIND = 0xFF
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NOT_OURS = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT})
_NO_ACCESS = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})
_NO_RESOURCES = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT})
_REFUSED_WRITES = frozenset({sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE})
"""I/O errors by which a file system says that it has no room: a quota, a file size limit, no space for `-shm`."""


def is_busy(exc: sqlite3.Error) -> bool:
    """Return whether another connection was in the way, so that waiting may help."""
    return _code(exc) & _KIND in _BUSY


def translate(exc: sqlite3.Error, *, path: str, in_commit: bool = False) -> TurnkeeperError:
    """Return the error to raise; raise it `from` the one given.

    Args:
        exc: What SQLite raised, after the transaction was rolled back.
        path: The database file, for the text.
        in_commit: COMMIT itself failed: after an I/O error nobody knows what a crash would leave of it.
    """
    code = _code(exc)
    kind = code & _KIND
    if kind in _BUSY:
        return StoreBusyError(f"{path} is locked by another process; nothing was written, repeat it")
    if kind == sqlite3.SQLITE_FULL or code in _REFUSED_WRITES:
        return StoreFullError(f"{path}: no room ({exc}); nothing was written, free disk space and repeat it")
    if kind in _NOT_OURS:
        return StoreUnreadableError(f"{path} is damaged or no SQLite database ({exc}); restore it from a backup")
    if kind in _NO_ACCESS:
        return StoreUnavailableError(f"{path} cannot be written ({exc}); check its owner, rights and mount")
    if kind in _NO_RESOURCES:
        if in_commit:
            return OutcomeUnknownError(f"{path}: {exc} while committing; repeat it with the same ids")
        return StoreUnavailableError(f"{path}: {exc}; nothing was written, check the disk")
    return PermanentError(f"{path}: SQLite refused a statement ({exc}); nothing was written, please report this")


def _code(exc: sqlite3.Error) -> int:
    """Return the extended code; errors that Python's module raises by itself have none."""
    code: int = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code
