"""The policy `queue`: while the store is away, messages are accepted into a journal and applied when it is back.

A conversation with messages in the journal gets its new ones there too, until all of them are in the store: order
matters more than the short way.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from turnkeeper.engine.engine import Engine
from turnkeeper.engine.results import Accepted, Handled, Taken
from turnkeeper.errors import (
    OutcomeUnknownError,
    PermanentError,
    RetryableError,
    StoreFullError,
    StoreUnavailableError,
    TurnkeeperError,
)
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Message
from turnkeeper.outage.breaker import Breaker
from turnkeeper.outage.journal import Entry, Journal, Unreadable, left_behind, open_journal
from turnkeeper.outage.leftovers import Leftovers
from turnkeeper.outage.standing import Standing
from turnkeeper.ports.checks import check_payload
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.store import Store

logger = logging.getLogger(__name__)

_AT_ONCE = 16
"""Conversations replayed side by side: enough to fill a store's batches, few enough to leave room for new messages."""

_REST_SECONDS = 0.25
"""How long a conversation is left alone whose inbox is full, or whose flow takes nothing while a turn runs."""

_ADOPT_SECONDS = 10.0
"""Between two looks for a journal that another process left behind."""

_encode = msgspec.json.Encoder().encode


class Queueing:
    """See `turnkeeper.outage.reception.Reception`."""

    def __init__(
        self,
        engine: Engine,
        breaker: Breaker,
        *,
        folder: Path,
        owner: str,
        limit: int,
        flows: Sequence[str],
        clock: Clock,
    ) -> None:
        """Take the engine over the store.

        Args:
            engine: Runs.
            breaker: Knows whether the store is there.
            folder: Where the journal goes, absolute.
            owner: Names the store: journals that were left with another one are left alone.
            limit: How many messages the journal holds.
            flows: That this process serves; messages of others are left to who serves them.
            clock: Time.
        """
        self._engine = engine
        self._breaker = breaker
        self._folder = folder
        self._owner = owner
        self._limit = limit
        self._flows = frozenset(flows)
        self._leftovers = Leftovers()
        self._clock = clock
        self._journal: Journal | None = None
        self._waiting: dict[str, int] = {}
        self._count = 0
        self._refused = 0
        self._resting: dict[str, float] = {}
        self._moved = asyncio.Event()
        self._drained: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def may_lose(self) -> str:
        """See `Reception.may_lose`."""
        where = self._folder if self._journal is None else self._journal.path
        return f"with {where}: the messages accepted into it while the store was away and not yet replayed"

    @property
    def standing(self) -> Standing:
        """See `Reception.standing`."""
        return Standing(journal=self._count, refused=self._refused)

    async def prepare(self) -> None:
        """See `Reception.prepare`."""
        self._journal = await open_journal(self._folder, owner=self._owner)
        await self._leftovers.tell_of_other_stores(self._folder, owner=self._owner)
        await self._adopt(self._journal)

    async def start(self) -> None:
        """See `Reception.start`."""
        if self._journal is not None:
            self._tasks = [
                asyncio.create_task(self._replay_forever(self._journal)),
                asyncio.create_task(self._adopt_forever(self._journal)),
            ]

    async def stop(self) -> None:
        """See `Reception.stop`."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        journal, self._journal = self._journal, None
        if journal is not None:
            await journal.close()

    async def accept(self, conversation: ConversationId, message: Message) -> Accepted:
        """See `Reception.accept`."""
        reason: TurnkeeperError | None = None
        if conversation.key not in self._waiting and not self._breaker.is_open:
            try:
                return await self._engine.accept(conversation, message)
            except (StoreUnavailableError, OutcomeUnknownError) as exc:
                reason = exc
        return await self._keep(conversation, message, reason)

    async def _keep(self, conversation: ConversationId, message: Message, reason: TurnkeeperError | None) -> Accepted:
        """Accept into the journal, for the reason that the store did not take it."""
        journal = self._check(conversation, message, reason)
        if not message.received_ms:
            message = msgspec.structs.replace(message, received_ms=self._clock.now_ms())
        # Counted before it is written: from now on nothing of this conversation may overtake it.
        self._note(conversation.key, 1)
        try:
            is_new = await journal.append(conversation, message)
        except BaseException as exc:
            self._forget_unless_kept(journal, conversation.key, exc)
            if isinstance(exc, RetryableError) and isinstance(reason, OutcomeUnknownError):
                raise reason from exc
            raise
        if not is_new:
            self._note(conversation.key, -1)
        self._moved.set()
        return Accepted(outcome=Taken.ACCEPTED if is_new else Taken.DUPLICATE)

    def _check(self, conversation: ConversationId, message: Message, reason: TurnkeeperError | None) -> Journal:
        """Refuse what could never be replayed, and what there is no room for."""
        if conversation.flow not in self._flows:
            raise PermanentError(f"flow {conversation.flow!r} is not served here")
        check_payload(_encode(message))
        journal = self._journal
        if journal is None:
            raise reason or StoreUnavailableError("this process is shutting down; send the message again")
        if self._count >= self._limit:
            if isinstance(reason, OutcomeUnknownError):
                raise reason
            raise StoreFullError(
                f"the store is away and the journal holds its limit of {self._limit} messages (journal_messages); "
                "nothing was written, send it again later"
            )
        return journal

    def _forget_unless_kept(self, journal: Journal, key: str, exc: BaseException) -> None:
        """Take back a count, unless the message may be in the file: then the next replay finds out."""
        if isinstance(exc, RetryableError):
            self._note(key, -1)
        else:
            self._moved.set()
            logger.warning("journal_unsure", extra={"journal": str(journal.path)})

    def _note(self, key: str, change: int) -> None:
        self._count += change
        left = self._waiting.get(key, 0) + change
        if left > 0:
            self._waiting[key] = left
            return
        self._waiting.pop(key, None)
        if (event := self._drained.pop(key, None)) is not None:
            event.set()

    async def handle(self, conversation: ConversationId, message: Message, *, within: timedelta) -> Handled:
        """See `Reception.handle`. A journalled message's replies are there if the store is back in time."""
        deadline = time.monotonic() + within.total_seconds()
        reason: TurnkeeperError | None = None
        if conversation.key not in self._waiting and not self._breaker.is_open:
            try:
                return await self._engine.handle(conversation, message, within=within)
            except (StoreUnavailableError, OutcomeUnknownError) as exc:
                reason = exc
        accepted = await self._keep(conversation, message, reason)
        event = self._drained.setdefault(conversation.key, asyncio.Event())
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                if conversation.key in self._waiting:
                    await event.wait()
                left = timedelta(seconds=max(deadline - time.monotonic(), 0))
                return await self._engine.handle(conversation, message, within=left)
        except (TimeoutError, RetryableError, OutcomeUnknownError):
            return Handled(outcome=accepted.outcome, done=False)

    def local(self, conversation: ConversationId) -> Store | None:  # noqa: ARG002 - the journal keeps messages only
        """See `Reception.local`."""
        return None

    def locals(self) -> Sequence[Store]:
        """See `Reception.locals`."""
        return ()

    async def _adopt_forever(self, journal: Journal) -> None:
        while True:
            await self._clock.sleep(_ADOPT_SECONDS)
            await self._adopt(journal)

    async def _adopt(self, journal: Journal) -> None:
        """Take over what dead processes left behind. What cannot be read stays as it is, and keeps none from others."""
        for path in await asyncio.to_thread(left_behind, journal.path, owner=self._owner):
            try:
                adopted = await journal.adopt(path, flows=self._flows)
                if adopted.count:
                    logger.info("journal_adopted", extra={"journal": path.name, "messages": adopted.count})
                    await self._count_again(journal)
                if adopted.left:
                    self._leftovers.tell(path, "messages of other flows", flows=adopted.left)
            except TurnkeeperError as exc:
                logger.warning("journal_not_adopted", extra={"journal": path.name, "reason": str(exc)})

    async def _count_again(self, journal: Journal) -> None:
        """Read the counts from the file; what is being written now is counted when it was."""
        found = await journal.counts()
        for key in found.keys() | self._waiting.keys():
            if (difference := found.get(key, 0) - self._waiting.get(key, 0)) > 0:
                self._note(key, difference)
        self._refused = await journal.refused()
        self._moved.set()

    async def _replay_forever(self, journal: Journal) -> None:
        while True:
            await self._moved.wait()
            await self._breaker.until(is_open=False)
            self._moved.clear()
            started, count = time.monotonic(), self._count
            await self._replay_round(journal)
            if self._waiting:
                self._moved.set()
                if not self._ready():
                    await self._clock.sleep(_REST_SECONDS)
            elif count:
                took_ms = int((time.monotonic() - started) * 1000)
                logger.info("journal_replayed", extra={"refused": self._refused, "took_ms": took_ms})

    def _ready(self) -> list[str]:
        """Return conversations with messages to replay, in the order in which the first of them came."""
        now = self._clock.monotonic()
        self._resting = {key: until for key, until in self._resting.items() if until > now}
        return [key for key in self._waiting if key not in self._resting]

    async def _replay_round(self, journal: Journal) -> None:
        """Replay every conversation that may be, some side by side. What keeps one of them keeps no other one."""
        ready = self._ready()
        for start in range(0, len(ready), _AT_ONCE):
            if self._breaker.is_open:
                return
            async with asyncio.TaskGroup() as group:
                for key in ready[start : start + _AT_ONCE]:
                    group.create_task(self._replay(journal, key))

    async def _replay(self, journal: Journal, key: str) -> None:
        """Bring the messages of a conversation into the store, one after the other, as far as that goes now."""
        try:
            while key in self._waiting:
                entries = await journal.first(key)
                if not entries and not journal.is_writing:  # its disk failed, and it was not written
                    self._note(key, -self._waiting.get(key, 0))
                if not entries or not await self._bring_all(journal, key, entries):
                    self._rest(key)
                    return
        except (RetryableError, OutcomeUnknownError):
            self._rest(key)  # the store failed, or the disk: both were told already
        except Exception:
            logger.exception("replay_broken", extra={"journal": journal.path.name})
            self._rest(key)

    async def _bring_all(self, journal: Journal, key: str, entries: Sequence[Entry | Unreadable]) -> bool:
        for entry in entries:
            if isinstance(entry, Unreadable):
                logger.error("journal_entry_refused", extra={"journal": journal.path.name, "seq": entry.seq})
                await self._set_aside(journal, key, entry.seq, entry.reason)
            elif not await self._bring(journal, entry):
                return False
        return True

    async def _set_aside(self, journal: Journal, key: str, seq: int, reason: str) -> None:
        await journal.refuse(seq, reason)
        self._refused += 1
        self._note(key, -1)

    def _rest(self, key: str) -> None:
        self._resting[key] = self._clock.monotonic() + _REST_SECONDS

    async def _bring(self, journal: Journal, entry: Entry) -> bool:
        """Bring one message into the store and forget it then; False: not now.

        Killed in between, it is brought again: the store knows its id. One that no store can take is set aside.
        """
        late = msgspec.structs.replace(entry.message, late=True)
        try:
            accepted = await self._engine.accept(entry.conversation, late)
        except PermanentError as exc:
            logger.exception("journal_entry_refused", extra={"journal": journal.path.name, "seq": entry.seq})
            await self._set_aside(journal, entry.conversation.key, entry.seq, f"{type(exc).__name__}: {exc}")
            return True
        if not accepted.durable:
            return False
        await journal.remove(entry.seq)
        self._note(entry.conversation.key, -1)
        return True
