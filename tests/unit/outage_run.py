"""A run of the explorer of outages: people, each with a moment at which something happens, and what that may be."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.outage_bench import SETTINGS, TICK, Bench, Heard, Switch, SwitchedStore, heard
from turnkeeper import App, Flow, Turn, minutes
from turnkeeper.engine.wire import encode
from turnkeeper.errors import OutcomeUnknownError, RetryableError, StoreFullError, StoreUnavailableError
from turnkeeper.outage import Conflict
from turnkeeper.outage.carry import local
from turnkeeper.ports.channel import Outgoing, Sent
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.turns import Begin, Incoming
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.testing.channel import FakeChannel

WITHIN = timedelta(seconds=20)

CALLS = 20
"""More than the way back of one conversation takes, whatever happens in it."""

FAILURES = 1_000
"""Calls that fail are meant to meet one conversation each: the store does not count as away for them."""

TICKS = 50
"""Moves of the clock from the first one at their moment until everybody is, or past it."""

STEPS = 10
"""Steps of the loop that are enough for what was begun to ask for something."""

RINGS = minutes(10)
"""When what was set in the outage is due: long after the way back."""


class Person:
    """Somebody whose way back is disturbed once: before or after a call that is about them."""

    def __init__(self, number: int) -> None:
        """Take which call, and on which side of it."""
        self.call, self.is_after = divmod(number, 2)
        self.address = f"+1555123{number:04d}"
        self.said: list[str] = []
        self.calls = 0
        self.was_seen = False
        self.was_disturbed = False
        self.refused = 0
        self.is_known = True
        self.may_send = asyncio.Event()


class Gateway(FakeChannel):
    """A provider that may take its time with the first text of everybody."""

    def __init__(self) -> None:
        """Answer at once."""
        super().__init__("sms")
        self.waits: dict[str, asyncio.Event] = {}

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """Send, when it may."""
        if outgoing.reply.text.endswith(" one") and outgoing.reply.to in self.waits:
            await self.waits[outgoing.reply.to].wait()
        return await super().send(outgoing)


class Place(SwitchedStore):
    """The store of a place on this machine, behind a switch."""

    def __init__(self, store: SqliteStore, switch: Switch) -> None:
        """Take both."""
        super().__init__(store, switch)
        self._inner = store

    async def open(self) -> None:
        """Open it."""
        await self._inner.open()

    async def close(self) -> None:
        """Close it."""
        await self._inner.close()


class Run:
    """One application, and another server over the same store."""

    def __init__(self, bench: Bench, disturb: "Disturb", *, calls: int = CALLS) -> None:
        """Take what is done at the moments, and at how many calls."""
        self.bench = bench
        self.sms = Gateway()
        self.app, self.switch = bench.server("carry_on", self.sms, flow=_flow(), failures=FAILURES)
        self.other, _ = bench.server("fail", self.sms, flow=_flow())
        self.here = Switch()
        self.people = {one.address: one for one in map(Person, range(2 * calls))}
        self.tasks: list[asyncio.Task[None]] = []
        self.conflicts: Sequence[Conflict] = ()
        self.app_conflicts = 0
        self.found: dict[str, list[str]] = {}
        self._disturb = disturb

    def switch_places(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the places of this machine behind a switch."""

        def place(path: Path, *, clock: Clock) -> Place:
            return Place(SqliteStore(path, clock=clock), self.here)

        monkeypatch.setattr(local, "SqliteStore", place)

    async def say(self, person: Person, word: str, *, app: App | None = None) -> None:
        """Let somebody say a word until it is acknowledged."""
        app = app or self.app
        message = app.message(word, id=word, channel="sms")
        while True:
            try:
                if (await app.accept(person.address, message)).durable:
                    person.said.append(word)
                    return
            except (RetryableError, OutcomeUnknownError):
                await asyncio.sleep(0)

    async def all_say(self, word: str) -> None:
        """Let everybody say a word."""
        await asyncio.gather(*(self.say(person, word) for person in self.people.values()))

    async def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something begun that goes on while the call does."""
        self.tasks.append(asyncio.create_task(work))
        for _ in range(STEPS):
            await asyncio.sleep(0)

    async def before(self, name: str, address: str) -> None:
        """Disturb whoever's moment is before this call."""
        person = self.people.get(address)
        if person is None:
            return
        person.was_seen = True
        if person.refused:
            person.refused -= 1
            raise StoreUnavailableError("away for one of them")
        if person.calls == person.call and not person.is_after and not person.was_disturbed:
            person.was_disturbed = True
            await self._disturb(self, person)

    async def after(self, name: str, address: str) -> None:
        """Disturb whoever's moment is after this call."""
        person = self.people.get(address)
        if person is None or not person.was_seen:  # it was asked before the way back
            return
        person.calls += 1
        if person.calls == person.call + 1 and person.is_after and not person.was_disturbed:
            person.was_disturbed = True
            await self._disturb(self, person)

    async def go(self, setup: "Setup", disturbed: Switch) -> None:
        """Go on without the store, and disturb everybody's way back."""
        await setup(self)
        disturbed.before, disturbed.after = self.before, self.after
        self.switch.is_away = False
        await self.come_to_rest()
        disturbed.before = disturbed.after = None
        for person in self.people.values():
            person.may_send.set()
        await self.come_to_rest()
        self.bench.clock.advance(SETTINGS.lease + SETTINGS.send_lease)
        for person in self.people.values():
            await heard(self.app, person.address)

    async def die_and_be_followed(self, disturbed: Switch, *, is_back: bool) -> None:
        """End as a killed process does, with everybody at their moment; another one goes on from the disk."""
        people = self.people.values()
        for person in people:
            assert await self.app.at_rest(person.address, within=WITHIN)
        disturbed.before, disturbed.after = self.before, self.after
        self.switch.is_away = False
        await self.bench.until(lambda: any(person.was_disturbed for person in people))
        for _ in range(TICKS):
            self.bench.clock.advance(TICK)
            await asyncio.sleep(0.002)
        self.switch.is_away = self.here.is_away = True
        await self.app.stop()
        disturbed.before = disturbed.after = None
        self.here = Switch()
        self.app, self.switch = self.bench.server("carry_on", self.sms, flow=_flow(), failures=FAILURES)
        self.switch.is_away = not is_back
        await self.app.start()
        for person in people:
            person.is_known = is_back or await self._lives_here(person)
        await self.all_say("three")
        self.switch.is_away = False
        await self.come_to_rest()
        self.bench.clock.advance(SETTINGS.lease + SETTINGS.send_lease)
        for person in people:
            await heard(self.app, person.address)

    async def _lives_here(self, person: Person) -> bool:
        try:
            return bool(await self.app.summaries(person.address))
        except StoreUnavailableError:
            return False

    async def come_to_rest(self) -> None:
        """Return once everything is in the store, and everybody has said what they wanted."""
        await self.bench.until(lambda: self.app.health().status == "ok" and all(task.done() for task in self.tasks))
        for task in self.tasks:
            task.result()

    def check_answers(self) -> None:
        """Everybody was answered once to every word."""
        answered = Counter((one.reply.to, one.reply.text.split()[-1]) for one in self.sms.sent)
        said = Counter((one.address, word) for one in self.people.values() for word in one.said)
        assert Counter({key: number for key, number in answered.items() if key[0] in self.people}) == said
        assert not any(one.maybe_sent for one in self.sms.sent)


