"""Makes a computed turn durable, and sets going what it asked for.

A commit is sent until it is answered: repeating it is harmless, giving up early costs a re-run. Nothing cancels it.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence

from turnkeeper.engine.delivering.outbox import Outbox
from turnkeeper.engine.running.run import Run
from turnkeeper.engine.settings import Settings, to_ms
from turnkeeper.engine.wire import encode
from turnkeeper.errors import HandlerError, OutcomeUnknownError, RetryableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.observe.masking import mask_person
from turnkeeper.ports.faults import reach
from turnkeeper.ports.limits import MAX_HAND_OUT
from turnkeeper.ports.program import Draft, Program
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Begin, Commit, CommitAnswer, Committed, Conflict, EffectKind, Granted, Waiting

logger = logging.getLogger(__name__)

_REPEAT_SECONDS = (0.02, 2.0)
"""First and longest wait before a commit without an answer is repeated."""

OnCommitted = Callable[[ConversationId, Sequence[Waiting], tuple[str, ...]], None]
"""Called with the taken messages and the replies once a turn is durable."""


def hand_out(program: Program) -> int:
    """Return how many waiting messages this program's policy wants to see at once."""
    return MAX_HAND_OUT if program.rules.busy.policy in {"coalesce", "interrupt"} else 1


class Committer:
    """Commits the turns of one process. `takes_next` False: a commit releases the lease, whatever waits."""

    def __init__(
        self, *, store: Store, outbox: Outbox, settings: Settings, entropy: random.Random, on_committed: OnCommitted
    ) -> None:
        """Take the outbox that replies go to."""
        self._store = store
        self._outbox = outbox
        self._entropy = entropy
        self._on_committed = on_committed
        self._lease = settings.lease.total_seconds()
        self._lease_ms = to_ms(settings.lease)
        self._send_lease_ms = to_ms(settings.send_lease)
        self.takes_next = True

    async def commit(self, run: Run, draft: Draft, *, dead: str | None = None) -> Granted | None:
        """Commit a turn; return the next one if it was handed out with the answer.

        Raises:
            PermanentError: The draft cannot be stored. Nothing was written.
            RetryableError, OutcomeUnknownError: No answer until the lease is over.
        """
        request = self._request(run, draft, dead)
        asked_at = time.monotonic()
        answer = await self._send(request, until=max(run.held.deadline, asked_at + self._lease))
        reach("after_commit")
        if isinstance(answer, Committed):
            self._on_committed(run.conversation, run.taken, draft.replies)
            if draft.opt_out:
                self._outbox.silence(run.conversation)
            if answer.claimed:
                self._send_replies(run, draft, request, answer, asked_at)
            return answer.next
        if isinstance(answer, Conflict):
            return await self._begin_again(run)
        logger.warning("commit_fenced", extra={"conversation": mask_person(run.conversation.key)})
        return None

    def _send_replies(self, run: Run, draft: Draft, request: Commit, answer: Committed, asked_at: float) -> None:
        """Have the replies sent: by the turn's own task if this was its last, which spares a task."""
        replies = [effect for effect in draft.effects if effect.kind is EffectKind.REPLY]
        lane = self._outbox.send_committed(run.conversation, replies, token=request.lane_token, claimed_at=asked_at)
        if lane is None:
            return
        if answer.next is None:
            run.held.lane = lane
        else:
            self._outbox.serve_beside(lane)

    async def _begin_again(self, run: Run) -> Granted | None:
        """Get the turn anew, from the version that stands now; the lease is still this process's."""
        begin = Begin(
            conversation=run.conversation,
            token=run.granted.token,
            lease_ms=self._lease_ms,
            hand_out=hand_out(run.program),
        )
        answer = await self._store.turns.begin(begin)
        return answer if isinstance(answer, Granted) else None

    def _request(self, run: Run, draft: Draft, dead: str | None) -> Commit:
        granted = run.granted
        return Commit(
            conversation=run.conversation,
            token=granted.token,
            fence=granted.fence,
            version=granted.version,
            generation=granted.generation,
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
            reply=_encode_replies(draft.replies) if draft.replies else None,
            lane_token=run.commit_id,
            lane_ms=self._send_lease_ms,
            parts=draft.parts,
            adopted=draft.adopted,
            retired=draft.retired,
            opt_out=draft.opt_out,
            dead=dead,
            next=self.takes_next,
            hand_out=hand_out(run.program),
            lease_ms=self._lease_ms,
        )

    async def _send(self, commit: Commit, *, until: float) -> CommitAnswer:
        wait, longest = _REPEAT_SECONDS
        while True:
            try:
                return await self._store.turns.commit(commit)
            except (RetryableError, OutcomeUnknownError) as exc:
                if time.monotonic() + wait > until:
                    raise
                logger.warning("commit_repeated", extra={"reason": str(exc)})
                await asyncio.sleep(wait * (0.5 + self._entropy.random() / 2))
                wait = min(wait * 2, longest)


def _encode_replies(replies: tuple[str, ...]) -> bytes:
    try:
        return encode(replies)
    except (TypeError, ValueError) as exc:
        raise HandlerError(f"a reply cannot be stored: {exc}; replies are Unicode texts") from exc
