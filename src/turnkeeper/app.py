"""An application: flows, a store and channels, bound together.

It keeps nothing itself: two processes with the same application and the same store are one application.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.running.program import FlowProgram
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.results import Accepted, Handled
from turnkeeper.engine.settings import Settings
from turnkeeper.errors import ConfigurationError, InvalidMessageError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.event import LogEntry, decode_entry
from turnkeeper.model.message import NOTHING, Button, Kind, Message
from turnkeeper.model.text import clean_text
from turnkeeper.ports.catalog import Exported, StoreInfo, Summary
from turnkeeper.ports.channel import Channel
from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.ports.store import Store
from turnkeeper.stores.urls import open_store

if TYPE_CHECKING:
    from starlette.applications import Starlette

SCREENS = frozenset({"phone", "terminal"})
"""Channels whose clients read the committed conversation by themselves, so that nothing has to be sent."""

MAX_TEXT_CHARACTERS = 10_000
"""One message from a person: six times the longest text that a provider hands over (1,600)."""

THREAD_ENTRIES = 100
"""Turns shown of one conversation: the users' own number."""

_LOOK_SECONDS = 0.02
"""Wait between two looks whether a conversation has come to rest."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a conversation as a person sees it. `at` is aware UTC; `id` is the message's or the reply's."""

    id: str
    direction: Literal["in", "out"]
    text: str
    at: datetime
    channel: str = ""
    buttons: tuple[Button, ...] = ()


