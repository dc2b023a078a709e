"""The rules by which the model test lives: everything that a provider, a worker or an operator may do, in any order."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.model.ports import LOST_ANSWER_MS, PEOPLE, SEND_LEASE, Pair, Side, begin_of, commit_of
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.deliveries import Claim, Verdict
from turnkeeper.ports.limits import DEDUP_WINDOW
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Commit, Committed, Granted, Mode, Outcome
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing.clock import ManualClock
from turnkeeper.testing.history import Asked, check

PAUSES_MS = (1, 400, 2_000, 16_000, 31_000, 3_700_000, 90_000_000, 180_000_000)
"""Within a lease, past it, past a claim, past a state's time, past the dedup window."""

DRAIN_STEPS = 500
"""Rounds in which everything must have come to rest."""

MakeStores = Callable[[ManualClock], list[Store]]

number = st.integers(min_value=0, max_value=1_000)
person = st.sampled_from(PEOPLE)


class PortsMachine(RuleBasedStateMachine):
    """One example: some stores that begin empty, and what a worker remembers. Subclasses bring the stores."""

    make_stores: MakeStores

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.stores = type(self).make_stores(self.clock)
        self.pair = Pair(self.stores, self.clock, self.loop)
        self.grants: list[tuple[ConversationId, list[Granted]]] = []
        self.commits: list[tuple[int, list[Commit]]] = []
        self.claims: list[list[Claim]] = []
        self.torn: set[ConversationId] = set()
        self.count = 0

    def _name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def _begin(self, who: ConversationId, *, message: str | None, mode: Mode = Mode.QUEUE, run: bool = True) -> None:
        request = begin_of(who, token=self._name("w"), message=message, mode=mode, run=run)
        answers = self.pair.ask(lambda _, side: side.begin(request))
        if isinstance(answers[0], Granted):
            self.grants.append((who, answers))

    @rule(who=person, mode=st.sampled_from((Mode.QUEUE, Mode.QUEUE, Mode.REJECT, Mode.INTERRUPT)), run=st.booleans())
    def send(self, who: ConversationId, mode: Mode, *, run: bool) -> None:
        """A person says something new."""
        self._begin(who, message=self._name("m"), mode=mode, run=run)

    @rule(who=person, which=number)
    def duplicate(self, who: ConversationId, which: int) -> None:
        """A provider repeats one of the newest messages."""
        asked = [event for event in self.pair.sides[0].history if isinstance(event, Asked)]
        first = {event.message: event.started_ms for event in reversed(asked) if event.conversation == who.key}
        oldest_ms = self.clock.now_ms() - DEDUP_WINDOW // timedelta(milliseconds=1)
        known = [message for message, at_ms in first.items() if at_ms > oldest_ms][:6]
        if known:
            self._begin(who, message=known[which % len(known)])

    @rule(who=person)
    def begin(self, who: ConversationId) -> None:
        """A worker takes over what waits."""
        self._begin(who, message=None)

    @precondition(lambda self: self.grants)
    @rule(which=number)
    def renew(self, which: int) -> None:
        """A worker's heart beats, also for a lease that is long lost."""
        who, granted = self.grants[which % len(self.grants)]
        self.pair.ask(lambda at, side: side.renew(who, granted[at].token))

    def _commit(self, index: int, **options: Any) -> None:
        who, granted = self.grants.pop(index)
        name = self._name("c")
        requests = [commit_of(who, one, name=name, **options) for one in granted]
        answers = self.pair.ask(lambda at, side: side.commit(requests[at]))
        if isinstance(answers[0], Committed):
            self.commits.append((self.clock.now_ms(), requests))
            if answers[0].next is not None:
                self.grants.append((who, [answer.next for answer in answers]))

    @precondition(lambda self: self.grants)
    @rule(
        which=number,
        take=st.integers(1, 2),
        jobs=st.integers(0, 2),
        dead=st.sampled_from((False, False, False, True)),
        next_=st.booleans(),
    )
    def commit(self, which: int, take: int, jobs: int, *, dead: bool, next_: bool) -> None:
        """A worker commits, whether it still may or not."""
        self._commit(
            which % len(self.grants), take=1 if dead else take, jobs=jobs, dead=dead, next_=next_, truncate=False
        )

    @precondition(lambda self: self.grants)
    @rule(which=number)
    def undo(self, which: int) -> None:
        """A turn takes back what the turn before it did."""
        index = which % len(self.grants)
        self.torn.add(self.grants[index][0])
        self._commit(index, take=1, jobs=0, dead=False, next_=True, truncate=True)

    @precondition(lambda self: self.commits)
    @rule(which=number)
    def commit_again(self, which: int) -> None:
        """A worker whose answer was lost asks again; whatever comes with the answer it has already."""
        newest = [request for at, request in self.commits[-3:] if at + LOST_ANSWER_MS > self.clock.now_ms()]
        if newest:
            requests = newest[which % len(newest)]
            self.pair.ask(lambda at, side: _repeat(side, requests[at]))

    @precondition(lambda self: self.grants)
    @rule(which=number, outcome=st.sampled_from(Outcome), wait_ms=st.sampled_from((0, 1_000, 10_000)))
    def release(self, which: int, outcome: Outcome, wait_ms: int) -> None:
        """A handler failed, or a deploy gives the turn back."""
        who, granted = self.grants.pop(which % len(self.grants))
        self.pair.ask(lambda at, side: side.release(who, granted[at].token, outcome, wait_ms))

    @precondition(lambda self: self.grants)
    @rule(which=number)
    def crash(self, which: int) -> None:
        """A worker is gone with what it held."""
        self.grants.pop(which % len(self.grants))

    @rule(which=number, limit=st.integers(1, 3))
    def sweep(self, which: int, limit: int) -> None:
        """A worker looks at what is due, and takes one thing."""
        lanes, takes = self._due()
        if lanes and (which % 2 or not takes):
            lane, token = lanes[which % len(lanes)], self._name("s")
            claims = self.pair.ask(
                lambda _, side: side.store.deliveries.claim(lane, token=token, lease=SEND_LEASE, limit=limit)
            )
            if claims[0] is not None:
                self.claims.append(claims)
        elif takes:
            self._begin(takes[which % len(takes)], message=None)

    def _due(self) -> tuple[list[Any], list[ConversationId]]:
        async def due(_: int, side: Side) -> object:
            found = await side.store.deliveries.due(limit=256)
            lanes = [item.lane for item in found.items if item.lane is not None]
            takes = [item.conversation for item in found.items if item.lane is None]
            by_name = sorted(lanes, key=lambda lane: (lane.conversation.key, lane.name))
            return by_name, sorted(takes, key=lambda who: who.key), found.next_ms

        lanes, takes, _ = self.pair.ask(due)[0]
        return lanes, takes

    @precondition(lambda self: self.claims)
    @rule(
        which=number,
        verdict=st.sampled_from((Verdict.DONE, Verdict.DONE, *Verdict)),
        wait_ms=st.sampled_from((0, 1_000, 20_000)),
    )
    def settle(self, which: int, verdict: Verdict, wait_ms: int) -> None:
        """A sender has sent, or not, and says so; or its claim was over and it did nothing."""
        index = which % len(self.claims)
        claims = self.claims[index]
        answers = self._settle(claims, verdict, wait_ms)
        goes_on = verdict in {Verdict.DONE, Verdict.DEAD} and answers[0] is not None and answers[0].held
        if verdict is Verdict.EXTEND:
            goes_on = False  # its time is another one now; whoever holds it may let it run out
        rest = [_without_first(claim) for claim in claims]
        if goes_on and rest[0].entries:
            self.claims[index] = rest
        else:
            del self.claims[index]

    def _settle(self, claims: list[Claim], verdict: Verdict, wait_ms: int = 0) -> list[Any]:
        return self.pair.ask(lambda at, side: side.settle(claims[at], verdict, wait_ms))

    @precondition(lambda self: self.claims)
    @rule(which=number)
    def crash_after_send(self, which: int) -> None:
        """A sender dies between the provider's yes and its own verdict."""
        claims = self.claims.pop(which % len(self.claims))
        if claims[0].entries[0].kind.value == "reply" and claims[0].until_ms > self.clock.now_ms():
            for side, claim in zip(self.pair.sides, claims, strict=True):
                side.send(claim)

    @rule(pause_ms=st.sampled_from(PAUSES_MS))
    def advance(self, pause_ms: int) -> None:
        """Time passes."""
        self.clock.advance(timedelta(milliseconds=pause_ms))

    @precondition(lambda self: all(isinstance(store, MemoryStore) for store in self.stores))
    @rule(who=person)
    def evict(self, who: ConversationId) -> None:
        """The medium drops a state."""
        self.torn.add(who)
        for store in self.stores:
            assert isinstance(store, MemoryStore)
            store.evict(who)

    @rule(who=person, sure=st.integers(0, 3))
    def forget(self, who: ConversationId, sure: int) -> None:
        """An operator erases a conversation, not too often."""
        if sure:
            return

        async def forget(_: int, side: Side) -> None:
            await side.store.turns.forget(who)
            side.drop(who)

        self.pair.ask(forget)
        self.grants = [held for held in self.grants if held[0] != who]
        self.claims = [claims for claims in self.claims if claims[0].lane.conversation != who]
        self.commits = [(at, requests) for at, requests in self.commits if requests[0].conversation != who]
        self.torn.discard(who)

    def teardown(self) -> None:
        """Let everything come to rest, and judge what happened on every side."""
        try:
            self._drain()
            for side in self.pair.sides:
                events = self.loop.run_until_complete(side.tell(self.torn))
                verdict = check(events)
                assert verdict.is_clean, [str(violation) for violation in verdict.violations]
        finally:
            for store in self.stores:
                self.loop.run_until_complete(store.close())
            self.loop.close()

    def _drain(self) -> None:
        self.grants.clear()
        self.claims.clear()
        for _ in range(DRAIN_STEPS):
            lanes, takes = self._due()
            if not lanes and not takes:
                due = self.loop.run_until_complete(self.stores[0].deliveries.due())
                if due.next_ms is None:
                    return
                self.clock.advance(timedelta(milliseconds=max(1, due.next_ms - self.clock.now_ms())))
                continue
            for who in takes:
                self._begin(who, message=None)
            while self.grants:
                self._commit(0, take=2, jobs=0, dead=False, next_=True, truncate=False)
            for lane in lanes:
                self._deliver(lane)
        raise AssertionError(f"it did not come to rest in {DRAIN_STEPS} rounds")

    def _deliver(self, lane: Any) -> None:
        token = self._name("s")
        claims = self.pair.ask(lambda _, side: side.store.deliveries.claim(lane, token=token, lease=SEND_LEASE))
        while claims[0] is not None and claims[0].entries:
            self._settle(claims, Verdict.DONE)
            claims = [_without_first(claim) for claim in claims]


def _without_first(claim: Claim) -> Claim:
    return Claim(
        lane=claim.lane, token=claim.token, entries=claim.entries[1:], until_ms=claim.until_ms, now_ms=claim.now_ms
    )


async def _repeat(side: Side, request: Commit) -> object:
    """Repeat a commit; the version in the answer is of now, which may be later."""
    answer = await side.commit(request)
    if isinstance(answer, Committed):
        return type(answer)(version=0, claimed=answer.claimed, next=answer.next, repeated=answer.repeated)
    return answer
