"""Keeps leases and job claims alive from a thread of its own, and ends what ran too long or lost its lease.

The thread has its own event loop, so that a handler that blocks the main loop does not cost it the lease. But it
stops renewing what is past its hard deadline: a turn that never ends must not keep its conversation for ever.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from datetime import timedelta

from turnkeeper.engine.settings import to_ms
from turnkeeper.errors import TurnkeeperError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.deliveries import Lane, Settlement, Verdict
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Renewal

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.5
"""How late a hard deadline may be noticed; two wake-ups a second of an idle thread cost nothing measurable."""

_JOIN_SECONDS = 5.0
"""How long `stop` waits for a renewal under way; the thread is a daemon and holds nothing up."""


class Held:
    """Something that this process holds: a lease or a claim.

    Its task is cancelled only while it is `computing` somebody else's code. What follows (a commit, a settlement) is
    never cut off: its answer might already be on its way, and then what it granted would belong to nobody.

    Attributes:
        beat_at: When it was last known to be held (`time.monotonic`).
        deadline: When it is `overdue` and renewed no more.
        lost: The store gave it to somebody else.
        lane: Whose replies its task sends once nothing is held any more.
        task: Who works under it; set before anything is computed.
    """

    __slots__ = (
        "_loop",
        "_stint",
        "beat_at",
        "computing",
        "conversation",
        "deadline",
        "job",
        "lane",
        "lost",
        "overdue",
        "task",
        "token",
    )

    def __init__(
        self,
        *,
        conversation: ConversationId,
        token: str,
        timeout: timedelta,
        task: asyncio.Task[object] | None = None,
        job: tuple[Lane, str] | None = None,
    ) -> None:
        """Take what is held, and how long the first stint may take."""
        self.conversation = conversation
        self.token = token
        self.task = task
        self.job = job
        self.lane: Lane | None = None
        self._loop = asyncio.get_running_loop()
        self._stint = 0
        self.beat_at = time.monotonic()
        self.begin_stint(timeout)

    def begin_stint(self, timeout: timedelta) -> None:
        """Start anew under the same token: what an earlier deadline wanted to cancel is over."""
        self._stint += 1
        self.deadline = time.monotonic() + timeout.total_seconds()
        self.computing = False
        self.lost = False
        self.overdue = False

    def end(self) -> None:
        """Have the computation cancelled on its own loop, from any thread, unless it ends before that."""
        with contextlib.suppress(RuntimeError):  # the loop is gone, and everything that ran on it
            self._loop.call_soon_threadsafe(self._cancel, self._stint)

    def _cancel(self, stint: int) -> None:
        if self.computing and self._stint == stint and self.task is not None:
            self.task.cancel()


class Heartbeat:
    """Renews everything that is held. Add and discard from the event loop; the thread only reads."""

    def __init__(self, store: Store, *, lease: timedelta, every: timedelta, enabled: bool = True) -> None:
        """Take the store whose `renew` and `settle` are called from this object's thread."""
        self._store = store
        self._lease_ms = to_ms(lease)
        self._every = every.total_seconds()
        self._enabled = enabled
        self._held: dict[int, Held] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def add(self, held: Held) -> None:
        """Keep it alive until `discard`."""
        self._held[id(held)] = held
        if self._enabled and (self._thread is None or not self._thread.is_alive()):  # not alive: a forked child
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stop,), name="turnkeeper-heartbeat", daemon=True
            )
            self._thread.start()

    def discard(self, held: Held) -> None:
        """Let it go. Safe to call twice."""
        self._held.pop(id(held), None)

    async def stop(self) -> None:
        """End the thread; what is held is not renewed any more. Safe to call twice."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.join, _JOIN_SECONDS)

    def _run(self, stop: threading.Event) -> None:
        tick = min(_TICK_SECONDS, self._every / 2)
        while not stop.wait(tick):
            try:
                with asyncio.Runner() as runner:
                    while not stop.wait(tick):
                        runner.run(self.beat())
            except Exception:  # no thread, no leases: whatever happened, it goes on
                logger.exception("heartbeat_broken")

    async def beat(self) -> None:
        """End what is overdue and renew what is due for it, once."""
        now = time.monotonic()
        due: list[Held] = []
        for held in tuple(self._held.values()):
            if now >= held.deadline:
                if not held.overdue:
                    held.overdue = True
                    held.end()
            elif now - held.beat_at >= self._every:
                due.append(held)
        for start in range(0, len(due), MAX_BATCH):
            batch = due[start : start + MAX_BATCH]
            try:
                # Bounded: a store that hangs must not keep deadlines from being noticed.
                async with asyncio.timeout(self._every):
                    await self._renew_turns([held for held in batch if held.job is None], now)
                    await self._extend_jobs([held for held in batch if held.job is not None], now)
            except (TurnkeeperError, TimeoutError) as exc:
                logger.warning("heartbeat_failed", extra={"reason": str(exc)})

    async def _renew_turns(self, batch: Sequence[Held], now: float) -> None:
        if not batch:
            return
        answers = await self._store.turns.renew(
            [Renewal(conversation=h.conversation, token=h.token, lease_ms=self._lease_ms) for h in batch]
        )
        self._mark(batch, [answer.held for answer in answers], now)

    async def _extend_jobs(self, batch: Sequence[Held], now: float) -> None:
        settlements = [
            Settlement(lane=h.job[0], token=h.token, id=h.job[1], verdict=Verdict.EXTEND, wait_ms=self._lease_ms)
            for h in batch
            if h.job is not None
        ]
        if not settlements:
            return
        answers = await self._store.deliveries.settle(settlements)
        self._mark(batch, [answer.held for answer in answers], now)

    @staticmethod
    def _mark(batch: Sequence[Held], kept: Sequence[bool], now: float) -> None:
        for held, is_held in zip(batch, kept, strict=True):
            held.beat_at = now
            if not is_held and not held.lost:
                held.lost = True
                held.end()