class ConversationView(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as an operator sees it: committed facts, read without taking part."""

    conversation: ConversationId
    exported: Exported
    log: tuple[LogEntry, ...]


class App:
    """Flows bound to a store and channels.

    Example: `app = App(flow, store="sqlite:///mealplan.db", channels=[...])`, then `turnkeeper serve module:app`,
    `app.asgi()` in any ASGI server, or `async with app.running(): …` in code of your own.
    """

    def __init__(
        self,
        *flows: Flow[Any],
        store: str | Store,
        channels: Sequence[Channel] = (),
        settings: Settings | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Check the flows and bind them; nothing is opened before `start`.

        Args:
            flows: The first one is meant when no flow is named.
            store: A URL or an open store.
            channels: Ways out to providers, each with a name of its own.
            settings: How the engine runs.
            clock: Time, for stores in this process and for `received_ms`.

        Raises:
            InvalidFlowError: A flow contradicts itself; the text names every line at fault.
            ConfigurationError: No flow, or a name twice.
        """
        if not flows:
            raise ConfigurationError("App needs at least one flow: App(flow, store=…)")
        self.flows: Mapping[str, Flow[Any]] = {flow.name: flow for flow in flows}
        self.flow = flows[0]
        self._channels = {channel.name: channel for channel in channels}
        if len(self.flows) != len(flows) or len(self._channels) != len(channels):
            raise ConfigurationError("two flows or two channels of one application have the same name")
        if clash := SCREENS & self._channels.keys():
            raise ConfigurationError(f"a channel cannot be called {sorted(clash)}: these are screens")
        self.clock = clock or SystemClock()
        self.settings = settings or Settings()
        self._given = store
        self._store: Store | None = None if isinstance(store, str) else store
        self._programs = {flow.name: FlowProgram(flow.check(), screens=SCREENS) for flow in flows}
        self._engine: Engine | None = None

    def use_store(self, store: str | Store) -> None:
        """Take another store than the one declared (`--store`), before `start`.

        Raises:
            ConfigurationError: The application is running.
        """
        if self._engine is not None:
            raise ConfigurationError("the application is running; choose the store before it starts")
        self._given = store
        self._store = None if isinstance(store, str) else store

    @property
    def store_url(self) -> str | None:
        """The URL of the store, with its password; None if an open store was given."""
        return self._given if isinstance(self._given, str) else None

    @property
    def store(self) -> Store:
        """The store, made from its URL at first use."""
        if self._store is None:
            if not isinstance(self._given, str):  # pragma: no cover - use_store and __init__ exclude it
                raise ConfigurationError("no store was given")
            self._store = open_store(self._given, clock=self.clock)
        return self._store

    @property
    def engine(self) -> Engine:
        """The running engine.

        Raises:
            ConfigurationError: `start` was not called.
        """
        if self._engine is None:
            raise ConfigurationError("the application is not running: `async with app.running(): …`")
        return self._engine

    async def start(self) -> None:
        """Open the store and begin to work. Safe to call twice."""
        if self._engine is not None:
            return
        # Set before it is awaited: of two first requests of a mounted application only one may start it.
        engine = Engine(store=self.store, programs=self._programs, channels=self._channels, settings=self.settings)
        self._engine = engine
        try:
            await engine.start()
        except BaseException:
            self._engine = None
            raise

    async def stop(self) -> None:
        """Finish or give back what runs, then close channels and store. Safe to call twice."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.stop()
        for channel in self._channels.values():
            await channel.close()
        if self._store is not None:
            await self._store.close()
            if isinstance(self._given, str):
                self._store = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["App"]:
        """Start, and stop at the end of the block."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    def conversation(self, person: str, *, flow: str | None = None) -> ConversationId:
        """Name a person's conversation.

        Args:
            person: In any form that the flow's `person` understands, such as `+1 555 123 0001`.
            flow: The application's first one unless named.

        Raises:
            InvalidMessageError: The address cannot be one.
        """
        return self._named(flow).check().conversation(person)

    def _named(self, flow: str | None) -> Flow[Any]:
        if flow is None:
            return self.flow
        try:
            return self.flows[flow]
        except KeyError:
            raise ConfigurationError(f"no flow {flow!r} here; there are: {', '.join(self.flows)}") from None

    def message(
        self,
        text: str,
        *,
        id: str | None = None,  # noqa: A002 - the field's own word in every provider's webhook
        channel: str = "terminal",
        to: str = "",
        kind: Kind = Kind.TEXT,
        data: bytes | None = None,
        flow: str | None = None,
    ) -> Message:
        """Make a message of what somebody sent.

        NUL and other control characters are dropped; an id is made up if there is none (then nothing is
        recognised as a repetition). A text that asks for silence becomes an `OPT_OUT` where the flow has carrier words.

        Raises:
            InvalidMessageError: The text is too long or says nothing, or the id is empty or too long.
        """
        if len(text) > MAX_TEXT_CHARACTERS:
            raise InvalidMessageError(
                f"the text has {len(text)} characters, {MAX_TEXT_CHARACTERS} are allowed; send it in parts"
            )
        if id is not None and not 0 < len(id) <= MAX_ID_CHARACTERS:
            raise InvalidMessageError(f"a message id has 1 to {MAX_ID_CHARACTERS} characters, got {len(id)}")
        text = clean_text(text)
        if kind is Kind.TEXT and not text.strip():
            raise InvalidMessageError("the text is empty; send at least one character that can be seen")
        if kind is Kind.TEXT:
            kind = self._named(flow).check().classify_kind(text)
        return Message(
            id=id or f"m-{secrets.token_hex(12)}",
            kind=kind,
            text=text,
            channel=channel,
            to=to,
            received_ms=self.clock.now_ms(),
            data=NOTHING if data is None else msgspec.Raw(data),
        )

    async def accept(self, person: str, message: Message, *, flow: str | None = None) -> Accepted:
        """Make a message durable; its turn runs in the background. Safe to repeat with the same message id.

        Raises:
            InvalidMessageError: The person's address cannot be one.
            RetryableError: Nothing was written.
            OutcomeUnknownError: It may have been taken; send it again.
        """
        return await self.engine.accept(self.conversation(person, flow=flow), message)

    async def handle(
        self, person: str, message: Message, *, flow: str | None = None, within: timedelta = timedelta(seconds=30)
    ) -> Handled:
        """Accept a message and wait for its replies; a duplicate gets the first one's. Raises as `accept`."""
        return await self.engine.handle(self.conversation(person, flow=flow), message, within=within)

    async def at_rest(self, person: str, *, within: timedelta, flow: str | None = None) -> bool:
        """Wait until nothing of a person waits, runs or is to be sent (timers apart); False if it took longer."""
        deadline = time.monotonic() + within.total_seconds()
        while True:
            summaries = await self.summaries(person, flow=flow)
            if all(summary.waiting == 0 and summary.unsent == 0 for summary in summaries):
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)

    async def summaries(self, person: str, *, flow: str | None = None) -> Sequence[Summary]:
        """Return the conversations of a person: their own, and those of others on the same address."""
        name = self.conversation(person, flow=flow)
        page = await self.store.catalog.find(flow=name.flow, person=name.person)
        return page.items

    async def thread(self, person: str, *, flow: str | None = None) -> tuple[Line, ...]:
        """Return what a person said and was told, oldest first: the last 100 turns of each of their conversations.

        A message is in it from the moment it is durable, a reply from the moment its turn is committed.
        """
        lines: dict[tuple[str, str], tuple[int, int, Line]] = {}
        for summary in reversed(await self.summaries(person, flow=flow)):
            for line in await self._lines(summary):
                key = (line.direction, line.id)
                lines.setdefault(key, (_to_ms(line.at), len(lines), line))
        return tuple(line for _, _, line in sorted(lines.values(), key=lambda entry: entry[:2]))

    async def _lines(self, summary: Summary) -> list[Line]:
        lines: list[Line] = []
        last_ms = 0
        records = await self.store.turns.history(summary.conversation, limit=THREAD_ENTRIES)
        for record in reversed(records):
            entry = decode_entry(record.data)
            for said in entry.inputs:
                if said.kind in _SHOWN:
                    last_ms = max(last_ms, said.at_ms)
                    lines.append(_line(said.id, "in", said.text, last_ms, said.channel))
            last_ms = max(last_ms, record.at_ms)
            lines.extend(
                _line(reply.id, "out", reply.text, last_ms, reply.channel, reply.buttons) for reply in entry.replies
            )
        if summary.waiting:
            exported = await self.store.catalog.export(summary.conversation)
            for waiting in exported.inbox if exported else ():
                message = msgspec.json.decode(waiting.payload, type=Message)
                if message.kind in _SHOWN:
                    last_ms = max(last_ms, waiting.accepted_ms)
                    lines.append(_line(message.id, "in", message.text, last_ms, message.channel))
        return lines

    async def view(self, conversation: ConversationId) -> ConversationView | None:
        """Return everything committed of a conversation, None if there is none."""
        exported = await self.store.catalog.export(conversation)
        if exported is None:
            return None
        records = await self.store.turns.history(conversation, limit=THREAD_ENTRIES)
        return ConversationView(
            conversation=conversation,
            exported=exported,
            log=tuple(decode_entry(record.data) for record in reversed(records)),
        )

    async def info(self) -> StoreInfo:
        """Return what the store is and guarantees.

        Raises:
            StoreUnavailableError: It does not answer.
        """
        return await self.store.catalog.info()

    def asgi(self, *, phone: bool = False) -> "Starlette":
        """Return an ASGI application to serve or to mount: health, and with `phone` the browser phone.

        The browser phone lets anybody speak for any number: never offer it beyond your own machine.
        """
        from turnkeeper.web.asgi import build

        return build(self, phone=phone)


MAX_ID_CHARACTERS = 256
"""A message id: seven times the longest that a provider sends (36)."""

_SHOWN = frozenset({Kind.TEXT, Kind.ACTION, Kind.OPT_OUT, Kind.OPT_IN})


def _to_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _line(
    line_id: str,
    direction: Literal["in", "out"],
    text: str,
    at_ms: int,
    channel: str,
    buttons: tuple[Button, ...] = (),
) -> Line:
    at = datetime.fromtimestamp(at_ms / 1000, tz=UTC)
    return Line(id=line_id, direction=direction, text=text, at=at, channel=channel, buttons=buttons)
