"""Brings timers and forwards that are due into the inbox they belong to.

They become messages with an id of their own, so that each is applied once, in order with what people say.
"""

import random

from turnkeeper.engine.inbox import Inbox
from turnkeeper.engine.settings import Settings
from turnkeeper.engine.wire import decode_forward, decode_timer
from turnkeeper.errors import PermanentError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Kind, Message
from turnkeeper.ports.deliveries import Claimed, Lane, Settlement, Verdict
from turnkeeper.ports.faults import reach
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import EffectKind

FULL_WAIT_MS = 5_000
"""Wait before a timer is brought again to a conversation whose inbox is full."""


class Timers:
    """Delivers what comes back as a message."""

    def __init__(self, *, store: Store, inbox: Inbox, settings: Settings, entropy: random.Random) -> None:
        """Take the inbox that they go to."""
        self._store = store
        self._inbox = inbox
        self._settings = settings
        self._entropy = entropy

    async def deliver(self, lane: Lane) -> bool:
        """Bring one due timer or forward home; False if there was nothing to claim."""
        token = f"{self._entropy.getrandbits(96):024x}"
        claim = await self._store.deliveries.claim(lane, token=token, lease=self._settings.lease)
        if claim is None:
            return False
        for entry in claim.entries:
            conversation, message = self._message(lane.conversation, entry)
            try:
                accepted = await self._inbox.accept(conversation, message)
            except PermanentError as exc:
                verdict, wait_ms, error = Verdict.DEAD, 0, str(exc)
            else:
                verdict, wait_ms, error = Verdict.DONE, 0, ""
                if not accepted.durable:
                    verdict, wait_ms, error = Verdict.RETRY, FULL_WAIT_MS, accepted.outcome.value
            reach("before_settle")
            settlement = Settlement(lane=lane, token=token, id=entry.id, verdict=verdict, wait_ms=wait_ms, error=error)
            await self._store.deliveries.settle([settlement])
        return True

    @staticmethod
    def _message(conversation: ConversationId, entry: Claimed) -> tuple[ConversationId, Message]:
        if entry.kind is EffectKind.FORWARD:
            forward = decode_forward(entry.payload)
            return forward.conversation, forward.message
        timer = decode_timer(entry.payload)
        message = Message(id=f"timer:{entry.id}", kind=Kind.TIMER, text=timer.name, data=timer.data, source=entry.id)
        return conversation, message
