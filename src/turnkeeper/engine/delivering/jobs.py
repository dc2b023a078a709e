"""Runs jobs: outside of turns, at least once, and brings the result back as a message.

A job sees only its arguments. What it returns becomes a turn like any other, so that it can never overwrite what
the person said meanwhile.
"""

import asyncio
import logging
import random
import time
from datetime import timedelta

import msgspec

from turnkeeper.engine.delivering.settling import settle_one
from turnkeeper.engine.heartbeat import Heartbeat, Held
from turnkeeper.engine.inbox import Inbox
from turnkeeper.engine.reasons import clean_reason, reason_of
from turnkeeper.engine.settings import Settings
from turnkeeper.engine.tokens import Tokens
from turnkeeper.engine.wire import UNREADABLE, decode_job
from turnkeeper.errors import OutcomeUnknownError, PermanentError, RetryableError
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

HOME_TIMEOUT = timedelta(minutes=5)
"""How long a result is brought again to a full inbox or a store that is away, before the job is run again."""

_HOME_SECONDS = (0.1, 5.0)
"""First and longest wait between two tries to bring a result home."""


class _GaveUp(msgspec.Struct, frozen=True):
    """The job failed for good."""

    failed: JobFailed


class _Again(msgspec.Struct, frozen=True):
    """The job failed this time."""

    wait_ms: int
    reason: str


