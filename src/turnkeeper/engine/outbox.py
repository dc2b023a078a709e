"""Sends replies: in order per conversation, at least once, each under a stable id.

Whoever committed a reply sends it at once if the lane was free; everybody else only takes over what ran out of its
claim. An attempt whose end nobody knows is repeated as `maybe_sent` or held, as the channel wishes.
"""

import asyncio
import collections
import logging
import random
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from turnkeeper.engine.settings import Settings
from turnkeeper.engine.wire import decode_reply
from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.observe.masking import mask_person
from turnkeeper.policy.retry import backoff_ms
from turnkeeper.ports.channel import Channel, OnUnknown, Outgoing, SendOutcome, Sent
from turnkeeper.ports.deliveries import Claim, Claimed, Lane, Settlement, Verdict
from turnkeeper.ports.faults import reach
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Effect

logger = logging.getLogger(__name__)

UNKNOWN_CHANNEL_WAIT_MS = 5_000
"""How long this process leaves a reply alone whose channel only other processes have."""

_SETTLE_WAIT_SECONDS = 0.2
"""Wait before settlements are sent again when the store does not answer."""


class _Verdicts(Protocol):
    """Builds the settlement of one entry."""

    def __call__(self, verdict: Verdict, wait_ms: int = 0, error: str = "") -> Settlement:
        """Return it."""
        ...


