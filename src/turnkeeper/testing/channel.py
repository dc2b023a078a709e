"""A channel that sends nowhere: it remembers what it was given and ends as it was told to."""

import collections
from datetime import timedelta

from turnkeeper.ports.channel import OnUnknown, Outgoing, SendOutcome, Sent


class FakeChannel:
    """An SMS gateway for tests.

    `sent` holds every attempt that the gateway accepted, in order; `attempts` every attempt at all.

    Example:
        ```python
        sms = FakeChannel("sms")
        sms.then(SendOutcome.RETRY, SendOutcome.UNKNOWN)  # the next two attempts; afterwards accepted
        ```
    """

    def __init__(self, name: str = "sms", *, on_unknown: OnUnknown = OnUnknown.RESEND) -> None:
        """Take the name that messages and replies carry."""
        self._name = name
        self._on_unknown = on_unknown
        self._script: collections.deque[tuple[SendOutcome, timedelta | None]] = collections.deque()
        self.attempts: list[Outgoing] = []
        self.sent: list[Outgoing] = []
        self.is_closed = False

    @property
    def name(self) -> str:
        """See `Channel.name`."""
        return self._name

    @property
    def on_unknown(self) -> OnUnknown:
        """See `Channel.on_unknown`."""
        return self._on_unknown

    @property
    def texts(self) -> list[str]:
        """The accepted texts, in order."""
        return [outgoing.reply.text for outgoing in self.sent]

    def then(self, *outcomes: SendOutcome, retry_after: timedelta | None = None) -> None:
        """Let the next attempts end like this, one outcome each; RETRY with the provider's `retry_after`."""
        self._script.extend((outcome, retry_after) for outcome in outcomes)

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """See `Channel.send`. An UNKNOWN attempt was accepted; only its answer is missing."""
        self.attempts.append(outgoing)
        outcome, retry_after = self._script.popleft() if self._script else (SendOutcome.ACCEPTED, None)
        if outcome in {SendOutcome.ACCEPTED, SendOutcome.UNKNOWN}:
            self.sent.append(outgoing)
        return Sent(outcome=outcome, provider_id=f"fake-{len(self.attempts)}", retry_after=retry_after)

    async def close(self) -> None:
        """See `Channel.close`."""
        self.is_closed = True
