"""The policy `carry_on`: while the store is away, turns run here; when it is back, what changed is written back.

A conversation is in one place at a time. From the moment at which it lives here the engine over the store is fenced
off from it, until it was written back; a message that comes meanwhile goes where the conversation is.
"""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from turnkeeper.engine.engine import Engine
from turnkeeper.engine.results import Accepted, Handled, Taken
from turnkeeper.engine.wire import decode_message, encode
from turnkeeper.errors import (
    OutcomeUnknownError,
    RetryableError,
    StoreFullError,
    StoreUnavailableError,
    TurnkeeperError,
)
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Message
from turnkeeper.observe.masking import mask_person
from turnkeeper.outage.breaker import Breaker
from turnkeeper.outage.carry.erasing import drop_accounts
from turnkeeper.outage.carry.local import LocalSide, NewEngine
from turnkeeper.outage.carry.recent import Recent
from turnkeeper.outage.carry.seeding import Note, seed
from turnkeeper.outage.carry.sides import Sides
from turnkeeper.outage.carry.writing_back import WayBack, WriteBack
from turnkeeper.outage.standing import Standing
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.deliveries import Settled, Settlement, Verdict
from turnkeeper.ports.limits import MAX_BATCH, MAX_INBOX
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Begin, Begun, Busy, Duplicate, Full, Idle, Queued

logger = logging.getLogger(__name__)

_AT_ONCE = 16
"""Conversations written back side by side."""

_LOOK_SECONDS = 0.1
"""Between two attempts to write back what was still under way."""

_ADOPT_SECONDS = 10.0
"""Between two looks for what a dead process left behind."""

_BROKEN_SECONDS = 10.0
"""Before a way back is tried again that failed with an error that no store should raise: it fills no log."""

_SLICE = timedelta(seconds=1)
"""How long one wait for replies lasts before it is looked where the conversation is."""


