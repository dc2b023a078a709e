"""What lies between a worker and the store, and between a worker and the provider: it loses, doubles and delays.

A request that left arrives although its sender died. What a worker asks and hears is written down on its side.
"""

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

from tests.simulation.bot import CHANNEL
from turnkeeper.errors import OutcomeUnknownError, RetryableError, StoreUnavailableError, TurnkeeperError
from turnkeeper.ports.channel import OnUnknown, Outgoing, SendOutcome, Sent
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Begin, Busy, Commit, Committed, Conflict, Fenced, Full, Granted, Release, Renewal
from turnkeeper.testing.history import (
    AnyEvent,
    Ending,
    Fault,
    Got,
    Grant,
    Handback,
    Prolonged,
    Reported,
)
from turnkeeper.testing.virtual_time import VirtualClock, VirtualLoop

PATIENCE = 5.0
"""Seconds until a client of the store gives up on an answer."""

SEND_TIMEOUT = 20.0
"""Seconds until a worker gives up on a provider; nothing travels longer."""


class Weather:
    """What goes wrong, how often, by chance; `calm` ends it."""

    def __init__(self, chance: random.Random) -> None:
        """Draw how often each kind happens: some runs have none of it, some a lot."""
        self.chance = chance
        self.rates = {
            kind: chance.choice((0.0, 0.01, 0.04, 0.12))
            for kind in ("refused", "lost_request", "lost_answer", "doubled", "late", "send_unsure", "send_refused")
        }

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self.rates = dict.fromkeys(self.rates, 0.0)

    def happens(self, kind: str) -> bool:
        """Return whether it goes wrong now."""
        rate = self.rates[kind]
        return rate > 0 and self.chance.random() < rate


class Network:
    """Everything that is between; it belongs to no process."""

    def __init__(self, loop: VirtualLoop, weather: Weather, note: Callable[[AnyEvent], None]) -> None:
        """Take where events are written down."""
        self.loop = loop
        self.clock = VirtualClock(loop)
        self.weather = weather
        self.note = note
        self.context = contextvars.Context()
        self.round_trips = 0

    def fault(self, kind: str) -> bool:
        """Return whether something goes wrong now, and write it down."""
        if not self.weather.happens(kind):
            return False
        self.note(Fault(kind=kind, at_ms=self.clock.now_ms()))
        return True

    def delay(self) -> float:
        """Return how long something travels, in seconds; mostly no time at all."""
        if self.fault("late"):
            return self.weather.chance.choice((0.05, 1.0, PATIENCE - 0.5, PATIENCE + 3.0))
        return 0.0 if self.weather.chance.random() < 0.7 else self.weather.chance.random() * 0.004

    def later(self, seconds: float, call: Callable[..., object], *args: object) -> None:
        """Have something happen whoever dies meanwhile."""
        if seconds:
            self.loop.call_later(seconds, call, *args, context=self.context)
        else:
            self.loop.call_soon(call, *args, context=self.context)

    async def ask(self, perform: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Carry a request to the store and its answer back."""
        self.round_trips += 1
        if self.fault("refused"):
            await asyncio.sleep(self.delay())
            raise StoreUnavailableError("refused")
        loses_answer, loses_request = self.fault("lost_answer"), self.fault("lost_request")
        there, back = self.delay(), self.delay()
        if not (there or loses_answer or loses_request) and back < PATIENCE:
            answer = run_at_once(perform())  # it has arrived; whoever asked may still die before the answer comes
            if not isinstance(answer, Full | Busy) and self.fault("doubled"):
                self.later(self.delay(), lambda: run_at_once(perform()))
            await asyncio.sleep(back)
            return answer
        future: asyncio.Future[Any] = self.loop.create_future()

        has_room = True

        def arrive() -> None:
            nonlocal has_room
            if not has_room:  # nobody repeats what was plainly refused
                return
            try:
                answer, error = run_at_once(perform()), None
            except TurnkeeperError as exc:
                answer, error = None, exc
            has_room = not isinstance(answer, Full | Busy)
            if not loses_answer:
                self.later(back, give, future, answer, error)

        if not loses_request:
            self.later(there, arrive)
            if self.fault("doubled"):
                self.later(self.delay(), arrive)
        timer = self.loop.call_later(PATIENCE, give, future, None, OutcomeUnknownError("no answer"))
        try:
            return await future
        finally:
            timer.cancel()


def give(future: asyncio.Future[Any], answer: Any, error: Exception | None) -> None:
    """Let somebody who waits have an answer, unless another one came first."""
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(answer)


def run_at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """Run what awaits nothing, as every transition of the memory store does."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the memory store waited inside a transition")


class Port:
    """A port of the store as a worker sees it: every call crosses the network."""

    def __init__(self, port: object, network: Network) -> None:
        """Take the port."""
        self._port = port
        self._network = network

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._port, name)
        network = self._network

        async def call(*args: Any, **options: Any) -> Any:
            return await network.ask(lambda: method(*args, **options))

        self.__dict__[name] = call
        return call


