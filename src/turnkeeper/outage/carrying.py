"""The policy `carry_on`: while the store is away, turns run here; when it is back, what changed is written back.

A conversation is in one place at a time. From the moment at which it lives here the engine over the store is fenced
off from it, until it was written back; a message that comes meanwhile goes where the conversation is.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from turnkeeper.engine.engine import Engine
from turnkeeper.engine.results import Accepted, Handled, Taken
from turnkeeper.errors import (
    OutcomeUnknownError,
    RetryableError,
    StoreFullError,
    StoreUnavailableError,
    TurnkeeperError,
)
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Message
from turnkeeper.outage.breaker import Breaker
from turnkeeper.outage.erasing import drop_accounts
from turnkeeper.outage.local import LocalSide, NewEngine, new_place, places_left_behind
from turnkeeper.outage.recent import Recent
from turnkeeper.outage.seeding import seed
from turnkeeper.outage.standing import Standing
from turnkeeper.outage.writing_back import WayBack, WriteBack
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.deliveries import Settlement
from turnkeeper.ports.store import Store

logger = logging.getLogger(__name__)

_AT_ONCE = 16
"""Conversations written back side by side."""

_LOOK_SECONDS = 0.1
"""Between two attempts to write back what was still under way."""

_ADOPT_SECONDS = 10.0
"""Between two looks for what a dead process left behind."""

_SLICE = timedelta(seconds=1)
"""How long one wait for replies lasts before it is looked where the conversation is."""


class _Carried:
    """A conversation that lives here. Its lock is held while it moves in or out, and while it takes a message.

    `done` are verdicts on replies of the store that its engine had in hand and sent since, by their ids; `moving`
    outlives a caller who gives up.
    """

    __slots__ = ("conversation", "done", "is_yielding", "lock", "moving", "side")

    def __init__(self, conversation: ConversationId) -> None:
        self.conversation = conversation
        self.lock = asyncio.Lock()
        self.side: LocalSide | None = None
        self.moving: asyncio.Task[LocalSide] | None = None
        self.is_yielding = False
        self.done: dict[str, Settlement] = {}


class Carrying:
    """See `turnkeeper.outage.reception.Reception`. `engine` is set once, before `start`: it needs `is_fenced`."""

    def __init__(
        self,
        store: Store,
        breaker: Breaker,
        recent: Recent,
        *,
        folder: Path,
        owner: str,
        limit: int,
        new_engine: NewEngine,
        clock: Clock,
    ) -> None:
        """Take the store and what this process remembers.

        Args:
            store: The application's, behind the breaker.
            breaker: Knows whether the store is there.
            recent: What this process last knew.
            folder: Where conversations live meanwhile, absolute.
            owner: Names this application and its store: what others left behind is left alone.
            limit: How many conversations may live here.
            new_engine: Makes an engine for the turns here.
            clock: Time.
        """
        self._store = store
        self._breaker = breaker
        self._recent = recent
        self._folder = folder
        self._owner = owner
        self._limit = limit
        self._new_engine = new_engine
        self._clock = clock
        self._carried: dict[str, _Carried] = {}
        self._sides: list[LocalSide] = []
        self._opening = asyncio.Lock()
        self._conflicts = 0
        self._is_open = False
        self._tasks: list[asyncio.Task[None]] = []
        self.engine: Engine

    @property
    def may_lose(self) -> str:
        """See `Reception.may_lose`."""
        return (
            f"with {self._folder}/carry-{self._owner}-*: what was said and answered here while the store was away and "
            "is not yet written back"
        )

    @property
    def standing(self) -> Standing:
        """See `Reception.standing`."""
        return Standing(carried=len(self._carried), conflicts=self._conflicts)

    def is_fenced(self, conversation: ConversationId) -> bool:
        """Return whether the engine over the store must leave a conversation alone."""
        carried = self._carried.get(conversation.key)
        return carried is not None and not carried.is_yielding

    async def forget(self, conversation: ConversationId, person: bool) -> None:  # noqa: FBT001 - see `OnForget`
        """Forget here as well what was erased in the store, and the accounts of what could not be written back."""
        if person:
            self._recent.forget_person(conversation)
        self._recent.forget(conversation)
        for key, carried in tuple(self._carried.items()):
            one = carried.conversation
            is_theirs = person and (one.flow, one.person) == (conversation.flow, conversation.person)
            if one.key != conversation.key and not is_theirs:
                continue
            async with carried.lock:
                if carried.moving is not None:
                    await asyncio.wait({carried.moving})
                if carried.side is not None and self._carried.get(key) is carried:
                    await carried.side.leave(carried.side.note_of(one))
                    del self._carried[key]
        await drop_accounts(self._store.documents, conversation, person=person)

    def note_done(self, settlement: Settlement) -> None:
        """Remember that the engine over the store sent a reply of a conversation that it is fenced off from."""
        if (carried := self._carried.get(settlement.lane.conversation.key)) is not None:
            carried.done[settlement.id] = settlement

    async def prepare(self) -> None:
        """See `Reception.prepare`."""
        await self._adopt()

    async def start(self) -> None:
        """See `Reception.start`."""
        self._is_open = True
        self._tasks = [
            asyncio.create_task(self._carry_what_is_under_way()),
            asyncio.create_task(self._write_back_forever()),
            asyncio.create_task(self._adopt_forever()),
        ]

    async def stop(self) -> None:
        """See `Reception.stop`."""
        self._is_open = False
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        moving = [carried.moving for carried in self._carried.values() if carried.moving is not None]
        if moving:
            await asyncio.wait(moving)
        sides, self._sides = self._sides, []
        for side in sides:
            await side.close()

    async def accept(self, conversation: ConversationId, message: Message) -> Accepted:
        """See `Reception.accept`."""
        if not self._is_open:
            raise StoreUnavailableError("this process is shutting down; send the message again")
        if not self._lives_here(conversation):
            try:
                return await self.engine.accept(conversation, message)
            except (StoreUnavailableError, OutcomeUnknownError):
                if not self._is_open:
                    raise
        while True:
            carried = self._carried.get(conversation.key) or self._begin_carrying(conversation)
            async with carried.lock:
                if self._carried.get(conversation.key) is not carried:
                    if self._breaker.is_open:
                        continue
                    break  # it was written back while this waited
                side = await self._settled(conversation, carried)
                return await side.engine.accept(conversation, message)
        return await self.engine.accept(conversation, message)

    async def handle(self, conversation: ConversationId, message: Message, *, within: timedelta) -> Handled:
        """See `Reception.handle`. Waits where the conversation is, also when it moves meanwhile."""
        deadline = time.monotonic() + within.total_seconds()
        outcome: Taken | None = None
        while True:
            left = timedelta(seconds=max(deadline - time.monotonic(), 0))
            try:
                if outcome is None and self._lives_here(conversation):
                    outcome = (await self.accept(conversation, message)).outcome
                handled = await self._engine_of(conversation).handle(conversation, message, within=min(left, _SLICE))
            except (RetryableError, OutcomeUnknownError):
                if outcome is None:
                    outcome = (await self.accept(conversation, message)).outcome
                handled = Handled(outcome=outcome, done=False)
                await asyncio.sleep(min(left.total_seconds(), _LOOK_SECONDS))
            outcome = outcome or handled.outcome
            if handled.done or left <= _SLICE or outcome not in {Taken.ACCEPTED, Taken.DUPLICATE}:
                return msgspec.structs.replace(handled, outcome=outcome)

    def _lives_here(self, conversation: ConversationId) -> bool:
        return conversation.key in self._carried or self._breaker.is_open

    def _engine_of(self, conversation: ConversationId) -> Engine:
        carried = self._carried.get(conversation.key)
        return self.engine if carried is None or carried.side is None else carried.side.engine

    def local(self, conversation: ConversationId) -> Store | None:
        """See `Reception.local`."""
        carried = self._carried.get(conversation.key)
        return None if carried is None or carried.side is None else carried.side.store

    def locals(self) -> Sequence[Store]:
        """See `Reception.locals`."""
        return [side.store for side in self._sides]

    def _begin_carrying(self, conversation: ConversationId) -> _Carried:
        """Fence the store's engine off; from now on the conversation is here.

        Raises:
            StoreFullError: Too many are.
        """
        if len(self._carried) >= self._limit:
            raise StoreFullError(
                f"the store is away and {self._limit} conversations live here, which is the limit "
                "(carried_conversations); nothing was written here, send it again later"
            )
        carried = self._carried[conversation.key] = _Carried(conversation)
        return carried

    async def _settled(self, conversation: ConversationId, carried: _Carried) -> LocalSide:
        """Return the side where a conversation lives, after moving it in. Its lock is held."""
        if carried.side is not None:
            return carried.side
        if carried.moving is None:
            carried.moving = asyncio.create_task(self._move_in(conversation, carried))
        await asyncio.wait({carried.moving})
        return carried.moving.result()

    async def _move_in(self, conversation: ConversationId, carried: _Carried) -> LocalSide:
        """Let a conversation live here: not half, or it would live in two places."""
        try:
            side = await self._open_side()
            write_id = secrets.token_hex(8)
            note, exported = seed(conversation, self._recent, write_id=write_id, now_ms=self._clock.now_ms())
            await side.settle(note, exported)
        except BaseException:
            if self._carried.get(conversation.key) is carried:
                del self._carried[conversation.key]
            raise
        self._recent.forget(conversation)
        carried.side = side
        return side

    async def _open_side(self) -> LocalSide:
        async with self._opening:
            if not self._sides:
                place = await new_place(self._folder, owner=self._owner)
                side = LocalSide(
                    place, new_engine=self._new_engine, clock=self._clock, before_begin=self._carry_forwarded
                )
                await side.load()
                await side.engine.start()
                self._sides.append(side)
                logger.info("carrying_on", extra={"place": str(side.path)})
            return self._sides[0]

    async def _carry_forwarded(self, conversation: ConversationId) -> None:
        """Move a conversation in that another one of here forwards a message to."""
        if conversation.key not in self._carried:
            carried = self._begin_carrying(conversation)
            async with carried.lock:
                await self._settled(conversation, carried)

    async def _carry_what_is_under_way(self) -> None:
        """Whenever the store goes away, go on with every turn that somebody waits for."""
        while True:
            await self._breaker.until(is_open=True)
            for known in self._recent.under_way():
                conversation = known.conversation
                if conversation.key in self._carried:
                    continue
                try:
                    carried = self._begin_carrying(conversation)
                    async with carried.lock:
                        await self._settled(conversation, carried)
                except TurnkeeperError as exc:
                    logger.warning("not_carried", extra={"reason": str(exc)})
                    break
            await self._breaker.until(is_open=False)

    async def _adopt_forever(self) -> None:
        while True:
            await self._clock.sleep(_ADOPT_SECONDS)
            try:
                await self._adopt()
            except TurnkeeperError as exc:
                logger.warning("place_not_adopted", extra={"reason": str(exc)})

    async def _adopt(self) -> None:
        """Go on where a dead process stopped.

        A conversation that lives here already stays where it is: its place is adopted once more when this one is back.
        """
        for place in await places_left_behind(self._folder, owner=self._owner):
            side = LocalSide(place, new_engine=self._new_engine, clock=self._clock, before_begin=self._carry_forwarded)
            notes = await side.load()
            for note in notes:
                if await side.store.catalog.export(note.conversation) is None:
                    await side.leave(note)  # its process ended while it left: the store has it
                elif note.conversation.key in self._carried:
                    side.rest(note.conversation)
                else:
                    self._begin_carrying(note.conversation).side = side
            await side.engine.start()
            self._sides.append(side)
            logger.info("carrying_adopted", extra={"place": place.path.name, "conversations": len(notes)})

    async def _write_back_forever(self) -> None:
        while True:
            await self._breaker.until(is_open=False)
            had = len(self._carried)
            try:
                await self._write_back_round()
            except Exception:
                logger.exception("write_back_broken")
            if had and not self._carried:
                logger.info("carried_back", extra={"conflicts": self._conflicts})
                await self._close_sides()
            await self._clock.sleep(_LOOK_SECONDS)

    async def _write_back_round(self) -> None:
        keys = list(self._carried)
        for start in range(0, len(keys), _AT_ONCE):
            async with asyncio.TaskGroup() as group:
                for key in keys[start : start + _AT_ONCE]:
                    group.create_task(self._write_back(key))

    async def _write_back(self, key: str) -> None:
        """Try to bring one conversation back; it stays here for now if that fails."""
        carried = self._carried.get(key)
        if carried is None:
            return
        async with carried.lock:
            side, conversation = carried.side, carried.conversation
            if side is None:
                return  # it could not be moved in, and whoever brought it was told
            carried.is_yielding = False
            side.rest(conversation)
            told = frozenset(carried.done)
            try:
                way = await WriteBack(self._store, side, clock=self._clock).attempt(conversation, done=told)
                if way in {WayBack.WRITTEN, WayBack.CONFLICT}:
                    # Known again before it lives there again: the next outage may be a moment away.
                    if (there := await self._store.catalog.export(conversation)) is not None:
                        self._recent.learn(there)
                    await side.leave(side.note_of(conversation))
                    del self._carried[key]
                    self._conflicts += way is WayBack.CONFLICT
                    if late := [settlement for one, settlement in carried.done.items() if one not in told]:
                        await self._store.deliveries.settle(late)  # sent since, and the store would send it again
                carried.is_yielding = way is WayBack.YIELD
            except (RetryableError, OutcomeUnknownError):
                return  # the store went away again, which was told; or it is busy
            finally:
                side.wake(conversation)

    async def _close_sides(self) -> None:
        """Leave the places in which nobody lives any more, and nobody is just moving in."""
        async with self._opening:
            for side in tuple(self._sides):
                if self._carried:
                    return
                await side.close()
                self._sides.remove(side)  # last: who is cancelled before that closes it again
