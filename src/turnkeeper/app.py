"""An application: flows, a store and channels, bound together.

It keeps nothing itself: two processes with the same application and the same store are one application.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.running.program import FlowProgram
from turnkeeper.dialogue.view import View
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.results import Accepted, Handled
from turnkeeper.engine.settings import Settings
from turnkeeper.errors import ConfigurationError, InvalidMessageError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.event import LogEntry, decode_entry
from turnkeeper.model.message import NOTHING, Button, Kind, Message
from turnkeeper.model.text import clean_text
from turnkeeper.outage.binding import bind, guard
from turnkeeper.outage.guarded import GuardedStore
from turnkeeper.outage.reception import Reception
from turnkeeper.outage.standing import CONFLICTS, Conflict, Health, Standing, judge
from turnkeeper.policy.outage import Outage, OutagePolicy, outage_of
from turnkeeper.ports.catalog import Exported, StoreInfo, Summary
from turnkeeper.ports.channel import Channel
from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.ports.store import Store
from turnkeeper.ports.webhook import Webhook
from turnkeeper.stores.urls import open_store

if TYPE_CHECKING:
    from starlette.applications import Starlette

S = TypeVar("S")
T = TypeVar("T")

logger = logging.getLogger(__name__)

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
        outage: OutagePolicy | Outage = "fail",
        webhooks: Sequence[Webhook] = (),
    ) -> None:
        """Check the flows and bind them; nothing is opened before `start`.

        Args:
            flows: The first one is meant when no flow is named.
            store: A URL or an open store.
            channels: Ways out to providers, each with a name of its own.
            settings: How the engine runs.
            clock: Time, for stores in this process and for `received_ms`.
            outage: What to do while the store is away: `fail`, `queue` or `carry_on`, or an `Outage` with limits.
            webhooks: Ways in from providers and shops, each with a path of its own.

        Raises:
            InvalidFlowError: A flow contradicts itself; the text names every line at fault.
            ConfigurationError: No flow, a name or the names of states twice, or no such outage policy.
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
        self.outage = outage_of(outage)
        self.webhooks = tuple(webhooks)
        self._views: list[View[Any]] = []
        self._is_stopping = False
        self._given = store
        self._store: GuardedStore | None = None
        self._programs = {flow.name: FlowProgram(flow.check(), screens=SCREENS) for flow in flows}
        if len({program.plan.state_names for program in self._programs.values()}) != len(flows):
            raise ConfigurationError("two flows would keep their states under the same names; change a state_key=")
        self._engine: Engine | None = None
        self._reception: Reception | None = None
        self._watch: asyncio.Task[None] | None = None

    def use_store(self, store: str | Store) -> None:
        """Take another store than the one declared (`--store`), before `start`.

        Raises:
            ConfigurationError: The application is running.
        """
        if self._engine is not None:
            raise ConfigurationError("the application is running; choose the store before it starts")
        self._given = store
        self._store = None

    @property
    def store_url(self) -> str | None:
        """The URL of the store, with its password; None if an open store was given."""
        return self._given if isinstance(self._given, str) else None

    @property
    def store(self) -> Store:
        """The store, made from its URL at first use, behind a circuit breaker."""
        return self._guarded

    @property
    def _guarded(self) -> GuardedStore:
        if self._store is None:
            given = self._given
            store = open_store(given, clock=self.clock) if isinstance(given, str) else given
            self._store = guard(store, self.outage, clock=self.clock)
        return self._store

    def view(self, flow: Flow[S]) -> View[S]:
        """Return every state of a flow as a live, read-only mapping, restored when the application starts.

        Raises:
            ConfigurationError: The application does not have that flow.
        """
        if self.flows.get(flow.name) is not flow:
            raise ConfigurationError(f"no flow {flow.name!r} here; there are: {', '.join(self.flows)}")
        view = View(lambda: self.store.catalog, flow.check(), beside=self._beside)
        self._views.append(view)
        return view

    def _beside(self) -> Sequence[Store]:
        return () if self._reception is None else self._reception.locals()

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
        """Open the store and begin to work. Safe to call twice.

        Under `queue` and `carry_on` a store that is away opens when it is back.
        """
        if self._engine is not None:
            return
        # Set before it is awaited: of two first requests of a mounted application only one may start it.
        store = self._guarded
        engine, reception = bind(
            store,
            self.outage,
            store_url=self.store_url or "",
            flows=tuple(self.flows),
            new_engine=self._new_engine,
            clock=self.clock,
        )
        self._engine, self._reception = engine, reception
        try:
            await reception.prepare()
            for view in self._views:
                await view.open()
            await engine.start()
            self._watch = asyncio.create_task(store.breaker.watch(store.prove))
            await reception.start()
        except BaseException:
            try:
                await self._end()
            finally:
                await self._close_store()
            raise
        logger.info("outage_policy", extra={"policy": self.outage.policy, "may_lose": reception.may_lose})

    def _new_engine(self, store: Store) -> Engine:
        return Engine(store=store, programs=self._programs, channels=self._channels, settings=self.settings)

    async def stop(self) -> None:
        """Finish or give back what runs, then close channels and store. Safe to call twice."""
        self._is_stopping = True
        try:
            async with contextlib.AsyncExitStack() as last_first:
                last_first.push_async_callback(self._close_store)
                for channel in self._channels.values():
                    last_first.push_async_callback(channel.close)
                last_first.push_async_callback(self._end)
        finally:
            self._is_stopping = False

    async def _close_store(self) -> None:
        if self._store is not None:
            await self._store.close()
            if isinstance(self._given, str):
                self._store = None

    async def _end(self) -> None:
        """Stop whatever runs, in the order in which nothing is needed any more; what fails keeps nothing running."""
        engine, self._engine = self._engine, None
        reception, self._reception = self._reception, None
        watch, self._watch = self._watch, None
        async with contextlib.AsyncExitStack() as last_first:
            if watch is not None:
                last_first.push_async_callback(_cancelled, watch)
            for view in self._views:
                last_first.push_async_callback(view.close)
            if engine is not None:
                last_first.push_async_callback(engine.stop)
            if reception is not None:
                last_first.push_async_callback(reception.stop)

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
        return await self._receiving.accept(self.conversation(person, flow=flow), message)

    async def handle(
        self, person: str, message: Message, *, flow: str | None = None, within: timedelta = timedelta(seconds=30)
    ) -> Handled:
        """Accept a message and wait for its replies; a duplicate gets the first one's. Raises as `accept`."""
        return await self._receiving.handle(self.conversation(person, flow=flow), message, within=within)

    @property
    def _receiving(self) -> Reception:
        if self._reception is None:
            if self._is_stopping:
                raise StoreUnavailableError("this application is stopping; nothing was written, send the message again")
            raise ConfigurationError("the application is not running: `async with app.running(): …`")
        return self._reception

    def health(self) -> Health:
        """Return how the application stands towards its store, at once: what it knows, nothing is asked."""
        standing = Standing() if self._reception is None else self._reception.standing
        return judge(self.outage.policy, self._guarded.breaker.circuit, standing)

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
        # First those that live here: on their way back they are in the store before they are gone from here.
        found: dict[str, Summary] = {}
        for store in () if self._reception is None else self._reception.locals():
            with contextlib.suppress(StoreUnavailableError):  # it was closed, since nobody lives there any more
                page = await store.catalog.find(flow=name.flow, person=name.person)
                found.update({summary.conversation.key: summary for summary in page.items})
        try:
            page = await self.store.catalog.find(flow=name.flow, person=name.person)
        except StoreUnavailableError:
            if not found:
                raise
        else:
            found = {summary.conversation.key: summary for summary in page.items} | found
        return sorted(found.values(), key=lambda summary: summary.changed_ms, reverse=True)

    async def _read(self, conversation: ConversationId, read: Callable[[Store], Awaitable[T]]) -> T:
        """Return what is read of a conversation where it is now."""
        here = None if self._reception is None else self._reception.local(conversation)
        if here is not None:
            with contextlib.suppress(StoreUnavailableError):
                if found := await read(here):
                    return found
        return await read(self.store)

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
        name = summary.conversation
        records = await self._read(name, lambda store: store.turns.history(name, limit=THREAD_ENTRIES))
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
            exported = await self._read(name, lambda store: store.catalog.export(name))
            for waiting in exported.inbox if exported else ():
                message = msgspec.json.decode(waiting.payload, type=Message)
                if message.kind in _SHOWN:
                    last_ms = max(last_ms, waiting.accepted_ms)
                    lines.append(_line(message.id, "in", message.text, last_ms, message.channel))
        return lines

    async def inspect(self, conversation: ConversationId) -> ConversationView | None:
        """Return everything committed of a conversation, None if there is none."""
        exported = await self._read(conversation, lambda store: store.catalog.export(conversation))
        if exported is None:
            return None
        records = await self._read(conversation, lambda store: store.turns.history(conversation, limit=THREAD_ENTRIES))
        return ConversationView(
            conversation=conversation,
            exported=exported,
            log=tuple(decode_entry(record.data) for record in reversed(records)),
        )

    async def conflicts(self, *, cursor: str | None = None) -> tuple[Sequence[Conflict], str | None]:
        """Return a page of the conversations that went on in two places, and the cursor of the next page, if any.

        They stand in the store, as documents `conflict:<conversation>/<id>`, until somebody deletes them.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        page = await self.store.documents.scan(CONFLICTS, cursor=cursor)
        return [msgspec.json.decode(document.data, type=Conflict) for _, document in page.items], page.cursor

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


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


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
