"""Records how deliveries fared: many lanes in one call, repeated until the store answers.

A verdict that is never recorded is safe, only late: its claim runs out and somebody delivers again, marked.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.ports.deliveries import Settled, Settlement
from turnkeeper.ports.faults import reach
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.store import Store

logger = logging.getLogger(__name__)

_REPEAT_SECONDS = (0.05, 2.0)
"""First and longest wait before verdicts are sent again when the store does not answer."""


async def settle_one(store: Store, settlement: Settlement, *, within_seconds: float) -> Settled:
    """Record one verdict, again and again for that long.

    Raises:
        RetryableError, OutcomeUnknownError: The store did not answer in that time.
    """
    reach("before_settle")
    until = time.monotonic() + within_seconds
    wait, longest = _REPEAT_SECONDS
    while True:
        try:
            (settled,) = await store.deliveries.settle([settlement])
        except (RetryableError, OutcomeUnknownError) as exc:
            if time.monotonic() + wait > until:
                raise
            logger.warning("settle_repeated", extra={"reason": str(exc)})
            await asyncio.sleep(wait)
            wait = min(wait * 2, longest)
        else:
            return settled


class Settling:
    """The verdicts of one process's outbox, recorded in batches: while one is under way, the next one gathers."""

    def __init__(self, store: Store) -> None:
        """Take where they are recorded."""
        self._store = store
        self._noted: list[tuple[Settlement, asyncio.Future[bool] | None]] = []
        self._is_flushing = False

    @property
    def pending(self) -> bool:
        """Return whether a verdict is not recorded yet."""
        return bool(self._noted)

    def note(self, settlement: Settlement) -> None:
        """Have a verdict recorded with the next batch; the next `settle` sees to it that there is one."""
        reach("before_settle")
        self._noted.append((settlement, None))

    async def settle(self, settlement: Settlement) -> bool:
        """Record a verdict; True if the lane is still held and has more."""
        reach("before_settle")
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._noted.append((settlement, future))
        if not self._is_flushing:
            await self.flush()
        return await future

    async def flush(self) -> None:
        """Record what was noted, and what is noted meanwhile. Others only add to it, and wait for their future."""
        self._is_flushing = True
        try:
            await self._flush_all()
        except BaseException:
            _cancel(self._noted)  # whoever waits must not wait for a flush that nobody does any more
            raise
        finally:
            self._is_flushing = False

    async def _flush_all(self) -> None:
        wait, longest = _REPEAT_SECONDS
        while self._noted:
            batch = self._noted[:MAX_BATCH]
            try:
                answers = await self._store.deliveries.settle([settlement for settlement, _ in batch])
            except (RetryableError, OutcomeUnknownError) as exc:
                logger.warning("settle_repeated", extra={"reason": str(exc)})
                await asyncio.sleep(wait)
                wait = min(wait * 2, longest)
                continue
            except Exception:
                logger.exception("settle_broken")
                del self._noted[: len(batch)]
                _cancel(batch)
                continue
            wait = _REPEAT_SECONDS[0]
            del self._noted[: len(batch)]
            for (_, future), answer in zip(batch, answers, strict=True):
                if future is not None and not future.done():
                    future.set_result(answer.held and answer.more)


def _cancel(noted: Sequence[tuple[Settlement, asyncio.Future[bool] | None]]) -> None:
    for _, future in noted:
        if future is not None:
            future.cancel()
