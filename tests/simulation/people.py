"""Providers that bring what people say: each message until it is accepted, some of them again, to any worker."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from tests.simulation.bot import CHANNEL
from tests.simulation.network import Network, give
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.results import Accepted
from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Kind, Message
from turnkeeper.testing.history import Answer, Asked
from turnkeeper.testing.virtual_time import Process

KINDS = (*[Kind.TEXT] * 30, Kind.OPT_OUT, Kind.OPT_IN)
"""Few want to hear no more."""

HANG_UP = 15.0
"""Seconds until a provider stops waiting for the answer to its webhook."""

MAX_TRIES = 400
"""Deliveries of one message until something must be wrong."""


class Worker(Protocol):
    """A process with an engine in it."""

    process: Process
    engine: Engine


class Person:
    """Somebody who sends messages through a provider."""

    def __init__(
        self,
        who: ConversationId,
        *,
        network: Network,
        chance: random.Random,
        workers: Callable[[], Sequence[Worker]],
        words: tuple[Sequence[str], Sequence[str]],
        count: int,
        hurry: float,
    ) -> None:
        """Take what to say (often, and once perhaps), how many messages, and the most seconds between them."""
        self._who = who
        self._network = network
        self._chance = chance
        self._workers = workers
        self._words, self._rare_words = words
        self._count = count
        self._hurry = hurry

    async def talk(self) -> None:
        """Send everything; return when every delivery is over."""
        deliveries: list[asyncio.Task[None]] = []
        rare = self._chance.randrange(2 * self._count)
        for number in range(self._count):
            await asyncio.sleep(self._chance.random() * self._hurry)
            text = self._chance.choice(self._rare_words if number == rare else self._words)
            kind = self._chance.choice(KINDS)
            message = Message(id=f"{self._who.person}-{number}", kind=kind, text=text, channel=CHANNEL)
            deliveries.append(asyncio.create_task(self._bring(message)))
            if self._chance.random() < 0.3:
                await deliveries[-1]
        for delivery in deliveries:
            await delivery

    async def _bring(self, message: Message) -> None:
        """Deliver until it is taken, and sometimes once more."""
        for _ in range(MAX_TRIES):
            answer = await self._deliver(message)
            if answer in {Answer.ACCEPTED, Answer.DONE}:
                break
            await asyncio.sleep(0.05 + self._chance.random() * 2)
        for _ in range(self._chance.choice((0, 0, 0, 1, 2))):
            await asyncio.sleep(self._chance.choice((0.0, 0.01, 5.0, 30.0)))
            await self._deliver(message)

    async def _deliver(self, message: Message) -> Answer:
        clock = self._network.clock
        started_ms = clock.now_ms()
        answer, replies = await self._post(self._chance.choice(self._workers()), message)
        self._network.note(
            Asked(
                conversation=self._who.key,
                message=message.id,
                started_ms=started_ms,
                ended_ms=clock.now_ms(),
                answer=answer,
                replies=replies,
            )
        )
        return answer

    async def _post(self, worker: Worker, message: Message) -> tuple[Answer, tuple[str, ...] | None]:
        """Call a worker's webhook as a web server would serve it: on the worker's behalf, not on the provider's."""
        if worker.process.is_dead:
            return Answer.REFUSED, None
        loop = self._network.loop
        future: asyncio.Future[tuple[Answer, tuple[str, ...] | None]] = loop.create_future()
        waits = self._chance.random() < 0.5

        async def serve() -> None:
            give(future, await self._serve(worker.engine, message, waits=waits), None)

        serving = loop.spawn(worker.process, serve())
        timer = loop.call_later(HANG_UP, give, future, (Answer.UNKNOWN, None), None)
        answer = await future
        timer.cancel()
        if not serving.done() and self._chance.random() < 0.5:
            serving.cancel()  # some web servers do that to a request whose client has gone
        return answer

    async def _serve(self, engine: Engine, message: Message, *, waits: bool) -> tuple[Answer, tuple[str, ...] | None]:
        try:
            if waits:
                handled = await engine.handle(self._who, message, within=timedelta(seconds=4))
                taken = Accepted(outcome=handled.outcome, done=handled.done, replies=handled.replies)
            else:
                taken = await engine.accept(self._who, message)
        except RetryableError:
            return Answer.REFUSED, None
        except OutcomeUnknownError:
            return Answer.UNKNOWN, None
        if taken.done:
            return Answer.DONE, taken.replies
        return (Answer.ACCEPTED if taken.durable else Answer.REFUSED), None
