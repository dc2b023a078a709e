"""The memory store keeps every promise of the ports."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.clock import SystemClock
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.store import Store
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing import ManualClock, StoreConformance
from turnkeeper.testing.conformance.scenario import Talk


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


class SetBackClock(SystemClock):
    """A clock whose wall time somebody sets back."""

    back_ms = 0

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return super().now_ms() - self.back_ms


@pytest.mark.anyio
async def test_the_time_of_the_store_never_runs_backwards() -> None:
    """Whatever happens to the machine's clock, a later grant has no earlier time."""
    clock = SetBackClock()
    talk = Talk(MemoryStore(clock=clock), ManualClock())
    before = await talk.take("m1")
    clock.back_ms = 60_000

    after = (await talk.apply(replace(talk.draft(before), take=0))).next

    assert after is not None
    assert after.now_ms >= before.now_ms


@pytest.mark.anyio
async def test_what_a_caller_still_holds_is_not_what_is_stored() -> None:
    """Changing a buffer afterwards changes nothing."""
    talk = Talk(MemoryStore(clock=ManualClock()), ManualClock())
    state, value = bytearray(b"state"), bytearray(b"value")
    key = DocumentKey(collection="session", id="1")
    await talk.apply(replace(talk.draft(await talk.take("m1")), state=state))
    await talk.store.documents.put(key, value)  # type: ignore[arg-type]  # a caller without mypy

    state[:], value[:] = b"other", b"other"

    document = await talk.store.documents.get(key)
    assert document is not None
    assert ((await talk.take("m2")).state, document.data) == (b"state", b"value")
