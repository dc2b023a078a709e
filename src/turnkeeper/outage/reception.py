"""Where messages come in: what an outage policy is, seen from the application."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from turnkeeper.engine.engine import Engine
from turnkeeper.engine.results import Accepted, Handled
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Message
from turnkeeper.outage.standing import Standing
from turnkeeper.ports.store import Store


class Reception(Protocol):
    """Takes messages in, whether or not the store is there."""

    @property
    def may_lose(self) -> str:
        """What of an outage may be lost, for the start-up line."""
        ...

    @property
    def standing(self) -> Standing:
        """How many messages and conversations are here and not in the store."""
        ...

    async def prepare(self) -> None:
        """Take up what an earlier process left behind, before the engine runs."""
        ...

    async def start(self) -> None:
        """Take messages, and bring into the store what is not in it, whenever it is there. The engine runs."""
        ...

    async def stop(self) -> None:
        """Take nothing more; what is not in the store yet stays on the disk. Safe to call twice. The engine runs."""
        ...

    async def accept(self, conversation: ConversationId, message: Message) -> Accepted:
        """See `App.accept`."""
        ...

    async def handle(self, conversation: ConversationId, message: Message, *, within: timedelta) -> Handled:
        """See `App.handle`."""
        ...

    def local(self, conversation: ConversationId) -> Store | None:
        """Return the store in which a conversation lives now, None if it is the application's."""
        ...

    def locals(self) -> Sequence[Store]:
        """Return the stores beside the application's in which conversations live now."""
        ...


class Failing:
    """The policy `fail`: what the store does not take is refused, with an error that says what is known."""

    may_lose = "nothing: while the store is away messages are refused, and their senders repeat them"
    standing = Standing()

    def __init__(self, engine: Engine) -> None:
        """Take the engine over the store."""
        self._engine = engine

    async def prepare(self) -> None:
        """See `Reception.prepare`."""

    async def start(self) -> None:
        """See `Reception.start`."""

    async def stop(self) -> None:
        """See `Reception.stop`."""

    async def accept(self, conversation: ConversationId, message: Message) -> Accepted:
        """See `Reception.accept`."""
        return await self._engine.accept(conversation, message)

    async def handle(self, conversation: ConversationId, message: Message, *, within: timedelta) -> Handled:
        """See `Reception.handle`."""
        return await self._engine.handle(conversation, message, within=within)

    def local(self, conversation: ConversationId) -> Store | None:  # noqa: ARG002 - nothing ever lives here
        """See `Reception.local`."""
        return None

    def locals(self) -> Sequence[Store]:
        """See `Reception.locals`."""
        return ()
