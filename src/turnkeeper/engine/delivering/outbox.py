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
from datetime import timedelta

from turnkeeper.engine.deadlines import Deadlines
from turnkeeper.engine.delivering.settling import Settling, settle_one
from turnkeeper.engine.reasons import clean_reason, reason_of
from turnkeeper.engine.settings import Settings, to_ms
from turnkeeper.engine.tokens import Tokens
from turnkeeper.engine.wire import UNREADABLE, decode_reply
from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Reply
from turnkeeper.observe.masking import mask_person
from turnkeeper.policy.retry import backoff_ms
from turnkeeper.ports.channel import Channel, OnUnknown, Outgoing, SendOutcome, Sent
from turnkeeper.ports.deliveries import Claimed, Lane, Settlement, Verdict
from turnkeeper.ports.faults import reach
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Effect

logger = logging.getLogger(__name__)

UNKNOWN_CHANNEL_WAIT_MS = 5_000
"""How long this process leaves a reply alone whose channel only other processes have."""

MAX_RETRY_AFTER = timedelta(days=1)
"""The longest wish of a provider that is kept; a reply that waits longer is of no use to anybody."""

_SLOW_SECONDS = 0.005
"""A send that took longer is recorded at once; after faster ones the verdicts of a lane are recorded together."""

_END_SECONDS = 5.0
"""How long `stop` waits, after its grace, for what it cut off."""

_WAITING = frozenset({Verdict.RETRY, Verdict.UNCERTAIN, Verdict.RETURN})
"""After these the lane waits and is free."""


class _Hold:
    """A claim of some entries of a lane, until a time (`time.monotonic`) that this process may count on."""

    __slots__ = ("is_doubted", "is_lost", "token", "until")

    def __init__(self, token: str, until: float) -> None:
        self.token = token
        self.until = until
        self.is_lost = False
        self.is_doubted = False


_Queue = collections.deque[tuple[Claimed, _Hold]]


