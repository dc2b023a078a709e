"""Runs granted turns: messages in, a draft from the program, one commit out.

A handler may run more than once for one message; only what `commit` accepted happened. Losing the lease cancels the
handler, but what keeps it harmless is the fence at commit, not the cancellation.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence

import msgspec

from turnkeeper.engine.grouping import group
from turnkeeper.engine.heartbeat import Heartbeat, Held
from turnkeeper.engine.outbox import Outbox
from turnkeeper.engine.settings import Settings, to_ms
from turnkeeper.engine.wire import decode_message, encode
from turnkeeper.errors import HandlerError, OutcomeUnknownError, PermanentError, RetryableError, StateNewerError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Kind, Message
from turnkeeper.observe.masking import mask_person
from turnkeeper.policy.retry import backoff_ms
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.faults import reach
from turnkeeper.ports.limits import MAX_HAND_OUT
from turnkeeper.ports.program import Draft, Program, TurnInput
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import (
    Begin,
    Commit,
    CommitAnswer,
    Committed,
    Conflict,
    EffectKind,
    Granted,
    LogRecord,
    Outcome,
    Release,
    Renewal,
    Waiting,
)

logger = logging.getLogger(__name__)

NEWER_WAIT_MS = 5_000
"""Wait before somebody looks again at a message whose state needs newer code: a deploy takes longer than that."""

STORE_WAIT_MS = 1_000
"""Wait after a handler failed because the store did not answer it."""

_REPEAT_SECONDS = (0.02, 2.0)
"""First and longest wait before a commit without an answer is repeated."""

OnCommitted = Callable[[ConversationId, Sequence[Waiting], tuple[str, ...]], None]
"""Called with the taken messages and the replies once a turn is durable."""


def hand_out(program: Program) -> int:
    """Return how many waiting messages this program's policy wants to see at once."""
    return MAX_HAND_OUT if program.rules.busy.policy in {"coalesce", "interrupt"} else 1


class TurnTools:
    """See `ports.program.Tools`: the store, seen from one running turn."""

    __slots__ = ("_conversation", "_held", "_lease_ms", "_store")

    def __init__(self, store: Store, conversation: ConversationId, held: Held, lease_ms: int) -> None:
        """Take the turn that they serve."""
        self._store = store
        self._conversation = conversation
        self._held = held
        self._lease_ms = lease_ms

    async def part(self, part_id: str, /) -> bytes | None:
        """See `Tools.part`."""
        document = await self._store.documents.get(part_key(self._conversation, part_id))
        return None if document is None else document.data

    async def remember(self, step: str, data: bytes, /) -> None:
        """See `Tools.remember`."""
        renewal = Renewal(
            conversation=self._conversation, token=self._held.token, lease_ms=self._lease_ms, memo=(step, data)
        )
        (answer,) = await self._store.turns.renew([renewal])
        if not answer.held:
            self._held.lost = True
            raise asyncio.CancelledError

    async def history(self, *, before: int | None = None, limit: int = 100) -> Sequence[LogRecord]:
        """See `Tools.history`."""
        return await self._store.turns.history(self._conversation, before=before, limit=limit)


