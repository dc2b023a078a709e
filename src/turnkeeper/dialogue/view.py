"""`View`: every state of a flow, live and read-only, in memory. What other processes commit shows up within a second.

It is a copy, to be read: looking costs no round trip, and what somebody changes in it is stored nowhere.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Generic, Self, TypeVar
from weakref import WeakKeyDictionary

import msgspec

from turnkeeper.dialogue.plan import FlowPlan
from turnkeeper.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    RetryableError,
    StateNewerError,
    StateUndecodableError,
)
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Catalog, Change, Changes
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.store import Store

S = TypeVar("S")

logger = logging.getLogger(__name__)

_WAIT = timedelta(seconds=0.8)
"""How long one look for changes waits, less than a second by the way there and back: an idle view costs one in it."""

_TOLD_EVERY = 20_000
"""States between two lines of the log that tell of a restore: some of them in a minute, none in an ordinary start."""

_TAKEN_AT_ONCE = 32
"""States that a restore reads before it lets others run: half a millisecond."""

_BACKOFF_SECONDS = (0.1, 1.0)
"""First and longest wait before a store that did not answer is asked again."""

_OUTAGE = (RetryableError, OutcomeUnknownError)


class Seen(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """One conversation as the view knows it."""

    conversation: ConversationId
    status: str
    version: int
    state: S


class View(Mapping[str, S]):
    """States by person, `person:member` where several people share an address.

    Example: `orders = app.view(flow)`, then `orders["5866"].status` while the application runs.

    It opens and closes with its application. It is restored before its first use, and follows the store from then on.
    While the store is away it keeps what it knows and shows what is carried on here; `is_behind` says so.
    """

    def __init__(
        self,
        catalog: Callable[[], Catalog],
        plan: FlowPlan[S],
        *,
        beside: Callable[[], Sequence[Store]] = tuple,
    ) -> None:
        """Bind a view. Nothing is opened before `open`.

        Args:
            catalog: Where to look, asked for at each look.
            plan: How to read what is found.
            beside: The stores in which conversations live while that one is away.
        """
        self._catalog = catalog
        self._plan = plan
        self._beside = beside
        self._cursors: WeakKeyDictionary[Store, str] = WeakKeyDictionary()
        self._seen: dict[str, Seen[S]] = {}
        self._cursor = ""
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self.is_behind = False
        """Whether the store did not answer the last look."""
        self.unreadable: dict[str, str] = {}
        """States that this code cannot read, with the reason. They stay in the store."""

    async def open(self, *, on_progress: Callable[[int], None] | None = None) -> None:
        """Restore every state, then follow. Safe to call twice; after `close` it begins anew.

        A store that does not answer stops nobody: the view begins empty and fills later.

        Args:
            on_progress: Called with how many states were restored so far.
        """
        if self._task is not None:
            return
        self._seen.clear()
        self.unreadable.clear()
        self._cursor = ""
        try:
            await self._restore(on_progress)
        except _OUTAGE as exc:
            self._fell_behind(exc)
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Stop following. Safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __getitem__(self, person: str, /) -> S:
        self._check_open()
        return self._seen[person].state

    def __iter__(self) -> Iterator[str]:
        self._check_open()
        return iter(self._seen)

    def __len__(self) -> int:
        self._check_open()
        return len(self._seen)

    def look(self, person: str) -> Seen[S] | None:
        """Return a conversation with its status and version, None if there is none."""
        self._check_open()
        return self._seen.get(person)

    def where(self, told: Callable[[Seen[S]], bool]) -> list[Seen[S]]:
        """Return every conversation for which it is true, in order of their last change, oldest first."""
        self._check_open()
        return [seen for seen in self._seen.values() if told(seen)]

    def in_status(self, *statuses: str) -> list[Seen[S]]:
        """Return every conversation in one of these statuses, in order of their last change, oldest first."""
        return self.where(lambda seen: seen.status in statuses)

    async def changed(self) -> None:
        """Wait until anything changes."""
        self._check_open()
        self._moved.clear()
        await self._moved.wait()

    def _check_open(self) -> None:
        if self._task is None:
            raise ConfigurationError(
                f"the view of {self._plan.name!r} is not open: its states are not here yet; "
                "start the application first: `async with app.running(): …`"
            )

    async def _restore(self, on_progress: Callable[[int], None] | None) -> None:
        """Take in everything; the next page is on its way while one is taken in."""
        coming, told = asyncio.ensure_future(self._changes(timedelta(0))), 0
        try:
            while (changes := await coming).items:
                self._cursor = changes.cursor
                coming = asyncio.ensure_future(self._changes(timedelta(0)))
                for at, change in enumerate(changes.items):
                    self._take(change)
                    if at % _TAKEN_AT_ONCE == 0:
                        await asyncio.sleep(0)
                if on_progress is not None:
                    on_progress(len(self._seen))
                if (count := len(self._seen)) >= told + _TOLD_EVERY:
                    told = count
                    logger.info("view_restoring", extra={"flow": self._plan.name, "states": count})
            self._cursor = changes.cursor
            logger.info("view_restored", extra={"flow": self._plan.name, "states": len(self._seen)})
        finally:
            coming.cancel()

    async def _changes(self, wait: timedelta) -> Changes:
        found = await self._catalog().watch(flow=self._plan.name, cursor=self._cursor, wait=wait, limit=MAX_BATCH)
        if self.is_behind:
            self.is_behind = False
            logger.info("view_caught_up", extra={"flow": self._plan.name})
        return found

    async def _look(self) -> None:
        """Take in what changed."""
        changes = await self._changes(_WAIT)
        for change in changes.items:
            self._take(change)
        self._cursor = changes.cursor
        if changes.items:
            self._moved.set()

    async def _look_beside(self) -> None:
        """Take in what is carried on here. It ends by being written back, and then comes from the store."""
        for store in self._beside():
            cursor = self._cursors.get(store, "")
            with contextlib.suppress(*_OUTAGE):  # it was closed, since nobody lives there any more
                changes = await store.catalog.watch(flow=self._plan.name, cursor=cursor, limit=MAX_BATCH)
                self._cursors[store] = changes.cursor
                carried = [change for change in changes.items if change.state is not None]
                for change in carried:
                    self._take(change)
                if carried:
                    self._moved.set()

    def _take(self, change: Change) -> None:
        conversation = change.conversation
        name = f"{conversation.person}:{conversation.member}" if conversation.member else conversation.person
        self._seen.pop(name, None)
        self.unreadable.pop(name, None)
        if change.state is None:
            return
        try:
            state = self._plan.codec.decode(change.state, for_writing=False).state
        except (StateNewerError, StateUndecodableError) as exc:
            self.unreadable[name] = str(exc)
            logger.error("view_unreadable", extra={"flow": self._plan.name, "reason": str(exc)})  # noqa: TRY400
            return
        self._seen[name] = Seen(conversation=conversation, status=change.status, version=change.version, state=state)

    async def _follow(self) -> None:
        wait, longest = _BACKOFF_SECONDS
        while True:
            try:
                await self._look_beside()
                await self._look()
                wait = _BACKOFF_SECONDS[0]
            except _OUTAGE as exc:
                self._fell_behind(exc)
                await asyncio.sleep(wait)
                wait = min(wait * 2, longest)
            except Exception:
                logger.exception("view_broken", extra={"flow": self._plan.name})
                await asyncio.sleep(longest)

    def _fell_behind(self, error: Exception) -> None:
        if not self.is_behind:
            self.is_behind = True
            logger.warning("view_store_down", extra={"flow": self._plan.name, "reason": str(error)})
