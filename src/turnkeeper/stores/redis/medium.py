"""Where the four ports of one store meet: the checked connection, its keys and scripts, and who waits for a change.

Nothing is connected before the first operation.
"""

import asyncio
import contextlib
import math
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Generic, TypeVar

import msgspec

from turnkeeper.errors import StoreUnavailableError, TurnkeeperError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.clock import Clock
from turnkeeper.stores.redis.deployments.wire import Wire, pack
from turnkeeper.stores.redis.layout import keys as names
from turnkeeper.stores.redis.layout.keys import Keys
from turnkeeper.stores.redis.layout.parsing import Reply
from turnkeeper.stores.redis.opening import Durability, ServerFacts, check
from turnkeeper.stores.redis.scripts import Call, Scripts, opening_of

T = TypeVar("T")

_TICK_SECONDS = 0.001
"""The server's clock counts milliseconds here: what is left of a wait below one is nothing."""

_POLL_SECONDS = 1.0
"""Between two looks of somebody who waits: one round trip a second is what an idle worker may cost."""

_SHELVES = 4
"""Pairs of statuses whose keys a conversation remembers: staying in one, and going back and forth."""

_PLACES = 4096
"""Conversations whose keys and status are remembered: ten megabytes, and twenty microseconds less in each call."""


class Look(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One look of somebody who waits: is it enough, and when will the clock alone change the answer?"""

    answer: T
    is_enough: bool
    now_ms: int
    next_ms: int | None = None


class Shelves(msgspec.Struct, frozen=True):
    """The keys of a plain commit from one status to another, and the packed beginning of its call."""

    keys: tuple[bytes, ...]
    opening: bytes


class Place:
    """Where a conversation is kept, what every call about it sends, and the status that it had when last heard of."""

    __slots__ = (
        "_commit_keys",
        "_flow",
        "_shelves",
        "begin_keys",
        "begin_opening",
        "burial_keys",
        "is_only",
        "keys",
        "lane",
        "member",
        "partition",
        "planned",
        "rare_keys",
        "read_state",
        "ref",
        "settle_keys",
        "settle_opening",
        "status",
        "turn",
    )

    def __init__(self, keys: Keys, conversation: ConversationId) -> None:
        """Compute it once: the next calls about the conversation find it."""
        partition = keys.partition(conversation.person)
        mine, flow = keys.conversation(partition, conversation), conversation.flow
        self.partition, self.keys, self._flow = partition, mine, flow
        ref = names.ref(conversation)
        self.ref, self.member = ref.decode(), names.short(conversation).decode()
        self.lane, self.turn = names.lane_ref(ref).decode(), names.turn_member(ref).decode()
        self.is_only = names.is_only(conversation)
        self.planned = partition.planned(conversation.person)
        people, wish = partition.people(conversation.person), partition.wish(flow, conversation.person)
        self.begin_keys = _packed(
            mine.head, mine.inbox, partition.due(flow), wish, mine.state, mine.memos, mine.receipts, mine.answers,
            partition.shelf(flow, ""), partition.tick, partition.flows, mine.log, self.planned, people,
        )  # fmt: skip
        self._commit_keys = (
            _packed(mine.head, mine.state, mine.inbox, mine.effects, partition.due(flow)),
            _packed(
                partition.tick, wish, mine.log, mine.receipts, mine.answers, mine.memos, partition.statuses(flow),
                self.planned, partition.gone(flow),
            ),
        )  # fmt: skip
        self._shelves: dict[tuple[str, str], Shelves] = {}
        self.rare_keys = _packed(mine.parts, people, partition.dead(flow), partition.dead_bodies, mine.letters)
        self.settle_keys = _packed(
            mine.head, mine.state, mine.effects, partition.due(flow), mine.receipts, self.planned
        )
        self.begin_opening = opening_of("begin", self.begin_keys)
        self.read_state = pack(("GET", mine.state))
        self.settle_opening = opening_of("settle", self.settle_keys)
        self.status = ""
        self.burial_keys = _packed(partition.tick, partition.dead(flow), partition.dead_bodies, mine.letters)

    def shelves(self, old_status: str, new_status: str) -> Shelves:
        """Return what a commit between two statuses sends; a dialogue has few of them."""
        found = self._shelves.get((old_status, new_status))
        if found is None:
            if len(self._shelves) >= _SHELVES:
                self._shelves.clear()
            first, second = self._commit_keys
            shelf = self.partition.shelf
            keys = (*first, *_packed(shelf(self._flow, old_status), shelf(self._flow, new_status)), *second)
            found = self._shelves[old_status, new_status] = Shelves(keys, opening_of("commit", keys))
        return found


def _packed(*keys: str) -> tuple[bytes, ...]:
    return tuple(key.encode() for key in keys)


class Medium:
    """One store's server."""

    def __init__(
        self, wire: Wire, *, clock: Clock, movable: bool, durability: Durability, partitions: int | None
    ) -> None:
        """Take the wire; `movable` makes the server follow the clock, for tests."""
        self.wire = wire
        self.clock = clock
        self.durability: Durability = durability
        self.is_movable = movable
        self.scripts = Scripts(wire, movable=clock if movable else None)
        self._facts: ServerFacts | None = None
        self._partitions = partitions
        self._keys: Keys | None = None
        self._is_closed = False
        self._lock = threading.Lock()
        self._listeners: set[asyncio.Future[None]] = set()
        self._places: dict[ConversationId, Place] = {}
        self._tidied, self._tidy_pause = clock.monotonic(), math.inf
        self.heads_rebuilt = 0
        """How often a head was missing that its state could replace: memory is short, and dedup weaker."""

    def may_tidy(self, every_seconds: float) -> bool:
        """Return whether it is time for the next round of housekeeping, and begin it."""
        now = self.clock.monotonic()
        if now - self._tidied < min(every_seconds, self._tidy_pause):
            return False
        self._tidied, self._tidy_pause = now, every_seconds
        return True

    def tidy_in(self, seconds: float) -> None:
        """Have the next round of housekeeping so long after the last one: there is more to do."""
        self._tidy_pause = seconds

    async def open(self) -> None:
        """Connect and check, also after `close`. Safe to call twice."""
        self._is_closed = False
        await self.keys()

    async def close(self) -> None:
        """Let go of the connections. Safe to call twice. Whoever opens it again finds out anew how it is divided."""
        self._is_closed, self._keys = True, None
        with self._lock:
            self._places.clear()
        await self.wire.close()

    async def keys(self) -> Keys:
        """Return the keys, once the server was checked.

        Raises:
            ConfigurationError: The server cannot be ours. It was not touched.
            StoreUnavailableError: It does not answer, or the store was closed.
        """
        if self._is_closed:
            raise StoreUnavailableError(f"{self.wire.url} was closed; nothing was done, call open() to use it again")
        if self._keys is None:
            await self.wire.open()
            try:
                facts = await check(self.wire, durability=self.durability, partitions=self._partitions)
            except TurnkeeperError:
                await self.wire.close()
                raise
            self._facts, self._keys = facts, Keys(facts.partitions, in_cluster=self.wire.in_cluster)
        return self._keys

    def told(self) -> ServerFacts:
        """Return what the server said of itself when it was opened.

        Raises:
            StoreUnavailableError: It was not opened yet.
        """
        if self._facts is None:
            raise StoreUnavailableError(f"{self.wire.url} is not open; nothing was done")
        return self._facts

    async def place(self, conversation: ConversationId) -> Place:
        """Return where a conversation is kept."""
        if self._is_closed or self._keys is None:
            await self.keys()
        place = self._places.get(conversation)
        if place is None:
            place = Place(await self.keys(), conversation)
            with self._lock:
                self._places[conversation] = place
                if len(self._places) > _PLACES:
                    del self._places[next(iter(self._places))]
        return place

    def hint(self) -> None:
        """Wake whoever in this process waits for something: a hint only, polling is the truth."""
        if not self._listeners:
            return
        with self._lock:
            listeners, self._listeners = self._listeners, set()
        for listener in listeners:
            with contextlib.suppress(RuntimeError):  # the loop of a waiter that is gone
                listener.get_loop().call_soon_threadsafe(_wake, listener)

    async def look(self, work: Callable[[], Awaitable[Look[T]]], *, wait: timedelta) -> T:
        """Read until it is enough or the wait is over, again after a hint, when the clock says so, and every second.

        A wait that passes with nothing new ends without another look: whoever waits again looks at once, and two looks
        a moment apart would double what an idle worker costs.
        """
        deadline = self.clock.monotonic() + wait.total_seconds()
        while True:
            changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            with self._lock:
                self._listeners.add(changed)
            try:
                found = await work()
                left = deadline - self.clock.monotonic()
                if found.is_enough or left < _TICK_SECONDS:
                    return found.answer
                pause, is_last = min(left, _POLL_SECONDS), left <= _POLL_SECONDS
                if found.next_ms is not None:
                    due_in = max((found.next_ms - found.now_ms) / 1000, _TICK_SECONDS)
                    pause, is_last = min(pause, due_in), is_last and due_in > left
                await self._sleep(changed, pause)
                if is_last and not changed.done():
                    return found.answer
            finally:
                with self._lock:
                    self._listeners.discard(changed)

    async def _sleep(self, changed: asyncio.Future[None], seconds: float) -> None:
        """Return after that much of the clock's time, or after a hint."""
        passed = asyncio.ensure_future(self.clock.sleep(seconds))
        try:
            await asyncio.wait({changed, passed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            passed.cancel()


async def run_grouped(medium: Medium, calls: Sequence[Call]) -> list[Reply]:
    """Send scripts of any partitions, on a cluster those of one partition together; return their answers in order."""
    if not calls:
        return []
    if not medium.wire.in_cluster:
        return await medium.scripts.run_all(calls)
    groups: dict[str, list[int]] = {}
    for at, call in enumerate(calls):
        groups.setdefault(call.partition.tag, []).append(at)
    answers = await asyncio.gather(*(medium.scripts.run_all([calls[at] for at in group]) for group in groups.values()))
    found: dict[int, Reply] = {}
    for group, replies in zip(groups.values(), answers, strict=True):
        found.update(zip(group, replies, strict=True))
    return [found[at] for at in range(len(calls))]


def _wake(listener: asyncio.Future[None]) -> None:
    if not listener.done():
        listener.set_result(None)
