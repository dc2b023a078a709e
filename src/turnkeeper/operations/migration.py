"""Moves everything from a store to another: conversations, then documents. A second run goes on where one ended.

The source must not be served meanwhile: a message that it accepts for a conversation that has left begins a new one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

import msgspec

from turnkeeper.errors import ConfigurationError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.operations.moving import Moved, Mover
from turnkeeper.operations.parcels import parcels
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.documents import ABSENT, Document, DocumentKey
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.store import Store

SIDE_BY_SIDE = 16
"""Conversations on their way at once: SQLite syncs them together, and Redis answers while others are packed."""

QUIET_WITHIN = timedelta(seconds=20)
"""How long leases of servers that were just stopped may last: longer than the engine's (15 s)."""

_LOOK_SECONDS = 0.25
"""Between two looks whether the source came to rest."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be moved.

    Attributes:
        flow: Only conversations of this flow; documents belong to no flow and then stay.
        collections: Documents to move, by collection.
        dry_run: Count, and write nothing.
        patience: How long to wait for turns that still run in the source.
    """

    flow: str | None = None
    collections: Sequence[str] = ()
    dry_run: bool = False
    patience: timedelta = QUIET_WITHIN


class Report(msgspec.Struct, kw_only=True):
    """What was moved, or would be. `is_complete` tells whether nothing is left to do."""

    conversations: int = 0
    documents: int = 0
    busy: list[str] = []
    conflicts: list[str] = []
    document_conflicts: int = 0
    opt_outs: int = 0
    letters_left: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether everything that was asked for is in the target."""
        return not (self.busy or self.conflicts or self.document_conflicts)


Told = Callable[[Report], None]
"""Called after each conversation or document with what was done so far."""


async def migrate(source: Store, target: Store, plan: Plan, *, clock: Clock, told: Told = lambda _: None) -> Report:
    """Move what the plan says; safe to repeat after any end, a kill included.

    Args:
        source: Open; not served by anybody.
        target: Open; not served by anybody.
        plan: What.
        clock: For waiting.
        told: Hears of every step.

    Raises:
        ConfigurationError: Both are the same store, or the source is being served. Nothing was moved.
        RetryableError: A store does not answer; run it again.
        OutcomeUnknownError: An answer was lost; run it again.
    """
    await _refuse_same(source, target, dry_run=plan.dry_run)
    if plan.dry_run:
        return await _count(source, target, plan, told)
    run = _Run(source, target, plan, told)
    await run.parcels()  # before waiting: a run that was killed left leases of its own
    await _wait_for_rest(source, plan, clock)
    await run.conversations()
    await run.documents()
    run.report.letters_left = (await source.catalog.counts(flow=plan.flow)).dead
    told(run.report)
    return run.report


class _Run:
    """One run, from what an earlier one left on the way to the last document."""

    def __init__(self, source: Store, target: Store, plan: Plan, told: Told) -> None:
        self._source = source
        self._target = target
        self._plan = plan
        self._told = told
        self._mover = Mover(source, target)
        self._stuck: set[ConversationId] = set()
        self.report = Report()

    async def parcels(self) -> None:
        """Finish what an earlier run left on the way."""
        await self._move([one async for one in parcels(self._target) if self._plan.flow in {None, one.flow}])

    async def conversations(self) -> None:
        """Move what is forgotten and only remembered, then what is listed.

        In this order, because the list says which flows there are: a run that was killed finds them again.
        """
        flows = {self._plan.flow} if self._plan.flow is not None else set()
        async for page in listed(self._source, self._plan.flow):
            flows |= {one.flow for one in page}
        for flow in sorted(flows):
            async for page in _remembered(self._source, flow):
                await self._move(page)
        moved = -1
        while moved != self.report.conversations:
            moved = self.report.conversations
            async for page in listed(self._source, self._plan.flow):
                await self._move(page)

    async def _move(self, conversations: Sequence[ConversationId]) -> None:
        movable = [one for one in conversations if one not in self._stuck]
        for at in range(0, len(movable), SIDE_BY_SIDE):
            some = movable[at : at + SIDE_BY_SIDE]
            # What is on its way arrives, whatever becomes of the others.
            moves = await asyncio.gather(*(self._mover.move(one) for one in some), return_exceptions=True)
            for conversation, moved in zip(some, moves, strict=True):
                if isinstance(moved, BaseException):
                    raise moved
                self._note(conversation, moved)
            self._told(self.report)

    def _note(self, conversation: ConversationId, moved: Moved) -> None:
        if moved is Moved.MOVED:
            self.report.conversations += 1
        elif moved is not Moved.GONE:
            self._stuck.add(conversation)
            (self.report.busy if moved is Moved.BUSY else self.report.conflicts).append(conversation.key)

    async def documents(self) -> None:
        """Move the documents of the plan's collections.

        On Redis a state whose name begins as a collection's looks like one of its documents; one of a conversation
        that stays where it is stays with it.
        """
        states = {one.state_name for one in self._stuck}
        for collection in self._plan.collections:
            cursor = None
            while True:
                page = await self._source.documents.scan(collection, cursor=cursor, limit=MAX_BATCH)
                now_ms = (await self._source.deliveries.due(limit=1)).now_ms
                for key, document in page.items:
                    if _name_of(key) in states:
                        continue
                    if await self._move_document(key, document, now_ms):
                        self.report.documents += 1
                    else:
                        self.report.document_conflicts += 1
                self._told(self.report)
                if (cursor := page.cursor) is None:
                    break

    async def _move_document(self, key: DocumentKey, document: Document, now_ms: int) -> bool:
        """Copy, then delete what was copied; False: the target has another one, or it changed meanwhile."""
        ttl_ms = None if document.expires_ms is None else max(1, document.expires_ms - now_ms)
        etag = await self._target.documents.put(key, document.data, check=ABSENT, ttl_ms=ttl_ms)
        if etag is None:
            there = await self._target.documents.get(key)
            if there is not None and there.data != document.data:
                return False
        if await self._source.documents.delete(key, check=document.etag):
            return True
        if await self._source.documents.get(key) is None:
            return True
        await self._target.documents.delete(key, check=etag or ABSENT)
        return False


async def listed(store: Store, flow: str | None) -> AsyncIterator[list[ConversationId]]:
    """Yield every listed conversation in pages, also while those of earlier pages disappear."""
    cursor = None
    while True:
        page = await store.catalog.find(flow=flow, cursor=cursor, limit=MAX_BATCH)
        yield [item.conversation for item in page.items]
        if (cursor := page.cursor) is None:
            return


async def _remembered(store: Store, flow: str) -> AsyncIterator[list[ConversationId]]:
    """Yield what the change feed names and no list shows: forgotten, with receipts, log or opt-out left."""
    cursor = ""
    while True:
        changes = await store.catalog.watch(flow=flow, cursor=cursor, limit=MAX_BATCH)
        if not changes.items:
            return
        yield [change.conversation for change in changes.items if change.state is None]
        cursor = changes.cursor


async def _refuse_same(source: Store, target: Store, *, dry_run: bool) -> None:
    """Refuse to move a store into itself, which would end with erasing it."""
    names = (await source.catalog.info()).url, (await target.catalog.info()).url
    is_same = source is target or (names[0] == names[1] and names[0] != "memory://")
    if not is_same and not dry_run:
        probe = DocumentKey(collection="turnkeeper.probe", id="migrate")
        etag = await target.documents.put(probe, b"{}", ttl_ms=60_000)
        found = await source.documents.get(probe)
        is_same = found is not None and found.etag == etag
        await target.documents.delete(probe)
    if is_same:
        raise ConfigurationError(f"{names[0]} and {names[1]} are the same store; nothing was moved")


async def _wait_for_rest(source: Store, plan: Plan, clock: Clock) -> None:
    """Return once no turn runs in the source.

    Raises:
        ConfigurationError: Turns go on: somebody serves it.
    """
    until = clock.monotonic() + plan.patience.total_seconds()
    while running := (await source.catalog.counts(flow=plan.flow)).running:
        if clock.monotonic() >= until:
            raise ConfigurationError(
                f"{running} turns still run in {(await source.catalog.info()).url} after "
                f"{plan.patience.total_seconds():g} s: it is being served. Stop its servers (providers repeat what "
                "they could not deliver), then run this again. Nothing was moved"
            )
        await clock.sleep(_LOOK_SECONDS)


def _name_of(key: DocumentKey) -> str:
    return "" if key.person else f"{key.collection}:{key.id}"


async def _count(source: Store, target: Store, plan: Plan, told: Told) -> Report:
    """Return what a run would move, and what would stand in its way."""
    report, states = Report(), set[str]()
    async for page in listed(source, plan.flow):
        for conversation in page:
            states.add(conversation.state_name)
            if await target.catalog.export(conversation) is None:
                report.conversations += 1
            else:
                report.conflicts.append(conversation.key)
        told(report)
    for collection in plan.collections:
        cursor = None
        while True:
            found = await source.documents.scan(collection, cursor=cursor, limit=MAX_BATCH)
            report.documents += sum(_name_of(key) not in states for key, _ in found.items)
            if (cursor := found.cursor) is None:
                break
    return report
