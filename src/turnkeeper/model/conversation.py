"""Names a conversation: which flow, which person, and what its state is called.

The person is an address without the channel, so that an SMS, a call and the browser phone of one number
meet in one conversation. Everything of one person lives in one partition of a store.
"""

import msgspec

from turnkeeper.errors import InvalidMessageError

MAX_NAME_BYTES = 200
"""Bytes of a flow, person or member name: fits every key of every store with room for the prefix."""


class ConversationId(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of a conversation.

    Attributes:
        flow: Name of the flow (the application).
        person: The person's address without the channel: E.164 for numbers, else opaque (an order id, a session).
        member: Who of several people on one address speaks (a slug such as `ana`), or empty.
        state_key: The users' own name for the stored state, or empty for `key`.
    """

    flow: str
    person: str
    member: str = ""
    state_key: str = ""

    @property
    def key(self) -> str:
        """`flow:person`, with `:member` behind it where several people share an address."""
        return f"{self.flow}:{self.person}:{self.member}" if self.member else f"{self.flow}:{self.person}"

    @property
    def state_name(self) -> str:
        """The name under which the state is stored."""
        return self.state_key or self.key


def check_name(what: str, name: str) -> str:
    """Return the name if it can be part of a key.

    Raises:
        InvalidMessageError: It is empty, too long, or holds control characters.
    """
    if not name or len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        raise InvalidMessageError(f"{what} must have 1 to {MAX_NAME_BYTES} bytes, got {len(name)} characters")
    if not name.isprintable():
        raise InvalidMessageError(f"{what} {name!r} holds characters that cannot be printed; send the plain address")
    return name
