"""One run of a script: undisturbed, or with one fault at one moment. The simulator does the dying and the clock."""

import asyncio
import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from turnkeeper.app import App
from turnkeeper.dialogue.flow import Flow
from turnkeeper.engine.settings import Settings
from turnkeeper.engine.wire import decode_reply
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, PermanentError, RetryableError
from turnkeeper.model.event import LogEntry, decode_entry
from turnkeeper.ports import faults
from turnkeeper.ports.catalog import Exported, Summary
from turnkeeper.ports.faults import POINTS
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import EffectKind, LogRecord
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.testing.channel import FakeChannel
from turnkeeper.testing.clock import ManualClock
from turnkeeper.testing.lab.cases import WHOLE, Case, Fault, Moment, number_moments
from turnkeeper.testing.lab.outcome import Applied, Normalise, Result, Told, read_state, timeless
from turnkeeper.testing.lab.script import Item, Said
from turnkeeper.testing.lab.tap import TappedStore
from turnkeeper.testing.simulator import Simulator

LEASE = timedelta(seconds=1)
SEND_LEASE = timedelta(seconds=2)
"""Short, so that a recovery fits into the pause after an entry; the clock stands still while a turn runs."""

SETTINGS = Settings(
    work=False,
    heartbeat=False,
    lease=LEASE,
    renew_every=LEASE / 3,
    send_lease=SEND_LEASE,
    send_timeout=SEND_LEASE / 2,
    send_backoff=timedelta(milliseconds=100),
)

MAX_TRIES = 8
"""Deliveries of one message until a worker must have taken it; a fault costs one or two."""

LONGEST_RETRIES = timedelta(days=1)
"""No provider repeats a message later than that; a store recognises one for twice as long."""

MAX_LETTERS = 200
"""Dead letters that are looked at; a script that makes more is not about recovery."""


Outside = Callable[[], object]
"""Returns what the bot did outside of Turnkeeper since it was called the last time."""


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """What every run of a lab has in common. `on_disk`: in a SQLite file of its own, else in memory."""

    bot: App | Flow[Any]
    items: tuple[Item, ...]
    person: str
    channels: tuple[str, ...]
    normalise: Normalise
    outside: Outside
    on_disk: bool = False


class _Watch:
    """Counts what the worker passes, and says what happens to the call that a case names."""

    def __init__(self, case: Case | None) -> None:
        self._case = case
        self._counts: Counter[tuple[int, str]] = Counter()
        self.item = 0
        self.passed: list[tuple[int, str]] = []

    def called(self, name: str) -> Fault | None:
        """See `Watcher.called`."""
        self.note(name)
        return self._case.fault if self._case and self._is_now(self._case.moment, name) else None

    def note(self, name: str) -> None:
        """Remember that a worker passed something. A store's own points are not a worker's."""
        if name in POINTS and "." in name:
            return
        self.passed.append((self.item, name))
        self._counts[self.item, name] += 1

    def _is_now(self, moment: Moment, name: str) -> bool:
        return (moment.item, moment.name) == (self.item, name) and moment.nth == self._counts[self.item, name]


class Run:
    """A script under way."""

    def __init__(
        self,
        bench: Bench,
        case: Case | None,
        sim: Simulator,
        channels: Sequence[FakeChannel],
        watch: _Watch,
        store: Store,
    ) -> None:
        """Take the simulator, started, and the store behind it."""
        self._store = store
        self._bench = bench
        self._case = case
        self._sim = sim
        self._channels = channels
        self._watch = watch
        self._begun: dict[int, datetime] = {}

    def play(self) -> None:
        """Play the script to its end, whatever dies on the way."""
        for item in self._bench.items:
            self._watch.item = item.number
            self._begun[item.number] = self._sim.now
            end = self._sim.now + item.passes
            if self._strikes(item, Fault.KILL, Fault.KILL_TWICE):
                moment = self._expected().moment
                self._sim.crash(at=moment.name, after=moment.nth - 1)
            if item.said is not None:
                self._watch.note(WHOLE)
                self._bring(item, item.said)
            self._pass_until(end)
            self._repeat(item)
            if self._case is not None:
                faults.clear()

    def _expected(self) -> Case:
        if self._case is None:
            raise ConfigurationError("this run is undisturbed")
        return self._case

    def _strikes(self, item: Item, *kinds: Fault) -> bool:
        return self._case is not None and self._case.moment.item == item.number and self._case.fault in kinds

    def _bring(self, item: Item, said: Said) -> None:
        """Deliver a message until it is taken, as a provider does."""
        for _ in range(MAX_TRIES):
            try:
                accepted = self._sim.deliver(
                    said.text,
                    as_=said.person,
                    id=item.message_id,
                    channel=said.channel,
                    kind=said.kind,
                    data=said.data,
                )
            except (RetryableError, OutcomeUnknownError):
                accepted = None
            except PermanentError as exc:
                raise ConfigurationError(
                    f"entry {item.number} of the script ({item.label}) cannot be sent: {exc}"
                ) from exc
            self._revive()
            if accepted is not None and accepted.durable:
                return
        raise ConfigurationError(f"entry {item.number} ({item.label}) was not taken in {MAX_TRIES} deliveries")

    def _revive(self) -> None:
        """Start another worker as often as one dies; with KILL_TWICE one dies of its recovery."""
        for death in range(MAX_TRIES):
            if not self._sim.is_dead:
                return
            faults.clear()
            if death == 0 and self._case is not None and self._case.fault is Fault.KILL_TWICE:
                self._sim.crash(at="in_recovery")
            self._sim.restart()
        raise ConfigurationError("no worker survives its start")

    def _pass_until(self, end: datetime) -> None:
        for _ in range(MAX_TRIES):
            left = end - self._sim.now
            if left > timedelta(0):
                self._sim.advance(left, until_death=True)
            if not self._sim.is_dead and self._sim.now >= end:
                return
            self._revive()

    def _repeat(self, item: Item) -> None:
        """Send this message, or all earlier ones, again."""
        if self._strikes(item, Fault.REPEATED):
            again: Sequence[Item] = (item,)
        elif self._strikes(item, Fault.REORDERED):
            earliest = self._sim.now - LONGEST_RETRIES
            again = [one for one in self._bench.items[item.number - 1 :: -1] if self._begun[one.number] >= earliest]
        else:
            return
        for one in again:
            if one.said is not None:
                self._bring(one, one.said)

    def result(self, outside: object) -> Result:
        """Return what it came to, here and outside."""
        found = asyncio.run(_read(self._store, self._bench))
        sent = tuple(outgoing for channel in self._channels for outgoing in channel.attempts)
        return msgspec.structs.replace(found, sent=sent, outside=outside)


