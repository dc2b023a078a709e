"""What the promises are told with: a conversation on a store, and short ways to say what a test is about."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.deliveries import Claim, Lane, Settled, Settlement, Verdict
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import (
    Begin,
    Begun,
    Commit,
    CommitAnswer,
    Committed,
    Effect,
    EffectKind,
    Granted,
    Incoming,
    LogRecord,
    Mode,
    Outcome,
    Release,
    Renewal,
    Renewed,
)
from turnkeeper.testing.clock import ManualClock

T = TypeVar("T")

MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

LEASE_MS = 15_000
"""The lease of a turn, unless a test says otherwise."""

CLAIM_MS = 30_000
"""The lease of a lane, unless a test says otherwise."""

FLOW = "shop"
PERSON = "+15550100"


class Backend:
    """What a backend says about itself; `StoreConformance` is one."""

    abilities: frozenset[str] = frozenset()
    """See `selection.ABILITIES`."""

    def make_store(self, clock: ManualClock, path: Path) -> Store:
        """Return a store that keeps its data in this folder, or under this name: another path, another store."""
        raise AssertionError(f"{type(self).__name__} must say how a store is made (clock {clock}, path {path})")

    async def reopen(self, store: Store, clock: ManualClock, path: Path) -> Store:
        """Close a store and open its data again, as a new process would."""
        await store.close()
        return self.make_store(clock, path)

    async def evict(self, store: Store, conversation: ConversationId) -> None:
        """Drop the state of a conversation, and nothing else, as a medium does that is short of memory."""
        raise AssertionError(f"{type(self).__name__} declares 'evict': say how {store} loses {conversation.key}")


class Talk:
    """One conversation on one store. A token that a test does not name is fresh each time."""

    def __init__(
        self, store: Store, clock: ManualClock, *, flow: str = FLOW, person: str = PERSON, member: str = ""
    ) -> None:
        self.store = store
        self.clock = clock
        self.conversation = ConversationId(flow=flow, person=person, member=member)
        self._tokens = 0

    def other(self, *, flow: str = FLOW, person: str = PERSON, member: str = "") -> "Talk":
        """Return another conversation on the same store."""
        return Talk(self.store, self.clock, flow=flow, person=person, member=member)

    @property
    def now(self) -> int:
        """The clock, in milliseconds."""
        return self.clock.now_ms()

    def request(
        self,
        message_id: str | None,
        *,
        token: str = "",
        mode: Mode = Mode.QUEUE,
        hand_out: int = 1,
        run: bool = True,
        wait_ms: int = 0,
        max_wait_ms: int = 0,
    ) -> Begin:
        """Return a `Begin` for a message of this name, or for what waits."""
        self._tokens += 1
        return Begin(
            conversation=self.conversation,
            token=token or f"{self.conversation.key}/{self._tokens}",
            lease_ms=LEASE_MS,
            message=None
            if message_id is None
            else Incoming(id=message_id, payload=message_id.encode(), wait_ms=wait_ms, max_wait_ms=max_wait_ms),
            mode=mode,
            hand_out=hand_out,
            run=run,
        )

    async def begin(
        self, message_id: str | None = None, *, token: str = "", mode: Mode = Mode.QUEUE, hand_out: int = 1
    ) -> Begun:
        """Begin, whatever the answer."""
        return await self.store.turns.begin(self.request(message_id, token=token, mode=mode, hand_out=hand_out))

    async def take(
        self, message_id: str | None = None, *, token: str = "", mode: Mode = Mode.QUEUE, hand_out: int = 1
    ) -> Granted:
        """Begin and be granted the turn."""
        return granted(await self.begin(message_id, token=token, mode=mode, hand_out=hand_out))

    async def post(self, *message_ids: str) -> None:
        """Leave messages in the inbox without running them."""
        for message_id in message_ids:
            await self.store.turns.begin(self.request(message_id, run=False))

    async def hold(self, message_id: str, *, wait_ms: int, max_wait_ms: int) -> Begun:
        """Begin with a message that holds the inbox back."""
        return await self.store.turns.begin(self.request(message_id, wait_ms=wait_ms, max_wait_ms=max_wait_ms))

    def draft(self, grant: Granted, *effects: Effect) -> Commit:
        """Return a commit that takes everything handed out and writes a state that tells its version."""
        return Commit(
            conversation=self.conversation,
            token=grant.token,
            fence=grant.fence,
            version=grant.version,
            generation=grant.generation,
            commit_id=f"{grant.token}:{grant.fence}",
            take=len(grant.messages),
            state=f"v{grant.version + 1}".encode(),
            status="open",
            effects=effects,
        )

    async def commit(self, request: Commit) -> CommitAnswer:
        """Commit, whatever the answer."""
        return await self.store.turns.commit(request)

    async def apply(self, request: Commit) -> Committed:
        """Commit and have it applied."""
        answer = await self.store.turns.commit(request)
        assert isinstance(answer, Committed), answer
        return answer

    async def turn(self, message_id: str, *effects: Effect) -> Committed:
        """Run one whole turn."""
        return await self.apply(self.draft(await self.take(message_id), *effects))

    async def renew(self, grant: Granted, memo: tuple[str, bytes] | None = None) -> Renewed:
        """Renew the lease of a grant."""
        renewal = Renewal(conversation=self.conversation, token=grant.token, lease_ms=LEASE_MS, memo=memo)
        (answer,) = await self.store.turns.renew([renewal])
        return answer

    async def release(self, grant: Granted, outcome: Outcome = Outcome.RETURNED, *, wait_ms: int = 0) -> bool:
        """Give the lease of a grant back."""
        request = Release(conversation=self.conversation, token=grant.token, outcome=outcome, wait_ms=wait_ms)
        return await self.store.turns.release(request)

    async def history(self, *, before: int | None = None, limit: int = 100) -> list[LogRecord]:
        """Return the log, newest first."""
        return list(await self.store.turns.history(self.conversation, before=before, limit=limit))

    def lane(self, name: str = "") -> Lane:
        """Return a lane of this conversation."""
        return Lane(conversation=self.conversation, name=name)

    async def claim(self, name: str = "", *, token: str = "sender", limit: int = 16) -> Claim | None:
        """Claim a lane, whatever the answer."""
        return await self.store.deliveries.claim(self.lane(name), token=token, lease=CLAIM_MS * MS, limit=limit)

    async def claimed(self, name: str = "", *, token: str = "sender", limit: int = 16) -> Claim:
        """Claim a lane and have it."""
        answer = await self.claim(name, token=token, limit=limit)
        assert answer is not None
        return answer

    def verdict(
        self, effect_id: str, verdict: Verdict, *, name: str = "", token: str = "sender", wait_ms: int = 0
    ) -> Settlement:
        """Return a settlement for an entry of this conversation."""
        return Settlement(
            lane=self.lane(name), token=token, id=effect_id, verdict=verdict, wait_ms=wait_ms, error="because"
        )

    async def settle(
        self, effect_id: str, verdict: Verdict, *, name: str = "", token: str = "sender", wait_ms: int = 0
    ) -> Settled:
        """Settle one entry."""
        settlement = self.verdict(effect_id, verdict, name=name, token=token, wait_ms=wait_ms)
        (answer,) = await self.store.deliveries.settle([settlement])
        return answer

    async def waiting(self) -> list[str]:
        """Return the ids in the inbox, in order."""
        exported = await self.store.catalog.export(self.conversation)
        return [] if exported is None else [waiting.id for waiting in exported.inbox]


def granted(answer: Begun) -> Granted:
    """Return the grant that an answer is."""
    assert isinstance(answer, Granted), answer
    return answer


def ids(claim: Claim) -> list[str]:
    """Return what was claimed, in order."""
    return [entry.id for entry in claim.entries]


def reply(effect_id: str, *, due_ms: int = 0) -> Effect:
    """Return a reply."""
    return Effect(id=effect_id, kind=EffectKind.REPLY, payload=effect_id.encode(), due_ms=due_ms)


def job(effect_id: str) -> Effect:
    """Return a job that may start at once."""
    return Effect(id=effect_id, kind=EffectKind.JOB, payload=effect_id.encode())


def forward(effect_id: str) -> Effect:
    """Return a message to another conversation."""
    return Effect(id=effect_id, kind=EffectKind.FORWARD, payload=effect_id.encode())


def timer(effect_id: str, *, name: str, due_ms: int) -> Effect:
    """Return a timer."""
    return Effect(id=effect_id, kind=EffectKind.TIMER, payload=effect_id.encode(), due_ms=due_ms, name=name)


async def while_time_passes(clock: ManualClock, waiting: Awaitable[T], *, step: timedelta = SECOND) -> T:
    """Return what somebody waits for, moving the clock a step whenever that somebody sleeps on it."""
    task = asyncio.ensure_future(waiting)
    while not task.done():
        asleep = asyncio.ensure_future(clock.until_somebody_sleeps())
        await asyncio.wait({task, asleep}, return_when=asyncio.FIRST_COMPLETED)
        asleep.cancel()
        if not task.done():
            clock.advance(step)
    return await task
