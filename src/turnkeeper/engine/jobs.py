"""Runs jobs: outside of turns, at least once, and brings the result back as a message.

A job sees only its arguments. What it returns becomes a turn like any other, so that it can never overwrite what
the person said meanwhile.
"""

import asyncio
import logging
import random

import msgspec

from turnkeeper.engine.heartbeat import Heartbeat, Held
from turnkeeper.engine.inbox import Inbox
from turnkeeper.engine.settings import Settings
from turnkeeper.engine.wire import decode_job
from turnkeeper.errors import LimitError, PermanentError, RetryableError
from turnkeeper.model.message import JobCall, JobFailed, Kind, Message
from turnkeeper.observe.masking import mask_person
from turnkeeper.policy.retry import backoff_ms
from turnkeeper.ports.deliveries import Claim, Claimed, Lane, Settlement, Verdict
from turnkeeper.ports.faults import reach
from turnkeeper.ports.program import JobInput, JobRules, Program
from turnkeeper.ports.store import Store

logger = logging.getLogger(__name__)

UNKNOWN_JOB_WAIT_MS = 5_000
"""How long a job that only newer code knows is left to others."""

RESULT_WAIT_MS = 5_000
"""Wait before a result is brought again to a conversation whose inbox is full."""


class _GaveUp(msgspec.Struct, frozen=True):
    """The job failed for good."""

    failed: JobFailed


class _Again(msgspec.Struct, frozen=True):
    """The job failed this time."""

    wait_ms: int
    reason: str


class Jobs:
    """The job runner of one process."""

    def __init__(
        self, *, store: Store, inbox: Inbox, heartbeat: Heartbeat, settings: Settings, entropy: random.Random
    ) -> None:
        """Take the inbox that results go to."""
        self._store = store
        self._inbox = inbox
        self._heartbeat = heartbeat
        self._settings = settings
        self._entropy = entropy

    async def run(self, lane: Lane) -> bool:
        """Claim a job that is due, run it and bring its result home; False if there was nothing to claim."""
        token = f"{self._entropy.getrandbits(96):024x}"
        claim = await self._store.deliveries.claim(lane, token=token, lease=self._settings.lease)
        if claim is None:
            return False
        for entry in claim.entries:
            if entry.maybe_sent:
                reach("in_recovery")
            await self._run_one(claim, entry)
        return True

    async def _run_one(self, claim: Claim, entry: Claimed) -> None:
        call = decode_job(entry.payload)
        program = self._inbox.program(claim.lane.conversation.flow)
        rules = program.job_rules(call.name)
        if rules is None:
            logger.warning("job_unknown", extra={"job": call.name})
            await self._settle(claim, entry, Verdict.RETURN, wait_ms=UNKNOWN_JOB_WAIT_MS)
            return
        task = asyncio.current_task()
        if task is None:  # pragma: no cover - asyncio always has one here
            raise PermanentError("jobs run inside asyncio tasks")
        held = Held(
            conversation=claim.lane.conversation,
            token=claim.token,
            timeout=rules.timeout,
            cancel=task.cancel,
            job=(claim.lane, entry.id),
        )
        self._heartbeat.add(held)
        try:
            outcome = await self._attempt(program, rules, call, claim, entry, held)
        finally:
            self._heartbeat.discard(held)
        if outcome is not None:
            await self._bring_home(program, call, claim, entry, outcome)

    async def _attempt(
        self, program: Program, rules: JobRules, call: JobCall, claim: Claim, entry: Claimed, held: Held
    ) -> bytes | _GaveUp | _Again | None:
        """Run it once. None: the claim is lost, somebody else runs it."""
        if entry.attempt > rules.attempts:
            return self._gave_up(call, "crash", f"did not end in {entry.attempt - 1} attempts", entry.attempt - 1)
        job = JobInput(
            id=entry.id,
            conversation=claim.lane.conversation,
            call=call,
            attempt=entry.attempt,
            maybe_ran=entry.maybe_sent,
            started_ms=entry.committed_ms,
        )
        try:
            reach("in_job")
            return await program.work(job)
        except asyncio.CancelledError:
            if held.lost:
                _forgive_cancellation()
                logger.warning("job_claim_lost", extra={"job": call.name})
                return None
            if not held.overdue:
                await asyncio.shield(self._settle(claim, entry, Verdict.RETURN))
                raise
            _forgive_cancellation()
            return self._failed(rules, call, entry, "timeout", f"took longer than {rules.timeout}")
        except PermanentError as exc:
            return self._gave_up(call, "error", f"{type(exc).__name__}: {exc}", entry.attempt)
        except Exception as exc:
            logger.exception("job_failed", extra={"job": call.name, "effect": mask_person(entry.id)})
            return self._failed(rules, call, entry, "error", f"{type(exc).__name__}: {exc}")

    def _failed(self, rules: JobRules, call: JobCall, entry: Claimed, kind: str, reason: str) -> _GaveUp | _Again:
        if entry.attempt >= rules.attempts:
            return self._gave_up(call, kind, reason, entry.attempt)
        wait_ms = backoff_ms(
            attempt=entry.attempt,
            first=rules.delay,
            factor=rules.factor,
            longest=rules.max_delay,
            chance=self._entropy.random(),
        )
        return _Again(wait_ms, reason)

    @staticmethod
    def _gave_up(call: JobCall, kind: str, reason: str, attempts: int) -> _GaveUp:
        return _GaveUp(JobFailed(job=call.name, kind=kind, reason=reason, attempts=attempts))

    async def _bring_home(
        self, program: Program, call: JobCall, claim: Claim, entry: Claimed, outcome: bytes | _GaveUp | _Again
    ) -> None:
        if isinstance(outcome, _Again):
            await self._settle(claim, entry, Verdict.RETRY, wait_ms=outcome.wait_ms, error=outcome.reason)
            return
        has_failed = isinstance(outcome, _GaveUp)
        message = Message(
            id=f"result:{entry.id}",
            kind=Kind.FAILURE if has_failed else Kind.RESULT,
            text=call.name,
            data=msgspec.Raw(program.failure(outcome.failed) if isinstance(outcome, _GaveUp) else outcome),
            source=entry.id,
        )
        try:
            accepted = await self._inbox.accept(claim.lane.conversation, message)
        except RetryableError as exc:
            await self._settle(claim, entry, Verdict.RETRY, wait_ms=RESULT_WAIT_MS, error=str(exc))
            return
        except LimitError as exc:
            if has_failed:
                await self._settle(claim, entry, Verdict.DEAD, error=f"its failure cannot be taken: {exc}")
            else:
                failed = self._gave_up(call, "error", f"its result cannot be taken: {exc}", entry.attempt)
                await self._bring_home(program, call, claim, entry, failed)
            return
        if accepted.durable:
            await self._settle(claim, entry, Verdict.DONE)
        else:
            await self._settle(claim, entry, Verdict.RETRY, wait_ms=RESULT_WAIT_MS, error=accepted.outcome.value)

    async def _settle(
        self, claim: Claim, entry: Claimed, verdict: Verdict, *, wait_ms: int = 0, error: str = ""
    ) -> None:
        reach("before_settle")
        settlement = Settlement(
            lane=claim.lane, token=claim.token, id=entry.id, verdict=verdict, wait_ms=wait_ms, error=error
        )
        await self._store.deliveries.settle([settlement])


def _forgive_cancellation() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
