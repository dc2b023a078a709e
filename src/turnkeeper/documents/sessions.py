"""`Sessions`: typed documents with a time to live, changed without losing anybody else's change.

For data beside conversations: a call, a browser's visit, a form. A conversation's own state changes in turns only.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from turnkeeper.codecs.walk import Naive
from turnkeeper.documents.collection import RECENT, Collection
from turnkeeper.documents.records import Members, Records, is_missing, stamp
from turnkeeper.policy.ttl import Lifetime
from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.ports.store import Store

T = TypeVar("T")

CREATED = "created_at"
"""Member with the time of the first write. What the value brings itself stays."""

UPDATED = "last_updated"
"""Member with the time of the last write."""


class KeyValue(Protocol[T]):
    """What an application needs that only keeps values by key; `Sessions` is one, on every store."""

    async def get(self, key: str, /) -> T | None:
        """Return the value, None if there is none."""
        ...

    async def set(self, key: str, value: T, /) -> T:
        """Write the value and return it as it is read from now on."""
        ...

    async def delete(self, key: str, /) -> bool:
        """Delete; False if there was none."""
        ...

    async def touch(self, key: str, /) -> bool:
        """Count the time to live anew; False if there is no value."""
        ...


class Sessions(Generic[T]):
    """Documents `name:id`, each a JSON object that can be read by eye, with `created_at` and `last_updated` in it.

    Example: `calls = Sessions(store, "session", Call, ttl=Preserved(hours(1)))`, then
    `await calls.update(call_sid, {"intent": "book"})`. What another program wrote under these names is read as it is;
    members that the type does not know are kept.

    "There is none" is None or False. "The store did not answer" is always an exception:

    Raises:
        RetryableError: (every method) Nothing was written.
        OutcomeUnknownError: (every method that writes) It may have been written; repeat it.
        StateUndecodableError: (every method that reads) The value is no JSON object, or does not fit the type.
        InvalidMessageError: (every method) The id is empty, longer than 512 bytes or no Unicode.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        type_: type[T],
        *,
        ttl: Lifetime,
        naive: Naive = "utc",
        clock: Clock | None = None,
    ) -> None:
        """Bind a name in a store to a type. Nothing is opened before the first call.

        Args:
            store: Any store; `open_store(url)` or an application's.
            name: What stands before the colon.
            type_: Struct, dataclass, TypedDict or dict.
            ttl: `Fixed`, `Sliding` or `Preserved`; None keeps for ever.
            naive: A datetime without a time zone is read as UTC, or refused.
            clock: For the two times in the value; how long it lives is the store's to count.

        Raises:
            InvalidStateError: The type is no JSON object, or cannot be stored; the field is named.
            ConfigurationError: The type declares `created_at` or `last_updated` as something else than a time.
        """
        self._collection = Collection(store, name, ttl=ttl, recent=RECENT)
        self._records: Records[T] = Records(type_, stamps=(CREATED, UPDATED), naive=naive)
        self._clock = clock or SystemClock()

    async def get(self, session_id: str, /) -> T | None:
        """Return the session, None if there is none or its time is over. With `Sliding` its time counts anew."""
        found = await self._collection.read(session_id)
        if found is None:
            return None
        value = self._records.value(found.data)
        self._collection.remember(session_id, found)
        return value

    async def set(self, session_id: str, value: T, /, *, ttl: timedelta | None = None) -> T:
        """Write a whole session in place of what there was, and return it with its times.

        Args:
            session_id: Which one.
            value: Is only read.
            ttl: For this write in place of the collection's span. Its kind stays: a later use or update of a
                `Sliding` or `Fixed` one counts the collection's span again.

        Raises:
            InvalidStateError: The value does not fit its type.
        """
        data, written = self._records.encode(self._stamped(self._records.members(value)))
        await self._collection.write(session_id, data, ttl=ttl)
        return written

    async def update(self, session_id: str, changes: Mapping[str, object], /) -> T | None:
        """Replace the given members and leave every other one as it is; None if there is no session.

        Concurrent updates of different members all survive; of one member the last one stands. It costs one round trip
        if only this process writes the session, else two.

        Raises:
            InvalidStateError: A member does not fit, or the type has none of that name.
            StoreBusyError: Others wrote the session all the time.
        """
        return await self._change(
            session_id, lambda _, stored: self._records.merged(stored, changes), self._collection.merge
        )

    async def edit(self, session_id: str, function: Callable[[T], T | None], /) -> T | None:
        """Let a function change the session; None if there is none. For changes that depend on what is there.

        Args:
            session_id: Which one.
            function: Changes the value in place, or returns another one. It must be quick and free of side effects:
                it runs again when somebody else wrote meanwhile.

        Raises:
            InvalidStateError: What came out does not fit the type.
            StoreBusyError: Others wrote the session all the time.
        """

        def edited(value: T, stored: Members) -> Members:
            returned = function(value)
            return self._records.rewritten(stored, value if returned is None else returned)

        return await self._change(session_id, edited, self._collection.change)

    async def touch(self, session_id: str, /, *, ttl: timedelta | None = None) -> bool:
        """Count the time to live anew, whatever its kind; False if there is no session."""
        return await self._collection.touch(session_id, ttl=ttl)

    async def delete(self, session_id: str, /) -> bool:
        """Delete; False if there was none."""
        return await self._collection.delete(session_id)

    async def remaining(self, session_id: str, /) -> timedelta | None:
        """Return how long the session still lives, by this machine's clock; None if there is none.

        `timedelta.max` if it lives for ever. Asking does not count as use.
        """
        found = await self._collection.look(session_id)
        if found is None:
            return None
        if found.expires_ms is None:
            return timedelta.max
        return timedelta(milliseconds=max(found.expires_ms - self._clock.now_ms(), 0))

    async def _change(
        self,
        session_id: str,
        compute: Callable[[T, Members], Members],
        replace: Callable[[str, Callable[[bytes], bytes | None]], Awaitable[bytes | None]],
    ) -> T | None:
        changed: list[T] = []

        def computed(data: bytes) -> bytes:
            value, stored = self._records.read(data)
            written, read_back = self._records.encode(self._stamped(compute(value, stored)))
            changed[:] = [read_back]
            return written

        done = await replace(session_id, computed)
        return None if done is None else changed[0]

    def _stamped(self, members: Members) -> Members:
        now = stamp(self._clock.now_ms())
        if is_missing(members, CREATED):
            members[CREATED] = now
        members[UPDATED] = now
        return members
