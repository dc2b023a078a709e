"""A store whose calls can be counted, and one of which can be made to fail.

It stands between the worker under test and the real store. What it does on behalf of a rival goes to the real store
directly, as another worker's call would.
"""

from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, Protocol, cast

import msgspec

from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError
from turnkeeper.ports.catalog import Catalog
from turnkeeper.ports.deliveries import Deliveries, Settlement
from turnkeeper.ports.documents import Documents
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Begin, Commit, Granted, Outcome, Release, Turns
from turnkeeper.testing.clock import ManualClock
from turnkeeper.testing.lab.cases import CALLS, Fault

_RIVAL = "a-rival-worker"
_MARGIN = timedelta(seconds=1)
"""How far the clock jumps beyond the end of a lease."""


class Watcher(Protocol):
    """Who is told of every call and may make it fail."""

    def called(self, name: str) -> Fault | None:
        """Return what is to happen to this call, None if nothing is."""
        ...


class TappedStore:
    """The four ports of a store, its worker's calls tapped. Closing it closes the store."""

    def __init__(self, store: Store, *, watcher: Watcher, clock: ManualClock, lease: timedelta) -> None:
        """Take the store, who watches, and the longest lease or claim, over which the clock may jump."""
        self._store = store
        self._clock = clock
        self._lease = lease
        self.turns = cast("Turns", _Port(store.turns, "turns", watcher, self))
        self.deliveries = cast("Deliveries", _Port(store.deliveries, "deliveries", watcher, self))
        self.documents = cast("Documents", _Port(store.documents, "documents", watcher, self))
        self.catalog: Catalog = store.catalog

    async def open(self) -> None:
        """See `Store.open`."""
        await self._store.open()

    async def close(self) -> None:
        """See `Store.close`."""
        await self._store.close()

    async def steal(self, request: object) -> None:
        """Let the lease or claims that a call relies on run out, and take them as another worker does."""
        self._clock.advance(self._lease + _MARGIN)
        if isinstance(request, Commit):
            lease_ms = self._lease // timedelta(milliseconds=1)
            begin = Begin(conversation=request.conversation, token=_RIVAL, lease_ms=lease_ms)
            if isinstance(await self._store.turns.begin(begin), Granted):
                release = Release(conversation=request.conversation, token=_RIVAL, outcome=Outcome.RETURNED)
                await self._store.turns.release(release)
        elif isinstance(request, list | tuple):
            for lane in {one.lane for one in request if isinstance(one, Settlement)}:
                await self._store.deliveries.claim(lane, token=_RIVAL, lease=self._lease)

    async def take_elsewhere(self, request: object) -> None:
        """Accept the message of a `begin` through another process first."""
        if isinstance(request, Begin) and request.message is not None:
            await self._store.turns.begin(msgspec.structs.replace(request, token=_RIVAL, run=False))


class _Port:
    """One port of the tapped store."""

    def __init__(self, port: object, name: str, watcher: Watcher, store: TappedStore) -> None:
        self._port = port
        self._name = name
        self._watcher = watcher
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._port, name)
        called = f"{self._name}.{name}"

        async def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - it stands for every method of three ports
            fault = self._watcher.called(called) if called in CALLS else None
            return await self._call(fault, lambda: method(*args, **options), args[0] if args else None)

        return call

    async def _call(self, fault: Fault | None, method: Callable[[], Awaitable[Any]], request: object) -> object:
        if fault is Fault.REFUSED:
            raise StoreUnavailableError("the lab lets the store refuse; nothing was written")
        if fault is Fault.STOLEN:
            await self._store.steal(request)
        if fault is Fault.DOUBLED:
            await self._store.take_elsewhere(request)
        answer: object = await method()
        if fault is Fault.LOST:
            raise OutcomeUnknownError("the lab lets the answer be lost; repeat it with the same ids")
        return answer
