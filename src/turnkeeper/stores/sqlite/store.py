"""The store in one SQLite file: nothing to install, and every promise kept through kill -9 and, by default, power cuts.

Several processes of one host may share the file. Not over a network: SQLite's locks do not work there.
"""

from pathlib import Path

from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.stores.sqlite.catalog import SqliteCatalog
from turnkeeper.stores.sqlite.deliveries import SqliteDeliveries
from turnkeeper.stores.sqlite.documents import SqliteDocuments
from turnkeeper.stores.sqlite.file.opening import Durability
from turnkeeper.stores.sqlite.medium import Medium
from turnkeeper.stores.sqlite.turns import SqliteTurns


class SqliteStore:
    """See `turnkeeper.ports.store.Store`. May be called from several threads' event loops.

    After a fork the child opens the file for itself. A forgotten `close` loses nothing that was acknowledged.
    """

    def __init__(self, path: str | Path, *, clock: Clock | None = None, durability: Durability = "disk") -> None:
        """Take where the file is or will be; missing folders are made when it is opened.

        Args:
            path: Of the database. `-wal` and `-shm` files stand beside it while it is open.
            clock: What leases, retention and timers follow; the machine's, unless a test brings its own.
            durability: `disk` syncs every commit; `memory` may lose the last commits when the machine loses power.
        """
        # Absolute, so that a later change of the working directory does not look as if the file were gone.
        self._medium = Medium(Path(path).absolute(), clock=clock or SystemClock(), durability=durability)
        self._turns = SqliteTurns(self._medium)
        self._deliveries = SqliteDeliveries(self._medium)
        self._documents = SqliteDocuments(self._medium)
        self._catalog = SqliteCatalog(self._medium)

    @property
    def turns(self) -> SqliteTurns:
        """See `Store.turns`."""
        return self._turns

    @property
    def deliveries(self) -> SqliteDeliveries:
        """See `Store.deliveries`."""
        return self._deliveries

    @property
    def documents(self) -> SqliteDocuments:
        """See `Store.documents`."""
        return self._documents

    @property
    def catalog(self) -> SqliteCatalog:
        """See `Store.catalog`."""
        return self._catalog

    async def open(self) -> None:
        """See `Store.open`.

        Raises:
            StoreUnreadableError: The file is not ours, or cannot be used. It was not touched.
            StoreNewerError: It was written by a newer Turnkeeper. It was not touched.
            StoreBusyError: Another process held it for too long.
            StoreFullError: There is no room for it.
        """
        await self._medium.open()

    async def close(self) -> None:
        """See `Store.close`. Later operations raise `StoreUnavailableError`; `open` makes it usable again."""
        await self._medium.close()