class _Carried:
    """A conversation that lives here. Its lock is held while it moves in or out, and while it takes a message.

    `shared` are ids of effects that the store has too and that are done here; `done` are verdicts on replies of the
    store that its engine had in hand and sent since, by their ids, until it `is_back` and the store hears of them
    itself. `moving` outlives a caller who gives up. A way back that broke is tried again at `retry_at`.
    """

    __slots__ = ("conversation", "done", "is_back", "is_yielding", "lock", "moving", "retry_at", "shared", "side")

    def __init__(self, conversation: ConversationId) -> None:
        self.conversation = conversation
        self.lock = asyncio.Lock()
        self.side: LocalSide | None = None
        self.moving: asyncio.Task[LocalSide] | None = None
        self.is_yielding = False
        self.is_back = False
        self.retry_at = 0.0
        self.shared: frozenset[str] = frozenset()
        self.done: dict[str, Settlement] = {}

    def adopt(self, side: LocalSide) -> None:
        """Let it live on a side where it is."""
        self.shared = _shared(side.note_of(self.conversation))
        self.side = side


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
        flows: Sequence[str],
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
            owner: Names the store: what was left behind with another one is left alone.
            flows: That this process serves.
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
        self._clock = clock
        self._carried: dict[str, _Carried] = {}
        self._sides = Sides(
            folder, owner=owner, flows=flows, new_engine=new_engine, clock=clock, redirect=self._redirect
        )
        self._conflicts = 0
        self._awaited: Counter[str] = Counter()
        self._is_open = False
        self._is_stopped = False
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
        theirs = [one for one in self._carried.values() if _is_of(one.conversation, conversation, person=person)]
        were_here = [await self._erase(carried) for carried in theirs]
        for side in tuple(self._sides.all):
            for note in side.notes:
                if _is_of(note.conversation, conversation, person=person) and self._is_left_over(note, side):
                    await side.erase(note)
        await drop_accounts(self._store.documents, conversation, person=person)
        if not all(were_here):  # it came back while this waited, perhaps after it was erased there
            await self._store.turns.forget(conversation, person=person)

    async def _erase(self, carried: _Carried) -> bool:
        """Erase a conversation that lives here; False if it has moved meanwhile."""
        async with carried.lock:
            if carried.moving is not None:
                await asyncio.wait({carried.moving})
            if carried.side is None:
                return True  # it could not be moved in
            if self._carried.get(carried.conversation.key) is not carried:
                return False
            await carried.side.erase(carried.side.note_of(carried.conversation))
            del self._carried[carried.conversation.key]
            return True

    def _is_left_over(self, note: Note, side: LocalSide) -> bool:
        """Return whether a conversation rests on a side and lives elsewhere."""
        carried = self._carried.get(note.conversation.key)
        is_there = carried is not None and (carried.side is None or carried.side is side)
        return side.rests(note.conversation) and not is_there

    def is_sent_here(self, conversation: ConversationId, effect_id: str) -> bool:
        """Return whether an effect of the store is done here, so that the engine over the store must not."""
        carried = self._carried.get(conversation.key)
        return carried is not None and effect_id in carried.shared

    def note_verdict(self, settlement: Settlement) -> Settled | None:
        """Remember how a reply fared of a conversation that the engine over the store is fenced off from.

        Its sender need not wait; None: the store is to be told.
        """
        carried = self._carried.get(settlement.lane.conversation.key)
        if carried is None or carried.is_yielding or carried.is_back:
            return None
        if settlement.verdict is Verdict.DONE:
            carried.done[settlement.id] = settlement
        return Settled(held=settlement.verdict in {Verdict.DONE, Verdict.EXTEND})

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
        self._is_open, self._is_stopped = False, True
        self._sides.end()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        moving = [carried.moving for carried in self._carried.values() if carried.moving is not None]
        if moving:
            await asyncio.wait(moving)
        await self._sides.close()

    async def accept(self, conversation: ConversationId, message: Message) -> Accepted:
        """See `Reception.accept`."""
        if not self._is_open:
            raise StoreUnavailableError("this process is shutting down; send the message again")
        return await self._accept(conversation, message)

    async def _accept(self, conversation: ConversationId, message: Message) -> Accepted:
        """Take a message where its conversation lives, however often it moves meanwhile."""
        unknown: OutcomeUnknownError | None = None
        while True:
            if not self._lives_here(conversation):
                try:
                    return await self.engine.accept(conversation, message)
                except (StoreUnavailableError, OutcomeUnknownError) as exc:
                    unknown = exc if isinstance(exc, OutcomeUnknownError) else unknown
                    if self._is_stopped:
                        raise unknown or exc from None
            try:
                carried = self._carried.get(conversation.key) or self._begin_carrying(conversation)
                async with carried.lock:
                    if self._carried.get(conversation.key) is carried:  # else it was written back while this waited
                        side = await self._settled(conversation, carried)
                        return await side.engine.accept(conversation, message)
            except RetryableError as exc:
                if unknown is not None:  # nothing was written here, but perhaps there
                    raise unknown from exc
                raise

    async def handle(self, conversation: ConversationId, message: Message, *, within: timedelta) -> Handled:
        """See `Reception.handle`. Waits where the conversation is, also when it moves meanwhile.

        While somebody waits here it does not move back: what was answered here the store knows without its replies.
        """
        self._awaited[conversation.key] += 1
        try:
            return await self._handle(conversation, message, within=within)
        finally:
            self._awaited[conversation.key] -= 1
            if not self._awaited[conversation.key]:
                del self._awaited[conversation.key]

    async def _handle(self, conversation: ConversationId, message: Message, *, within: timedelta) -> Handled:
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
        return [side.store for side in self._sides.all]

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
        return self._carry(conversation)

    def _carry(self, conversation: ConversationId) -> _Carried:
        """Fence the store's engine off, however many are here: what is on the disk already takes no room."""
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
            side = await self._sides.open_for(conversation)
            write_id = secrets.token_hex(8)
            note, exported = seed(conversation, self._recent, write_id=write_id, now_ms=self._clock.now_ms())
            carried.shared = _shared(note)
            side.rest(conversation)  # nothing of it may run before all of it is there
            await side.settle(note, exported)
        except BaseException:
            if self._carried.get(conversation.key) is carried:
                del self._carried[conversation.key]
            raise
        side.wake(conversation)
        self._recent.forget(conversation)
        carried.side = side
        return side

    async def _redirect(self, side: LocalSide, request: Begin) -> Begun | None:
        """Take a message where its conversation lives, if not on the side where it is about to begin.

        It may live on another side, in the store (one that another one forwards to), or be just on its way.
        """
        conversation = request.conversation
        carried = self._carried.get(conversation.key)
        if carried is not None and carried.side is side and not side.rests(conversation):
            return None
        if request.message is None:
            return Idle()
        accepted = await self._accept(conversation, decode_message(request.message.payload))
        match accepted.outcome:
            case Taken.ACCEPTED:
                return Queued(position=1, ready_ms=0)
            case Taken.DUPLICATE:
                reply = encode(accepted.replies) if accepted.replies else None
                return Duplicate(done=accepted.done, reply=reply)
            case Taken.FULL:
                return Full(waiting=MAX_INBOX)
            case Taken.BUSY:
                return Busy()

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
                except Exception:
                    logger.exception("not_carried")
                    break
            await self._breaker.until(is_open=False)

    async def _adopt_forever(self) -> None:
        while True:
            await self._clock.sleep(_ADOPT_SECONDS)
            try:
                await self._adopt()
            except Exception:
                logger.exception("places_not_adopted", extra={"folder": str(self._folder)})

    async def _adopt(self) -> None:
        """Go on where dead processes stopped. A place that cannot be read stays as it is, and keeps none from others.

        A conversation that lives here already stays where it is: its place is adopted once more when this one is back.
        """
        await self._sides.take_over(self._carry_what_is_on)

    def _carry_what_is_on(self, side: LocalSide) -> None:
        notes = side.notes
        for note in notes:
            if note.conversation.key in self._carried:
                side.rest(note.conversation)
            else:
                self._carry(note.conversation).adopt(side)
        logger.info("carrying_adopted", extra={"place": side.path.name, "conversations": len(notes)})

    async def _write_back_forever(self) -> None:
        while True:
            await self._breaker.until(is_open=False)
            had = len(self._carried)
            await self._write_back_round()
            if had and not self._carried:
                logger.info("carried_back", extra={"conflicts": self._conflicts})
            await self._sides.leave(is_needed=lambda: bool(self._carried))
            await self._clock.sleep(_LOOK_SECONDS)

    async def _write_back_round(self) -> None:
        keys = list(self._carried)
        for start in range(0, len(keys), _AT_ONCE):
            async with asyncio.TaskGroup() as group:
                for key in keys[start : start + _AT_ONCE]:
                    group.create_task(self._write_back(key))

    async def _write_back(self, key: str) -> None:
        """Try to bring one conversation back; it stays here for now if that fails, and keeps no other one here."""
        carried = self._carried.get(key)
        if carried is None or self._clock.monotonic() < carried.retry_at:
            return
        async with carried.lock:
            side = carried.side
            if side is None or key in self._awaited or self._carried.get(key) is not carried:
                return  # not here yet, still needed here, or erased while this waited
            side.rest(carried.conversation)
            try:
                await self._bring_back(carried, side)
            except (RetryableError, OutcomeUnknownError):
                return  # the store went away again, which was told; or it is busy
            except Exception:
                logger.exception("write_back_broken", extra={"conversation": mask_person(key)})
                carried.retry_at = self._clock.monotonic() + _BROKEN_SECONDS
            finally:
                side.wake(carried.conversation)

    async def _bring_back(self, carried: _Carried, side: LocalSide) -> None:
        """Make one attempt. Its lock is held, and nothing begins here meanwhile."""
        conversation = carried.conversation
        carried.is_back = False
        done = frozenset(carried.done)
        way = await WriteBack(self._store, side, clock=self._clock).attempt(conversation, done=done)
        # The store's own turn is not fenced off before it has ended, or it would never end.
        carried.is_yielding = way is WayBack.YIELD or (carried.is_yielding and way is WayBack.LATER)
        if way not in {WayBack.WRITTEN, WayBack.CONFLICT}:
            return
        carried.is_back = True
        verdicts = list(carried.done.values())  # also those that the store has: a repeated one changes nothing
        for start in range(0, len(verdicts), MAX_BATCH):
            await self._store.deliveries.settle(verdicts[start : start + MAX_BATCH])
        # Known again before it lives there again: the next outage may be a moment away.
        if (there := await self._store.catalog.export(conversation)) is not None:
            self._recent.learn(there)
        await side.leave(side.note_of(conversation))
        del self._carried[conversation.key]
        self._conflicts += way is WayBack.CONFLICT


def _is_of(one: ConversationId, conversation: ConversationId, *, person: bool) -> bool:
    """Return whether it is that conversation, or with `person` any one of theirs in that flow."""
    is_theirs = person and (one.flow, one.person) == (conversation.flow, conversation.person)
    return is_theirs or one.key == conversation.key


def _shared(note: Note) -> frozenset[str]:
    return frozenset([*note.shared_effects, *note.limbo_effects])
