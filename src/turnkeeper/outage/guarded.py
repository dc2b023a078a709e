"""Any store behind a circuit breaker, so that a dead one costs milliseconds.

A worker that waits for something due waits here as well while the store is away: it neither spins nor fills the log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage.breaker import Breaker
from turnkeeper.ports.catalog import Catalog, Changes, Counts, Exported, StoreInfo, SummaryPage
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.deliveries import Claim, DeadPage, Deliveries, DueList, Lane, Settled, Settlement
from turnkeeper.ports.documents import Document, DocumentKey, DocumentPage, Documents, Ttl
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import (
    Begin,
    Begun,
    Commit,
    CommitAnswer,
    Forgotten,
    LogRecord,
    Release,
    Renewal,
    Renewed,
    Turns,
)

_PROBE = DocumentKey(collection="turnkeeper.outage", id="probe")

_PROBE_KEPT_MS = 60_000
"""The probe leaves nothing behind for longer than anybody looks."""

OnForget = Callable[[ConversationId, bool], Awaitable[None]]
"""Called with a conversation that was erased, and whether all of its person's were."""


class GuardedStore:
    """See `turnkeeper.ports.store.Store`. Every call may also raise `StoreDownError`, at once."""

    def __init__(self, store: Store, breaker: Breaker, *, clock: Clock, may_open_later: bool = False) -> None:
        """Take the store; with `may_open_later` one that is away opens when it is back."""
        self.inner = store
        self.breaker = breaker
        self._may_open_later = may_open_later
        self._turns = _GuardedTurns(store.turns, breaker)
        self.turns: Turns = self._turns
        self.deliveries: Deliveries = _GuardedDeliveries(store.deliveries, breaker, clock)
        self.documents: Documents = _GuardedDocuments(store.documents, breaker)
        self.catalog: Catalog = _GuardedCatalog(store.catalog, breaker)

    def tell_of_erasures(self, listener: OnForget) -> None:
        """Call a listener after every `Turns.forget` that goes through here."""
        self._turns.on_forget = listener

    async def open(self) -> None:
        """See `Store.open`."""
        try:
            await self.breaker.probe(self.inner.open)
        except (StoreUnavailableError, OutcomeUnknownError) as exc:
            if not self._may_open_later:
                raise
            self.breaker.trip(exc)

    async def prove(self) -> None:
        """Ask the store whether it takes writes; that it was opened once, or that a replica answers, proves nothing.

        Raises:
            TurnkeeperError: It does not.
        """
        await self.inner.open()
        await self.inner.documents.put(_PROBE, b"{}", ttl_ms=_PROBE_KEPT_MS)

    async def close(self) -> None:
        """See `Store.close`."""
        await self.inner.close()


class _GuardedTurns:
    on_forget: OnForget | None = None

    def __init__(self, turns: Turns, breaker: Breaker) -> None:
        self._turns = turns
        self._ask = breaker.ask

    async def begin(self, request: Begin, /) -> Begun:
        """See `Turns.begin`."""
        return await self._ask(lambda: self._turns.begin(request))

    async def commit(self, request: Commit, /) -> CommitAnswer:
        """See `Turns.commit`."""
        return await self._ask(lambda: self._turns.commit(request))

    async def renew(self, requests: Sequence[Renewal], /) -> Sequence[Renewed]:
        """See `Turns.renew`."""
        return await self._ask(lambda: self._turns.renew(requests))

    async def release(self, request: Release, /) -> bool:
        """See `Turns.release`."""
        return await self._ask(lambda: self._turns.release(request))

    async def history(
        self, conversation: ConversationId, /, *, before: int | None = None, limit: int = 100
    ) -> Sequence[LogRecord]:
        """See `Turns.history`."""
        return await self._ask(lambda: self._turns.history(conversation, before=before, limit=limit))

    async def forget(
        self, conversation: ConversationId, /, *, person: bool = False, mark: str | None = None
    ) -> Forgotten:
        """See `Turns.forget`."""
        forgotten = await self._ask(lambda: self._turns.forget(conversation, person=person, mark=mark))
        if self.on_forget is not None and not forgotten.changed:
            await self.on_forget(conversation, person)
        return forgotten


