"""Brings a conversation that went on here back into the store: one lease, one commit, or the account of a conflict.

It may be repeated at any point: every step has an id of its own that is derived from the note. The messages of here
are taken in under one lease and taken off by the same commit, so that nobody runs them again and a provider's
repetition is recognised.
"""

import enum
import logging
from collections.abc import Collection, Sequence

import msgspec

from turnkeeper.errors import PermanentError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import NOTHING, Kind, Message
from turnkeeper.observe.masking import mask_person
from turnkeeper.outage.carry.account import (
    cancelled_of,
    conflict_of,
    effects_of,
    encoded,
    entries_of,
    has_limbo,
    is_in_conflict,
    is_quiet,
    log_of,
    messages_of,
    resumed,
)
from turnkeeper.outage.carry.local import LocalSide
from turnkeeper.outage.carry.seeding import Note
from turnkeeper.outage.standing import CONFLICTS
from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.limits import MAX_HAND_OUT
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import (
    Begin,
    Commit,
    Committed,
    Duplicate,
    Granted,
    Idle,
    Incoming,
    Mode,
    Outcome,
    Part,
    Release,
    Waiting,
)

logger = logging.getLogger(__name__)

LEASE_MS = 60_000
"""How long the store keeps others out of a conversation that is being written back, should this process die over it."""

_encode = msgspec.json.Encoder().encode


class WayBack(enum.Enum):
    """How an attempt ended."""

    WRITTEN = "written"
    CONFLICT = "conflict"
    LATER = "later"
    """Something is under way, here or there: try again soon."""

    YIELD = "yield"
    """The store's own messages come first; somebody has to run them there."""