class Outbox:
    """The senders of one process. `token` claims lanes in its name."""

    def __init__(
        self, *, store: Store, channels: Mapping[str, Channel], settings: Settings, entropy: random.Random
    ) -> None:
        """Take the channels by name; replies for other channels are left to other processes."""
        self._store = store
        self._channels = channels
        self._settings = settings
        self._entropy = entropy
        self._lanes: dict[Lane, collections.deque[Claimed]] = {}
        self._until: dict[Lane, float] = {}
        self._unsettled: list[tuple[Settlement, asyncio.Future[bool]]] = []
        self._is_flushing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.token = f"{entropy.getrandbits(96):024x}"

    def has(self, lane: Lane) -> bool:
        """Return whether this process is sending in that lane now."""
        return lane in self._lanes

    @property
    def sending(self) -> bool:
        """Return whether anything is on its way or waits for its settlement."""
        return bool(self._lanes or self._tasks or self._unsettled)

    def send_committed(self, conversation: ConversationId, effects: Sequence[Effect]) -> None:
        """Send replies that a commit stored and claimed for this process's token."""
        if not effects:
            return
        claimed = [
            Claimed(id=effect.id, kind=effect.kind, payload=effect.payload, attempt=1, committed_ms=0)
            for effect in effects
        ]
        self._enqueue(Lane(conversation=conversation), claimed)

    def _enqueue(self, lane: Lane, entries: Sequence[Claimed]) -> None:
        self._until[lane] = time.monotonic() + self._settings.send_lease.total_seconds() * 0.8
        queue = self._lanes.get(lane)
        if queue is not None:
            known = {entry.id for entry in queue}
            queue.extend(entry for entry in entries if entry.id not in known)
            return
        self._lanes[lane] = collections.deque(entries)
        task = asyncio.create_task(self._send_lane(lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def recover(self, lane: Lane) -> bool:
        """Take over a lane whose replies are due; False if there was nothing to take.

        Returns once they are handed to the sender, not once they are sent.
        """
        if lane in self._lanes:
            return False
        claim = await self._store.deliveries.claim(lane, token=self.token, lease=self._settings.send_lease)
        if claim is None:
            return False
        reach("in_recovery")
        self._enqueue(lane, claim.entries)
        return True

    async def _send_lane(self, lane: Lane) -> None:
        queue = self._lanes[lane]
        try:
            while True:
                more = False
                while queue:
                    entry = queue.popleft()
                    settlement = await self._send_one(lane, entry)
                    waits = settlement.verdict in {Verdict.RETRY, Verdict.UNCERTAIN, Verdict.RETURN}
                    if waits or time.monotonic() > self._until[lane]:
                        queue.clear()
                    more = await self._settle(settlement, wait=waits or not queue)
                    if waits:
                        return
                if not more:
                    return
                claim = await self._claim_more(lane)
                if claim is None:
                    if queue:
                        continue
                    return
                self._until[lane] = time.monotonic() + self._settings.send_lease.total_seconds() * 0.8
                queue.extend(claim.entries)
        except (RetryableError, OutcomeUnknownError) as exc:
            logger.warning("lane_left_to_recovery", extra={"reason": str(exc)})
        finally:
            self._lanes.pop(lane, None)
            self._until.pop(lane, None)

    async def _claim_more(self, lane: Lane) -> Claim | None:
        return await self._store.deliveries.claim(lane, token=self.token, lease=self._settings.send_lease)

    async def _send_one(self, lane: Lane, entry: Claimed) -> Settlement:
        def settled(verdict: Verdict, wait_ms: int = 0, error: str = "") -> Settlement:
            return Settlement(lane=lane, token=self.token, id=entry.id, verdict=verdict, wait_ms=wait_ms, error=error)

        if entry.suppressed:
            return settled(Verdict.DONE)
        reply = decode_reply(entry.payload)
        channel = self._channels.get(reply.channel)
        if channel is None:
            return settled(Verdict.RETURN, wait_ms=UNKNOWN_CHANNEL_WAIT_MS)
        if entry.maybe_sent and channel.on_unknown is OnUnknown.HOLD:
            return settled(Verdict.DEAD, error="an earlier attempt may have been sent; held, as the channel wishes")
        reach("before_send")
        try:
            sent = await channel.send(
                Outgoing(id=entry.id, reply=reply, attempt=entry.attempt, maybe_sent=entry.maybe_sent)
            )
        except Exception as exc:
            logger.exception("send_failed", extra={"channel": reply.channel, "effect": mask_person(entry.id)})
            sent = Sent(outcome=SendOutcome.UNKNOWN, error=f"{type(exc).__name__}: {exc}")
        reach("after_send")
        return self._judge(channel, entry, sent, settled)

    def _judge(self, channel: Channel, entry: Claimed, sent: Sent, settled: _Verdicts) -> Settlement:
        error = f"{sent.code} {sent.error}".strip()
        if sent.outcome is SendOutcome.ACCEPTED:
            return settled(Verdict.DONE)
        if sent.outcome is SendOutcome.REJECTED:
            return settled(Verdict.DEAD, error=error or "rejected by the provider")
        if sent.outcome is SendOutcome.UNKNOWN and channel.on_unknown is OnUnknown.HOLD:
            return settled(Verdict.DEAD, error=error or "may have been sent; held, as the channel wishes")
        if entry.attempt >= self._settings.send_attempts:
            return settled(Verdict.DEAD, error=error or f"not sent in {entry.attempt} attempts")
        wait_ms = backoff_ms(
            attempt=entry.attempt,
            first=self._settings.send_backoff,
            factor=2,
            longest=self._settings.max_send_backoff,
            chance=self._entropy.random(),
        )
        if sent.retry_after is not None:
            wait_ms = max(wait_ms, int(sent.retry_after.total_seconds() * 1000))
        verdict = Verdict.RETRY if sent.outcome is SendOutcome.RETRY else Verdict.UNCERTAIN
        return settled(verdict, wait_ms=wait_ms, error=error)

    async def _settle(self, settlement: Settlement, *, wait: bool) -> bool:
        """Record a verdict; True if the lane is still ours and has more.

        Verdicts gather while one batch is under way, so that many lanes cost one call. Only the last of a lane is
        waited for.
        """
        reach("before_settle")
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._unsettled.append((settlement, future))
        if not wait:
            return False
        if not self._is_flushing:
            await self._flush()
        return await future

    async def _flush(self) -> None:
        """Settle what has gathered, and what gathers meanwhile; other lanes only add to it."""
        self._is_flushing = True
        try:
            await self._flush_all()
        finally:
            self._is_flushing = False

    async def _flush_all(self) -> None:
        while self._unsettled:
            batch = self._unsettled[:MAX_BATCH]
            try:
                answers = await self._store.deliveries.settle([settlement for settlement, _ in batch])
            except (RetryableError, OutcomeUnknownError) as exc:
                logger.warning("settle_repeated", extra={"reason": str(exc)})
                await asyncio.sleep(_SETTLE_WAIT_SECONDS)
                continue
            del self._unsettled[: len(batch)]
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer.held and answer.more)

    async def stop(self) -> None:
        """Wait for what is being sent and settled. What a cut leaves unsettled is taken over elsewhere later."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))
        await self._flush()
