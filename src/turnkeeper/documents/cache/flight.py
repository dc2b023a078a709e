"""Single flight: of all who want the same thing, one gets it and the others wait for it.

Within a process they share a task; between processes a lock document says that somebody is at it, for no longer than a
load may take, so that a process that died in the middle holds nobody up for longer.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

from turnkeeper.documents.collection import Collection
from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.ports.documents import ABSENT
from turnkeeper.ports.store import Store

F = TypeVar("F")

logger = logging.getLogger(__name__)

_LOOK_SECONDS = (0.005, 0.05)
"""First and longest wait between two looks whether another process is done."""

_MARGIN = timedelta(seconds=1)
"""The lock outlives the load by this, so that what was loaded is written before anybody else begins."""


class Flights(Generic[F]):
    """What is under way in this process, and the locks that tell other processes."""

    def __init__(self, store: Store, name: str, timeout: timedelta) -> None:
        """Take the collection of the locks and how long one load may take."""
        self._locks = Collection(store, name, ttl=None)
        self._documents = store.documents
        self._held_for = timeout + _MARGIN
        self._tasks: dict[str, asyncio.Task[F]] = {}

    async def shared(self, wanted: str, work: Callable[[], Awaitable[F]]) -> F:
        """Return what the work gives; of several at once in this process only the first one's runs.

        A caller that is cancelled leaves the work to the others.
        """
        return await asyncio.shield(self._task(wanted, work))

    def in_background(self, wanted: str, work: Callable[[], Awaitable[F]]) -> None:
        """Do the work unless it is under way; what it raises is logged."""
        if wanted not in self._tasks:
            self._task(wanted, work).add_done_callback(_log_failure)

    def _task(self, wanted: str, work: Callable[[], Awaitable[F]]) -> asyncio.Task[F]:
        task = self._tasks.get(wanted)
        if task is None:
            task = self._tasks[wanted] = asyncio.ensure_future(_run(work))
            task.add_done_callback(lambda done: self._ended(wanted, done))
        return task

    def _ended(self, wanted: str, task: asyncio.Task[F]) -> None:
        del self._tasks[wanted]
        if not task.cancelled():
            task.exception()  # each who waits gets it; with nobody waiting it is no news

    async def once(
        self,
        wanted: str,
        look: Callable[[], Awaitable[F | None]],
        load: Callable[[], Awaitable[F]],
        *,
        on_wait: Callable[[], None],
    ) -> F:
        """Return what is there, or load it if no other process is at it.

        Args:
            wanted: What it is about.
            look: Finds out whether it is there by now.
            load: Gets it.
            on_wait: Called once if another process is at it.
        """
        key = self._locks.key(wanted)
        held_ms = self._held_for // timedelta(milliseconds=1)
        wait, longest = _LOOK_SECONDS
        has_waited = False
        token = secrets.token_hex(8).encode()
        while (etag := await self._documents.put(key, token, check=ABSENT, ttl_ms=held_ms)) is None:
            if not has_waited:
                on_wait()
                has_waited = True
            await asyncio.sleep(wait)
            wait = min(wait * 2, longest)
            if (found := await look()) is not None:
                return found
        try:
            found = await look()
            return await load() if found is None else found
        finally:
            try:
                await self._documents.delete(key, check=etag)
            except (RetryableError, OutcomeUnknownError) as exc:
                logger.warning("cache_lock_left", extra={"reason": str(exc)})

    async def close(self) -> None:
        """Wait for what is under way. Safe to call twice."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks.values()))


async def _run(work: Callable[[], Awaitable[F]]) -> F:
    return await work()


def _log_failure(task: "asyncio.Task[F]") -> None:
    if not task.cancelled() and (exc := task.exception()) is not None:
        logger.warning("cache_not_renewed", extra={"reason": f"{type(exc).__name__}: {exc}"})