class _GuardedDeliveries:
    def __init__(self, deliveries: Deliveries, breaker: Breaker, clock: Clock) -> None:
        self._deliveries = deliveries
        self._breaker = breaker
        self._ask = breaker.ask
        self._clock = clock

    async def claim(self, lane: Lane, /, *, token: str, lease: timedelta, limit: int = 16) -> Claim | None:
        """See `Deliveries.claim`."""
        return await self._ask(lambda: self._deliveries.claim(lane, token=token, lease=lease, limit=limit))

    async def settle(self, settlements: Sequence[Settlement], /) -> Sequence[Settled]:
        """See `Deliveries.settle`."""
        return await self._ask(lambda: self._deliveries.settle(settlements))

    async def due(
        self,
        *,
        flows: Sequence[str] | None = None,
        limit: int = 64,
        wait: timedelta = timedelta(0),
        jobs: bool = True,
    ) -> DueList:
        """See `Deliveries.due`. While the store is away nothing is known to be due; who may wait is kept waiting."""
        if wait and self._breaker.is_open:
            try:
                async with asyncio.timeout(wait.total_seconds()):
                    await self._breaker.until(is_open=False)
            except TimeoutError:
                return DueList(items=(), next_ms=None, now_ms=self._clock.now_ms())
        return await self._ask(lambda: self._deliveries.due(flows=flows, limit=limit, wait=wait, jobs=jobs))

    async def dead(self, *, flow: str | None = None, cursor: str | None = None, limit: int = 50) -> DeadPage:
        """See `Deliveries.dead`."""
        return await self._ask(lambda: self._deliveries.dead(flow=flow, cursor=cursor, limit=limit))

    async def redrive(self, ids: Sequence[str], /) -> int:
        """See `Deliveries.redrive`."""
        return await self._ask(lambda: self._deliveries.redrive(ids))

    async def cancel(self, conversation: ConversationId, /, *, ids: Sequence[str]) -> int:
        """See `Deliveries.cancel`."""
        return await self._ask(lambda: self._deliveries.cancel(conversation, ids=ids))


class _GuardedDocuments:
    def __init__(self, documents: Documents, breaker: Breaker) -> None:
        self._documents = documents
        self._ask = breaker.ask

    async def get(self, key: DocumentKey, /) -> Document | None:
        """See `Documents.get`."""
        return await self._ask(lambda: self._documents.get(key))

    async def get_many(self, keys: Sequence[DocumentKey], /) -> Sequence[Document | None]:
        """See `Documents.get_many`."""
        return await self._ask(lambda: self._documents.get_many(keys))

    async def put(
        self,
        key: DocumentKey,
        data: bytes,
        /,
        *,
        check: str | None = None,
        ttl_ms: int | None = None,
        ttl: Ttl = Ttl.SET,
    ) -> str | None:
        """See `Documents.put`."""
        return await self._ask(lambda: self._documents.put(key, data, check=check, ttl_ms=ttl_ms, ttl=ttl))

    async def touch(self, key: DocumentKey, /, *, ttl_ms: int | None) -> bool:
        """See `Documents.touch`."""
        return await self._ask(lambda: self._documents.touch(key, ttl_ms=ttl_ms))

    async def delete(self, key: DocumentKey, /, *, check: str | None = None) -> bool:
        """See `Documents.delete`."""
        return await self._ask(lambda: self._documents.delete(key, check=check))

    async def scan(self, collection: str, /, *, cursor: str | None = None, limit: int = 100) -> DocumentPage:
        """See `Documents.scan`."""
        return await self._ask(lambda: self._documents.scan(collection, cursor=cursor, limit=limit))


class _GuardedCatalog:
    def __init__(self, catalog: Catalog, breaker: Breaker) -> None:
        self._catalog = catalog
        self._ask = breaker.ask

    async def find(
        self,
        *,
        flow: str | None = None,
        status: str | None = None,
        person: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> SummaryPage:
        """See `Catalog.find`."""
        return await self._ask(
            lambda: self._catalog.find(flow=flow, status=status, person=person, cursor=cursor, limit=limit)
        )

    async def counts(self, *, flow: str | None = None) -> Counts:
        """See `Catalog.counts`."""
        return await self._ask(lambda: self._catalog.counts(flow=flow))

    async def watch(self, *, flow: str, cursor: str = "", wait: timedelta = timedelta(0), limit: int = 256) -> Changes:
        """See `Catalog.watch`."""
        return await self._ask(lambda: self._catalog.watch(flow=flow, cursor=cursor, wait=wait, limit=limit))

    async def export(self, conversation: ConversationId, /) -> Exported | None:
        """See `Catalog.export`."""
        return await self._ask(lambda: self._catalog.export(conversation))

    async def restore(self, exported: Exported, /) -> bool:
        """See `Catalog.restore`."""
        return await self._ask(lambda: self._catalog.restore(exported))

    async def info(self) -> StoreInfo:
        """See `Catalog.info`."""
        return await self._ask(self._catalog.info)
