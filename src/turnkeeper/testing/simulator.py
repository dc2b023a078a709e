"""Talks to a bot in a test: real flow, real engine, a store in memory, and a clock that only the test moves.

Everything is synchronous: `say` returns when the bot has come to rest, so a test needs no event loop and never sleeps.
A crash is the end of the whole worker: nothing that it still wanted to write is written, not even by `finally`.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import msgspec

from turnkeeper.app import App, ConversationView, Line
from turnkeeper.codecs.json import decode_value
from turnkeeper.dialogue.flow import Flow
from turnkeeper.engine.results import Accepted
from turnkeeper.engine.settings import Settings
from turnkeeper.engine.worker import LEAVE_ALONE_MS
from turnkeeper.errors import ConfigurationError, PartGoneError, RetryableError
from turnkeeper.model.message import Kind
from turnkeeper.model.ref import Ref
from turnkeeper.ports import faults
from turnkeeper.ports.catalog import Catalog
from turnkeeper.ports.channel import Channel
from turnkeeper.ports.deliveries import Deliveries
from turnkeeper.ports.documents import Documents, part_key
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Turns
from turnkeeper.stores.urls import open_store
from turnkeeper.testing.clock import ManualClock

T = TypeVar("T")

DEFAULT_PERSON = "+15551230001"
"""Who speaks unless a test says otherwise: a number of the range kept for fiction."""

MAX_LOOKS = 100_000
"""Looks at the store until a bot must have come to rest; a bot that answers itself for ever is an error."""


class SimulatedCrash(BaseException):
    """The worker died here. No `except Exception` survives it, as none survives a kill."""


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a log line tells a test's author something: a crash that the test asked for does not."""
    return not (record.exc_info and isinstance(record.exc_info[1], SimulatedCrash))


def _hush() -> None:
    """Keep simulated crashes out of the log. Safe to call twice; it stays, because nothing else is held back.

    A logger's filter sees its own records only, not those of the loggers below it, so each gets one.
    """
    for name in tuple(logging.root.manager.loggerDict):
        if name == "asyncio" or name.startswith("turnkeeper."):
            logging.getLogger(name).addFilter(_is_news)


class _Line:
    """The connection between a worker and its store; a dead worker's is cut."""

    is_cut = False


class _Port:
    """A port as a worker sees it: gone once the worker is dead."""

    def __init__(self, port: object, line: _Line) -> None:
        self._port = port
        self._line = line

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._port, name)

        async def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - it stands for every method of four ports
            if self._line.is_cut:
                raise SimulatedCrash
            answer = await method(*args, **options)
            if self._line.is_cut:
                raise SimulatedCrash
            return answer

        return call


class _WorkersStore:
    """The store over one worker's line. Closing it closes nothing: other workers have it too."""

    def __init__(self, store: Store, line: _Line) -> None:
        self.turns = cast("Turns", _Port(store.turns, line))
        self.deliveries = cast("Deliveries", _Port(store.deliveries, line))
        self.documents = cast("Documents", _Port(store.documents, line))
        self.catalog = cast("Catalog", _Port(store.catalog, line))

    async def open(self) -> None:
        """Do nothing: it is open."""

    async def close(self) -> None:
        """Do nothing: the simulator closes the store at the end."""


