"""The port to providers: how replies leave.

Rendering is pure and happens before the commit, sending is the only I/O and happens after it. A *screen* (browser
phone, terminal, web chat) is no such channel: its client reads the committed conversation by itself.
"""

import enum
from datetime import timedelta
from typing import Protocol

import msgspec

from turnkeeper.model.message import Reply


class SendOutcome(enum.Enum):
    """How an attempt to send ended."""

    ACCEPTED = "accepted"
    """The provider took it."""

    REJECTED = "rejected"
    """The provider will never take it: dead letter."""

    RETRY = "retry"
    """Surely not taken (rate limit, refused connection): again later."""

    UNKNOWN = "unknown"
    """Sent, no answer: it may have been taken. What follows is `on_unknown`."""


class OnUnknown(enum.Enum):
    """What a channel wants after `SendOutcome.UNKNOWN`, or after a claim that was never settled."""

    RESEND = "resend"
    """Again, marked `maybe_sent`."""

    HOLD = "hold"
    """Not again by itself: a dead letter that an operator can redrive."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one attempt. `retry_after` is the provider's wish; `code` and `error` are for the operator."""

    outcome: SendOutcome
    provider_id: str = ""
    code: str = ""
    error: str = ""
    retry_after: timedelta | None = None


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A reply on its way. `id` is stable over all attempts: the idempotency key where the provider has one."""

    id: str
    reply: Reply
    attempt: int = 1
    maybe_sent: bool = False


class Channel(Protocol):
    """A way out to a provider. It may be called from several conversations at once, never twice for one at once."""

    @property
    def name(self) -> str:
        """The name that `Message.channel` and `Reply.channel` carry."""
        ...

    @property
    def on_unknown(self) -> OnUnknown:
        """What to do when nobody knows whether it was sent."""
        ...

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """Hand one reply to the provider. An exception counts as UNKNOWN."""
        ...

    async def close(self) -> None:
        """Let go of connections. Safe to call twice."""
        ...
