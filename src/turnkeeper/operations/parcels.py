"""A conversation on its way between two stores: written into the target as documents before the source lets go of it.

A parcel counts once its label is there, and the label is written last; so a parcel is whole or it is none.
"""

from collections.abc import AsyncIterator

import msgspec

from turnkeeper.errors import StoreUnreadableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.store import Store

OWN_COLLECTIONS = frozenset({"turnkeeper.parcel", "turnkeeper.parcel.piece"})
"""What the moving itself writes; never moved as documents of the users."""

PIECE_BYTES = 1024 * 1024
"""Of one document: a quarter of what a store takes, so that no other caller waits long behind one."""


class _Label(msgspec.Struct, frozen=True, array_like=True):
    """What stands in the first document: the conversation, and how many pieces follow; with none, `inside` is all."""

    conversation: ConversationId
    pieces: int
    inside: bytes


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


def _key(collection: str, conversation: ConversationId) -> DocumentKey:
    name = msgspec.json.encode(_name(conversation)).decode()
    return DocumentKey(collection=collection, id=name, person=conversation.person)


def _name(conversation: ConversationId) -> tuple[str, str, str]:
    return conversation.flow, conversation.person, conversation.member


def _piece_key(conversation: ConversationId, number: int) -> DocumentKey:
    key = _key("turnkeeper.parcel.piece", conversation)
    return msgspec.structs.replace(key, id=f"{number}:{key.id}")