class Simulator:
    """A bot under test.

    Example:
        ```python
        with Simulator(flow) as sim:
            assert sim.say("plan") == ["Analyzing your cart…", "Five dinners: …"]
            sim.crash(at="before_commit")
            sim.say("swap salmon for chicken")  # the worker dies in the middle of the turn
            sim.restart()
            assert sim.status() == "analysis_sent"
        ```
    """

    def __init__(
        self,
        bot: App | Flow[Any],
        *,
        person: str = DEFAULT_PERSON,
        store: Store | str = "memory://",
        clock: ManualClock | None = None,
        channels: Sequence[Channel] = (),
        settings: Settings | None = None,
    ) -> None:
        """Take the bot; its own store and channels are left alone.

        Args:
            bot: A flow, or an application whose flows are meant.
            person: Who speaks unless `as_` says otherwise.
            store: Where everything durable is: a URL, opened on the simulator's clock, or a store that uses `clock`.
            clock: Moved by `advance` only.
            channels: Fake channels, for bots whose sending is tested.
            settings: As in `App`; worker and heartbeat are always the simulator's.
        """
        self.clock = clock or ManualClock()
        self._flows = tuple(bot.flows.values()) if isinstance(bot, App) else (bot,)
        self._person = person
        self._store = open_store(store, clock=self.clock) if isinstance(store, str) else store
        self._channels = tuple(channels)
        wanted = settings or Settings()
        self._settings = msgspec.structs.replace(wanted, work=False, heartbeat=False)
        self._runner = asyncio.Runner()
        self._shown: dict[str, set[str]] = {}
        self._line = _Line()
        self._app: App | None = None
        self._crashes: list[tuple[str, int]] = []

    def __enter__(self) -> Self:
        """Start the worker."""
        _hush()
        self._run(self._store.open())
        self._start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the worker and close the store."""
        faults.clear()
        self._line.is_cut = True
        self._run(self._abandon())
        self._run(self._store.close())
        self._runner.close()

    @property
    def is_dead(self) -> bool:
        """Whether the worker crashed; `restart` brings another one."""
        return self._app is None

    @property
    def now(self) -> datetime:
        """The clock, UTC."""
        return self.clock.now

    def say(
        self,
        text: str,
        *,
        as_: str | None = None,
        id: str | None = None,  # noqa: A002 - the word for it everywhere
        channel: str = "phone",
    ) -> list[str]:
        """Send a text, let the bot come to rest, and return what is new to read for that person.

        With the id of an earlier message it is a provider's repetition. Dying on the way (see `crash`) returns what
        was committed until then.
        """
        self.deliver(text, as_=as_, id=id, channel=channel)
        return self.news(as_)

    def deliver(
        self,
        text: str,
        *,
        as_: str | None = None,
        id: str | None = None,  # noqa: A002 - see `say`
        channel: str = "phone",
        kind: Kind = Kind.TEXT,
        data: object = None,
    ) -> Accepted | None:
        """As `say`, but return what became of the message; None if the worker died over it.

        `kind=Kind.ACTION` presses a button or calls a webhook: `text` names it, `data` goes with it.
        """
        return self._run(self._deliver(text, as_ or self._person, id, channel, kind, data))

    async def _deliver(
        self, text: str, person: str, message_id: str | None, channel: str, kind: Kind, data: object
    ) -> Accepted | None:
        app = self._alive()
        encoded = None if data is None else msgspec.json.encode(data)
        message = app.message(text, id=message_id, channel=channel, kind=kind, data=encoded)
        try:
            accepted = await app.accept(person, message)
        except SimulatedCrash:
            accepted = None
        await self._rest()
        return accepted

    def news(self, as_: str | None = None) -> list[str]:
        """Return the replies to a person that no earlier call returned."""
        person = as_ or self._person
        shown = self._shown.setdefault(person, set())
        fresh = [line for line in self.thread(person) if line.direction == "out" and line.id not in shown]
        shown.update(line.id for line in fresh)
        return [line.text for line in fresh]

    def replies(self, as_: str | None = None) -> list[str]:
        """Return all replies to a person, oldest first."""
        return [line.text for line in self.thread(as_ or self._person) if line.direction == "out"]

    def thread(self, as_: str | None = None) -> tuple[Line, ...]:
        """Return what was said in both directions, oldest first."""
        return self._run(self._observer().thread(as_ or self._person))

    def view(self, as_: str | None = None, *, member: str = "") -> ConversationView | None:
        """Return everything committed of a conversation."""
        observer = self._observer()
        name = self._flows[0].check().conversation(as_ or self._person, member=member)
        return self._run(observer.inspect(name))

    def status(self, as_: str | None = None, *, member: str = "") -> str:
        """Return where the dialogue stands; the flow's start before the first message."""
        view = self.view(as_, member=member)
        return view.exported.status if view else self._flows[0].check().start

    def state(self, as_: str | None = None, *, member: str = "") -> Any:  # noqa: ANN401 - the flow's own type
        """Return the committed state, decoded; None before the first message."""
        view = self.view(as_, member=member)
        if view is None or view.exported.state is None:
            return None
        return self._flows[0].check().codec.decode(view.exported.state).state

    def load(self, ref: Ref[T], as_: str | None = None, *, member: str = "") -> T:
        """Return a large part that the state refers to, as `turn.load` does.

        Raises:
            PartGoneError: It is not kept any more.
        """
        name = self._flows[0].check().conversation(as_ or self._person, member=member)
        document = self._run(self._store.documents.get(part_key(name, ref.id)))
        if document is None:
            raise PartGoneError(part_id=ref.id)
        return decode_value(document.data, ref.type)

    def advance(self, duration: timedelta, *, until_death: bool = False) -> list[str]:
        """Move the clock, running timers and retries at their times; return what is new to read.

        A worker that dies on the way lets the rest of the time pass without it, unless `until_death`: then the clock
        stops there.
        """
        self._run(self._advance(duration, until_death=until_death))
        return self.news()

    async def _advance(self, duration: timedelta, *, until_death: bool) -> None:
        end_ms = self.clock.now_ms() + duration // timedelta(milliseconds=1)
        await self._rest()
        while not self.is_dead:
            next_ms = await self._next_ms()
            if next_ms is None or next_ms > end_ms:
                break
            self.clock.advance(timedelta(milliseconds=max(next_ms - self.clock.now_ms(), 1)))
            await self._rest()
        left = end_ms - self.clock.now_ms()
        if left > 0 and not (until_death and self.is_dead):
            self.clock.advance(timedelta(milliseconds=left))
        await self._rest()

    async def _next_ms(self) -> int | None:
        """Return when there will be something to do. What is due and was not done is what the worker leaves alone."""
        due = await self._store.deliveries.due(flows=[flow.name for flow in self._flows])
        times = [due.now_ms + LEAVE_ALONE_MS] if due.items else []
        if due.next_ms is not None:
            times.append(due.next_ms)
        return min(times, default=None)

    def crash(self, *, at: str, after: int = 0) -> None:
        """Let the worker die the next time it reaches a point (or `after` more times).

        Raises:
            ConfigurationError: There is no such point; the text lists them.
        """
        points = sorted(point for point in faults.POINTS if "." not in point)
        if at not in points:
            raise ConfigurationError(f"no crash point {at!r}; there are: {', '.join(points)}")
        self._crashes.append((at, after))
        faults.install(self._reached)

    def _reached(self, point: str) -> None:
        if "." in point:  # a store's own: the store outlives its workers, as a database does
            return
        if self._line.is_cut:
            raise SimulatedCrash
        for index, (at, left) in enumerate(self._crashes):
            if at == point:
                if left:
                    self._crashes[index] = (at, left - 1)
                    continue
                del self._crashes[index]
                self._line.is_cut = True
                raise SimulatedCrash

    def kill(self) -> None:
        """Let the worker die now, between turns."""
        self._line.is_cut = True
        self._run(self._rest())

    def restart(self, *, after: timedelta | None = None) -> list[str]:
        """Bring another worker, by default when the dead one's lease is over; return what is new to read."""
        if not self.is_dead:
            self.kill()
        self._line = _Line()
        self._start()
        default = self._settings.lease + timedelta(seconds=1)
        return self.advance(default if after is None else after)

    def _start(self) -> None:
        app = App(
            *self._flows,
            store=_WorkersStore(self._store, self._line),
            channels=self._channels,
            settings=self._settings,
            clock=self.clock,
        )
        self._run(app.start())
        self._app = app

    def _alive(self) -> App:
        if self._app is None:
            raise ConfigurationError("the worker is dead; call restart() first")
        return self._app

    def _observer(self) -> App:
        """Return an application that only looks: it works also while the worker is dead."""
        return App(*self._flows, store=self._store, clock=self.clock)

    async def _rest(self) -> None:
        """Run everything that is due, until nothing is or the worker is dead."""
        app = self._app
        if app is None:
            return
        for look in range(MAX_LOOKS):
            if self._line.is_cut:
                await self._abandon()
                return
            try:
                is_busy = await app.engine.look()
            except (SimulatedCrash, RetryableError):
                is_busy = True
            if not is_busy:
                return
            await asyncio.sleep(0 if look % 10 else 0.001)
        raise ConfigurationError(
            f"the bot did not come to rest in {MAX_LOOKS} looks; does it answer itself, or wait for what never comes?"
        )

    async def _abandon(self) -> None:
        """Drop the dead worker's tasks; whatever they still try finds the line cut."""
        self._app = None
        current = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not current]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)
