"""Runs granted turns: messages in, a draft from the program, one commit out.

A handler may run more than once for one message; only what `commit` accepted happened. Losing the lease cancels the
handler, but what keeps it harmless is the fence at commit, not the cancellation.
"""

import asyncio
import logging
import random

import msgspec

from turnkeeper.engine.heartbeat import Held
from turnkeeper.engine.reasons import reason_of
from turnkeeper.engine.running.commit import Committer
from turnkeeper.engine.running.run import Run, prepare
from turnkeeper.engine.running.tools import TurnTools
from turnkeeper.engine.settings import Settings, to_ms
from turnkeeper.errors import OutcomeUnknownError, PermanentError, RetryableError, StateNewerError
from turnkeeper.observe.masking import mask_person
from turnkeeper.policy.retry import backoff_ms
from turnkeeper.ports.faults import reach
from turnkeeper.ports.program import Draft, Program
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Granted, Outcome, Release

logger = logging.getLogger(__name__)

NEWER_WAIT_MS = 5_000
"""Wait before somebody looks again at a message whose state needs newer code: a deploy takes longer than that."""

STORE_WAIT_MS = 1_000
"""Wait after a handler failed because the store did not answer it."""


class _Failed(msgspec.Struct, frozen=True):
    """The attempt failed; the reason is for the log and the dead letter."""

    reason: str


class _GiveBack(msgspec.Struct, frozen=True):
    """Nobody's fault: somebody tries again after the wait."""

    wait_ms: int


class _Lost(msgspec.Struct, frozen=True):
    """The lease is gone; whoever has it runs the message again."""


class TurnRunner:
    """Runs what was granted, message after message, until nothing waits or the lease is gone."""

    def __init__(self, *, store: Store, committer: Committer, settings: Settings, entropy: random.Random) -> None:
        """Take who commits what was computed."""
        self._store = store
        self._committer = committer
        self._entropy = entropy
        self._lease_ms = to_ms(settings.lease)

    @property
    def takes_next(self) -> bool:
        """Whether a commit asks for the next message; False lets every drain end with its turn."""
        return self._committer.takes_next

    @takes_next.setter
    def takes_next(self, takes_next: bool) -> None:
        self._committer.takes_next = takes_next

    async def drain(self, program: Program, held: Held, granted: Granted) -> None:
        """Run this grant and every next one that a commit hands out. Cancelled, it gives the lease back.

        Store failures end it with a log line: the lease runs out and any worker goes on.
        """
        current: Granted | None = granted
        count = 0
        try:
            while current is not None:
                count += 1
                held.begin_stint(program.rules.turn_timeout)
                _tell_of_eviction(held, current)
                current = await self._turn(prepare(program, current, held, f"{granted.token}:{count}"))
        except (RetryableError, OutcomeUnknownError) as exc:
            logger.warning(
                "turn_left_to_recovery", extra={"conversation": mask_person(held.conversation.key), "reason": str(exc)}
            )

    async def _turn(self, run: Run) -> Granted | None:
        result = await self._compute(run)
        if isinstance(result, Draft):
            try:
                return await self._committer.commit(run, result)
            except PermanentError as exc:
                result = _Failed(reason_of(exc))
        match result:
            case _Failed(reason):
                return await self._fail(run, reason)
            case _GiveBack(wait_ms):
                await self.give_back(run.held, Outcome.RETURNED, wait_ms)
            case _Lost():
                logger.warning("lease_lost", extra={"conversation": mask_person(run.conversation.key)})
        return None

    async def _compute(self, run: Run) -> Draft | _Failed | _GiveBack | _Lost:
        """Run the program. Only a cancellation from outside (shutdown) leaves by exception, the lease given back."""
        if run.granted.attempts > run.program.rules.max_attempts:
            return _Failed(f"ended without an answer {run.granted.attempts - 1} times (crash, kill or lost lease)")
        if run.broken:
            return _Failed(run.broken)
        held = run.held
        held.computing = True
        try:
            reach("in_handler")
            draft = await run.program.run(run.turn, TurnTools(self._store, held, self._lease_ms))
            held.computing = False
            reach("before_commit")
        except asyncio.CancelledError as exc:
            held.computing = False
            return await self._cancelled(run, exc)
        except StateNewerError as exc:
            logger.warning("state_newer", extra={"flow": run.conversation.flow, "reason": str(exc)})
            return _GiveBack(NEWER_WAIT_MS)
        except (RetryableError, OutcomeUnknownError) as exc:
            logger.warning("store_failed_in_turn", extra={"reason": str(exc)})
            return _GiveBack(STORE_WAIT_MS)
        except (Exception, SystemExit) as exc:  # a handler that calls `exit()` ends its attempt, not the server
            logger.exception("handler_failed", extra={"conversation": mask_person(run.conversation.key)})
            return _Failed(reason_of(exc))
        finally:
            held.computing = False
        return draft

    async def _cancelled(self, run: Run, exc: asyncio.CancelledError) -> _Failed | _Lost:
        """Find out who cancelled the handler: the heartbeat, a shutdown, or it itself."""
        task = asyncio.current_task()
        if run.held.lost or run.held.overdue:
            if task is not None:
                task.uncancel()  # it was meant for the handler; the task goes on
            return _Lost() if run.held.lost else _Failed(f"took longer than {run.program.rules.turn_timeout}")
        if task is not None and task.cancelling():
            await asyncio.shield(self.give_back(run.held, Outcome.RETURNED, 0))
            raise exc
        return _Failed("CancelledError: raised by the handler, nobody had cancelled it")

    async def _fail(self, run: Run, reason: str) -> Granted | None:
        """Let the message wait for its next attempt, or bury it when it had its last."""
        rules = run.program.rules
        if run.granted.attempts >= rules.max_attempts:
            return await self._bury(run.of_first(), reason)
        wait_ms = backoff_ms(
            attempt=run.granted.attempts,
            first=rules.backoff,
            factor=2,
            longest=rules.max_backoff,
            chance=self._entropy.random(),
        )
        await self.give_back(run.held, Outcome.ERROR, wait_ms)
        return None

    async def _bury(self, run: Run, reason: str) -> Granted | None:
        """Commit the message's end as the program wants it; if that fails too, without a word of the program."""
        logger.error("message_dead", extra={"conversation": mask_person(run.conversation.key), "reason": reason})
        try:
            return await self._committer.commit(run, run.program.bury(run.turn, reason), dead=reason)
        except (RetryableError, OutcomeUnknownError):
            raise
        except Exception:
            logger.exception("bury_failed", extra={"conversation": mask_person(run.conversation.key)})
        return await self._committer.commit(run, Draft(state=None, status="", active=False), dead=reason)

    async def give_back(self, held: Held, outcome: Outcome, wait_ms: int) -> None:
        """Release a lease. What the store does not answer to runs out by itself."""
        release = Release(conversation=held.conversation, token=held.token, outcome=outcome, wait_ms=wait_ms)
        try:
            await self._store.turns.release(release)
        except (RetryableError, OutcomeUnknownError) as exc:
            logger.warning("release_failed", extra={"reason": str(exc)})


def _tell_of_eviction(held: Held, granted: Granted) -> None:
    """Say what a store that was short of memory took from a conversation before anybody wonders."""
    if granted.lost:
        logger.warning("state_lost", extra={"conversation": mask_person(held.conversation.key)})
    if granted.rebuilt:
        logger.warning(
            "conversation_rebuilt", extra={"conversation": mask_person(held.conversation.key), "dedup": "weaker"}
        )
