"""Brings timers and forwards that are due into the inbox they belong to.

They become messages with an id of their own, so that each is applied once, in order with what people say.
"""

from turnkeeper.engine.delivering.settling import settle_one
from turnkeeper.engine.inbox import Inbox
from turnkeeper.engine.reasons import clean_reason, reason_of
from turnkeeper.engine.settings import Settings
from turnkeeper.engine.tokens import Tokens
from turnkeeper.engine.wire import UNREADABLE, decode_forward, decode_timer
from turnkeeper.errors import PermanentError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Kind, Message
from turnkeeper.ports.deliveries import Claimed, Lane, Settlement, Verdict
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import EffectKind

FULL_WAIT_MS = 5_000
"""Wait before a timer is brought again to a conversation whose inbox is full."""

UNKNOWN_FLOW_WAIT_MS = 5_000
"""How long a forward to a flow that only other processes serve is left to them."""


class Timers:
    """Delivers what comes back as a message."""

    def __init__(self, *, store: Store, inbox: Inbox, settings: Settings, tokens: Tokens) -> None:
        """Take the inbox that they go to."""
        self._store = store
        self._inbox = inbox
        self._lease = settings.lease
        self._tokens = tokens

    async def deliver(self, lane: Lane) -> bool:
        """Bring one due timer or forward home; False if there was nothing to claim."""
        token = self._tokens.fresh()
        claim = await self._store.deliveries.claim(lane, token=token, lease=self._lease)
        if claim is None:
            return False
        for entry in claim.entries:
            verdict, wait_ms, error = await self._bring(lane.conversation, entry)
            settlement = Settlement(
                lane=lane, token=token, id=entry.id, verdict=verdict, wait_ms=wait_ms, error=clean_reason(error)
            )
            await settle_one(self._store, settlement, within_seconds=self._lease.total_seconds())
        return True

    async def _bring(self, conversation: ConversationId, entry: Claimed) -> tuple[Verdict, int, str]:
        try:
            target, message = _message(conversation, entry)
        except UNREADABLE as exc:
            return Verdict.DEAD, 0, f"this {entry.kind.value} cannot be read: {exc}"
        if not self._inbox.serves(target.flow):
            return Verdict.RETURN, UNKNOWN_FLOW_WAIT_MS, ""
        try:
            accepted = await self._inbox.bring(target, message)
        except PermanentError as exc:
            return Verdict.DEAD, 0, reason_of(exc)
        if not accepted.durable:
            return Verdict.RETRY, FULL_WAIT_MS, accepted.outcome.value
        return Verdict.DONE, 0, ""


def _message(conversation: ConversationId, entry: Claimed) -> tuple[ConversationId, Message]:
    if entry.kind is EffectKind.FORWARD:
        forward = decode_forward(entry.payload)
        return forward.conversation, forward.message
    timer = decode_timer(entry.payload)
    message = Message(id=f"timer:{entry.id}", kind=Kind.TIMER, text=timer.name, data=timer.data, source=entry.id)
    return conversation, message