class Outbox:
    """The senders of one process."""

    def __init__(
        self,
        *,
        store: Store,
        channels: Mapping[str, Channel],
        settings: Settings,
        entropy: random.Random,
        tokens: Tokens,
    ) -> None:
        """Take the channels by name; replies for other channels are left to other processes."""
        self._store = store
        self._channels = channels
        self._settings = settings
        self._entropy = entropy
        self._tokens = tokens
        self._lease_seconds = settings.send_lease.total_seconds()
        self._send_seconds = settings.send_timeout.total_seconds()
        self._settling = Settling(store)
        self._deadlines = Deadlines()
        self._lanes: dict[Lane, _Queue] = {}
        self._tasks: dict[Lane, asyncio.Task[object]] = {}
        self._is_ending = False

    def has(self, lane: Lane) -> bool:
        """Return whether this process is sending in that lane now."""
        return lane in self._lanes

    @property
    def sending(self) -> bool:
        """Return whether anything is on its way or waits for its settlement."""
        return bool(self._tasks or self._settling.pending)

    def send_committed(
        self, conversation: ConversationId, effects: Sequence[Effect], *, token: str, claimed_at: float
    ) -> Lane | None:
        """Queue replies that a commit stored and claimed under a token, at the earliest at `claimed_at` (monotonic).

        Every commit has a token of its own. So another commit finds the lane taken and its replies wait, also while
        this one's answer is lost; and a claim that was lost is never mistaken for a later one.

        Returns:
            The lane, unless it is served already: have it served at once, by `serve` or `serve_beside`.
        """
        if not effects:
            return None
        hold = _Hold(token, claimed_at + self._lease_seconds)
        lane = Lane(conversation=conversation)
        parcels = [
            (Claimed(id=effect.id, kind=effect.kind, payload=effect.payload, attempt=1, committed_ms=0), hold)
            for effect in effects
        ]
        return lane if self._enqueue(lane, parcels) else None

    def silence(self, conversation: ConversationId) -> None:
        """Send nothing of what is queued here for a person who has just opted out of this flow, before it is asked for.

        Only the store can tell what was said before the wish and what after a later one to hear again, of which this
        process may know before the answer to the wish reaches it. So the claims go back, and whoever claims next is
        told what to leave out.
        """
        for lane, queue in self._lanes.items():
            other = lane.conversation
            if other.person == conversation.person and other.flow == conversation.flow:
                for _, hold in queue:
                    hold.is_doubted = True

    def _enqueue(self, lane: Lane, parcels: Sequence[tuple[Claimed, _Hold]]) -> bool:
        """Put entries at the end of a lane's queue; True if there was none, so that nobody serves it."""
        queue = self._lanes.get(lane)
        if queue is not None:
            queue.extend(parcels)
            return False
        self._lanes[lane] = collections.deque(parcels)
        return True

    def serve_beside(self, lane: Lane) -> None:
        """Send what is queued for a lane, in a task of its own."""
        self._tasks[lane] = asyncio.create_task(self._send_lane(lane))

    async def serve(self, lane: Lane, task: asyncio.Task[object]) -> None:
        """Send what is queued for a lane, in the task that calls: one that has nothing else to do any more."""
        self._tasks[lane] = task
        await self._send_lane(lane)

    async def recover(self, lane: Lane) -> bool:
        """Take over a lane whose replies are due; False if there was nothing to take.

        Returns once they are handed to the sender, not once they are sent.
        """
        if lane in self._lanes:
            return False
        parcels = await self._claim(lane)
        if not parcels:
            return False
        reach("in_recovery")
        if self._enqueue(lane, parcels):
            self.serve_beside(lane)
        return True

    async def _claim(self, lane: Lane) -> list[tuple[Claimed, _Hold]]:
        """Claim what is due under a token of its own: what a commit claimed meanwhile comes from that commit only."""
        hold = _Hold(self._tokens.fresh(), time.monotonic() + self._lease_seconds)
        claim = await self._store.deliveries.claim(lane, token=hold.token, lease=self._settings.send_lease)
        return [] if claim is None else [(entry, hold) for entry in claim.entries]

    async def _send_lane(self, lane: Lane) -> None:
        queue = self._lanes[lane]
        try:
            has_more = True
            while has_more:
                has_more = False
                while queue:
                    entry, hold = queue.popleft()
                    settlement, took = await self._send_next(lane, entry, hold)
                    if settlement is None:
                        continue
                    if settlement.verdict in _WAITING:
                        await self._settling.settle(settlement)
                        _drop(queue, hold.token)  # they are free with the lane, and count as not tried
                        has_more = False
                        continue
                    if queue and took < _SLOW_SECONDS:
                        self._settling.note(settlement)
                    else:
                        has_more = await self._settling.settle(settlement)
                if has_more:
                    queue.extend(await self._claim(lane))
                    has_more = bool(queue)
        except (RetryableError, OutcomeUnknownError) as exc:
            logger.warning("lane_left_to_recovery", extra={"reason": str(exc)})
        except Exception:
            logger.exception("lane_broken")
        finally:
            del self._lanes[lane], self._tasks[lane]

    async def _send_next(self, lane: Lane, entry: Claimed, hold: _Hold) -> tuple[Settlement | None, float]:
        """Send one reply under its claim; None if the claim is gone. Also returns how long it took, in seconds."""
        while time.monotonic() + self._send_seconds > hold.until and not hold.is_lost:
            await self._prolong(lane, entry, hold)
        if hold.is_lost:
            logger.warning("reply_claim_lost", extra={"effect": mask_person(entry.id)})
            return None, 0.0
        started = time.monotonic()
        verdict, wait_ms, error = (Verdict.RETURN, 0, "") if hold.is_doubted else await self._try(entry)
        settlement = Settlement(
            lane=lane,
            token=hold.token,
            id=entry.id,
            verdict=verdict,
            wait_ms=wait_ms,
            error=clean_reason(error) if error else "",
        )
        return settlement, time.monotonic() - started

    async def _prolong(self, lane: Lane, entry: Claimed, hold: _Hold) -> None:
        """Have a claim last longer, so that no send begins that it might not outlast; or find that it is lost.

        A store that is away is asked again: to leave the lane now would let later replies of its drain overtake.
        """
        until = time.monotonic() + self._lease_seconds
        extension = Settlement(
            lane=lane, token=hold.token, id=entry.id, verdict=Verdict.EXTEND, wait_ms=to_ms(self._settings.send_lease)
        )
        settled = await settle_one(self._store, extension, within_seconds=self._lease_seconds)
        hold.until = until
        hold.is_lost = not settled.held

    async def _try(self, entry: Claimed) -> tuple[Verdict, int, str]:
        """Attempt one reply; return the verdict, the wait in milliseconds and what to tell the operator."""
        if self._is_ending:
            return Verdict.RETURN, 0, ""
        if entry.suppressed:
            return Verdict.DONE, 0, ""
        try:
            reply = decode_reply(entry.payload)
        except UNREADABLE as exc:
            return Verdict.DEAD, 0, f"this reply cannot be read: {exc}"
        channel = self._channels.get(reply.channel)
        if channel is None:
            return Verdict.RETURN, UNKNOWN_CHANNEL_WAIT_MS, ""
        # A first attempt that is marked was redriven: an operator wants it sent although it may have been.
        if entry.maybe_sent and entry.attempt > 1 and channel.on_unknown is OnUnknown.HOLD:
            return Verdict.DEAD, 0, "an earlier attempt may have been sent; held, as the channel wishes"
        if entry.attempt > self._settings.send_attempts:
            return Verdict.DEAD, 0, f"did not end in {entry.attempt - 1} attempts (crash or kill while sending)"
        reach("before_send")
        sent = await self._send(channel, reply, entry)
        reach("after_send")
        return self._judge(channel, entry, sent)

    async def _send(self, channel: Channel, reply: Reply, entry: Claimed) -> Sent:
        """Call the provider. Whatever does not end with its answer is UNKNOWN, a shutdown included."""
        task = asyncio.current_task()
        if task is None:  # pragma: no cover - lanes are tasks
            raise RuntimeError("replies are sent inside asyncio tasks")
        has_hung = False

        def hang_up() -> None:
            nonlocal has_hung
            has_hung = True
            task.cancel()

        self._deadlines.set(task, self._send_seconds, hang_up)
        try:
            sent = await channel.send(
                Outgoing(id=entry.id, reply=reply, attempt=entry.attempt, maybe_sent=entry.maybe_sent)
            )
            if not isinstance(sent, Sent):
                raise TypeError(f"{channel.name}.send returned {type(sent).__name__}, not Sent")  # noqa: TRY301
        except asyncio.CancelledError:
            if has_hung:
                task.uncancel()
                return Sent(outcome=SendOutcome.UNKNOWN, error=f"no answer in {self._settings.send_timeout}")
            return Sent(outcome=SendOutcome.UNKNOWN, error="cancelled while it was sent")
        except (Exception, SystemExit) as exc:
            logger.exception("send_failed", extra={"channel": reply.channel, "effect": mask_person(entry.id)})
            return Sent(outcome=SendOutcome.UNKNOWN, error=reason_of(exc))
        finally:
            self._deadlines.call_off(task)
        return sent

    def _judge(self, channel: Channel, entry: Claimed, sent: Sent) -> tuple[Verdict, int, str]:
        error = f"{sent.code} {sent.error}".strip()
        if sent.outcome is SendOutcome.ACCEPTED:
            return Verdict.DONE, 0, ""
        if sent.outcome is SendOutcome.REJECTED:
            return Verdict.DEAD, 0, error or "rejected by the provider"
        if sent.outcome is SendOutcome.UNKNOWN and channel.on_unknown is OnUnknown.HOLD:
            return Verdict.UNCERTAIN, 0, error  # marks it; at its next claim it is held, and stays marked if redriven
        if entry.attempt >= self._settings.send_attempts:
            return Verdict.DEAD, 0, error or f"not sent in {entry.attempt} attempts"
        wait_ms = backoff_ms(
            attempt=entry.attempt,
            first=self._settings.send_backoff,
            factor=2,
            longest=self._settings.max_send_backoff,
            chance=self._entropy.random(),
        )
        if sent.retry_after is not None:
            wait_ms = max(wait_ms, to_ms(min(sent.retry_after, MAX_RETRY_AFTER)))
        return Verdict.RETRY if sent.outcome is SendOutcome.RETRY else Verdict.UNCERTAIN, wait_ms, error

    def start(self) -> None:
        """Send (again)."""
        self._is_ending = False

    async def stop(self, grace: timedelta) -> None:
        """Let what is being sent end within the grace, cut off what does not, and record how it fared.

        What a cut leaves unsettled is taken over elsewhere later, marked.
        """
        if self._tasks:
            _, late = await asyncio.wait(tuple(self._tasks.values()), timeout=grace.total_seconds())
            self._is_ending = True
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_END_SECONDS)
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._settling.flush()
        except TimeoutError:
            logger.warning("verdicts_left", extra={"reason": "the store did not answer while stopping"})


def _drop(queue: _Queue, token: str) -> None:
    """Take out what was claimed under a token; what another claim put there meanwhile stays."""
    kept = [parcel for parcel in queue if parcel[1].token != token]
    queue.clear()
    queue.extend(kept)
