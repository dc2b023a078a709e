"""A store seen by one engine, with some conversations fenced off because they live elsewhere meanwhile.

An engine that runs a turn of a fenced conversation learns that its lease is lost: whoever has it goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import msgspec

from turnkeeper.errors import OutcomeUnknownError, RetryableError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage.carry.recent import Recent
from turnkeeper.ports.catalog import Catalog
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.deliveries import Claim, DeadPage, Deliveries, DueList, Lane, Settled, Settlement
from turnkeeper.ports.documents import Document, DocumentKey, DocumentPage, Documents, Ttl
from turnkeeper.ports.limits import MAX_BATCH, RECEIPTS_KEPT
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import (
    Begin,
    Begun,
    Commit,
    CommitAnswer,
    Fenced,
    Forgotten,
    Granted,
    Idle,
    LogRecord,
    Outcome,
    Release,
    Renewal,
    Renewed,
    Turns,
)

_PAUSE = timedelta(milliseconds=50)
"""Wait of a worker for whom everything that is due is fenced off: it must not spin."""

IsFenced = Callable[[ConversationId], bool]
IsSentHere = Callable[[ConversationId, str], bool]
OnVerdict = Callable[[Settlement], Settled | None]
"""Answers for the store, or not: then it is asked itself."""

Redirect = Callable[[Begin], Awaitable[Begun | None]]
"""Takes a begin where its conversation lives, and answers; None: it may begin here, now."""


def _nobody(conversation: ConversationId) -> bool:  # noqa: ARG001 - an `IsFenced`
    """Fence nobody off."""
    return False


class FencedStore:
    """See `turnkeeper.ports.store.Store`."""

    def __init__(
        self,
        store: Store,
        is_fenced: IsFenced,
        *,
        clock: Clock,
        recent: Recent | None = None,
        on_verdict: OnVerdict | None = None,
        is_sent_here: IsSentHere | None = None,
        redirect: Redirect | None = None,
    ) -> None:
        """Take the store and who is fenced off.

        Args:
            store: Not opened or closed by this one.
            is_fenced: Asked at every call; may change at any time.
            clock: Time.
            recent: Learns from what is asked and answered.
            on_verdict: Asked before the store is told how a delivery fared.
            is_sent_here: Whether a reply that is in the store is sent from elsewhere, so that it is nobody's here.
            redirect: Asked before every begin. With it only that and claims are fenced off: what was begun may end.
        """
        self._store = store
        self.turns: Turns = _FencedTurns(store.turns, is_fenced, clock, recent, redirect)
        self.deliveries: Deliveries = _FencedDeliveries(store.deliveries, is_fenced, recent, on_verdict, is_sent_here)
        self.documents: Documents = store.documents if recent is None else _SeenDocuments(store.documents, recent)
        self.catalog: Catalog = store.catalog

    async def open(self) -> None:
        """See `Store.open`."""
        await self._store.open()

    async def close(self) -> None:
        """See `Store.close`."""
        await self._store.close()


class _FencedTurns:
    def __init__(
        self, turns: Turns, is_fenced: IsFenced, clock: Clock, recent: Recent | None, redirect: Redirect | None
    ) -> None:
        self._turns = turns
        self._is_fenced = is_fenced if redirect is None else _nobody
        self._clock = clock
        self._recent = recent
        self._redirect = redirect

    async def begin(self, request: Begin, /) -> Begun:
        """See `Turns.begin`."""
        if self._is_fenced(request.conversation):
            if request.message is None:
                return Idle()
            raise StoreUnavailableError("this conversation lives elsewhere for the moment; send it again")
        if self._redirect is not None and (answer := await self._redirect(request)) is not None:
            return answer
        answer = await self._turns.begin(request)
        if self._is_fenced(request.conversation):  # since it was asked
            await self._hand_back(request, answer)
        elif self._recent is not None:
            self._recent.begun(request, answer)
        return answer

    async def _hand_back(self, request: Begin, answer: Begun) -> None:
        """Let go of what a begin granted for a conversation that was fenced off meanwhile."""
        if isinstance(answer, Granted):
            release = Release(conversation=request.conversation, token=request.token, outcome=Outcome.RETURNED)
            await self._turns.release(release)
        raise OutcomeUnknownError("this conversation moved elsewhere while it was asked for; send it again")

    async def commit(self, request: Commit, /) -> CommitAnswer:
        """See `Turns.commit`."""
        if self._is_fenced(request.conversation):
            return Fenced()
        if self._recent is None:  # here: the way back reads the ids of all messages from the log
            keep = max(request.log_keep, RECEIPTS_KEPT)
            return await self._turns.commit(msgspec.structs.replace(request, log_keep=keep))
        before = self._recent.committing(request)
        try:
            answer = await self._turns.commit(request)
        except RetryableError:
            self._recent.refused(request, before)
            raise
        if self._is_fenced(request.conversation):  # since it was sent: where it lives now it counts as applied
            return Fenced()
        self._recent.committed(request, answer, now_ms=self._clock.now_ms())
        return answer

    async def renew(self, requests: Sequence[Renewal], /) -> Sequence[Renewed]:
        """See `Turns.renew`."""
        is_free = [not self._is_fenced(request.conversation) for request in requests]
        free = [request for request, one in zip(requests, is_free, strict=True) if one]
        answers = iter(await self._turns.renew(free) if free else ())
        return [next(answers) if one else Renewed(held=False) for one in is_free]

    async def release(self, request: Release, /) -> bool:
        """See `Turns.release`."""
        if self._is_fenced(request.conversation):
            return False
        was_held = await self._turns.release(request)
        if self._recent is not None:
            self._recent.released(request.conversation, request.token)
        return was_held

    async def history(
        self, conversation: ConversationId, /, *, before: int | None = None, limit: int = 100
    ) -> Sequence[LogRecord]:
        """See `Turns.history`."""
        return await self._turns.history(conversation, before=before, limit=limit)

    async def forget(
        self, conversation: ConversationId, /, *, person: bool = False, mark: str | None = None
    ) -> Forgotten:
        """See `Turns.forget`."""
        return await self._turns.forget(conversation, person=person, mark=mark)


class _FencedDeliveries:
    def __init__(
        self,
        deliveries: Deliveries,
        is_fenced: IsFenced,
        recent: Recent | None,
        on_verdict: OnVerdict | None,
        is_sent_here: IsSentHere | None,
    ) -> None:
        self._deliveries = deliveries
        self._is_fenced = is_fenced
        self._recent = recent
        self._on_verdict = on_verdict
        self._is_sent_here = is_sent_here

    async def claim(self, lane: Lane, /, *, token: str, lease: timedelta, limit: int = 16) -> Claim | None:
        """See `Deliveries.claim`."""
        if self._is_fenced(lane.conversation):
            return None
        claim = await self._deliveries.claim(lane, token=token, lease=lease, limit=limit)
        if self._recent is not None:
            self._recent.claimed(lane, claim)
        return claim if claim is None or self._is_sent_here is None else self._without(claim, self._is_sent_here)

    def _without(self, claim: Claim, is_sent_here: IsSentHere) -> Claim | None:
        """Leave out what began to be sent from elsewhere since the claim was asked for."""
        conversation = claim.lane.conversation
        entries = tuple(entry for entry in claim.entries if not is_sent_here(conversation, entry.id))
        return msgspec.structs.replace(claim, entries=entries) if entries else None

    async def settle(self, settlements: Sequence[Settlement], /) -> Sequence[Settled]:
        """See `Deliveries.settle`. What a sender has in hand goes out, fenced off or not, and it need not wait."""
        if self._on_verdict is None:
            return await self._settle(settlements)
        noted = [self._on_verdict(one) for one in settlements]
        rest = [one for one, answer in zip(settlements, noted, strict=True) if answer is None]
        answers = iter(await self._settle(rest) if rest else ())
        return [next(answers) if answer is None else answer for answer in noted]

    async def _settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        answers = await self._deliveries.settle(settlements)
        if self._recent is not None:
            for one, answer in zip(settlements, answers, strict=True):
                self._recent.settled(one.lane, answer)
        return answers

    async def due(
        self,
        *,
        flows: Sequence[str] | None = None,
        limit: int = 64,
        wait: timedelta = timedelta(0),
        jobs: bool = True,
    ) -> DueList:
        """See `Deliveries.due`."""
        due = await self._deliveries.due(flows=flows, limit=limit, wait=wait, jobs=jobs)
        items = tuple(item for item in due.items if not self._is_fenced(item.conversation))
        if due.items and not items and limit < MAX_BATCH:  # what is fenced off must not hide what is not
            due = await self._deliveries.due(flows=flows, limit=MAX_BATCH, jobs=jobs)
            items = tuple(item for item in due.items if not self._is_fenced(item.conversation))
        if due.items and not items:
            await asyncio.sleep(min(_PAUSE, wait).total_seconds())
        return DueList(items=items, next_ms=due.next_ms, now_ms=due.now_ms)

    async def dead(self, *, flow: str | None = None, cursor: str | None = None, limit: int = 50) -> DeadPage:
        """See `Deliveries.dead`."""
        return await self._deliveries.dead(flow=flow, cursor=cursor, limit=limit)

    async def redrive(self, ids: Sequence[str], /) -> int:
        """See `Deliveries.redrive`."""
        return await self._deliveries.redrive(ids)

    async def cancel(self, conversation: ConversationId, /, *, ids: Sequence[str]) -> int:
        """See `Deliveries.cancel`."""
        return await self._deliveries.cancel(conversation, ids=ids)


class _SeenDocuments:
    """Documents whose parts are remembered when they are read."""

    def __init__(self, documents: Documents, recent: Recent) -> None:
        self._documents = documents
        self._recent = recent

    async def get(self, key: DocumentKey, /) -> Document | None:
        """See `Documents.get`."""
        document = await self._documents.get(key)
        if document is not None:
            self._recent.note_part(key, document.data)
        return document

    async def get_many(self, keys: Sequence[DocumentKey], /) -> Sequence[Document | None]:
        """See `Documents.get_many`."""
        return await self._documents.get_many(keys)

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
        return await self._documents.put(key, data, check=check, ttl_ms=ttl_ms, ttl=ttl)

    async def touch(self, key: DocumentKey, /, *, ttl_ms: int | None) -> bool:
        """See `Documents.touch`."""
        return await self._documents.touch(key, ttl_ms=ttl_ms)

    async def delete(self, key: DocumentKey, /, *, check: str | None = None) -> bool:
        """See `Documents.delete`."""
        return await self._documents.delete(key, check=check)

    async def scan(self, collection: str, /, *, cursor: str | None = None, limit: int = 100) -> DocumentPage:
        """See `Documents.scan`."""
        return await self._documents.scan(collection, cursor=cursor, limit=limit)