def _flow() -> Flow[Heard]:
    """Return a flow that repeats every word, and rings long after `two`."""
    flow = Flow("counting", Heard, start="listening")

    @flow.unknown
    async def listen(turn: Turn[Heard]) -> None:
        """Remember and repeat."""
        turn.state.words.append(turn.text)
        turn.reply(f"{len(turn.state.words)}: {turn.text}")
        if turn.text == "two":
            turn.after(RINGS, "ring")

    @flow.timer("ring")
    async def rang(turn: Turn[Heard]) -> None:
        """Note it."""
        turn.state.words.append("rang")

    return flow


Setup = Callable[[Run], Awaitable[None]]
Disturb = Callable[[Run, Person], Awaitable[None]]


async def known(run: Run) -> None:
    """Everybody spoke before."""
    await run.all_say("one")
    await run.bench.until(lambda: len(run.sms.sent) == len(run.people))
    await run.bench.away(run.app, run.switch)
    await run.all_say("two")
    await run.bench.until(lambda: len(run.sms.sent) == 2 * len(run.people))


async def unknown(run: Run) -> None:
    """Nobody spoke before."""
    await run.bench.away(run.app, run.switch)
    await run.all_say("two")
    await run.bench.until(lambda: len(run.sms.sent) == len(run.people))


