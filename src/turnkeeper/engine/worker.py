"""Looks for what is due and has it done: recovery, replies, jobs, timers.

Any worker may do anything that is due; who is first is decided by the store. Being slow or late is never a safety
question, only a delay.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from turnkeeper.engine.delivering.jobs import Jobs
from turnkeeper.engine.delivering.outbox import Outbox
from turnkeeper.engine.delivering.timers import Timers
from turnkeeper.engine.inbox import Inbox
from turnkeeper.engine.settings import Settings
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, RetryableError
from turnkeeper.observe.masking import mask_person
from turnkeeper.ports.deliveries import Due, DueList, Lane
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import EffectKind

logger = logging.getLogger(__name__)

LEAVE_ALONE_MS = 500
"""How long something that was due but could not be taken is not looked at again: somebody else is at it."""

_STORE_WAIT_SECONDS = 1.0
"""Wait after the store failed."""

_ROOM_SECONDS = 0.25
"""Longest wait, with something due that cannot be started here now, before the next look."""

_SOME = 64
"""Due things read at a look; as many as one call gives if none of those could be started."""

_END_SECONDS = 5.0
"""How long `stop` waits, after its grace, for what it cancelled."""

_Key = tuple[str, str | None]


class Worker:
    """The worker of one process."""

    def __init__(
        self,
        *,
        store: Store,
        inbox: Inbox,
        outbox: Outbox,
        jobs: Jobs,
        timers: Timers,
        settings: Settings,
        flows: tuple[str, ...],
    ) -> None:
        """Take those who do the work; only these flows are looked after."""
        self._store = store
        self._inbox = inbox
        self._outbox = outbox
        self._jobs = jobs
        self._timers = timers
        self._settings = settings
        self._flows = flows
        self._busy: dict[_Key, asyncio.Task[None]] = {}
        self._leave_alone: dict[_Key, int] = {}
        self._jobs_running = 0
        self._taking = 0
        self._loop_task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Return whether anything that this worker took is still under way."""
        return bool(self._busy)

    def start(self) -> None:
        """Look for due things until `stop`. Safe to call twice."""
        if self._loop_task is None:
            self._loop_task = asyncio.create_task(self._look_forever())

    async def _look_forever(self) -> None:
        while True:
            try:
                started = await self.look(wait=self._settings.poll)
            except (RetryableError, OutcomeUnknownError) as exc:
                logger.warning("worker_store_failed", extra={"reason": str(exc)})
                await asyncio.sleep(_STORE_WAIT_SECONDS)
                continue
            except Exception:
                logger.exception("worker_broken")
                await asyncio.sleep(_STORE_WAIT_SECONDS)
                continue
            if started == 0:
                await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        """Wait until something that runs here ends, but not long, and never not at all: nothing may spin."""
        if self._busy:
            await asyncio.wait(tuple(self._busy.values()), timeout=_ROOM_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(_ROOM_SECONDS)

    async def look(self, *, wait: timedelta = timedelta(0)) -> int | None:
        """Start whatever is due and not under way here.

        Returns:
            How many were started; None if nothing at all was due.
        """
        due = await self._store.deliveries.due(flows=self._flows, wait=wait, limit=_SOME)
        started = self._start_all(due)
        if not started and len(due.items) == _SOME:  # what cannot be started now must not hide what can
            due = await self._store.deliveries.due(flows=self._flows, limit=MAX_BATCH)
            started = self._start_all(due)
            if not started and len(due.items) == MAX_BATCH:  # jobs that wait for room
                due = await self._store.deliveries.due(flows=self._flows, limit=MAX_BATCH, jobs=False)
                return self._start_all(due)
        return started if due.items else None

    def _start_all(self, due: DueList) -> int:
        self._leave_alone = {key: until for key, until in self._leave_alone.items() if until > due.now_ms}
        started = 0
        for item in due.items:
            key = (item.conversation.key, item.lane.name if item.lane else None)
            if key in self._busy or key in self._leave_alone or not self._has_room(item):
                continue
            self._jobs_running += item.kind is EffectKind.JOB
            self._taking += item.lane is None
            task = asyncio.create_task(self._do(item, key, due.now_ms))
            task.add_done_callback(_note_end)
            self._busy[key] = task
            started += 1
        return started

    def _has_room(self, item: Due) -> bool:
        if item.lane is None:
            return self._inbox.running + self._taking < self._settings.max_running
        if item.kind is EffectKind.REPLY:
            return not self._outbox.has(item.lane)
        if item.kind is EffectKind.JOB:
            return self._jobs_running < self._settings.max_jobs
        return True

    async def _do(self, item: Due, key: _Key, now_ms: int) -> None:
        was_taken = False
        try:
            if item.lane is None:
                was_taken = await self._inbox.take_over(item.conversation)
            else:
                was_taken = await self._work(item.kind)(item.lane)
        except (RetryableError, OutcomeUnknownError, ConfigurationError) as exc:
            logger.warning("due_left", extra={"conversation": mask_person(key[0]), "reason": str(exc)})
        except Exception:
            logger.exception("due_broken", extra={"conversation": mask_person(key[0])})
        finally:
            self._jobs_running -= item.kind is EffectKind.JOB
            self._taking -= item.lane is None
            del self._busy[key]
            if not was_taken:
                self._leave_alone[key] = now_ms + LEAVE_ALONE_MS

    def _work(self, kind: EffectKind | None) -> Callable[[Lane], Awaitable[bool]]:
        if kind is EffectKind.REPLY:
            return self._outbox.recover
        if kind is EffectKind.JOB:
            return self._jobs.run
        return self._timers.deliver

    async def stop(self, grace: timedelta) -> None:
        """Look no more; let what runs end within the grace, then cancel it (jobs are given back)."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.wait([self._loop_task])
            self._loop_task = None
        if self._busy:
            _, late = await asyncio.wait(tuple(self._busy.values()), timeout=grace.total_seconds())
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_END_SECONDS)


def _note_end(task: asyncio.Task[None]) -> None:
    """Look at how a task ended: only what no `except Exception` may hold gets here."""
    if not task.cancelled() and (exc := task.exception()) is not None:
        logger.critical("due_killed", exc_info=exc)
