"""The port for what comes in over HTTP from a provider or a shop: verified, read, accepted, then answered.

Reading is pure: whoever serves HTTP makes the messages durable before the sender gets its 2xx.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from turnkeeper.errors import PermanentError
from turnkeeper.model.message import Message


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came: the names of its headers in lower case, its body untouched for the signature."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    params: Mapping[str, str]
    body: bytes


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A message and whose conversation it belongs to; `flow` None: the application's first one."""

    person: str
    message: Message
    flow: str | None = None


class WebhookRefusedError(PermanentError):
    """A request that is not from whom it should be. Nothing was written."""

    def __init__(self, reason: str, *, status: int = 401) -> None:
        """Take the reason, which never repeats what was sent, and the HTTP status."""
        self.status = status
        super().__init__(reason)


class WebhookUnreadableError(PermanentError):
    """A request from the right sender that makes no sense. Repeating it would not help, so it is answered with 200."""


class Webhook(Protocol):
    """A way in for one sender."""

    @property
    def path(self) -> str:
        """Return where it is mounted, such as `/webhooks/orders/{shop}`."""
        ...

    def read(self, request: WebhookRequest, /) -> Sequence[Arrival]:
        """Verify a request over its raw body and return its messages; none if there is nothing to do.

        Raises:
            WebhookRefusedError: It is not signed by the sender.
            WebhookUnreadableError: It is signed and cannot be read.
        """
        ...
