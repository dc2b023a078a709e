"""A SQLite file, and what other processes and the disk do to it.

The disk is full by a limit of file sizes that is set on running workers: SQLite gets the same refusal from the kernel
as from a quota, in the middle of whatever it writes.
"""

import asyncio
import resource
import sqlite3
from collections.abc import Sequence

from tests.chaos.leftovers import Left, rows, rows_of
from tests.chaos.workers import Workers
from tests.chaos.world import EVERYWHERE, ON_SQLITE, Attack, Fault, World
from turnkeeper.testing.history import Footprint

FULL_BYTES = 16 * 1024
"""Beyond it no worker may write to any file: four pages, fewer than any commit touches."""


class SqliteUnderAttack:
    """The file. See `Target`."""

    expected = EVERYWHERE | ON_SQLITE
    requests = None
    """Nobody can count from outside how often a file is read; what reading costs is counted by the kernel."""

    def __init__(self, world: World) -> None:
        """Take the run."""
        self._world = world
        self._path = world.folder / "chaos.db"

    @property
    def url(self) -> str:
        """Where everybody finds it."""
        return f"sqlite://{self._path}"

    direct_url = url

    async def open(self) -> None:
        """Do nothing: workers make the file."""

    def close(self) -> None:
        """Do nothing."""

    async def footprints(self, left: Left) -> tuple[Footprint, Footprint]:
        """Count rows."""
        held = await asyncio.to_thread(rows, self._path)
        return Footprint(entries=rows_of(left), is_baseline=True), Footprint(entries=dict(held))

    def attacks(self, workers: Workers) -> tuple[Attack, ...]:
        """What may be done to it, one after the other."""

        async def fill_disk() -> None:
            await self.fill_disk(workers.pids)

        return (self.lock, self.read_for_long, fill_disk)

    async def lock(self) -> None:
        """Hold the write lock from this process."""
        self._world.strike(Fault.FILE_LOCKED)
        other = sqlite3.connect(self._path, isolation_level=None, timeout=5.0, check_same_thread=False)
        try:
            await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
            await asyncio.sleep(self._world.chance.uniform(0.1, 0.8))
        except sqlite3.OperationalError:  # the workers were faster for all that time
            return
        finally:
            other.close()

    async def read_for_long(self) -> None:
        """Hold a snapshot from this process, so that the log cannot be brought into the file."""
        self._world.strike(Fault.FILE_READ)
        other = sqlite3.connect(self._path, isolation_level=None, timeout=5.0)
        try:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM sqlite_master").fetchone()
            await asyncio.sleep(self._world.chance.uniform(0.3, 1.5))
        finally:
            other.close()

    async def fill_disk(self, pids: Sequence[int]) -> None:
        """Let the kernel refuse every write of the workers that are there now, for a moment."""
        self._world.strike(Fault.DISK_FULL)
        self._limit(pids, FULL_BYTES)
        try:
            await asyncio.sleep(self._world.chance.uniform(0.2, 0.8))
        finally:
            self._limit(pids, None)

    @staticmethod
    def _limit(pids: Sequence[int], size: int | None) -> None:
        for pid in pids:
            try:
                _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (most if size is None else size, most))
            except ProcessLookupError:
                continue
