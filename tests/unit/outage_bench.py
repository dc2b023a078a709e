"""A store that a test switches off and on, and an application over it that counts what it was told."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from turnkeeper import App, Flow, Settings, Struct, Turn, seconds
from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.policy.outage import Outage, OutagePolicy
from turnkeeper.ports.catalog import Catalog
from turnkeeper.ports.channel import Channel
from turnkeeper.ports.deliveries import Deliveries
from turnkeeper.ports.documents import Documents
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Turns
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing.clock import ManualClock

ANA = "+15551230001"
BEN = "+15551230002"

PATIENCE_SECONDS = 20.0
"""How long anything may take on a machine that is busy with other tests."""

TICK = timedelta(milliseconds=20)
"""How far the clock moves between two looks: less than the shortest wait of a breaker."""

SETTINGS = Settings(poll=seconds(0.02), grace=seconds(1))


class Heard(Struct):
    """What was said, in order, and which of it came late."""

    words: list[str] = []
    late: list[str] = []


def counting_flow() -> Flow[Heard]:
    """Return a flow that remembers and repeats every word."""
    flow = Flow("counting", Heard, start="listening")

    @flow.unknown
    async def listen(turn: Turn[Heard]) -> None:
        """Remember and repeat."""
        turn.state.words.append(turn.text)
        if turn.message.late:
            turn.state.late.append(turn.text)
        turn.reply(f"{len(turn.state.words)}: {turn.text}")

    return flow


CHANGES = frozenset({"begin", "commit", "export", "put"})
"""Calls that `Switch.left` counts: those of which the way back is made."""


Moment = Callable[[str, str], Awaitable[None]]
"""What happens at a call of the store, by the name of the call and the person whom it is about (empty: nobody)."""


class Switch:
    """How a store behaves: `is_away` refuses every call, `cuts` drops the answers of that many begins and commits.

    With `goes` it is away from the last of these on. `left` calls are answered before it goes away, if it is a number.
    `before` and `after` are awaited around every call that is let through: a moment to do something in.
    """

    def __init__(self) -> None:
        """Let it work."""
        self.is_away = False
        self.cuts = 0
        self.goes = False
        self.left: int | None = None
        self.calls = 0
        self.before: Moment | None = None
        self.after: Moment | None = None


class _Port:
    def __init__(self, port: object, switch: Switch) -> None:
        self._port = port
        self._switch = switch

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        async def call(*args: Any, **options: Any) -> Any:
            self._switch.calls += 1
            if self._switch.left is not None and name in CHANGES:
                self._switch.is_away |= self._switch.left == 0
                self._switch.left -= 1
            if self._switch.is_away:
                raise StoreUnavailableError("switched off")
            if (before := self._switch.before) is not None:
                await before(name, _person(args))
            answer = await method(*args, **options)
            if (after := self._switch.after) is not None:
                await after(name, _person(args))
            if self._switch.cuts and name in {"begin", "commit"}:
                self._switch.cuts -= 1
                self._switch.is_away |= self._switch.goes and not self._switch.cuts
                raise OutcomeUnknownError("cut")
            return answer

        return call


def _person(args: tuple[Any, ...]) -> str:
    """Return whom a call is about, by its first argument: a request, some of a kind, or a conversation."""
    about = args[0] if args else None
    about = about[0] if isinstance(about, list | tuple) and about else about
    about = getattr(about, "lane", about)
    return getattr(getattr(about, "conversation", about), "person", None) or ""


class SwitchedStore:
    """A store behind a switch; several may stand over the same one, as servers do."""

    def __init__(self, store: Store, switch: Switch | None = None) -> None:
        """Take what is behind the switch."""
        self.switch = switch or Switch()
        self.open_says_nothing = False
        self._store = store
        self.turns = cast("Turns", _Port(store.turns, self.switch))
        self.deliveries = cast("Deliveries", _Port(store.deliveries, self.switch))
        self.documents = cast("Documents", _Port(store.documents, self.switch))
        self.catalog = cast("Catalog", _Port(store.catalog, self.switch))

    async def open(self) -> None:
        """Open, unless it is switched off."""
        if self.switch.is_away and not self.open_says_nothing:
            raise StoreUnavailableError("switched off")

    async def close(self) -> None:
        """Stay: others use it too."""


class Bench:
    """A store in memory, a clock, and as many servers over it as a test wants."""

    def __init__(self, folder: Path) -> None:
        """Take where journals go."""
        self.folder = folder
        self.clock = ManualClock()
        self.store = MemoryStore(clock=self.clock)

    def server(
        self, policy: OutagePolicy, *channels: Channel, flow: Flow[Any] | None = None, **limits: int
    ) -> tuple[App, Switch]:
        """Return an application that was not started, and the switch of its way to the store."""
        store = SwitchedStore(self.store)
        outage = Outage(policy=policy, folder=str(self.folder), **limits)  # type: ignore[arg-type]  # limits are numbers
        used = flow or counting_flow()
        app = App(used, store=store, channels=channels, settings=SETTINGS, clock=self.clock, outage=outage)
        return app, store.switch

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Move the clock, a little at a time, until something is so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, "it never came to be so"
            self.clock.advance(TICK)
            await asyncio.sleep(0.002)

    async def until_heard(self, app: App, words: list[str], person: str = ANA) -> None:
        """Move the clock, a little at a time, until a conversation has these words."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := await heard(app, person)) != words:
            assert time.monotonic() < deadline, f"it has {found}"
            self.clock.advance(TICK)
            await asyncio.sleep(0.002)

    async def until_heard_there(self, conversation: ConversationId, words: int) -> None:
        """Return once the store has so many commits of a conversation."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := await self.store.catalog.export(conversation)) is None or found.version < words:
            assert time.monotonic() < deadline, "it never had them"
            await asyncio.sleep(0)

    async def away(self, app: App, switch: Switch) -> None:
        """Switch the store off once replies are settled, which else are sent again; return once that is known."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (await self.store.catalog.counts()).unsent:
            assert time.monotonic() < deadline, "a reply was never settled"
            await asyncio.sleep(0)
        await self.gone(app, switch)

    async def gone(self, app: App, switch: Switch) -> None:
        """Switch the store off at once, whatever is being sent; return once it is known."""
        switch.is_away = True
        while app.health().since_ms is None:
            with contextlib.suppress(StoreUnavailableError):
                await app.info()

    async def back(self, app: App, switch: Switch) -> None:
        """Switch the store on, and return once everything that was taken meanwhile is in it."""
        switch.is_away = False
        await self.until(lambda: app.health().status == "ok")


async def heard(app: App, person: str = ANA) -> list[str]:
    """Return the words that a person's conversation has, once it is at rest."""
    assert await app.at_rest(person, within=timedelta(seconds=PATIENCE_SECONDS))
    view = await app.inspect(app.conversation(person))
    if view is None or view.exported.state is None:
        return []
    state: Heard = app.flow.check().codec.decode(view.exported.state).state
    return state.words
