"""The port for values beside conversations: parts, sessions, caches, mirrors.

A document is opaque bytes under a name the user chose. `etag` changes with every write; a check against it makes
read-modify-write safe. "Not there" is None or False; "could not ask" is an exception.
"""

import enum
import hashlib
from collections.abc import Sequence
from typing import Protocol

import msgspec

from turnkeeper.model.conversation import ConversationId


class DocumentKey(msgspec.Struct, frozen=True, kw_only=True):
    """`collection:id`. `person` puts the document beside that person's conversations (same partition)."""

    collection: str
    id: str
    person: str = ""


def part_key(conversation: ConversationId, part_id: str) -> DocumentKey:
    """Return the key under which `Turns.commit` stores a part."""
    return DocumentKey(collection="part", id=f"{conversation.key}/{part_id}", person=conversation.person)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A stored value. `expires_ms` is on the store's clock, None: never.

    `version` is what the store itself calls this write; one that keeps nothing beside the value leaves it empty, and
    the digest of the bytes is the etag. It is computed when it is asked for: a restore asks for none.
    """

    data: bytes
    version: str = ""
    expires_ms: int | None

    @property
    def etag(self) -> str:
        """Return what `put` and `delete` take as their `check`."""
        return self.version or digest_of(self.data)


def digest_of(data: bytes) -> str:
    """Return the etag of bytes that have no version: their SHA-1, which a script on a server can compute too."""
    return hashlib.sha1(data).hexdigest()  # noqa: S324 - it tells versions apart, it protects nothing


class Ttl(enum.Enum):
    """What a write does to the time that is left."""

    SET = "set"
    """Count `ttl_ms` from now (None: for ever)."""

    KEEP = "keep"
    """Leave the remaining time of an existing document as it is; a new one gets `ttl_ms`."""


ABSENT = ""
"""As `check`: write only if there is no document."""


class DocumentPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of keys with their documents; `cursor` None: the last page. No order; nothing that stayed is missed."""

    items: tuple[tuple[DocumentKey, Document], ...]
    cursor: str | None


class Documents(Protocol):
    """Values with a name, an etag and a time to live."""

    async def get(self, key: DocumentKey, /) -> Document | None:
        """Return the document, None if there is none or its time is over."""
        ...

    async def get_many(self, keys: Sequence[DocumentKey], /) -> Sequence[Document | None]:
        """Return up to `MAX_BATCH` documents in the order of the keys."""
        ...

    async def put(
        self,
        key: DocumentKey,
        data: bytes,
        /,
        *,
        check: str | None = None,
        ttl_ms: int | None = None,
        ttl: Ttl = Ttl.SET,
    ) -> str | None:
        """Write; return the new etag, or None if `check` (an etag, or `ABSENT`) no longer holds: nothing written."""
        ...

    async def touch(self, key: DocumentKey, /, *, ttl_ms: int | None) -> bool:
        """Count the time to live anew; False if there is no document."""
        ...

    async def delete(self, key: DocumentKey, /, *, check: str | None = None) -> bool:
        """Delete; False if there was none, or `check` no longer held."""
        ...

    async def scan(self, collection: str, /, *, cursor: str | None = None, limit: int = 100) -> DocumentPage:
        """Walk a collection in bounded pages."""
        ...
