"""What of a mirror waits to be written, and the writing: in order per value, many values at once, never twice."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Protocol

from turnkeeper.documents.collection import Collection
from turnkeeper.errors import OutcomeUnknownError, PermanentError, RetryableError
from turnkeeper.policy.ttl import span_ms
from turnkeeper.ports.documents import ABSENT, Ttl
from turnkeeper.ports.store import Store

logger = logging.getLogger(__name__)

WRITES_AT_ONCE = 64
"""Values written at the same time: they share round trips on a multiplexed connection and one commit on a file."""

_BACKOFF_SECONDS = (0.1, 2.0)
"""First and longest wait before a store that did not answer is asked again."""

_OUTAGE = (RetryableError, OutcomeUnknownError)


class OnSaved(Protocol):
    """Told after each write."""

    def __call__(self, value_id: str, /, *, is_new: bool) -> None:
        """Take the id, and whether there was no such document."""
        ...


class Saver:
    """Writes values whose content changed. Not shared between loops."""

    def __init__(
        self, store: Store, collection: Collection, encode: Callable[[Any], bytes], *, on_saved: OnSaved
    ) -> None:
        """Take where to write and how."""
        self._documents = store.documents
        self._collection = collection
        self._encode = encode
        self._on_saved = on_saved
        self._changed: dict[str, None] = {}
        self._deleted: dict[str, None] = {}
        self._writing: set[str] = set()
        self._stored: dict[str, tuple[bytes, str]] = {}
        self._refused: dict[str, bytes] = {}
        self._lock = asyncio.Lock()
        self._wait = 0.0
        self._next = 0.0
        self.down_since_ms: int | None = None
        self.reason = ""
        self.conflicts = 0
        self.unwritable: dict[str, str] = {}

    @property
    def waiting(self) -> int:
        """How many values changed, or may have, and are not written, or cannot be."""
        return len({*self._changed, *self._deleted, *self._writing, *self.unwritable})

    def is_waiting(self, value_id: str) -> bool:
        """Return whether a value waits to be written or deleted, is being written now, or cannot be."""
        return any(value_id in some for some in (self._changed, self._deleted, self._writing, self.unwritable))

    def known(self, value_id: str, etag: str) -> None:
        """Take note of what the store has; of its content only the etag, which is enough to write over it."""
        self._stored[value_id] = (b"", etag)

    def changed(self, value_id: str) -> None:
        """Write this value with the next save if its content is another one."""
        self._deleted.pop(value_id, None)
        self._changed[value_id] = None

    def compare(self, value_id: str, value: object) -> None:
        """Write this value with the next save if it is not what the store has."""
        data = self._encoded(value_id, value)
        if data is not None and self._is_news(value_id, _digest(data)):
            self.changed(value_id)

    def deleted(self, value_id: str) -> None:
        """Delete this value with the next save."""
        self._changed.pop(value_id, None)
        self._is_well(value_id)
        self._deleted[value_id] = None

    def forget(self, value_id: str) -> None:
        """Drop what is known of a value."""
        self._stored.pop(value_id, None)
        self._is_well(value_id)
        self._changed.pop(value_id, None)

    def is_down(self, reason: str, now_ms: int) -> None:
        """Wait before the store is asked again; told once, when it begins."""
        first, longest = _BACKOFF_SECONDS
        self._wait = min(max(self._wait * 2, first), longest)
        self._next = time.monotonic() + self._wait
        self.reason = reason
        if self.down_since_ms is None:
            self.down_since_ms = now_ms
            logger.warning("mirror_store_down", extra={"mirror": self._collection.name, "reason": reason})

    @property
    def may_ask(self) -> bool:
        """Return whether the store may be asked now: it answered last, or was left alone for long enough."""
        return self.down_since_ms is None or time.monotonic() >= self._next

    async def save(self, values: Mapping[str, Any], now_ms: int, *, at_once: bool = False) -> bool:
        """Write what changed; False if the store does not answer, or is not to be asked yet (unless `at_once`)."""
        async with self._lock:
            if not at_once and not self.may_ask:
                return False
            while self._changed or self._deleted:
                batch = [*islice(self._deleted, WRITES_AT_ONCE), *islice(self._changed, WRITES_AT_ONCE)]
                deleted = {value_id for value_id in batch if value_id in self._deleted}
                results = await asyncio.gather(
                    *(self._delete(one) if one in deleted else self._write(one, values) for one in batch),
                    return_exceptions=True,
                )
                failed = [result for result in results if isinstance(result, BaseException)]
                if failed:
                    if not isinstance(failed[0], _OUTAGE):
                        raise failed[0]
                    self.is_down(str(failed[0]), now_ms)
                    return False
            self._is_up()
            return True

    def _is_up(self) -> None:
        self._wait = 0.0
        self.reason = ""
        if self.down_since_ms is not None:
            self.down_since_ms = None
            logger.info("mirror_store_back", extra={"mirror": self._collection.name})

    async def _delete(self, value_id: str) -> None:
        if value_id not in self._deleted:  # it was put in again since the batch was made
            return
        del self._deleted[value_id]
        self._writing.add(value_id)
        try:
            await self._collection.delete(value_id)
        except BaseException:  # a cancelled one too: whether it was done is not known, and to repeat it is safe
            if value_id not in self._changed:
                self._deleted[value_id] = None
            raise
        finally:
            self._writing.discard(value_id)
        self._stored.pop(value_id, None)

    async def _write(self, value_id: str, values: Mapping[str, Any]) -> None:
        if value_id not in self._changed:  # it was deleted since the batch was made
            return
        del self._changed[value_id]
        data = self._encoded(value_id, values[value_id]) if value_id in values else None
        if data is None:
            return
        if not self._is_news(value_id, _digest(data)):
            return
        _, etag = self._stored.get(value_id, (b"", ABSENT))
        self._writing.add(value_id)
        try:
            await self._put(value_id, data, etag)
        except PermanentError as exc:
            self._refused[value_id] = _digest(data)
            self._cannot_write(value_id, str(exc))
        except BaseException:  # a cancelled one too: `close` ends the background in the middle of a write
            if value_id not in self._deleted:
                self._changed[value_id] = None
            raise
        finally:
            self._writing.discard(value_id)

    def _encoded(self, value_id: str, value: object) -> bytes | None:
        """Return the JSON of a value, None if it has none; told once for each reason."""
        try:
            data = self._encode(value)
        except PermanentError as exc:
            self._cannot_write(value_id, str(exc))
            return None
        return data

    def _is_news(self, value_id: str, digest: bytes) -> bool:
        """Return whether this is neither what the store has nor what it refused already."""
        if digest == self._refused.get(value_id):
            return False
        if digest != self._stored.get(value_id, (b"", ABSENT))[0]:
            return True
        self._is_well(value_id)
        return False

    def _is_well(self, value_id: str) -> None:
        self.unwritable.pop(value_id, None)
        self._refused.pop(value_id, None)

    def _cannot_write(self, value_id: str, reason: str) -> None:
        if self.unwritable.get(value_id) != reason:
            self.unwritable[value_id] = reason
            facts = {"mirror": self._collection.name, "id": value_id, "reason": reason}
            logger.error("mirror_unwritable", extra=facts)

    async def _put(self, value_id: str, data: bytes, etag: str) -> None:
        key = self._collection.key(value_id)
        span = None if self._collection.ttl is None else span_ms(self._collection.ttl.span)
        kept = Ttl.KEEP if self._collection.keeps_end else Ttl.SET
        written = await self._documents.put(key, data, check=etag, ttl_ms=span, ttl=kept)
        is_new = etag == ABSENT
        if written is None:
            found = await self._documents.get(key)
            if found is not None and found.data == data:
                written = found.etag  # an earlier write whose answer was lost
            else:
                if found is not None:
                    self.conflicts += 1
                    logger.warning("mirror_conflict", extra={"mirror": self._collection.name, "id": value_id})
                written = await self._documents.put(key, data, ttl_ms=span, ttl=kept)
                is_new = found is None
        self._stored[value_id] = (_digest(data), written or ABSENT)
        self._is_well(value_id)
        self._on_saved(value_id, is_new=is_new)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