_ERASED = "it was erased in the store meanwhile; what was said here is not kept either"


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation here and there.

    Attributes:
        conflict: Why it cannot be written back, empty if it can.
        is_erased: The store has let go of everything from before: what was said here is not kept there either.
    """

    note: Note
    here: Exported
    there: Exported | None
    conflict: str
    cancelled: tuple[str, ...]
    is_erased: bool = False


class WriteBack:
    """Writes conversations of one local side back into a store."""

    def __init__(self, store: Store, side: LocalSide, *, clock: Clock) -> None:
        """Take both."""
        self._store = store
        self._side = side
        self._clock = clock

    async def attempt(self, conversation: ConversationId, *, done: Collection[str]) -> WayBack:
        """Try to bring a conversation back. Nothing new may begin in it here meanwhile.

        Args:
            conversation: Which.
            done: Ids of the store's own replies that were sent, and the store could not be told.

        Raises:
            RetryableError, OutcomeUnknownError: The store failed; try again.
        """
        note = self._side.note_of(conversation)
        # A write behind those that were asked for before the conversation rested, such as the claim of a job: what is
        # read now has them.
        await self._side.keep(note)
        here = await self._side.store.catalog.export(conversation)
        if here is None:
            return WayBack.WRITTEN  # nothing was ever said here
        if not is_quiet(here, now_ms=self._clock.now_ms()):
            return WayBack.LATER
        there = await self._store.catalog.export(note.conversation)
        if there is not None and there.last_commit_id == _commit_id(note, here):
            return _ended(note, there)
        if there is not None and has_limbo(note, here, there):
            note = msgspec.structs.replace(note, version=note.limbo_version, limbo_id="", limbo_is_there=True)
            await self._side.keep(note)
        conflict = _difference(note, there)
        if conflict and there is not None and (later := resumed(note, here, there)) is not None:
            note, conflict = later, _difference(later, there)
            if not entries_of(here, note):
                return _ended(note, there)
        cancelled = cancelled_of(here, note, done)
        return await self._bring(_Found(note=note, here=here, there=there, conflict=conflict, cancelled=cancelled))

    async def _bring(self, found: _Found) -> WayBack:
        """Take the lease, take the messages in, and commit."""
        note, there = found.note, found.there
        entries = entries_of(found.here, note)
        messages = messages_of(entries, note)
        if not entries and not found.cancelled:
            return WayBack.WRITTEN
        is_lost = False
        while True:
            granted = await self._lease(note, messages)
            if granted is None:
                return WayBack.LATER
            is_lost = is_lost or granted.lost
            if _is_erased(note, there, is_lost=is_lost):
                found = msgspec.structs.replace(found, conflict=_ERASED, is_erased=True)
            known = (granted.generation, 0) if there is None else (there.generation, there.version)
            if (granted.generation, granted.version) != known:
                await self._leave(note, granted, _foreign(granted.messages, messages, note))
                return WayBack.LATER  # somebody was faster; look again
            # Before anything is taken in: what waits behind a message of the store's own would be run after it.
            if foreign := _foreign(granted.messages, messages, note):
                return await self._yield(found, granted, foreign)
            granted, left = await self._take_in(note, granted, messages)
            if foreign := _foreign(granted.messages, messages, note):
                return await self._yield(found, granted, foreign)
            if not left:
                return await self._finish(found, granted)
            await self._store.turns.commit(_taking_off(note, granted, take=len(granted.messages)))

    async def _lease(self, note: Note, messages: Sequence[Incoming]) -> Granted | None:
        """Get the conversation's lease: one of this process or of a dead one, a free one, or one for a message."""
        for token in _tokens(note):
            answer = await self._begin(note, token=token)
            if isinstance(answer, Granted):
                return answer
            if not isinstance(answer, Idle):
                return None
            if answer.ready_ms is None:
                break
        else:
            return None  # somebody else is at it
        marker = Message(id=f"carried:{note.write_id}", kind=Kind.ADMIN, text="carried")
        for message in [*messages, Incoming(id=marker.id, payload=_encode(marker))]:
            answer = await self._begin(note, token=_tokens(note)[1], message=message, mode=Mode.REJECT)
            if isinstance(answer, Granted):
                return answer
            if not (isinstance(answer, Duplicate) and answer.done):
                return None
        return None

    async def _take_in(
        self, note: Note, granted: Granted, messages: Sequence[Incoming]
    ) -> tuple[Granted, list[Incoming]]:
        """Take in as many messages as one commit can take off; return them granted, and those that are left."""
        left = list(messages)
        while left:
            message = left[0]
            if any(waiting.id == message.id for waiting in granted.messages):
                del left[0]
                continue
            if len(granted.messages) >= MAX_HAND_OUT:
                break
            token = next(token for token in _tokens(note)[1:] if token != granted.token)
            answer = await self._begin(note, token=token, message=message, mode=Mode.INTERRUPT)
            if isinstance(answer, Granted):
                granted = answer
            elif not (isinstance(answer, Duplicate) and answer.done):  # it waits, but was not handed out with these
                break
            del left[0]
        return granted, left

    async def _begin(
        self, note: Note, *, token: str, message: Incoming | None = None, mode: Mode = Mode.QUEUE
    ) -> object:
        return await self._store.turns.begin(
            Begin(
                conversation=note.conversation,
                token=token,
                lease_ms=LEASE_MS,
                message=message,
                mode=mode,
                hand_out=MAX_HAND_OUT,
            )
        )

    async def _yield(self, found: _Found, granted: Granted, foreign: Sequence[Waiting]) -> WayBack:
        """Have messages run that wait in the store and were never run: here, unless the conversation forked."""
        note = found.note
        if found.conflict:
            await self._leave(note, granted, foreign)
            return WayBack.YIELD
        for waiting in foreign:
            await self._side.take_in(note.conversation, Incoming(id=waiting.id, payload=waiting.payload))
        # Only now: what a note calls a seed is taken off there, so it must be here, whatever ends this process.
        seeds = (*note.seeds, *(waiting.id for waiting in foreign))
        await self._side.keep(msgspec.structs.replace(note, seeds=seeds, token=granted.token))
        return WayBack.LATER

    async def _leave(self, note: Note, granted: Granted, foreign: Sequence[Waiting]) -> None:
        """Give the lease back. Messages of here that were taken in with it are done with: nobody runs them there."""
        ours = granted.messages.index(foreign[0]) if foreign else len(granted.messages)
        if ours:
            await self._store.turns.commit(_taking_off(note, granted, take=ours))
        else:
            release = Release(conversation=note.conversation, token=granted.token, outcome=Outcome.RETURNED)
            await self._store.turns.release(release)

    async def _finish(self, found: _Found, granted: Granted) -> WayBack:
        """Commit what came of the turns here, or that they stay beside what is there."""
        if not found.conflict:
            if found.here.dead:
                await self._keep_account(found, f"{len(found.here.dead)} messages or deliveries failed for good here")
            try:
                answer = await self._store.turns.commit(self._whole(found, granted))
            except PermanentError as exc:
                found = msgspec.structs.replace(found, conflict=f"it cannot be written: {exc}")
            else:
                way = WayBack.CONFLICT if found.here.dead else WayBack.WRITTEN
                return way if isinstance(answer, Committed) else WayBack.LATER
        await self._keep_account(found, found.conflict)
        answer = await self._store.turns.commit(self._beside(found, granted))
        return WayBack.CONFLICT if isinstance(answer, Committed) else WayBack.LATER

    def _whole(self, found: _Found, granted: Granted) -> Commit:
        note, here = found.note, found.here
        has_state = here.state is not None
        retain_ms = note.retain_ms
        if here.expires_ms is not None:
            retain_ms = max(here.expires_ms - (here.active_ms or here.changed_ms), 1)
        entries = entries_of(here, note)
        return msgspec.structs.replace(
            _last(found, granted),
            state=here.state if here.version != (note.version or 0) else None,
            status=here.status,
            forget=not has_state and granted.state is not None,
            active=True,
            retain_ms=retain_ms,
            log=log_of(entries, note, now_ms=self._clock.now_ms(), state=here.state),
            effects=effects_of(here, note),
            cancel=found.cancelled,
            parts=tuple(Part(id=one, data=data) for one, data in here.parts.items() if one not in note.parts),
            retired=tuple(one for one in note.parts if one not in here.parts),
            opt_out=here.opted_out if here.opted_out is not note.opted_out else None,
        )

    def _beside(self, found: _Found, granted: Granted) -> Commit:
        """Return a commit that leaves state and version as they are; a STOP that was heard here counts all the same."""
        note, here = found.note, found.here
        entries = entries_of(here, note)
        log = log_of(
            entries,
            note,
            now_ms=self._clock.now_ms(),
            state=granted.state,
            conflict=f"{note.write_id}: {found.conflict}",
        )
        return msgspec.structs.replace(
            _last(found, granted),
            log=None if found.is_erased else log,
            cancel=found.cancelled,
            opt_out=True if here.opted_out else None,
        )

    async def _keep_account(self, found: _Found, reason: str) -> None:
        """Keep both sides: the store's stands, and what was said here stands in a document for an operator."""
        note, there = found.note, found.there
        version = None if there is None else there.version
        conflict = conflict_of(found.here, note, reason=reason, found_version=version, now_ms=self._clock.now_ms())
        if found.is_erased:
            conflict = msgspec.structs.replace(conflict, status="", state=NOTHING, log=(), unsent=())
        key = DocumentKey(
            collection=CONFLICTS, id=f"{note.conversation.key}/{note.write_id}", person=note.conversation.person
        )
        await self._store.documents.put(key, encoded(conflict))
        logger.warning(
            "carried_conflict",
            extra={
                "conversation": mask_person(note.conversation.key),
                "conflict": note.write_id,
                "reason": reason,
            },
        )


