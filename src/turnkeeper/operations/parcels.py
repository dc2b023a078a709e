"""A conversation on its way between two stores: written into the target as documents before the source lets go of it.

A parcel counts once its label is there, and the label is written last; so a parcel is whole or it is none.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from turnkeeper.errors import StoreUnreadableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Exported, ExportedDead
from turnkeeper.ports.deliveries import DeadLetter
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.store import Store

OWN_COLLECTIONS = frozenset({"turnkeeper.parcel", "turnkeeper.parcel.piece", "turnkeeper.luggage"})
"""What the moving itself writes; never moved as documents of the users."""

PIECE_BYTES = 1024 * 1024
"""Of one document: a quarter of what a store takes, so that no other caller waits long behind one."""


class _Label(msgspec.Struct, frozen=True, array_like=True):
    """What stands in the first document: the conversation, and how many pieces follow; with none, `inside` is all."""

    conversation: ConversationId
    pieces: int
    inside: bytes


class Luggage(msgspec.Struct, frozen=True, kw_only=True):
    """What a store could not take with a conversation; it is handed back when the conversation leaves again."""

    generation: int
    first_commit_ms: int | None = None
    log_keep_ms: int | None = None
    dead: tuple[ExportedDead, ...] = ()


async def pack(store: Store, exported: Exported) -> None:
    """Write a parcel, in place of an earlier one of the same conversation."""
    key = _key("turnkeeper.parcel", exported.conversation)
    packed = msgspec.msgpack.encode(exported)
    pieces = [packed[at : at + PIECE_BYTES] for at in range(0, len(packed), PIECE_BYTES)]
    if len(pieces) == 1:
        label = _Label(exported.conversation, 0, packed)
    else:
        await store.documents.delete(key)
        for number, piece in enumerate(pieces):
            await store.documents.put(_piece_key(exported.conversation, number), piece)
        label = _Label(exported.conversation, len(pieces), b"")
    await store.documents.put(key, msgspec.msgpack.encode(label))


async def unpack(store: Store, conversation: ConversationId) -> Exported | None:
    """Return what is in a conversation's parcel, None if there is none.

    Raises:
        StoreUnreadableError: A piece of it is missing.
    """
    found = await store.documents.get(_key("turnkeeper.parcel", conversation))
    if found is None:
        return None
    label = msgspec.msgpack.decode(found.data, type=_Label)
    packed = label.inside
    for number in range(label.pieces):
        piece = await store.documents.get(_piece_key(conversation, number))
        if piece is None:
            raise StoreUnreadableError(
                f"piece {number} of {conversation.key} is missing among turnkeeper.parcel.piece; nothing was changed. "
                "Bring the target back from a backup, or delete the parcel if the source still has the conversation"
            )
        packed += piece.data
    return msgspec.msgpack.decode(packed, type=Exported)


async def discard(store: Store, conversation: ConversationId) -> None:
    """Remove a parcel, its label first. Safe to repeat."""
    key = _key("turnkeeper.parcel", conversation)
    found = await store.documents.get(key)
    if found is None:
        return
    await store.documents.delete(key)
    for number in range(msgspec.msgpack.decode(found.data, type=_Label).pieces):
        await store.documents.delete(_piece_key(conversation, number))


async def parcels(store: Store) -> AsyncIterator[ConversationId]:
    """Yield the conversations whose parcels an earlier run left behind."""
    cursor = None
    while True:
        page = await store.documents.scan("turnkeeper.parcel", cursor=cursor, limit=MAX_BATCH)
        for _, document in page.items:
            yield msgspec.msgpack.decode(document.data, type=_Label).conversation
        if (cursor := page.cursor) is None:
            return


Letters = Mapping[tuple[str, str, str], Sequence[ExportedDead]]
"""Dead letters by flow, person and member, oldest first."""


async def read_letters(store: Store, flow: str | None) -> Letters:
    """Return every dead letter of a store: not each store tells them when a conversation is exported."""
    found: dict[tuple[str, str, str], list[ExportedDead]] = {}
    cursor = None
    while True:
        page = await store.deliveries.dead(flow=flow, cursor=cursor, limit=MAX_BATCH)
        for letter in page.items:
            found.setdefault(_name(letter.conversation), []).insert(0, _exported_dead(letter))
        if (cursor := page.cursor) is None:
            return found


def _exported_dead(letter: DeadLetter) -> ExportedDead:
    return ExportedDead(
        source_id=letter.source_id,
        kind=letter.kind,
        payload=letter.payload,
        error=letter.error,
        attempts=letter.attempts,
        version=letter.version,
        at_ms=letter.at_ms,
    )


async def export_whole(store: Store, conversation: ConversationId, letters: Letters) -> Exported | None:
    """Return a conversation with its dead letters, and with what its store could not take when it came."""
    exported = await store.catalog.export(conversation)
    if exported is None:
        return None
    dead = exported.dead or tuple(letters.get(_name(conversation), ()))
    found = await store.documents.get(_key("turnkeeper.luggage", conversation))
    if found is None:
        return msgspec.structs.replace(exported, dead=dead)
    luggage = msgspec.msgpack.decode(found.data, type=Luggage)
    first_commit_ms = exported.first_commit_ms
    if first_commit_ms is None and luggage.generation == exported.generation:
        first_commit_ms = luggage.first_commit_ms
    return msgspec.structs.replace(
        exported,
        first_commit_ms=first_commit_ms,
        log_keep_ms=exported.log_keep_ms or luggage.log_keep_ms,
        dead=(*luggage.dead, *dead),
    )


async def check_luggage(store: Store, exported: Exported, arrived: Exported) -> None:
    """Keep beside an arrived conversation what the store did not take of it, and nothing of an earlier visit."""
    key = _key("turnkeeper.luggage", exported.conversation)
    luggage = Luggage(
        generation=exported.generation,
        first_commit_ms=exported.first_commit_ms if arrived.first_commit_ms is None else None,
        log_keep_ms=exported.log_keep_ms if arrived.log_keep_ms is None else None,
        dead=exported.dead if len(arrived.dead) < len(exported.dead) else (),
    )
    if luggage == Luggage(generation=exported.generation):
        await store.documents.delete(key)
        return
    await store.documents.put(key, msgspec.msgpack.encode(luggage))


async def drop_luggage(store: Store, conversation: ConversationId) -> None:
    """Forget what a store kept beside a conversation that left. Safe to repeat."""
    await store.documents.delete(_key("turnkeeper.luggage", conversation))


def _key(collection: str, conversation: ConversationId) -> DocumentKey:
    name = msgspec.json.encode(_name(conversation)).decode()
    return DocumentKey(collection=collection, id=name, person=conversation.person)


def _name(conversation: ConversationId) -> tuple[str, str, str]:
    return conversation.flow, conversation.person, conversation.member


def _piece_key(conversation: ConversationId, number: int) -> DocumentKey:
    key = _key("turnkeeper.parcel.piece", conversation)
    return msgspec.structs.replace(key, id=f"{number}:{key.id}")
