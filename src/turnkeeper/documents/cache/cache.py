"""`Cache`: what a slow source said, kept for a while, and asked for once however many want it.

One task of one process loads a missing entry; the others wait for it, also in other processes.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable
from collections.abc import Collection as Many
from datetime import timedelta
from typing import Generic, TypeVar

import msgspec

from turnkeeper.documents.cache.entry import CACHED, TOKEN_BITS, Entry, Envelope, decode_entry, encode_entry, tombstone
from turnkeeper.documents.cache.flight import Flights
from turnkeeper.documents.cache.results import CacheStats, Found, Warmed
from turnkeeper.documents.collection import Collection
from turnkeeper.documents.records import Records
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, RetryableError
from turnkeeper.policy.ttl import Fixed, span_ms
from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.ports.documents import ABSENT
from turnkeeper.ports.store import Store

T = TypeVar("T")

logger = logging.getLogger(__name__)

Loader = Callable[[str], Awaitable[T | None]]
"""Asks the source for the value of an id; None: there is none."""

LOAD_TIMEOUT = timedelta(seconds=30)
"""A source that does not answer for so long has failed."""

_WRITE_TIME = timedelta(seconds=30)
"""What was loaded may be written so long after its load: an invalidation is remembered until then."""

_OUTAGE = (RetryableError, OutcomeUnknownError)


class Cache(Generic[T]):
    """Documents `name:id` that a loader can make again, each a JSON object with `cached_at` in it.

    Example: `customers = Cache(store, "customer", Customer, ttl=Fixed(minutes(5)))`, then
    `customer = await customers.get_or_load(phone, find_customer)` and, after a change, `customers.invalidate(phone)`.

    A load that began before an invalidation never puts the old value back.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        type_: type[T],
        *,
        ttl: Fixed,
        jitter: float = 0.0,
        stale_for: timedelta | None = None,
        missing_for: timedelta | None = None,
        load_timeout: timedelta = LOAD_TIMEOUT,
        loads_without_store: bool = True,
        clock: Clock | None = None,
    ) -> None:
        """Bind a name in a store to a type. Nothing is opened before the first call.

        Args:
            store: Any store.
            name: What stands before the colon.
            type_: Struct, dataclass, TypedDict or dict.
            ttl: How long an entry is fresh.
            jitter: Up to which part of its span (0 to 1) an entry ends earlier, drawn for each, so that entries that
                were loaded together do not end together.
            stale_for: For so long after its span an entry is handed out while it is loaded anew in the background,
                and in place of a source that fails. None: an entry ends with its span.
            missing_for: How long "there is none" is remembered; None: not at all.
            load_timeout: How long one load may take; nobody else loads meanwhile.
            loads_without_store: While the store does not answer, ask the source; False raises.
            clock: Tells what is fresh.

        Raises:
            InvalidStateError: The type is no JSON object, or cannot be stored.
            ConfigurationError: An option cannot work.
        """
        if not 0 <= jitter < 1:
            raise ConfigurationError(f"jitter is a part of the span from 0 up to 1, got {jitter}")
        self.stats = CacheStats()
        self._span = ttl.span
        self._jitter = jitter
        self._stale_for = stale_for
        self._missing_for = missing_for
        self._load_timeout = load_timeout
        self._loads_without_store = loads_without_store
        self._entries = Collection(store, name, ttl=ttl)
        self._groups = Collection(store, f"{name}.group", ttl=ttl)
        self._documents = store.documents
        self._records: Records[T] = Records(type_, stamps=(CACHED,), naive="utc")
        self._clock = clock or SystemClock()
        self._flights: Flights[Found[T]] = Flights(store, f"{name}.loading", load_timeout)

    async def get(self, entry_id: str, /) -> T | None:
        """Return a fresh entry's value, None if there is none; nothing is loaded.

        Raises:
            RetryableError: The store did not answer.
        """
        entry = await self._fresh(entry_id)
        return None if entry is None else entry.value

    async def put(
        self, entry_id: str, value: T, /, *, ttl: timedelta | None = None, groups: Iterable[str] = ()
    ) -> None:
        """Write an entry, in place of whatever was there.

        Args:
            entry_id: Which one.
            value: Is only read.
            ttl: For this entry in place of the cache's span.
            groups: Names by which `invalidate_group` finds it.

        Raises:
            InvalidStateError: The value does not fit its type.
            ConfigurationError: An entry of a group cannot outlive the cache's span.
        """
        names = tuple(groups)
        if names and ttl is not None and ttl > self._span:
            raise ConfigurationError(f"an entry of a group lives no longer than the cache's span of {self._span}")
        tokens = await self._tokens(names)
        await self._write(entry_id, value, span=ttl or self._drawn(), tokens=tokens, check=None)

    async def get_or_load(self, entry_id: str, loader: Loader[T], /, *, groups: Iterable[str] = ()) -> T | None:
        """Return a fresh value, or load it: once, however many ask for it, here and in other processes.

        All who waited for one load get the same object: do not change it.

        Args:
            entry_id: Which one.
            loader: Asks the source; None from it means that there is none.
            groups: Names by which `invalidate_group` finds what is loaded.

        Raises:
            Exception: Whatever the loader raised, or TimeoutError, if there is no stale value to give.
            RetryableError: The store did not answer, and `loads_without_store` is False.
        """
        return (await self.find_or_load(entry_id, loader, groups=groups)).value

    async def find_or_load(self, entry_id: str, loader: Loader[T], /, *, groups: Iterable[str] = ()) -> Found[T]:
        """As `get_or_load`, with its age and a mark where the value is stale."""
        try:
            entry = await self._read(entry_id)
        except _OUTAGE:
            self.stats.outages += 1
            if not self._loads_without_store:
                raise
            return await self._flights.shared(entry_id, lambda: self._load_alone(entry_id, loader))
        if entry is not None and entry.is_fresh(self._clock.now_ms()):
            self.stats.hits += 1
            return Found(value=entry.value, cached_at=entry.cached_at)
        names = tuple(groups)
        if entry is None:
            self.stats.misses += 1
            return await self._flights.shared(entry_id, lambda: self._load_once(entry_id, loader, names, None))
        self.stats.stale_hits += 1
        self._flights.in_background(entry_id, lambda: self._load_once(entry_id, loader, names, entry))
        return Found(value=entry.value, cached_at=entry.cached_at, is_stale=True)

    async def invalidate(self, entry_id: str, /) -> None:
        """Forget an entry, and what is being loaded for it now. Safe to repeat."""
        stone = tombstone(secrets.randbits(TOKEN_BITS))
        await self._entries.write(entry_id, stone, ttl=self._load_timeout + _WRITE_TIME)

    async def invalidate_group(self, group: str, /) -> None:
        """Forget every entry of a group, and what is being loaded for it now. Safe to repeat."""
        longest = self._span + (self._stale_for or timedelta(0)) + self._load_timeout + _WRITE_TIME
        await self._groups.write(group, msgspec.json.encode({"token": secrets.token_hex(8)}), ttl=longest)

    async def warm(
        self,
        entry_ids: Many[str],
        loader: Loader[T],
        /,
        *,
        at_once: int = 8,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Warmed:
        """Load every entry that is not fresh, a few at once; an id whose load fails does not stop the others.

        Args:
            entry_ids: Which ones.
            loader: Asks the source.
            at_once: Loads at the same time.
            on_progress: Called with how many are done and how many there are.
        """
        limit = asyncio.Semaphore(at_once)
        failed: dict[str, Exception] = {}
        done = loaded = 0

        async def warm(entry_id: str) -> None:
            nonlocal done, loaded
            async with limit:
                try:
                    if await self._fresh(entry_id) is None:
                        await self._flights.shared(entry_id, lambda: self._load_once(entry_id, loader, (), None))
                        loaded += 1
                except Exception as exc:  # noqa: BLE001 - whatever a loader raises is reported by id
                    failed[entry_id] = exc
            done += 1
            if on_progress is not None:
                on_progress(done, len(entry_ids))

        await asyncio.gather(*(warm(entry_id) for entry_id in entry_ids))
        return Warmed(loaded=loaded, fresh=len(entry_ids) - loaded - len(failed), failed=failed)

    async def close(self) -> None:
        """Wait for what is being loaded. Safe to call twice."""
        await self._flights.close()

    async def _fresh(self, entry_id: str) -> Entry[T] | None:
        entry = await self._read(entry_id)
        if entry is None or not entry.is_fresh(self._clock.now_ms()):
            self.stats.misses += 1
            return None
        self.stats.hits += 1
        return entry

    async def _read(self, entry_id: str) -> Entry[T] | None:
        """Return an entry, also a stale one; None if there is none, or its group was invalidated since."""
        found = await self._entries.look(entry_id)
        if found is None:
            return None
        entry = decode_entry(self._records, found.data, found.etag)
        if entry is not None and entry.envelope.groups:
            now = await self._tokens(tuple(entry.envelope.groups))
            if now != entry.envelope.groups:
                return None
        return entry

    async def _tokens(self, groups: tuple[str, ...]) -> dict[str, str]:
        if not groups:
            return {}
        found = await self._documents.get_many([self._groups.key(group) for group in groups])
        return {
            group: "" if document is None else msgspec.json.decode(document.data, type=dict[str, str])["token"]
            for group, document in zip(groups, found, strict=True)
        }

    def _drawn(self) -> timedelta:
        return self._span * (1 - self._jitter * random.random())  # noqa: S311 - no secret

    async def _write(
        self, entry_id: str, value: T | None, *, span: timedelta, tokens: dict[str, str], check: str | None
    ) -> None:
        now = self._clock.now_ms()
        stale_for = self._stale_for if value is not None else None
        fresh_ms = 0 if stale_for is None else now + (span_ms(span) or 0)
        envelope = Envelope(fresh_ms=fresh_ms, is_none=value is None, groups=tokens)
        data = encode_entry(self._records, value, envelope, now_ms=now)
        await self._entries.write(entry_id, data, ttl=span + (stale_for or timedelta(0)), check=check)

    async def _load_alone(self, entry_id: str, loader: Loader[T]) -> Found[T]:
        """Ask the source without the store."""
        return Found(value=await self._asked(entry_id, loader), cached_at="")

    async def _load_once(
        self, entry_id: str, loader: Loader[T], groups: tuple[str, ...], stale: Entry[T] | None
    ) -> Found[T]:
        """Load unless another process does; then wait for what it finds."""
        was_asked = False

        async def look() -> Found[T] | None:
            entry = await self._read(entry_id)
            if entry is None or not entry.is_fresh(self._clock.now_ms()):
                return None
            return Found(value=entry.value, cached_at=entry.cached_at)

        async def load() -> Found[T]:
            nonlocal was_asked
            before = await self._entries.look(entry_id)
            tokens = await self._tokens(groups)
            was_asked = True
            value = await self._asked(entry_id, loader)
            span = self._drawn() if value is not None else self._missing_for
            if span is not None:
                check = ABSENT if before is None else before.etag
                await self._kept(self._write(entry_id, value, span=span, tokens=tokens, check=check))
            elif stale is not None:  # the source has it no more, and that is not remembered
                await self._kept(self._documents.delete(self._entries.key(entry_id), check=stale.etag))
            return Found(value=value, cached_at="")

        try:
            return await self._flights.once(entry_id, look, load, on_wait=self._waited)
        except Exception as exc:
            if stale is None and isinstance(exc, _OUTAGE) and not was_asked and self._loads_without_store:
                self.stats.outages += 1
                return await self._load_alone(entry_id, loader)
            if stale is None:
                raise
            return Found(value=stale.value, cached_at=stale.cached_at, is_stale=True, error=str(exc))

    async def _kept(self, writing: Awaitable[object]) -> None:
        """Wait until what was found out is written; without a store it is handed out all the same."""
        try:
            await writing
        except _OUTAGE as exc:
            self.stats.outages += 1
            logger.warning("cache_not_written", extra={"cache": self._entries.name, "reason": str(exc)})

    async def _asked(self, entry_id: str, loader: Loader[T]) -> T | None:
        self.stats.loads += 1
        try:
            async with asyncio.timeout(self._load_timeout.total_seconds()):
                return await loader(entry_id)
        except BaseException:
            self.stats.load_errors += 1
            raise

    def _waited(self) -> None:
        self.stats.waits += 1
