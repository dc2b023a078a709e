"""`Mirror`: a dict whose values are saved. For code that keeps its data in a plain dict and writes where it likes.

It is restored before its first use and written behind: a change is in the store after the window, not at once. What a
process that is killed may lose is what it changed within that window; conversations do not have that gap, turns do
not lose anything.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self, get_origin, is_typeddict

import msgspec

from turnkeeper.codecs.json import TypedJson, type_name
from turnkeeper.codecs.misfit import MisfitError, misfit_of
from turnkeeper.documents.collection import Collection
from turnkeeper.documents.mirror.ends import Ends
from turnkeeper.documents.mirror.health import MirrorHealth
from turnkeeper.documents.mirror.saving import Saver
from turnkeeper.documents.mirror.tracked import tracked
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, RetryableError, StateUndecodableError
from turnkeeper.policy.ttl import Lifetime, span_ms
from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.ports.documents import Document, DocumentPage
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.store import Store

logger = logging.getLogger(__name__)

WINDOW = timedelta(milliseconds=50)
"""Between two looks for what changed: long enough that a burst on one value is one write."""

TOLD_EVERY = 20_000
"""Values between two lines of the log that tell of a restore."""

LOOKS_PER_WINDOW = 100
"""Values put in as plain dicts that are compared in one window: about 1 ms of the loop at 1 KB."""

_OUTAGE = (RetryableError, OutcomeUnknownError)

Value = dict[str, Any]


class _Object(msgspec.Struct):
    """Any JSON object: whatever it has is skipped, which checks its grammar, but not its UTF-8."""


_skip_object = msgspec.json.Decoder(_Object)


class Mirror(MutableMapping[str, Value]):
    """All documents `name:id` of a store as a dict of dicts, changes at any depth saved.

    Example: `orders = Mirror(store, "order", ttl=Fixed(days(7)))`, then `async with orders:` and
    `orders["5866"]["confirmed_times"]["JS"] = "14:35"`.

    One process writes a mirror: of two that change one value the last one stands, counted in `conflicts`. A dict that
    is put in stays the same object, and is compared until the process ends: with up to 100 of them a change is
    found within one window, with more in as many more. Values that were restored tell by themselves.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        type_: type[Any] = dict[str, Any],
        *,
        ttl: Lifetime,
        window: timedelta = WINDOW,
        clock: Clock | None = None,
    ) -> None:
        """Bind a name in a store. Nothing is opened before `open`.

        Args:
            store: Any store.
            name: What stands before the colon.
            type_: `dict`, or a TypedDict that values are checked against; members that it does not know are kept.
            ttl: Counted from each write of a value; with `Preserved` from its first one. None keeps for ever.
            window: Between two looks for what changed.
            clock: Tells when a value's time is over.

        Raises:
            ConfigurationError: The type's values are no dicts.
        """
        self._typed: TypedJson[Any] = TypedJson(type_, name=type_name(type_))
        self._tree: TypedJson[Any] = TypedJson(dict[str, Any], name=type_name(type_))
        self._is_checked = (get_origin(type_) or type_) is not dict
        if self._is_checked and not is_typeddict(type_):
            raise ConfigurationError(f"a mirror holds dicts; declare {type_name(type_)} as a TypedDict")
        self._documents = Collection(store, name, ttl=ttl)
        self._scan = store.documents.scan
        self._window = window
        self._clock = clock or SystemClock()
        self._span = None if ttl is None else span_ms(ttl.span)
        self._values: dict[str, Value | Document] = {}
        self._ends = Ends()
        self._plain: dict[str, None] = {}
        self._saver = Saver(store, self._documents, self._encode, on_saved=self._saved)
        self._task: asyncio.Task[None] | None = None
        self._is_open = False
        self._is_restored = False
        self.unreadable: dict[str, str] = {}
        """Ids whose stored value is no dict of the declared type, with the reason. It stays in the store."""

    async def open(self, *, on_progress: Callable[[int], None] | None = None) -> None:
        """Restore every value, then save changes in the background. Safe to call twice.

        A store that does not answer stops nobody: the mirror begins empty, and what is in the store joins it later;
        what was changed here meanwhile stays.

        Args:
            on_progress: Called with how many values were restored so far.
        """
        if self._is_open:
            return
        self._is_open = True
        self._is_restored = False
        for value_id in [one for one in self._values if not self._saver.is_waiting(one)]:  # of an earlier opening
            del self._values[value_id]
            self._left(value_id)
        try:
            await self._restore(on_progress)
        except _OUTAGE as exc:
            self._saver.is_down(str(exc), self._clock.now_ms())
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Save what changed and stop. Safe to call twice. What cannot be saved is logged by number."""
        if not self._is_open:
            return
        self._is_open = False
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.flush()
        if self._saver.waiting:
            logger.error("mirror_lost", extra={"mirror": self._documents.name, "values": self._saver.waiting})

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def flush(self) -> bool:
        """Save everything that changed, now; False if the store did not answer."""
        for value_id in self._plain:
            self._saver.compare(value_id, self._value(value_id))
        return await self._saver.save(self._values, self._clock.now_ms(), at_once=True)

    @property
    def health(self) -> MirrorHealth:
        """Return whether what is in memory is in the store."""
        since, unwritable = self._saver.down_since_ms, len(self._saver.unwritable)
        reason = self._saver.reason or ("" if self._is_restored else "it is being restored")
        if not reason and unwritable:
            reason = f"{unwritable} values cannot be written as they are now; `unwritable` says which and why"
        return MirrorHealth(
            status="degraded" if reason else "ok",
            reason=reason,
            since=None if since is None else datetime.fromtimestamp(since / 1000, tz=UTC),
            unsaved=self._saver.waiting,
            restored=self._is_restored,
            window=self._window,
        )

    @property
    def unwritable(self) -> Mapping[str, str]:
        """Return the values that cannot be written as they are now, with the reason. What was stored before stays."""
        return self._saver.unwritable

    @property
    def conflicts(self) -> int:
        """Return how often another process had written a value since this one did."""
        return self._saver.conflicts

    def __getitem__(self, value_id: str, /) -> Value:
        """Return a value.

        Raises:
            StateUndecodableError: What is stored is a JSON object that cannot be built. It stays there.
        """
        self._check_open()
        return self._value(value_id)

    def __setitem__(self, value_id: str, value: Value, /) -> None:
        """Put a dict in; the very object stays, as in a plain dict.

        Raises:
            InvalidStateError: It cannot be written as JSON, or does not fit the declared type.
        """
        self._check_open()
        self._documents.key(value_id)
        self._encode(value)
        stored = self._values.get(value_id)
        if isinstance(stored, Document):
            self._saver.known(value_id, stored.etag)
        self._values[value_id] = value
        self.unreadable.pop(value_id, None)
        self._plain[value_id] = None
        self._saver.changed(value_id)

    def __delitem__(self, value_id: str, /) -> None:
        self._check_open()
        del self._values[value_id]
        self.unreadable.pop(value_id, None)
        self._plain.pop(value_id, None)
        self._ends.forget(value_id)
        self._saver.deleted(value_id)

    def __iter__(self) -> Iterator[str]:
        self._check_open()
        return iter(self._values)

    def __len__(self) -> int:
        self._check_open()
        return len(self._values)

    def release(self, older_than: timedelta, *, by: Callable[[Value], datetime | None]) -> int:
        """Take values off the mirror that are older; the store keeps them for their time. Return how many.

        Args:
            older_than: Age by this mirror's clock.
            by: Tells when a value began; None keeps it.
        """
        self._check_open()
        before = datetime.fromtimestamp(self._clock.now_ms() / 1000, tz=UTC) - older_than
        old: list[str] = []
        for value_id in self._values:
            with contextlib.suppress(StateUndecodableError):  # it has no age, and is told as `unreadable`
                at = by(self._value(value_id))
                if at is not None and at < before:
                    old.append(value_id)
        for value_id in old:
            if not self._saver.is_waiting(value_id):
                del self._values[value_id]
                self._left(value_id)
        return sum(value_id not in self._values for value_id in old)

    def _check_open(self) -> None:
        if not self._is_open:
            raise ConfigurationError(
                f"the mirror {self._documents.name!r} is not open: its values are not here yet; "
                "write `async with mirror:` or `await mirror.open()` first"
            )

    def _value(self, value_id: str) -> Value:
        """Return a value. A restored one is read at its first use: most are never looked at."""
        value = self._values[value_id]
        if isinstance(value, Document):
            try:
                read = self._tree.decode(value.data).value
            except MisfitError as misfit:
                raise self._is_unreadable(value_id, misfit) from misfit
            self._saver.known(value_id, value.etag)
            value = self._values[value_id] = self._tracked(value_id, read)
        return value

    def _tracked(self, value_id: str, read: Value) -> Value:
        """Let a value tell its changes for as long as it is here; one that was deleted is its holder's own."""

        def tell() -> None:
            if self._values.get(value_id) is value:
                self._saver.changed(value_id)

        value: Value = tracked(read, tell)
        return value

    def _encode(self, value: Value) -> bytes:
        data, _ = self._tree.encode(value)
        if self._is_checked:
            try:
                self._typed.decode(data)
            except MisfitError as misfit:
                raise self._typed.invalid(misfit) from misfit
        return data

    async def _restore(self, on_progress: Callable[[int], None] | None) -> None:
        name, told = self._documents.name, 0
        async for page in self._stored():
            self._take(page)
            if on_progress is not None:
                on_progress(len(self._values))
            if (count := len(self._values)) >= told + TOLD_EVERY:
                told = count
                logger.info("mirror_restoring", extra={"mirror": name, "values": count})
        self._is_restored = True
        logger.info("mirror_restored", extra={"mirror": name, "values": len(self._values)})

    async def _stored(self) -> AsyncIterator[DocumentPage]:
        """Yield what is stored; the next page is on its way while one is taken in."""
        coming = asyncio.ensure_future(self._page(None))
        try:
            while True:
                page = await coming
                if page.cursor is not None:
                    coming = asyncio.ensure_future(self._page(page.cursor))
                    await asyncio.sleep(0)  # so that it is asked for now
                yield page
                if page.cursor is None:
                    return
        finally:
            coming.cancel()

    async def _page(self, cursor: str | None) -> DocumentPage:
        return await self._scan(self._documents.name, cursor=cursor, limit=MAX_BATCH)

    def _take(self, page: DocumentPage) -> None:
        """Take in what is stored, except for what is here already, or was changed or deleted here."""
        values, is_waiting = self._values, self._saver.is_waiting
        check = self._typed.decode if self._is_checked else _check_object
        ends: list[tuple[int, str]] = []
        for key, document in page.items:
            if key.id in values or is_waiting(key.id):
                continue
            try:
                check(document.data)
            except MisfitError as misfit:
                self._is_unreadable(key.id, misfit)
                continue
            values[key.id] = document
            if document.expires_ms is not None:
                ends.append((document.expires_ms, key.id))
        self._ends.note_all(ends)

    def _is_unreadable(self, value_id: str, misfit: MisfitError) -> StateUndecodableError:
        error = StateUndecodableError(what=self._typed.name, reason=f"{misfit.reason} at ${misfit.path}")
        if value_id not in self.unreadable:
            logger.error("mirror_unreadable", extra={"mirror": self._documents.name, "id": value_id})
        self.unreadable[value_id] = str(error)
        return error

    async def _follow(self) -> None:
        """Look for changes, window by window, for as long as the mirror is open."""
        while True:
            await asyncio.sleep(self._window.total_seconds())
            try:
                await self._step()
            except Exception:
                logger.exception("mirror_broken", extra={"mirror": self._documents.name})

    async def _step(self) -> None:
        now = self._clock.now_ms()
        self._drop_ended(now)
        for _ in range(min(LOOKS_PER_WINDOW, len(self._plain))):
            value_id = next(iter(self._plain))
            del self._plain[value_id]
            self._plain[value_id] = None  # last in the round
            self._saver.compare(value_id, self._value(value_id))
        if self._is_restored:
            await self._saver.save(self._values, now)
        elif self._saver.may_ask:
            await self._join()

    async def _join(self) -> None:
        """Restore what a store had that was away at the start; what was changed here meanwhile is written then."""
        try:
            await self._restore(None)
        except _OUTAGE as exc:
            self._saver.is_down(str(exc), self._clock.now_ms())
        else:
            await self._saver.save(self._values, self._clock.now_ms(), at_once=True)

    def _saved(self, value_id: str, *, is_new: bool) -> None:
        if self._span is not None and (is_new or not self._documents.keeps_end):
            self._ends.note(value_id, self._clock.now_ms() + self._span)

    def _drop_ended(self, now_ms: int) -> None:
        """Forget what the store forgot: its time is over. What changed and was not saved yet stays."""
        for value_id in self._ends.ended(now_ms):
            if not self._saver.is_waiting(value_id):
                self._values.pop(value_id, None)
                self._left(value_id)

    def _left(self, value_id: str) -> None:
        self._plain.pop(value_id, None)
        self._ends.forget(value_id)
        self._saver.forget(value_id)


def _check_object(data: bytes) -> None:
    """Find out whether it is a JSON object, all of it, at a sixth of what it costs to build one.

    What cannot be built although it is one, such as a number that no float holds, is told when it is asked for.
    """
    try:
        _skip_object.decode(data)
        if not data.isascii():
            data.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise misfit_of(error) from error
