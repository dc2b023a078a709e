"""The `Documents` port on SQLite. Parts that a commit stored are documents too."""

from collections.abc import Sequence

import msgspec

from turnkeeper.ports.checks import check_batch, check_part, page_size
from turnkeeper.ports.documents import Document, DocumentKey, DocumentPage, Ttl
from turnkeeper.stores.sqlite.file.readers import View
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.medium import Medium

_GET = "SELECT bytes, etag, expires_ms FROM document WHERE collection = ? AND id = ? AND person = ?"
_TAG = "SELECT etag, expires_ms FROM document WHERE collection = ? AND id = ? AND person = ?"
_PUT = (
    "INSERT INTO document (collection, id, person, etag, expires_ms, bytes) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (collection, id, person) DO UPDATE SET "
    "etag = excluded.etag, expires_ms = excluded.expires_ms, bytes = excluded.bytes"
)
_TOUCH = "UPDATE document SET expires_ms = ? WHERE collection = ? AND id = ? AND person = ?"
_DELETE = "DELETE FROM document WHERE collection = ? AND id = ? AND person = ?"
_SCAN = (
    "SELECT id, person, bytes, etag, expires_ms FROM document WHERE collection = ? AND (id, person) > (?, ?) "
    "AND (expires_ms IS NULL OR expires_ms > ?) ORDER BY id, person LIMIT ?"
)

_Tag = tuple[str, int | None]
"""Etag and end of a document."""


class SqliteDocuments:
    """See `turnkeeper.ports.documents.Documents`."""

    def __init__(self, medium: Medium) -> None:
        """Take the open file."""
        self._medium = medium

    async def get(self, key: DocumentKey, /) -> Document | None:
        """See `Documents.get`."""
        return await self._medium.read(lambda view: _get(view, key))

    async def get_many(self, keys: Sequence[DocumentKey], /) -> Sequence[Document | None]:
        """See `Documents.get_many`."""
        check_batch(len(keys))
        return await self._medium.read(lambda view: tuple(_get(view, key) for key in keys))

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

        def put(transaction: Transaction) -> str | None:
            found = _tag(transaction, key)
            if not _holds(found, check):
                return None
            transaction.require_room()
            expires_ms = _end(transaction, ttl_ms)
            if found is not None and ttl is Ttl.KEEP:
                expires_ms = found[1]
            etag = transaction.next_number()
            transaction.blob_bytes += len(data)
            transaction.execute(_PUT, (*_name(key), etag, expires_ms, data))
            return str(etag)

        return await self._medium.write(put)

    async def touch(self, key: DocumentKey, /, *, ttl_ms: int | None) -> bool:
        """See `Documents.touch`. The etag stays: the value did not change."""

        def touch(transaction: Transaction) -> bool:
            if _tag(transaction, key) is None:
                return False
            transaction.execute(_TOUCH, (_end(transaction, ttl_ms), *_name(key)))
            return True

        return await self._medium.write(touch)

    async def delete(self, key: DocumentKey, /, *, check: str | None = None) -> bool:
        """See `Documents.delete`."""

        def delete(transaction: Transaction) -> bool:
            found = _tag(transaction, key)
            if found is None or not _holds(found, check):
                return False
            transaction.execute(_DELETE, _name(key))
            return True

        return await self._medium.write(delete)

    async def scan(self, collection: str, /, *, cursor: str | None = None, limit: int = 100) -> DocumentPage:
        """See `Documents.scan`. The cursor is the last key, so that what is added or deleted moves nothing."""
        return await self._medium.read(lambda view: _scan(view, collection, cursor, page_size(limit)))


def _name(key: DocumentKey) -> tuple[str, str, str]:
    return key.collection, key.id, key.person


def _end(transaction: Transaction, ttl_ms: int | None) -> int | None:
    return None if ttl_ms is None else transaction.now_ms + ttl_ms


def _get(view: View, key: DocumentKey) -> Document | None:
    row = view.execute(_GET, _name(key)).fetchone()
    if row is None:
        return None
    content, etag, expires_ms = row
    if expires_ms is not None and expires_ms <= view.now_ms:
        return None
    return Document(data=content, version=str(etag), expires_ms=expires_ms)


def _tag(transaction: Transaction, key: DocumentKey) -> _Tag | None:
    """Return etag and end of a document, None if there is none or its time is over."""
    row = transaction.execute(_TAG, _name(key)).fetchone()
    if row is None:
        return None
    etag, expires_ms = row
    return None if expires_ms is not None and expires_ms <= transaction.now_ms else (str(etag), expires_ms)


def _holds(found: _Tag | None, check: str | None) -> bool:
    """Return whether a document is still as the writer knew it; its absence has the etag `ABSENT`."""
    return check is None or check == ("" if found is None else found[0])


def _scan(view: View, collection: str, cursor: str | None, limit: int) -> DocumentPage:
    after = ("", "") if cursor is None else msgspec.json.decode(cursor, type=tuple[str, str])
    rows = view.execute(_SCAN, (collection, *after, view.now_ms, limit + 1)).fetchall()
    items = tuple(
        (
            DocumentKey(collection=collection, id=name, person=person),
            Document(data=content, version=str(etag), expires_ms=expires_ms),
        )
        for name, person, content, etag, expires_ms in rows[:limit]
    )
    last = items[-1][0] if len(rows) > limit else None
    return DocumentPage(
        items=items, cursor=None if last is None else msgspec.json.encode((last.id, last.person)).decode()
    )