class _Work(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed job on its way."""

    program: Program
    rules: JobRules
    call: JobCall
    claim: Claim
    entry: Claimed
    held: Held

    def gave_up(self, kind: str, reason: str, attempts: int) -> _GaveUp:
        """Return the failure for good."""
        return _GaveUp(JobFailed(job=self.call.name, kind=kind, reason=clean_reason(reason), attempts=attempts))


class Jobs:
    """The job runner of one process."""

    def __init__(
        self,
        *,
        store: Store,
        inbox: Inbox,
        heartbeat: Heartbeat,
        settings: Settings,
        entropy: random.Random,
        tokens: Tokens,
    ) -> None:
        """Take the inbox that results go to."""
        self._store = store
        self._inbox = inbox
        self._heartbeat = heartbeat
        self._lease = settings.lease
        self._entropy = entropy
        self._tokens = tokens

    async def run(self, lane: Lane) -> bool:
        """Claim a job that is due, run it and bring its result home; False if there was nothing to claim."""
        token = self._tokens.fresh()
        claim = await self._store.deliveries.claim(lane, token=token, lease=self._lease)
        if claim is None:
            return False
        for entry in claim.entries:
            if entry.maybe_sent:
                reach("in_recovery")
            await self._run_one(claim, entry)
        return True

    async def _run_one(self, claim: Claim, entry: Claimed) -> None:
        try:
            call = decode_job(entry.payload)
        except UNREADABLE as exc:
            await self._settle(claim, entry, Verdict.DEAD, error=f"this job cannot be read: {exc}")
            return
        program = self._inbox.program(claim.lane.conversation.flow)
        rules = program.job_rules(call.name)
        if rules is None:
            logger.warning("job_unknown", extra={"job": call.name})
            await self._settle(claim, entry, Verdict.RETURN, wait_ms=UNKNOWN_JOB_WAIT_MS)
            return
        held = Held(
            conversation=claim.lane.conversation,
            token=claim.token,
            timeout=rules.timeout,
            task=asyncio.current_task(),
            job=(claim.lane, entry.id),
        )
        work = _Work(program=program, rules=rules, call=call, claim=claim, entry=entry, held=held)
        self._heartbeat.add(held)
        try:
            outcome = await self._attempt(work)
            held.begin_stint(HOME_TIMEOUT)
            await self._end(work, outcome)
        finally:
            self._heartbeat.discard(held)

    async def _attempt(self, work: _Work) -> bytes | _GaveUp | _Again | None:
        """Run it once. None: the claim is lost, somebody else runs it."""
        entry, call, held = work.entry, work.call, work.held
        if entry.attempt > work.rules.attempts:
            return work.gave_up("crash", f"did not end in {entry.attempt - 1} attempts", entry.attempt - 1)
        job = JobInput(
            id=entry.id,
            conversation=held.conversation,
            call=call,
            attempt=entry.attempt,
            maybe_ran=entry.maybe_sent,
            started_ms=entry.committed_ms,
        )
        held.computing = True
        try:
            reach("in_job")
            return await work.program.work(job)
        except asyncio.CancelledError as exc:
            held.computing = False
            return await self._cancelled(work, exc)
        except PermanentError as exc:
            return work.gave_up("error", reason_of(exc), entry.attempt)
        except (Exception, SystemExit) as exc:  # a job that calls `exit()` ends its attempt, not the server
            logger.exception("job_failed", extra={"job": call.name, "effect": mask_person(entry.id)})
            return self._failed(work, "error", reason_of(exc))
        finally:
            held.computing = False

    async def _cancelled(self, work: _Work, exc: asyncio.CancelledError) -> _GaveUp | _Again | None:
        """Find out who cancelled the job: the heartbeat, a shutdown, or it itself."""
        task = asyncio.current_task()
        if work.held.lost or work.held.overdue:
            if task is not None:
                task.uncancel()  # it was meant for the job; the task goes on
            if work.held.lost:
                logger.warning("job_claim_lost", extra={"job": work.call.name})
                return None
            return self._failed(work, "timeout", f"took longer than {work.rules.timeout}")
        if task is not None and task.cancelling():
            await asyncio.shield(self._settle(work.claim, work.entry, Verdict.RETURN))
            raise exc
        return self._failed(work, "error", "CancelledError: raised by the job, nobody had cancelled it")

    def _failed(self, work: _Work, kind: str, reason: str) -> _GaveUp | _Again:
        rules, attempt = work.rules, work.entry.attempt
        if attempt >= rules.attempts:
            return work.gave_up(kind, reason, attempt)
        wait_ms = backoff_ms(
            attempt=attempt,
            first=rules.delay,
            factor=rules.factor,
            longest=rules.max_delay,
            chance=self._entropy.random(),
        )
        return _Again(wait_ms, reason)

    async def _end(self, work: _Work, outcome: bytes | _GaveUp | _Again | None) -> None:
        """Bring home what came of it. An outcome that no message can carry becomes a failure, or a dead letter."""
        if outcome is None:
            return
        if isinstance(outcome, _Again):
            await self._settle(work.claim, work.entry, Verdict.RETRY, wait_ms=outcome.wait_ms, error=outcome.reason)
            return
        try:
            await self._bring_home(work, _message(work, outcome))
        except (RetryableError, OutcomeUnknownError):
            raise
        except Exception as exc:
            if isinstance(outcome, _GaveUp):
                logger.exception("job_failure_lost", extra={"job": work.call.name})
                error = f"its failure cannot be taken: {reason_of(exc)}; it was: {outcome.failed.reason}"
                await self._settle(work.claim, work.entry, Verdict.DEAD, error=error)
                return
            reason = f"its result cannot be taken: {reason_of(exc)}"
            await self._end(work, work.gave_up("error", reason, work.entry.attempt))

    async def _bring_home(self, work: _Work, message: Message) -> None:
        """Bring a message to the inbox, waiting for room: running the job again would cost more than waiting."""
        until = time.monotonic() + HOME_TIMEOUT.total_seconds()
        wait, longest = _HOME_SECONDS
        while True:
            try:
                accepted = await self._inbox.bring(work.held.conversation, message)
                if accepted.durable:
                    await self._settle(work.claim, work.entry, Verdict.DONE)
                    return
                reason = accepted.outcome.value
            except (RetryableError, OutcomeUnknownError) as exc:
                reason = str(exc)
            logger.warning("job_result_waits", extra={"job": work.call.name, "reason": reason})
            if work.held.lost or time.monotonic() + wait > until:
                await self._settle(work.claim, work.entry, Verdict.UNCERTAIN, error=reason)
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, longest)

    async def _settle(
        self, claim: Claim, entry: Claimed, verdict: Verdict, *, wait_ms: int = 0, error: str = ""
    ) -> None:
        settlement = Settlement(
            lane=claim.lane,
            token=claim.token,
            id=entry.id,
            verdict=verdict,
            wait_ms=wait_ms,
            error=clean_reason(error),
        )
        await settle_one(self._store, settlement, within_seconds=self._lease.total_seconds())


def _message(work: _Work, outcome: bytes | _GaveUp) -> Message:
    has_failed = isinstance(outcome, _GaveUp)
    return Message(
        id=f"result:{work.entry.id}",
        kind=Kind.FAILURE if has_failed else Kind.RESULT,
        text=work.call.name,
        data=msgspec.Raw(work.program.failure(outcome.failed) if isinstance(outcome, _GaveUp) else outcome),
        source=work.entry.id,
    )