async def _read(store: Store, bench: Bench) -> Result:
    """Read everything committed, on a loop of its own: stores may be called from several."""
    conversations: dict[str, Told] = {}
    unserved: set[str] = set()
    cursor: str | None = None
    while True:
        page = await store.catalog.find(cursor=cursor)
        for summary in page.items:
            exported = await store.catalog.export(summary.conversation)
            if exported is None:
                raise ConfigurationError(f"{summary.conversation.key} vanished while it was read")
            unserved |= {
                decode_reply(one.payload).channel for one in exported.deliveries if one.kind is EffectKind.REPLY
            }
            records = await store.turns.history(summary.conversation, limit=MAX_BATCH)
            conversations[summary.conversation.key] = _told(exported, summary, records, bench.normalise)
        cursor = page.cursor
        if cursor is None:
            break
    dead = await store.deliveries.dead(limit=MAX_LETTERS)
    return Result(
        conversations=conversations,
        dead={timeless(letter.source_id): letter.error for letter in dead.items},
        sent=(),
        unserved=frozenset(unserved - set(bench.channels)),
    )


def _told(exported: Exported, summary: Summary, records: Sequence[LogRecord], normalise: Normalise) -> Told:
    return Told(
        status=exported.status,
        state=read_state(exported.state, normalise),
        version=exported.version,
        log=tuple(_applied(decode_entry(record.data)) for record in reversed(records)),
        parts={timeless(name): _readable(data) for name, data in exported.parts.items()},
        waiting=summary.waiting,
        unsent=summary.unsent,
    )


def _applied(entry: LogEntry) -> Applied:
    return Applied(
        messages=tuple(timeless(said.id) for said in entry.inputs),
        handler=entry.handler,
        status=entry.state,
        note=entry.note,
        replies=tuple(reply.text for reply in entry.replies),
    )


def _readable(data: bytes) -> object:
    """Return a part's JSON, or its bytes as text if it is something else."""
    try:
        decoded: object = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data.hex()
    return decoded


def play(bench: Bench, case: Case | None) -> tuple[Result, tuple[Moment, ...]]:
    """Play the script once on a fresh store; return what it came to and the moments that it passed.

    Raises:
        ConfigurationError: The bot does not come to rest, or takes a message in no delivery.
    """
    clock = ManualClock()
    watch = _Watch(case)
    channels = [FakeChannel(name) for name in bench.channels]
    with contextlib.ExitStack() as stack:
        store = _open(bench, stack, clock)
        tapped = TappedStore(store, watcher=watch, clock=clock, lease=SEND_LEASE)
        sim = stack.enter_context(
            Simulator(bench.bot, person=bench.person, store=tapped, clock=clock, channels=channels, settings=SETTINGS)
        )
        if case is None:
            faults.install(watch.note)
        run = Run(bench, case, sim, channels, watch, store)
        try:
            run.play()
        finally:
            outside = bench.outside()
        return run.result(outside), number_moments(watch.passed)


def _open(bench: Bench, stack: contextlib.ExitStack, clock: ManualClock) -> Store:
    if not bench.on_disk:
        return MemoryStore(clock=clock)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="turnkeeper-lab-"))
    return SqliteStore(Path(folder) / "lab.db", clock=clock, durability="memory")