class Deliveries(Port):
    """`due` waits at the store, so it is not a request and an answer in no time."""

    async def due(self, **options: Any) -> Any:
        """Look at what is due."""
        self._network.round_trips += 1
        if self._network.fault("refused"):
            raise StoreUnavailableError("refused")
        return await self._port.due(**options)  # type: ignore[attr-defined]


class Turns(Port):
    """The calls by which a conversation is held are written down."""

    def __init__(self, port: object, network: Network) -> None:
        """Remember which fence a token stands for."""
        super().__init__(port, network)
        self._fences: dict[str, int] = {}

    def _granted(self, conversation: str, granted: Granted) -> None:
        self._fences[granted.token] = granted.fence
        self._network.note(
            Grant(
                conversation=conversation,
                fence=granted.fence,
                owner=granted.token,
                granted_ms=granted.now_ms,
                until_ms=granted.lease_until_ms,
                interrupted=granted.interrupted,
            )
        )

    def _hands_back(self, conversation: str, fence: int) -> None:
        self._network.note(Handback(conversation=conversation, fence=fence, at_ms=self._network.clock.now_ms()))

    async def begin(self, request: Begin, /) -> Any:
        """Note what was granted."""
        answer = await self._network.ask(lambda: self._port.begin(request))  # type: ignore[attr-defined]
        if isinstance(answer, Granted):
            self._granted(request.conversation.key, answer)
        return answer

    async def commit(self, request: Commit, /) -> Any:
        """Note what was heard, and the next grant."""
        key = request.conversation.key
        self._hands_back(key, request.fence)
        ending, version = Ending.UNKNOWN, None
        try:
            answer = await self._network.ask(lambda: self._port.commit(request))  # type: ignore[attr-defined]
            match answer:
                case Committed():
                    ending, version = Ending.COMMITTED, None if request.state is None else answer.version
                    if answer.next is not None:
                        self._granted(key, answer.next)
                case Fenced():
                    ending = Ending.FENCED
                case Conflict():
                    ending = Ending.CONFLICT
        except RetryableError:
            ending = Ending.REFUSED
            raise
        finally:
            self._network.note(
                Reported(
                    conversation=key,
                    commit=request.commit_id,
                    ending=ending,
                    answered_ms=self._network.clock.now_ms(),
                    version=version,
                )
            )
        return answer

    async def renew(self, requests: list[Renewal], /) -> Any:
        """Note what is held longer."""
        asked_ms = self._network.clock.now_ms()
        answers = await self._network.ask(lambda: self._port.renew(requests))  # type: ignore[attr-defined]
        for request, answer in zip(requests, answers, strict=True):
            fence = self._fences.get(request.token)
            if answer.held and fence is not None:
                self._network.note(
                    Prolonged(conversation=request.conversation.key, fence=fence, until_ms=asked_ms + request.lease_ms)
                )
        return answers

    async def release(self, request: Release, /) -> Any:
        """Note that it is given back."""
        fence = self._fences.get(request.token)
        if fence is not None:
            self._hands_back(request.conversation.key, fence)
        return await self._network.ask(lambda: self._port.release(request))  # type: ignore[attr-defined]


class WiredStore:
    """The store over the network. Its clock, tables and life are its own."""

    def __init__(self, store: Store, network: Network) -> None:
        """Take the store."""
        self.turns = cast("Any", Turns(store.turns, network))
        self.deliveries = cast("Any", Deliveries(store.deliveries, network))
        self.documents = cast("Any", Port(store.documents, network))
        self.catalog = cast("Any", Port(store.catalog, network))

    async def open(self) -> None:
        """Do nothing: it is open."""

    async def close(self) -> None:
        """Do nothing: others have it too."""


class Provider:
    """Implements `turnkeeper.ports.channel.Channel`: takes replies, refuses them, or takes them without saying so."""

    name = CHANNEL

    def __init__(self, network: Network, on_unknown: OnUnknown) -> None:
        """Take what is between, and what it wants when nobody knows whether it took a reply."""
        self._network = network
        self.on_unknown = on_unknown

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """Have a reply taken, and answer, both after some time or never."""
        network = self._network
        if network.fault("send_refused"):
            return Sent(outcome=SendOutcome.RETRY)
        future: asyncio.Future[Sent] = network.loop.create_future()
        is_unsure = network.fault("send_unsure")
        fate = network.weather.chance.choice(("taken", "lost", "broken", "unknown")) if is_unsure else "taken"

        def take() -> None:
            network.note(
                Got(
                    conversation=outgoing.id.rsplit(":", 3)[0],
                    effect=outgoing.id,
                    text=outgoing.reply.text,
                    at_ms=network.clock.now_ms(),
                    maybe_sent=outgoing.maybe_sent,
                )
            )
            if fate == "broken":
                network.later(network.delay(), give, future, None, ConnectionError("the connection broke"))
            elif not is_unsure:
                network.later(network.delay(), give, future, Sent(outcome=SendOutcome.ACCEPTED), None)
            elif fate == "unknown":
                network.later(network.delay(), give, future, Sent(outcome=SendOutcome.UNKNOWN), None)

        if fate != "lost":
            network.later(network.delay(), take)
        return await future

    async def close(self) -> None:
        """Do nothing."""
