"""The places on this machine in which conversations of this process live: opened, taken over, and left.

There may be several: what dead processes left behind stays where it is, and nobody moves in beside an older copy.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from pathlib import Path

from turnkeeper.errors import StoreUnavailableError, TurnkeeperError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage.carry.local import LocalSide, NewEngine, Place, Redirect, new_place, places_left_behind
from turnkeeper.outage.leftovers import Leftovers
from turnkeeper.ports.clock import Clock

logger = logging.getLogger(__name__)


class Sides:
    """See the module. `all` are those that are open."""

    def __init__(
        self,
        folder: Path,
        *,
        owner: str,
        flows: Collection[str],
        new_engine: NewEngine,
        clock: Clock,
        redirect: Redirect,
    ) -> None:
        """Take where places are, whose they are, which flows are served here, and what a side needs."""
        self.all: list[LocalSide] = []
        self._folder = folder
        self._owner = owner
        self._flows = frozenset(flows)
        self._leftovers = Leftovers()
        self._new_engine = new_engine
        self._clock = clock
        self._redirect = redirect
        self._opening = asyncio.Lock()
        self._is_ending = False

    async def open_for(self, conversation: ConversationId) -> LocalSide:
        """Return a side for a conversation. Not one where it is already, from before: the two are not one.

        Raises:
            StoreUnavailableError: This process is shutting down.
            StoreUnreadableError: The folder cannot be written.
        """
        async with self._opening:
            if self._is_ending:
                raise StoreUnavailableError("this process is shutting down; send the message again")
            for side in self.all:
                if not side.has(conversation):
                    return side
            side = self._side(await new_place(self._folder, owner=self._owner))
            try:
                await side.load()
                await side.engine.start()
            except BaseException:
                await _close(side)
                raise
            self.all.append(side)
            logger.info("carrying_on", extra={"place": str(side.path)})
            return side

    def _side(self, place: Place) -> LocalSide:
        return LocalSide(place, new_engine=self._new_engine, clock=self._clock, redirect=self._redirect)

    async def take_over(self, on_taken: Callable[[LocalSide], None]) -> None:
        """Take over what dead processes left behind, and tell of each place.

        A place that cannot be read stays as it is, and keeps none from the others.
        """
        await self._leftovers.tell_of_other_stores(self._folder, owner=self._owner)
        places = await places_left_behind(self._folder, owner=self._owner)
        try:
            while places:
                side = self._side(places.pop())
                if await self._is_ready(side):
                    on_taken(side)
                    self.all.append(side)
        finally:
            for place in places:
                place.give_up(is_empty=False)

    async def _is_ready(self, side: LocalSide) -> bool:
        """Return whether a side that was taken over can be used; else it is let go of, and told of."""
        try:
            notes = await side.load()
            if foreign := {note.conversation.flow for note in notes} - self._flows:
                self._leftovers.tell(side.path, "conversations of other flows", flows=foreign)
                await _close(side)
                return False
            for note in notes:
                if await side.store.catalog.export(note.conversation) is None:
                    await side.leave(note)  # its process had brought it back: the store has it
            await side.engine.start()
        except Exception as exc:
            is_known = isinstance(exc, TurnkeeperError)
            extra = {"place": side.path.name, "reason": str(exc)}
            logger.warning("place_not_adopted", extra=extra, exc_info=not is_known)
            await _close(side)
            return False
        except BaseException:
            await _close(side)
            raise
        return True

    async def leave(self, *, is_needed: Callable[[], bool]) -> None:
        """Leave all places in which nobody lives any more, as long as none is needed."""
        async with self._opening:
            while self.all and not is_needed():
                side = self.all[0]
                await _close(side)
                self.all.remove(side)  # last: who is cancelled before that closes it again

    def end(self) -> None:
        """Open none any more."""
        self._is_ending = True

    async def close(self) -> None:
        """Close all of them, whichever fails."""
        async with self._opening, contextlib.AsyncExitStack() as sides:
            for side in self.all:
                sides.push_async_callback(side.close)
            self.all = []


async def _close(side: LocalSide) -> None:
    """Close a side that nobody uses any more; nobody is to suffer from one that cannot be closed."""
    try:
        await side.close()
    except Exception:
        logger.exception("place_not_closed", extra={"place": str(side.path)})