def _ended(note: Note, there: Exported) -> WayBack:
    """Return how an earlier attempt ended whose answer was lost."""
    return WayBack.CONFLICT if is_in_conflict(note, there) else WayBack.WRITTEN


def _commit_id(note: Note, here: Exported) -> str:
    """Return the id of the commit that ends the way back of just these turns.

    Its answer may be lost, and the person may go on here: what was said since then is not in the store.
    """
    return f"carried:{note.write_id}:{here.fence}"


def _tokens(note: Note) -> tuple[str, str, str]:
    """Return the tokens of the way back. Two, because a message comes in under the one that has not got the lease."""
    return note.token or note.write_id, f"{note.write_id}:a", f"{note.write_id}:b"


def _difference(note: Note, there: Exported | None) -> str:
    """Return why what was said here does not continue what is there; empty if it does."""
    if there is None:
        if not note.version:
            return ""
        return "the store has lost it"
    if note.version is None:
        if there.version == 0 and there.state is None:
            return ""
        return f"this process did not know the conversation and began anew; the store has version {there.version}"
    if there.generation != note.generation:
        return "the store's conversation was forgotten meanwhile and began anew"
    if there.version != note.version:
        return f"it went on here from version {note.version}; the store has version {there.version}"
    return ""


def _is_erased(note: Note, there: Exported | None, *, is_lost: bool) -> bool:
    """Return whether the store was told to forget everything: a state that ended leaves receipts and log behind."""
    if not note.version or note.generation is None:
        return False
    if there is None:
        return not is_lost
    return there.generation != note.generation and not (
        any(record.generation <= note.generation for record in there.log)
        or any(receipt.at_ms < there.created_ms for receipt in there.receipts)
    )


def _foreign(waiting: Sequence[Waiting], messages: Sequence[Incoming], note: Note) -> list[Waiting]:
    """Return the messages that were never seen here."""
    known = {message.id for message in messages} | set(note.seeds) | {f"carried:{note.write_id}"}
    return [one for one in waiting if one.id not in known]


def _taking_off(note: Note, granted: Granted, *, take: int) -> Commit:
    """Return a commit that does nothing but take messages off."""
    return Commit(
        conversation=note.conversation,
        token=granted.token,
        fence=granted.fence,
        version=granted.version,
        generation=granted.generation,
        commit_id=f"carried:{note.write_id}:taking:{granted.fence}",
        take=take,
        state=None,
        active=False,
        next=False,
    )


def _last(found: _Found, granted: Granted) -> Commit:
    """Return the commit that ends the way back, as yet without anything that it brings."""
    commit = _taking_off(found.note, granted, take=len(granted.messages))
    return msgspec.structs.replace(commit, commit_id=_commit_id(found.note, found.here))
