"""The store, seen from one running turn. See `ports.program.Tools`; every call costs one round trip."""

import asyncio
from collections.abc import Sequence

from turnkeeper.engine.heartbeat import Held
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import LogRecord, Renewal


class TurnTools:
    """See `ports.program.Tools`."""

    __slots__ = ("_held", "_lease_ms", "_store")

    def __init__(self, store: Store, held: Held, lease_ms: int) -> None:
        """Take the lease of the turn that they serve."""
        self._store = store
        self._held = held
        self._lease_ms = lease_ms

    async def part(self, part_id: str, /) -> bytes | None:
        """See `Tools.part`."""
        document = await self._store.documents.get(part_key(self._held.conversation, part_id))
        return None if document is None else document.data

    async def remember(self, step: str, data: bytes, /) -> None:
        """See `Tools.remember`."""
        held = self._held
        renewal = Renewal(conversation=held.conversation, token=held.token, lease_ms=self._lease_ms, memo=(step, data))
        (answer,) = await self._store.turns.renew([renewal])
        if not answer.held:
            held.lost = True
            raise asyncio.CancelledError

    async def history(self, *, before: int | None = None, limit: int = 100) -> Sequence[LogRecord]:
        """See `Tools.history`."""
        return await self._store.turns.history(self._held.conversation, before=before, limit=limit)
