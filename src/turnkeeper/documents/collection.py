"""`Collection`: one kind of document in a store. Names, times to live, and changes that lose nobody else's.

A change is read, computed and written back only if nobody wrote meanwhile; else it is computed again.
"""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from weakref import WeakValueDictionary

from turnkeeper.errors import InvalidMessageError, StoreBusyError
from turnkeeper.policy.ttl import Lifetime, Preserved, Sliding, span_ms
from turnkeeper.ports.documents import Document, DocumentKey, Ttl
from turnkeeper.ports.store import Store

T = TypeVar("T")

MAX_ID_BYTES = 512
"""One document's id, in UTF-8: longer than any address or token that a provider hands out."""

MAX_TRIES = 200
"""Computations of one change: each one that fails means that another writer's succeeded."""

RECENT = 256
"""Documents that a collection of sessions remembers as it last saw them: those that people are at now."""

RECENT_BYTES = 16_384
"""Of one that is remembered: four megabytes in all. A larger one is read before each change."""

_WAIT_SECONDS = 0.02
"""Longest wait before a change is computed again; drawn, so that writers who met do not meet again."""


class Collection:
    """Documents of one name. Safe to share between tasks; several processes may write the same documents."""

    def __init__(self, store: Store, name: str, *, ttl: Lifetime, recent: int = 0) -> None:
        """Take where the documents are and how long they live, and how many to remember for `merge`."""
        if not name:
            raise InvalidMessageError("a collection needs a name, such as 'session'")
        self.name = name
        self.ttl = ttl
        self._documents = store.documents
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._recent: dict[str, Document] = {}
        self._shared: dict[str, None] = {}
        self._most_recent = recent

    @property
    def keeps_end(self) -> bool:
        """Whether a change leaves the time that remains as it is."""
        return isinstance(self.ttl, Preserved)

    def key(self, document_id: str) -> DocumentKey:
        """Return the name of a document.

        Raises:
            InvalidMessageError: The id is empty or too long, is no text, or cannot be written as UTF-8.
        """
        try:
            size = len(document_id.encode())
        except (UnicodeEncodeError, AttributeError):  # a number has no `encode`
            raise InvalidMessageError(f"the id {document_id!r} is no Unicode text") from None
        if not 0 < size <= MAX_ID_BYTES:
            raise InvalidMessageError(f"an id of {self.name} has 1 to {MAX_ID_BYTES} bytes, got {size}")
        return DocumentKey(collection=self.name, id=document_id)

    async def read(self, document_id: str) -> Document | None:
        """Return a document, None if there is none; where reading counts as use, it stays for longer."""
        key = self.key(document_id)
        found = await self._documents.get(key)
        if found is not None and isinstance(self.ttl, Sliding):
            await self._documents.touch(key, ttl_ms=span_ms(self.ttl.span))
        return found

    async def look(self, document_id: str) -> Document | None:
        """Return a document without using it."""
        return await self._documents.get(self.key(document_id))

    async def write(self, document_id: str, data: bytes, *, ttl: timedelta | None, check: str | None = None) -> bool:
        """Write a whole document; its time counts from now. False: the check did not hold, nothing was written."""
        span = ttl if ttl is not None or self.ttl is None else self.ttl.span
        self._recent.pop(document_id, None)
        etag = await self._documents.put(self.key(document_id), data, check=check, ttl_ms=span_ms(span))
        if etag is not None:
            self.remember(document_id, Document(data=data, version=etag, expires_ms=None))
        return etag is not None

    async def change(self, document_id: str, compute: Callable[[bytes], bytes | None]) -> bytes | None:
        """Replace a document by what is computed from it; None, and nothing written, if there is none.

        Args:
            document_id: Which one.
            compute: Gets the stored bytes, returns the new ones or None to leave all as it is; may run several times.

        Raises:
            StoreBusyError: Others wrote it all the time; nothing was written.
        """
        return await self._replace(document_id, compute, may_presume=False)

    async def merge(self, document_id: str, compute: Callable[[bytes], bytes | None]) -> bytes | None:
        """Do the same for a computation that decides nothing by what is stored: it may run on old bytes first.

        What this process saw last is presumed to be there still, which the write proves: one round trip instead of two.
        """
        return await self._replace(document_id, compute, may_presume=True)

    async def _replace(
        self, document_id: str, compute: Callable[[bytes], bytes | None], *, may_presume: bool
    ) -> bytes | None:
        key = self.key(document_id)
        span = None if self.ttl is None else span_ms(self.ttl.span)
        kept = Ttl.KEEP if self.keeps_end else Ttl.SET
        lock = self._turns.setdefault(document_id, asyncio.Lock())
        async with lock:
            seen = self._recent.pop(document_id, None)
            presumed = seen if may_presume else None
            for attempt in range(MAX_TRIES):
                found = presumed or await self._documents.get(key)
                if found is None or (data := compute(found.data)) is None:
                    return None
                etag = await self._documents.put(key, data, check=found.etag, ttl_ms=span, ttl=kept)
                if etag is not None:
                    self.remember(document_id, Document(data=data, version=etag, expires_ms=None))
                    return data
                if presumed is not None:
                    presumed = None
                    self._is_shared(document_id)
                await asyncio.sleep(random.uniform(0, _WAIT_SECONDS * min(attempt / 10, 1)))  # noqa: S311 - no secret
        raise StoreBusyError(f"{self.name}:{document_id} was written by others {MAX_TRIES} times in a row; try again")

    async def touch(self, document_id: str, *, ttl: timedelta | None) -> bool:
        """Count the time to live anew; False if there is no document."""
        span = ttl if ttl is not None or self.ttl is None else self.ttl.span
        return await self._documents.touch(self.key(document_id), ttl_ms=span_ms(span))

    async def delete(self, document_id: str) -> bool:
        """Delete; False if there was none."""
        self._recent.pop(document_id, None)
        return await self._documents.delete(self.key(document_id))

    def remember(self, document_id: str, document: Document) -> None:
        """Presume that a good document is still as it was seen, unless others write it too."""
        if self._most_recent and len(document.data) <= RECENT_BYTES and document_id not in self._shared:
            self._recent.pop(document_id, None)
            _keep(self._recent, document_id, document, self._most_recent)

    def _is_shared(self, document_id: str) -> None:
        """Presume nothing of this document any more: another process writes it as well."""
        _keep(self._shared, document_id, None, self._most_recent)


def _keep(kept: dict[str, T], name: str, value: T, most: int) -> None:
    """Put a value in, at the price of the one that was put in the longest ago."""
    kept[name] = value
    if len(kept) > most:
        del kept[next(iter(kept))]
