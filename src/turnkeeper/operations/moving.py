"""Moves one conversation from a store to another so that it lives in exactly one of them at any moment.

Out of the source it is written into the target as a parcel; the source lets go of it only if it still is what was
packed; then the target brings it in. Killed anywhere, the next run finds it in the source, in the parcel, or there.
"""

import enum
import hashlib
from datetime import timedelta

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.operations.parcels import discard, pack, unpack
from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Begin, Idle, Outcome, Release

HOLD = timedelta(seconds=15)
"""The lease taken on a conversation with waiting messages: longer than any move, and over soon after a kill."""

TRIES = 3
"""How often a conversation is packed anew that changed meanwhile: a source that is served never comes to rest."""


class Moved(enum.Enum):
    """What became of a conversation."""

    MOVED = "moved"
    """The target has it, the source does not."""

    GONE = "gone"
    """The source does not know it (any more)."""

    BUSY = "busy"
    """A server works on it in the source. Nothing was changed."""

    CONFLICT = "conflict"
    """Both stores have one of that name. Nothing was changed, or what left the source stays in its parcel."""


class Mover:
    """Moves conversations, each on its own. Several movers may work side by side on different conversations."""

    def __init__(self, source: Store, target: Store) -> None:
        """Take two open stores."""
        self._source = source
        self._target = target

    async def move(self, conversation: ConversationId) -> Moved:
        """Move a conversation, or finish what an earlier run began. Safe to repeat.

        Raises:
            RetryableError: A store does not answer; repeat.
            OutcomeUnknownError: An answer was lost; repeat.
        """
        for _ in range(TRIES):
            exported = await self._source.catalog.export(conversation)
            packed = await unpack(self._target, conversation)
            if packed is not None and (exported is None or exported.generation != packed.generation):
                arrived = await self._bring_in(packed)
                return arrived if exported is None or arrived is not Moved.MOVED else Moved.CONFLICT
            if exported is None:
                return Moved.GONE
            if await self._target.catalog.export(conversation) is not None:
                return Moved.CONFLICT
            if packed is None or not _is_same(packed, exported):
                await pack(self._target, exported)
                packed = exported
            if not await self._hold(packed):
                await discard(self._target, conversation)
                return Moved.BUSY
            if await self._let_go(packed):
                return await self._bring_in(packed)
        return Moved.BUSY

    async def _hold(self, packed: Exported) -> bool:
        """Keep other workers from running it; False: one of them runs it now."""
        if not packed.inbox:
            return True
        token = _token(packed.conversation)
        lease_ms = HOLD // timedelta(milliseconds=1)
        begun = await self._source.turns.begin(
            Begin(conversation=packed.conversation, token=token, lease_ms=lease_ms, message=None)
        )
        # Held back until the time that was packed: nobody may run it before either.
        return not (isinstance(begun, Idle) and begun.ready_ms is not None and begun.ready_ms > packed.ready_ms)

    async def _let_go(self, packed: Exported) -> bool:
        """Erase it in the source if it still is what was packed; else give it back and throw the parcel away.

        The source itself compares, in the step that erases: a message that it accepts in that moment is kept or moved.
        """
        conversation = packed.conversation
        left = await self._source.catalog.export(conversation)
        if left is None:
            return True
        if _is_same(left, packed):
            forgotten = await self._source.turns.forget(conversation, mark=left.mark)
            if not forgotten.changed:
                return True
        release = Release(conversation=conversation, token=_token(conversation), outcome=Outcome.RETURNED)
        await self._source.turns.release(release)
        await discard(self._target, conversation)
        return False

    async def _bring_in(self, packed: Exported) -> Moved:
        """Let it go on in the target; the parcel stays if another conversation of that name is there."""
        await self._target.catalog.restore(packed)
        arrived = await self._target.catalog.export(packed.conversation)
        if arrived is not None and (arrived.generation != packed.generation or arrived.version < packed.version):
            return Moved.CONFLICT
        await discard(self._target, packed.conversation)
        return Moved.MOVED


def _token(conversation: ConversationId) -> str:
    """Return the owner token, always the same: a run after a kill goes on at once, not when the lease ends."""
    name = msgspec.json.encode((conversation.flow, conversation.person, conversation.member))
    return f"migrate:{hashlib.blake2b(name, digest_size=8).hexdigest()}"


def _is_same(one: Exported, other: Exported) -> bool:
    """Return whether nothing happened between two exports but that a lease was taken."""
    return _compared(one) == _compared(other)


def _compared(exported: Exported) -> Exported:
    return msgspec.structs.replace(
        exported,
        mark="",
        fence=0,
        attempts=0,
        receipts=tuple(sorted(exported.receipts, key=lambda one: one.digest)),
        deliveries=tuple(sorted(exported.deliveries, key=lambda one: one.id)),
        log=tuple(sorted(exported.log, key=lambda one: one.seq)),
    )
