"""The SQLite store keeps every promise of the ports."""

from pathlib import Path

from turnkeeper.ports.store import Store
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.testing import ManualClock, StoreConformance


class TestSqlite(StoreConformance):
    """Its file outlives it, and several processes may use it; it never drops a state on its own."""

    abilities = frozenset({"restart", "second_process"})

    def make_store(self, clock: ManualClock, path: Path) -> Store:
        """One file in each folder."""
        return SqliteStore(path / "turnkeeper.db", clock=clock)
