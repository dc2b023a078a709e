"""Virtual providers: people who write, deliveries that are retried as the real ones do, and replies taken or refused.

The waits between retries are the providers' own, shortened a hundred times.
"""

import asyncio
import itertools
from collections.abc import Coroutine, Iterator

import msgspec

from tests.chaos.lines import Cut, Sending, Status, Webhook, ask, send_and_leave, serve
from tests.chaos.witness import now_ms
from tests.chaos.worker import CHANNELS, SEND_TIMEOUT
from tests.chaos.workers import Workers
from tests.chaos.world import Fault, World
from turnkeeper import ConversationId
from turnkeeper.testing.history import Answer, Asked, Got

ANSWER_SECONDS = 1.0
"""How long a provider waits for the answer to a webhook."""

WISHES = ("", "", "more", "job", "ring", "step", "job more", "step ring")
MAX_UNANSWERED = 3
"""Messages of one person that the bot did not answer yet; beyond it people wait, as people do."""

REPEATED = 0.07
TWINNED = 0.04
REORDERED = 0.04
REQUEST_CUT = 0.03
ANSWER_CUT = 0.03
SEND_ANSWER_CUT = 0.02
SEND_500 = 0.02
SEND_429 = 0.02
SEND_SLOW = 0.01

LATE_SECONDS = 2.0
"""The latest that a repetition comes."""


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider retries a webhook. `forever`: with the last wait, as long as the run lasts; else it gives up."""

    waits: tuple[float, ...]
    forever: bool

    def schedule(self) -> Iterator[float]:
        """Yield the wait before each further attempt."""
        yield from self.waits
        if self.forever:
            yield from itertools.repeat(self.waits[-1])


RETRIES = {
    "twilio": Retries(waits=(0.01, 0.01, 0.01, 0.05), forever=False),  # three retries, then the fallback URL, then none
    "vonage": Retries(waits=(0.05, 0.1, 0.2, 0.4, 0.8, 1.6), forever=True),  # 5, 10, 20 … seconds, for a day
    "telegram": Retries(waits=(0.1, 0.2, 0.4), forever=True),
}


class Provider:
    """One provider with its people."""

    def __init__(self, world: World, workers: Workers, name: str, *, people: int, per_second: float) -> None:
        """Take how many people write, and how many messages all of them together."""
        self._world = world
        self._workers = workers
        self._name = name
        self._people = [f"{name}-{number}" for number in range(people)]
        self._pause = people / per_second
        self._retries = RETRIES[name]
        self._tasks: set[asyncio.Task[None]] = set()
        self._unanswered: dict[str, set[str]] = {person: set() for person in self._people}
        self._unmarked: set[str] = set()
        self._seen: set[str] = set()
        self.messages = 0
        self.acknowledged = 0
        self.given_up = 0

    @property
    def people(self) -> tuple[str, ...]:
        """Who writes."""
        return tuple(self._people)

    async def open(self) -> None:
        """Take replies."""
        await serve(self._world.folder / f"{self._name}.sock", self._take)

    async def write(self) -> None:
        """Let everybody write until the run is over, and return when every delivery has ended."""
        async with asyncio.TaskGroup() as group:
            for person in self._people:
                group.create_task(self._speak(person))
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def _speak(self, person: str) -> None:
        chance = self._world.chance
        for number in itertools.count(1):
            await asyncio.sleep(chance.expovariate(1 / self._pause))
            unanswered = self._unanswered[person]
            while len(unanswered) >= MAX_UNANSWERED and not self._world.is_over:  # noqa: ASYNC110 - two things end it
                await asyncio.sleep(0.05)
            if self._world.is_over:
                return
            word = f"m{number}"
            unanswered.add(word)
            text = f"{word} {chance.choice(WISHES)}".strip()
            self.messages += 1
            self._later(self._deliver(Webhook(person, word, text, self._name)))

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, webhook: Webhook) -> None:
        """Deliver a message until it is acknowledged, or as often as this provider does."""
        chance = self._world.chance
        if self._world.happens(Fault.WEBHOOK_REORDERED, REORDERED):
            await asyncio.sleep(chance.uniform(0.2, 1.0))  # what is said meanwhile arrives first
        if self._world.happens(Fault.WEBHOOK_TWINNED, TWINNED):
            self._later(self._once(webhook))
        is_acknowledged = await self._attempt(webhook)
        for wait in self._retries.schedule():
            if is_acknowledged:
                break
            await asyncio.sleep(wait)
            is_acknowledged = await self._attempt(webhook)
        if not is_acknowledged:
            self.given_up += 1
            self._unanswered[webhook.person].discard(webhook.id)
            return
        self.acknowledged += 1
        if self._world.happens(Fault.WEBHOOK_REPEATED, REPEATED):
            await asyncio.sleep(chance.uniform(0, LATE_SECONDS))
            await self._attempt(webhook)

    async def _once(self, webhook: Webhook) -> None:
        await self._attempt(webhook)

    async def _attempt(self, webhook: Webhook) -> bool:
        """Deliver a message once; return whether it was acknowledged."""
        path = self._workers.choose()
        line = msgspec.json.encode(webhook)
        started_ms = now_ms()
        answer, replies = Answer.UNKNOWN, None
        try:
            if self._world.happens(Fault.WEBHOOK_REQUEST_CUT, REQUEST_CUT):
                await send_and_leave(path, line[: len(line) // 2], within=ANSWER_SECONDS)
            elif self._world.happens(Fault.WEBHOOK_ANSWER_CUT, ANSWER_CUT):
                await send_and_leave(path, line + b"\n", within=ANSWER_SECONDS)
            else:
                said = await ask(path, line, within=ANSWER_SECONDS)
                status = msgspec.json.decode(said, type=Status)
                answer, replies = _ANSWERS.get(status.outcome, Answer.UNKNOWN), status.replies
        except Cut:
            pass
        self._world.record(
            Asked(
                conversation=ConversationId(flow="chaos", person=webhook.person).key,
                message=webhook.id,
                started_ms=started_ms,
                ended_ms=now_ms(),
                answer=answer,
                replies=replies,
            )
        )
        return answer in {Answer.ACCEPTED, Answer.DONE}

    async def _take(self, line: bytes) -> bytes | None:
        """Take or refuse a reply."""
        sending = msgspec.json.decode(line, type=Sending)
        world = self._world
        if world.happens(Fault.SEND_429, SEND_429):
            return msgspec.json.encode(Status(429))
        self._note(sending)
        if world.happens(Fault.SEND_ANSWER_CUT, SEND_ANSWER_CUT):
            return None
        if world.happens(Fault.SEND_500, SEND_500):
            return msgspec.json.encode(Status(500))
        if world.happens(Fault.SEND_SLOW, SEND_SLOW):
            await asyncio.sleep(SEND_TIMEOUT.total_seconds() * 1.2)
        return msgspec.json.encode(Status(200))

    def _note(self, sending: Sending) -> None:
        """Write down what was taken.

        A worker that stood still between its last look at the clock and its send is one whose unmarked first attempt
        comes after somebody else's marked one. No sender can prevent that; it is counted, and allowed once.
        """
        is_late_first = not sending.maybe_sent and sending.id in self._seen and sending.id not in self._unmarked
        if is_late_first:
            self._world.late_firsts += 1
        if not sending.maybe_sent:
            self._unmarked.add(sending.id)
        self._seen.add(sending.id)
        self._unanswered[sending.to].discard(sending.text.removeprefix("heard "))
        self._world.record(
            Got(
                conversation=ConversationId(flow="chaos", person=sending.to).key,
                effect=sending.id,
                text=sending.text,
                at_ms=now_ms(),
                maybe_sent=sending.maybe_sent or is_late_first,
            )
        )


_ANSWERS = {
    "accepted": Answer.ACCEPTED,
    "duplicate": Answer.ACCEPTED,
    "done": Answer.DONE,
    "refused": Answer.REFUSED,
    "unknown": Answer.UNKNOWN,
}


def providers(world: World, workers: Workers, *, people: int, per_second: float) -> tuple[Provider, ...]:
    """Return one of each, sharing people and messages."""
    count = len(CHANNELS)
    return tuple(
        Provider(world, workers, name, people=people // count, per_second=per_second / count) for name in CHANNELS
    )
