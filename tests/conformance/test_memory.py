"""The memory store keeps every promise of the ports."""

from pathlib import Path

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.store import Store
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing import ManualClock, StoreConformance


class TestMemory(StoreConformance):
    """It forgets at the end of the process, so it declares neither `restart` nor `second_process`."""

    abilities = frozenset({"evict"})

    def make_store(self, clock: ManualClock, path: Path) -> Store:
        """Each call is a store of its own."""
        assert path.is_dir()
        return MemoryStore(clock=clock)

    async def evict(self, store: Store, conversation: ConversationId) -> None:
        """As `MemoryStore.evict`."""
        assert isinstance(store, MemoryStore)
        store.evict(conversation)
