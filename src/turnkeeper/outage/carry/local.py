"""A place for conversations on this machine: a store in a file, an engine over it, and notes on where they came from.

A process locks its place; one that nobody locks was left behind and may be taken over as it is.
"""

import asyncio
import contextlib
import secrets
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from turnkeeper.engine.engine import Engine
from turnkeeper.errors import StoreUnreadableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage.carry.fenced import FencedStore
from turnkeeper.outage.carry.seeding import COLLECTION, Note, decode_note, encode_note
from turnkeeper.outage.locking import lock_file
from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Begin, Begun, Incoming
from turnkeeper.stores.sqlite import SqliteStore

NewEngine = Callable[[Store], Engine]
"""Makes an engine like the application's over another store."""

Redirect = Callable[["LocalSide", Begin], Awaitable[Begun | None]]
"""Takes what is about to begin on a side where its conversation lives; None: it lives there, and nothing moves it."""

_PAGE = 100

_ACCEPT_MS = 1
"""Lease of a begin that takes none."""


class Place(msgspec.Struct, frozen=True):
    """A place's file, and the lock on it."""

    path: Path
    lock: sqlite3.Connection
    giving_up: threading.Lock = msgspec.field(default_factory=threading.Lock)

    def give_up(self, *, is_empty: bool) -> None:
        """Let go of it; an empty one is removed. Safe to call twice, and from two threads at once.

        Whoever closes may be cancelled while a thread is still at it, and close again: a connection that one thread
        closes while another one uses it ends the whole process.
        """
        with self.giving_up:
            if is_empty:
                self.path.unlink(missing_ok=True)
                # While it is locked: whoever had locked it before it is removed would share its place with a third
                # process.
                with contextlib.suppress(sqlite3.ProgrammingError):  # given up before
                    self.lock.execute("PRAGMA journal_mode=DELETE")  # a removed file leaves its log behind
                self.path.with_suffix(".lock").unlink(missing_ok=True)
            self.lock.close()


class LocalSide:
    """See the module. Everything in it belongs to this process."""

    def __init__(self, place: Place, *, new_engine: NewEngine, clock: Clock, redirect: Redirect) -> None:
        """Take a locked place; `redirect` hears of whatever is about to begin here."""
        self._place = place
        self._resting: set[str] = set()
        self._notes: dict[str, Note] = {}
        self._is_loaded = False
        self.store = SqliteStore(place.path, clock=clock)
        self.engine = new_engine(
            FencedStore(self.store, self.rests, clock=clock, redirect=lambda request: redirect(self, request))
        )

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._place.path

    def has(self, conversation: ConversationId) -> bool:
        """Return whether a conversation is here, whether or not it lives here."""
        return conversation.key in self._notes

    @property
    def notes(self) -> list[Note]:
        """Where the conversations that are here came from."""
        return list(self._notes.values())

    def rests(self, conversation: ConversationId) -> bool:
        """Return whether nothing may begin in a conversation here."""
        return conversation.key in self._resting

    def rest(self, conversation: ConversationId) -> None:
        """Begin nothing in a conversation any more: it is being written back, or lives elsewhere. What runs may end."""
        self._resting.add(conversation.key)

    def wake(self, conversation: ConversationId) -> None:
        """Go on with it."""
        self._resting.discard(conversation.key)

    def note_of(self, conversation: ConversationId) -> Note:
        """Return where a conversation that lives here came from."""
        return self._notes[conversation.key]

    async def load(self) -> list[Note]:
        """Open the place and return where the conversations in it came from."""
        await self.store.open()
        cursor: str | None = None
        while True:
            page = await self.store.documents.scan(COLLECTION, cursor=cursor, limit=_PAGE)
            notes = [decode_note(document.data) for _, document in page.items]
            self._notes.update({note.conversation.key: note for note in notes})
            cursor = page.cursor
            if cursor is None:
                self._is_loaded = True
                return list(self._notes.values())

    async def settle(self, note: Note, exported: Exported) -> None:
        """Let a conversation live here. Safe to repeat."""
        await self.keep(note)
        await self.store.catalog.restore(exported)

    async def keep(self, note: Note) -> None:
        """Keep a note, which may say more than before."""
        await self.store.documents.put(note.key, encode_note(note))
        self._notes[note.conversation.key] = note

    async def take_in(self, conversation: ConversationId, message: Incoming) -> None:
        """Take a message in as it is, behind whatever waits here; it is run once the conversation is awake."""
        nobody = f"taken in: {message.id}"
        await self.store.turns.begin(
            Begin(conversation=conversation, token=nobody, lease_ms=_ACCEPT_MS, message=message, run=False)
        )

    async def leave(self, note: Note) -> None:
        """Forget a conversation that lives elsewhere again. Safe to repeat.

        Its note stays in the file as long as that does: one write cannot be done half, and without its conversation a
        note says nothing.
        """
        await self.store.turns.forget(note.conversation)
        self._notes.pop(note.conversation.key, None)
        self.wake(note.conversation)

    async def erase(self, note: Note) -> None:
        """Forget a conversation and its note, which names the person. Safe to repeat."""
        await self.store.documents.delete(note.key)
        await self.leave(note)

    async def close(self) -> None:
        """Stop everything. A place is removed if no conversation is left in it, also none that nobody here carries."""
        try:
            await self.engine.stop()
        finally:
            await self.store.close()
            is_empty = self._is_loaded and not self._notes
            await asyncio.to_thread(self._place.give_up, is_empty=is_empty)


async def new_place(folder: Path, *, owner: str) -> Place:
    """Return a new place in a folder (an absolute path), which is made if it is not there.

    Raises:
        StoreUnreadableError: The folder cannot be written.
    """
    path = folder / f"carry-{owner}-{secrets.token_hex(6)}.db"
    try:
        lock = await asyncio.to_thread(_lock_beside, path)
    except (OSError, sqlite3.Error) as exc:
        raise StoreUnreadableError(
            f"no conversations can be kept in {folder} ({exc}); give Outage(folder=…) a folder that this user may write"
        ) from exc
    return Place(path, lock)


async def places_left_behind(folder: Path, *, owner: str) -> list[Place]:
    """Lock and return the owner's places that no living process has."""
    return await asyncio.to_thread(_find, folder, owner)


def _find(folder: Path, owner: str) -> list[Place]:
    found: list[Place] = []
    for path in sorted(folder.glob(f"carry-{owner}-*.db")):
        with contextlib.suppress(sqlite3.OperationalError):  # its process lives
            found.append(Place(path, _lock_beside(path)))
    return found


def _lock_beside(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    return lock_file(path.with_suffix(".lock"))
