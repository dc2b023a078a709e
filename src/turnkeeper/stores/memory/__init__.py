"""A store in this process's memory: the executable definition of the ports, and the store of tests.

It keeps every promise that does not need a disk. Everything is gone when the process ends.
"""

from typing import Final

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.stores.memory.catalog import MemoryCatalog
from turnkeeper.stores.memory.deliveries import MemoryDeliveries
from turnkeeper.stores.memory.documents import MemoryDocuments
from turnkeeper.stores.memory.medium import Medium
from turnkeeper.stores.memory.tables import Tables, key_of
from turnkeeper.stores.memory.turns import MemoryTurns

__all__ = ["MemoryStore"]


class MemoryStore:
    """See `turnkeeper.ports.store.Store`. Deterministic; may be called from several threads' event loops."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        """Take the clock that leases, retention and timers follow; the machine's, unless a test brings its own."""
        self._medium = Medium(clock or SystemClock())
        self.turns: Final = MemoryTurns(self._medium)
        self.deliveries: Final = MemoryDeliveries(self._medium)
        self.documents: Final = MemoryDocuments(self._medium)
        self.catalog: Final = MemoryCatalog(self._medium)

    async def open(self) -> None:
        """See `Store.open`. There is nothing to open."""

    async def close(self) -> None:
        """See `Store.close`. What is stored stays until the process ends."""

    def evict(self, conversation: ConversationId) -> None:
        """Drop a state, and nothing else, as a server does that is short of memory. For tests.

        The next grant says `lost`. A conversation without a state is left as it is.
        """

        def evict(tables: Tables, _now: int) -> None:
            if (head := tables.heads.get(key_of(conversation))) is not None:
                head.state = None

        self._medium.change(evict)
