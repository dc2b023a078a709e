"""The `Documents` port in memory. Parts that a commit stored are documents too."""

from collections.abc import Sequence

import msgspec

from turnkeeper.ports.checks import check_batch, check_part, page_size
from turnkeeper.ports.documents import Document, DocumentKey, DocumentPage, Ttl
from turnkeeper.stores.memory.lifetime import put_document
from turnkeeper.stores.memory.medium import Medium
from turnkeeper.stores.memory.tables import Tables


class MemoryDocuments:
    """See `turnkeeper.ports.documents.Documents`."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium

    async def get(self, key: DocumentKey, /) -> Document | None:
        """See `Documents.get`."""
        return self._medium.read(lambda tables, now: _get(tables, now, key))

    async def get_many(self, keys: Sequence[DocumentKey], /) -> Sequence[Document | None]:
        """See `Documents.get_many`."""
        check_batch(len(keys))
        return self._medium.read(lambda tables, now: tuple(_get(tables, now, key) for key in keys))

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
        """See `Documents.put`."""
        check_part(data)

        def put(tables: Tables, now: int) -> str | None:
            found = _get(tables, now, key)
            if not _holds(found, check):
                return None
            expires_ms = None if ttl_ms is None else now + ttl_ms
            if found is not None and ttl is Ttl.KEEP:
                expires_ms = found.expires_ms
            written = Document(data=bytes(data), version=str(tables.serial()), expires_ms=expires_ms)
            put_document(tables, key, written)
            return written.etag

        return self._medium.change(put)

    async def touch(self, key: DocumentKey, /, *, ttl_ms: int | None) -> bool:
        """See `Documents.touch`. The etag stays: the value did not change."""

        def touch(tables: Tables, now: int) -> bool:
            found = _get(tables, now, key)
            if found is None:
                return False
            expires_ms = None if ttl_ms is None else now + ttl_ms
            put_document(tables, key, msgspec.structs.replace(found, expires_ms=expires_ms))
            return True

        return self._medium.change(touch)

    async def delete(self, key: DocumentKey, /, *, check: str | None = None) -> bool:
        """See `Documents.delete`."""

        def delete(tables: Tables, now: int) -> bool:
            found = _get(tables, now, key)
            if found is None or not _holds(found, check):
                return False
            del tables.documents[key]
            return True

        return self._medium.change(delete)

    async def scan(self, collection: str, /, *, cursor: str | None = None, limit: int = 100) -> DocumentPage:
        """See `Documents.scan`. The cursor is the last key, so that what is added or deleted moves nothing."""
        return self._medium.read(lambda tables, now: _scan(tables, now, collection, cursor, page_size(limit)))


def _get(tables: Tables, now: int, key: DocumentKey) -> Document | None:
    found = tables.documents.get(key)
    if found is None or (found.expires_ms is not None and found.expires_ms <= now):
        return None
    return found


def _holds(found: Document | None, check: str | None) -> bool:
    """Return whether a document is still as the writer knew it; its absence has the etag `ABSENT`."""
    return check is None or check == ("" if found is None else found.etag)


def _scan(tables: Tables, now: int, collection: str, cursor: str | None, limit: int) -> DocumentPage:
    after = ("", "") if cursor is None else msgspec.json.decode(cursor, type=tuple[str, str])
    names = sorted(
        (key.id, key.person)
        for key in tables.documents
        if key.collection == collection
        and (cursor is None or (key.id, key.person) > after)
        and _get(tables, now, key) is not None
    )
    page = [DocumentKey(collection=collection, id=name, person=person) for name, person in names[:limit]]
    last = msgspec.json.encode((page[-1].id, page[-1].person)).decode() if len(names) > limit else None
    return DocumentPage(items=tuple((key, tables.documents[key]) for key in page), cursor=last)