async def with_a_lost_answer(run: Run) -> None:
    """A commit was sent when the store went away, and nobody knows whether it arrived."""
    await run.all_say("before")
    await run.bench.until(lambda: len(run.sms.sent) == len(run.people))
    committed: set[str] = set()

    async def lose(name: str, address: str) -> None:
        if name == "commit":
            committed.add(address)
            raise OutcomeUnknownError("lost")

    run.switch.after = lose
    await run.all_say("limbo")
    await run.bench.until(lambda: len(committed) == len(run.people))
    run.switch.after = None
    await run.bench.gone(run.app, run.switch)
    await run.all_say("two")
    await run.bench.until(lambda: len(run.sms.sent) == 3 * len(run.people))


async def while_sending(run: Run) -> None:
    """A reply is on its way to the provider, and another one is behind it."""
    run.sms.waits = {address: person.may_send for address, person in run.people.items()}
    await run.all_say("one")
    await run.all_say("behind")
    for person in run.people.values():
        await run.bench.until_heard_there(run.app.conversation(person.address), 2)
    await run.bench.gone(run.app, run.switch)
    await run.all_say("two")
    await run.bench.until(lambda: len(run.sms.sent) == 2 * len(run.people))


async def with_one_waiting(run: Run) -> None:
    """Another server took a message in, and died before it ran it."""
    await known(run)
    for person in run.people.values():
        message = run.app.message("waiting", id="waiting", channel="sms")
        incoming = Incoming(id=message.id, payload=encode(message))
        conversation = run.app.conversation(person.address)
        await run.bench.store.turns.begin(
            Begin(conversation=conversation, token="gone", lease_ms=1, message=incoming, run=False)
        )
        person.said.append("waiting")


async def fail(_run: Run, _person: Person) -> None:
    """An answer is lost."""
    raise OutcomeUnknownError("lost")


async def fail_and_go_on(run: Run, person: Person) -> None:
    """An answer is lost, the next calls fail, and the person goes on here."""
    person.refused = 4
    await run.beside(run.say(person, "three"))
    raise OutcomeUnknownError("lost")


async def go_on(run: Run, person: Person) -> None:
    """The person says something more."""
    await run.beside(run.say(person, "three"))


async def ask(run: Run, person: Person) -> None:
    """The person says something more, and somebody waits for the answer."""

    async def handle() -> None:
        message = run.app.message("three", id="three", channel="sms")
        handled = await run.app.handle(person.address, message, within=WITHIN)
        assert handled.replies[0].endswith(" three")
        person.said.append("three")

    await run.beside(handle())


async def be_answered(_run: Run, person: Person) -> None:
    """The provider answers."""
    person.may_send.set()
    for _ in range(STEPS):
        await asyncio.sleep(0)


async def fail_and_be_answered(run: Run, person: Person) -> None:
    """An answer is lost, and the provider answers just then."""
    await be_answered(run, person)
    raise OutcomeUnknownError("lost")


async def fill_the_disk(_run: Run, _person: Person) -> None:
    """There is no room for what is written."""
    raise StoreFullError("the disk is full")


async def speak_elsewhere(run: Run, person: Person) -> None:
    """Another server hears the person."""
    await run.beside(run.say(person, "there", app=run.other))


async def fail_and_speak_elsewhere(run: Run, person: Person) -> None:
    """An answer is lost, the next calls fail, and another server hears the person meanwhile."""
    person.refused = 4
    await run.beside(run.say(person, "there", app=run.other))
    raise OutcomeUnknownError("lost")


async def be_erased(run: Run, person: Person) -> None:
    """The person is erased, by this process."""

    async def erase() -> None:
        while True:
            with contextlib.suppress(RetryableError, OutcomeUnknownError):
                await run.app.store.turns.forget(run.app.conversation(person.address), person=True)
                break
            await asyncio.sleep(0)

    await run.beside(erase())


async def never_end(_run: Run, _person: Person) -> None:
    """The process dies before the call is made, or before its answer is heard."""
    await asyncio.Event().wait()


OTHERS = (speak_elsewhere, fail_and_speak_elsewhere)
