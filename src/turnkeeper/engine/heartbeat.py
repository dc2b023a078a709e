"""Keeps leases and job claims alive from a thread of its own, and ends what ran too long or lost its lease.

The thread has its own event loop, so that a handler that blocks the main loop does not cost it the lease. But it
stops renewing what is past its hard deadline: a turn that never ends must not keep its conversation for ever.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
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


class Held:
    """Something that this process holds: a lease or a claim. `lost` and `overdue` say why `cancel` was called."""

    __slots__ = ("beat_at", "cancel", "conversation", "deadline", "job", "loop", "lost", "overdue", "token")

    def __init__(
        self,
        *,
        conversation: ConversationId,
        token: str,
        timeout: timedelta,
        cancel: Callable[[], object],
        job: tuple[Lane, str] | None = None,
    ) -> None:
        """Take what is held, how long it may take, and how to end it (called on the caller's event loop)."""
        now = time.monotonic()
        self.conversation = conversation
        self.token = token
        self.deadline = now + timeout.total_seconds()
        self.beat_at = now
        self.cancel = cancel
        self.job = job
        self.loop = asyncio.get_running_loop()
        self.lost = False
        self.overdue = False

    def end(self) -> None:
        """Have it cancelled on its own loop, unless that loop is gone."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.cancel)


class Heartbeat:
    """Renews everything in `held`. Add and discard from the event loop; the thread only reads."""

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
        if self._thread is None and self._enabled:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="turnkeeper-heartbeat", daemon=True)
            self._thread.start()

    def discard(self, held: Held) -> None:
        """Let it go. Safe to call twice."""
        self._held.pop(id(held), None)

    def stop(self) -> None:
        """End the thread; what is held is not renewed any more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            while not self._stop.wait(_TICK_SECONDS):
                try:
                    runner.run(self.beat())
                except TurnkeeperError as exc:
                    logger.warning("heartbeat_failed", extra={"reason": str(exc)})
                except Exception:
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
            await self._renew_turns([held for held in batch if held.job is None], now)
            await self._extend_jobs([held for held in batch if held.job is not None], now)

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
