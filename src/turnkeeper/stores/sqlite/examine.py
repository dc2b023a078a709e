"""Examines a file, also one that the store itself would refuse. Writes one document, as the store does, and removes it.

Everything else is read through a connection that cannot write.
"""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from turnkeeper.errors import ConfigurationError, StoreUnreadableError, TurnkeeperError
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.findings import Finding, Level
from turnkeeper.stores.sqlite import schema
from turnkeeper.stores.sqlite.file.disk import RESERVE_BYTES
from turnkeeper.stores.sqlite.file.opening import JOURNAL_LIMIT_BYTES, Durability
from turnkeeper.stores.sqlite.store import SqliteStore

LOW_DISK_BYTES = 1024 * 1024 * 1024
"""A day of a busy server; below it, somebody should make room."""

CHECKED_BYTES = 2 * 1024 * 1024 * 1024
"""A larger file is not checked page by page: that would read for minutes while it is served."""

SLOW_WRITE_MS = 50.0
"""A disk takes less for a sync; a network or an SD card more."""

WRITES = 10
"""Enough for a median."""

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "fuse.glusterfs", "ceph", "afs"})
"""File systems whose locks do not hold between machines (https://www.sqlite.org/faq.html, question 5)."""

_COUNTS = """
    SELECT (SELECT count(*) FROM conversation WHERE is_known),
        (SELECT count(*) FROM conversation WHERE token <> '' AND lease_until_ms > :now),
        (SELECT total(waiting) FROM conversation WHERE due_ms IS NOT NULL),
        (SELECT count(*) FROM dead)
"""


async def examine(path: Path, *, clock: Clock, durability: Durability) -> Sequence[Finding]:
    """Return what there is to say of a file.

    Raises:
        ConfigurationError: There is no such file; none was made.
        StoreUnreadableError: It cannot be read.
    """
    findings = await asyncio.to_thread(_read, path, clock.now_ms(), durability)
    is_ours = findings[0].level == "ok"
    return [*findings, await _write(path, clock, durability)] if is_ours else findings


def _read(path: Path, now_ms: int, durability: Durability) -> list[Finding]:
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path.absolute()}; name another one with --store")
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1)) as connection:
            findings = [*_identity(connection), *_durability(durability)]
            findings += [*_disk(path), *_log(path, connection), *_whole(path, connection)]
            if findings[0].level == "ok":
                findings += _contents(connection, path, now_ms)
    except sqlite3.Error as exc:
        raise StoreUnreadableError(f"{path} cannot be read ({exc}); check its owner and rights") from exc
    return findings


def _finding(check: str, level: Level, found: str, advice: str = "") -> Finding:
    return Finding(check=check, level=level, found=found, advice=advice)


def _identity(connection: sqlite3.Connection) -> Iterator[Finding]:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != schema.APPLICATION_ID:
        yield _finding("schema", "danger", "another application's file", "choose another path; nothing was written")
    elif version > schema.VERSION:
        advice = f"this Turnkeeper knows schema {schema.VERSION}: upgrade it here, or choose another file"
        yield _finding("schema", "danger", f"schema {version}", advice)
    else:
        yield _finding("schema", "ok", f"schema {version}")
    yield _finding("version", "ok", f"SQLite {sqlite3.sqlite_version}")


def _durability(durability: Durability) -> Iterator[Finding]:
    if durability == "disk":
        yield _finding("durability", "ok", "disk: every commit is synced; nothing that was acknowledged is lost")
    else:
        advice = "leave ?durability=memory out if that matters"
        yield _finding("durability", "warn", "memory: a power cut may take the last commits", advice)


def _disk(path: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(path.absolute().parent).free
    level: Level = "danger" if free < 2 * RESERVE_BYTES else "warn" if free < LOW_DISK_BYTES else "ok"
    advice = "" if level == "ok" else f"make room: below {_mib(RESERVE_BYTES)} new messages are refused"
    yield _finding("disk", level, f"{_mib(free)} free", advice)
    kind = _file_system(path.absolute())
    if kind in _NETWORK:
        advice = "its locks do not hold between machines: put the file on a local disk"
        yield _finding("file system", "danger", kind, advice)
    else:
        yield _finding("file system", "ok", kind or "local, as far as can be told")


def _file_system(path: Path) -> str:
    """Return the kind of the file system that a path lies on; nothing where the kernel does not list them."""
    with contextlib.suppress(OSError):
        mounts = [line.split(" ")[1:3] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
        found = [(place, kind) for place, kind in mounts if path.is_relative_to(place.replace("\\040", " "))]
        return max(found, key=lambda mount: len(mount[0]))[1] if found else ""
    return ""


def _log(path: Path, connection: sqlite3.Connection) -> Iterator[Finding]:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        yield _finding("log", "warn", f"journal mode {mode}", "a server switches to a write-ahead log when it opens it")
        return
    log = path.with_name(f"{path.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    is_long = size > 2 * JOURNAL_LIMIT_BYTES
    advice = "somebody reads for very long, so that it cannot be brought into the file: look for a copy or a shell"
    yield _finding("log", "warn" if is_long else "ok", f"{_mib(size)} ahead of the file", advice if is_long else "")


def _whole(path: Path, connection: sqlite3.Connection) -> Iterator[Finding]:
    size = path.stat().st_size
    if size > CHECKED_BYTES:
        advice = f"while it is not served: sqlite3 {path} 'PRAGMA quick_check'"
        yield _finding("integrity", "warn", f"not checked: the file has {_mib(size)}", advice)
        return
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    advice = "" if found == "ok" else "stop the servers and bring it back from a backup"
    yield _finding("integrity", "ok" if found == "ok" else "danger", str(found), advice)


def _contents(connection: sqlite3.Connection, path: Path, now_ms: int) -> Iterator[Finding]:
    conversations, leases, waiting, dead = connection.execute(_COUNTS, {"now": now_ms}).fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    each = f", {(pages - free) * page_bytes // conversations} bytes each" if conversations else ""
    yield _finding("conversations", "ok", f"{conversations}{each}; the file has {_mib(path.stat().st_size)}")
    yield _finding("work", "ok", f"{int(waiting)} messages wait, {leases} turns run")
    advice = "see what they are: turnkeeper dead-letters list" if dead else ""
    yield _finding("dead letters", "warn" if dead else "ok", str(dead), advice)


async def _write(path: Path, clock: Clock, durability: Durability) -> Finding:
    store = SqliteStore(path, clock=clock, durability=durability)
    probe = DocumentKey(collection="turnkeeper.doctor", id=f"probe-{os.getpid()}")
    took = []
    try:
        for _ in range(WRITES):
            began = time.perf_counter()
            await store.documents.put(probe, b"{}", ttl_ms=60_000)
            took.append((time.perf_counter() - began) * 1000)
        await store.documents.delete(probe)
    except TurnkeeperError as exc:
        return _finding("write", "danger", str(exc), "no message is taken while that lasts")
    finally:
        await store.close()
    middle = sorted(took)[len(took) // 2]
    advice = "" if middle <= SLOW_WRITE_MS else "every message waits for that: use a local disk that syncs faster"
    return _finding("write", "ok" if middle <= SLOW_WRITE_MS else "warn", f"p50 {middle:.2f} ms of {WRITES}", advice)


def _mib(count: int) -> str:
    return f"{count / 1024 / 1024:,.1f} MiB"