class _Run(msgspec.Struct, kw_only=True):
    """One granted turn on its way."""

    program: Program
    conversation: ConversationId
    granted: Granted
    held: Held
    turn: TurnInput
    taken: Sequence[Waiting]
    broken: str
    commit_id: str


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

    def __init__(
        self,
        *,
        store: Store,
        outbox: Outbox,
        heartbeat: Heartbeat,
        settings: Settings,
        entropy: random.Random,
        on_committed: OnCommitted,
    ) -> None:
        """Take what every turn needs."""
        self._store = store
        self._outbox = outbox
        self._heartbeat = heartbeat
        self._settings = settings
        self._entropy = entropy
        self._on_committed = on_committed
        self._lease_ms = to_ms(settings.lease)
        self._send_lease_ms = to_ms(settings.send_lease)

    async def drain(self, program: Program, conversation: ConversationId, granted: Granted) -> None:
        """Run this grant and every next one that a commit hands out.

        Store failures end it with a log line: the lease runs out and any worker goes on.
        """
        current: Granted | None = granted
        count = 0
        try:
            while current is not None:
                count += 1
                current = await self._turn(program, conversation, current, count)
        except (RetryableError, OutcomeUnknownError) as exc:
            logger.warning(
                "turn_left_to_recovery", extra={"conversation": mask_person(conversation.key), "reason": str(exc)}
            )

    async def _turn(
        self, program: Program, conversation: ConversationId, granted: Granted, count: int
    ) -> Granted | None:
        task = asyncio.current_task()
        if task is None:  # pragma: no cover - asyncio always has one here
            raise HandlerError("turns run inside asyncio tasks")
        held = Held(
            conversation=conversation, token=granted.token, timeout=program.rules.turn_timeout, cancel=task.cancel
        )
        self._heartbeat.add(held)
        try:
            run = self._prepare(program, conversation, granted, held, f"{granted.token}:{count}")
            result = await self._compute(run)
            if isinstance(result, Draft):
                try:
                    return await self._commit(run, result, dead=None)
                except PermanentError as exc:
                    result = _Failed(_reason(exc))
            match result:
                case _Failed(reason):
                    return await self._fail(run, reason)
                case _GiveBack(wait_ms):
                    await self._give_back(run, Outcome.RETURNED, wait_ms)
                case _Lost():
                    logger.warning("lease_lost", extra={"conversation": mask_person(conversation.key)})
            return None
        finally:
            self._heartbeat.discard(held)

    def _prepare(
        self, program: Program, conversation: ConversationId, granted: Granted, held: Held, commit_id: str
    ) -> _Run:
        broken = ""
        messages: list[Message] = []
        for waiting in granted.messages:
            try:
                messages.append(decode_message(waiting.payload))
            except (msgspec.DecodeError, ValueError) as exc:
                broken = broken or f"message {waiting.id} cannot be read: {exc}"
                messages.append(Message(id=waiting.id, kind=Kind.ADMIN, text="unreadable"))
        chosen = group(messages, policy=program.rules.busy.policy, interrupted=granted.interrupted)
        turn = TurnInput(
            conversation=conversation,
            messages=tuple(messages[: chosen.take]),
            superseded=chosen.superseded,
            effect_prefix=f"{conversation.key}:{granted.generation}:{granted.messages[0].seq}",
            commit_id=commit_id,
            fence=granted.fence,
            version=granted.version,
            generation=granted.generation,
            state=granted.state,
            now_ms=granted.now_ms,
            created_ms=granted.created_ms,
            active_ms=granted.active_ms,
            attempt=granted.attempts,
            waiting=granted.more + len(messages) - chosen.take,
            lost=granted.lost,
            opted_out=granted.opted_out,
            memos=granted.memos,
        )
        return _Run(
            program=program,
            conversation=conversation,
            granted=granted,
            held=held,
            turn=turn,
            taken=granted.messages[: chosen.take],
            broken=broken,
            commit_id=commit_id,
        )

    async def _compute(self, run: _Run) -> Draft | _Failed | _GiveBack | _Lost:
        """Run the program. Only a cancellation from outside (shutdown) leaves by exception, the lease given back."""
        if run.granted.attempts > run.program.rules.max_attempts:
            return _Failed(f"ended without an answer {run.granted.attempts - 1} times (crash, kill or lost lease)")
        if run.broken:
            return _Failed(run.broken)
        tools = TurnTools(self._store, run.conversation, run.held, self._lease_ms)
        try:
            reach("in_handler")
            draft = await run.program.run(run.turn, tools)
            reach("before_commit")
        except asyncio.CancelledError:
            if not run.held.lost and not run.held.overdue:
                await asyncio.shield(self._give_back(run, Outcome.RETURNED, 0))
                raise
            _forgive_cancellation()
            return _Lost() if run.held.lost else _Failed(f"took longer than {run.program.rules.turn_timeout}")
        except StateNewerError as exc:
            logger.warning("state_newer", extra={"flow": run.conversation.flow, "reason": str(exc)})
            return _GiveBack(NEWER_WAIT_MS)
        except (RetryableError, OutcomeUnknownError) as exc:
            logger.warning("store_failed_in_turn", extra={"reason": str(exc)})
            return _GiveBack(STORE_WAIT_MS)
        except Exception as exc:
            logger.exception("handler_failed", extra={"conversation": mask_person(run.conversation.key)})
            return _Failed(_reason(exc))
        return draft

    async def _fail(self, run: _Run, reason: str) -> Granted | None:
        """Let the message wait for its next attempt, or bury it when it had its last."""
        rules = run.program.rules
        if run.granted.attempts >= rules.max_attempts:
            logger.error("message_dead", extra={"conversation": mask_person(run.conversation.key), "reason": reason})
            one = msgspec.structs.replace(run.turn, messages=run.turn.messages[:1], superseded=0)
            run.taken = run.taken[:1]
            return await self._commit(run, run.program.bury(one, reason), dead=reason)
        wait_ms = backoff_ms(
            attempt=run.granted.attempts,
            first=rules.backoff,
            factor=2,
            longest=rules.max_backoff,
            chance=self._entropy.random(),
        )
        await self._give_back(run, Outcome.ERROR, wait_ms)
        return None

    async def _give_back(self, run: _Run, outcome: Outcome, wait_ms: int) -> None:
        release = Release(conversation=run.conversation, token=run.granted.token, outcome=outcome, wait_ms=wait_ms)
        try:
            await self._store.turns.release(release)
        except (RetryableError, OutcomeUnknownError) as exc:
            logger.warning("release_failed", extra={"reason": str(exc)})

    async def _commit(self, run: _Run, draft: Draft, *, dead: str | None) -> Granted | None:
        commit = self._commit_request(run, draft, dead)
        answer = await self._send(commit, run.held)
        reach("after_commit")
        if isinstance(answer, Committed):
            self._on_committed(run.conversation, run.taken, draft.replies)
            if answer.claimed:
                replies = tuple(effect for effect in draft.effects if effect.kind is EffectKind.REPLY)
                self._outbox.send_committed(run.conversation, replies)
            return answer.next
        if isinstance(answer, Conflict):
            begin = Begin(
                conversation=run.conversation,
                token=run.granted.token,
                lease_ms=self._lease_ms,
                hand_out=hand_out(run.program),
            )
            again = await self._store.turns.begin(begin)
            return again if isinstance(again, Granted) else None
        logger.warning("commit_fenced", extra={"conversation": mask_person(run.conversation.key)})
        return None

    def _commit_request(self, run: _Run, draft: Draft, dead: str | None) -> Commit:
        return Commit(
            conversation=run.conversation,
            token=run.granted.token,
            fence=run.granted.fence,
            version=run.granted.version,
            generation=run.granted.generation,
            commit_id=run.commit_id,
            take=len(run.taken),
            state=draft.state,
            status=draft.status,
            forget=draft.forget,
            active=draft.active,
            retain_ms=draft.retain_ms,
            slide=draft.slide,
            log=draft.log,
            log_keep=draft.log_keep,
            log_keep_ms=draft.log_keep_ms,
            effects=draft.effects,
            cancel=draft.cancel,
            cancel_all=draft.cancel_all,
            reply=encode(draft.replies) if draft.replies else None,
            lane_token=self._outbox.token,
            lane_ms=self._send_lease_ms,
            parts=draft.parts,
            adopted=draft.adopted,
            retired=draft.retired,
            opt_out=draft.opt_out,
            dead=dead,
            hand_out=hand_out(run.program),
            lease_ms=self._lease_ms,
        )

    async def _send(self, commit: Commit, held: Held) -> CommitAnswer:
        """Send a commit until it has an answer: repeating it is harmless, giving up too early costs a re-run."""
        wait, longest = _REPEAT_SECONDS
        while True:
            try:
                return await self._store.turns.commit(commit)
            except (RetryableError, OutcomeUnknownError) as exc:
                if time.monotonic() + wait > held.deadline:
                    raise
                logger.warning("commit_repeated", extra={"reason": str(exc)})
                await asyncio.sleep(wait * (0.5 + self._entropy.random() / 2))
                wait = min(wait * 2, longest)


def _forgive_cancellation() -> None:
    """Take back the cancellation that the heartbeat caused, so that the task goes on with its next step."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def _reason(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {exc}"
