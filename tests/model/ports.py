"""A worker and a provider in one, on the bare ports: every step goes to each store, and what happens is written down.

The first store is the model: all others must answer as it does. The history of each is judged at the end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.deliveries import Claim, Settlement, Verdict
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import (
    Begin,
    Begun,
    Busy,
    Commit,
    Committed,
    Conflict,
    Duplicate,
    Effect,
    EffectKind,
    Full,
    Granted,
    Incoming,
    Mode,
    Outcome,
    Queued,
    Release,
    Renewal,
)
from turnkeeper.testing.clock import ManualClock
from turnkeeper.testing.conformance.differential import normalised
from turnkeeper.testing.history import (
    Answer,
    AnyEvent,
    Asked,
    Dead,
    Ending,
    Got,
    Grant,
    Handback,
    Prolonged,
    Reported,
    Setup,
    Sight,
    Turn,
)

PEOPLE = (ConversationId(flow="shop", person="ana"), ConversationId(flow="shop", person="ben"))

LEASE_MS = 15_000
SEND_LEASE = timedelta(seconds=30)
RETAIN_MS = 3_600_000
YEARS_MS = 10 * 365 * 86_400_000

LOST_ANSWER_MS = 3_000_000
"""How long after a commit it may be repeated: less than a state is kept."""

_encode = msgspec.json.Encoder().encode
_decode_ids = msgspec.json.Decoder(list[str]).decode
_ENDINGS: dict[type[object], Ending] = {Committed: Ending.COMMITTED, Conflict: Ending.CONFLICT}


class LogEntry(msgspec.Struct, kw_only=True):
    """What a commit writes into the log."""

    commit: str
    fence: int
    messages: tuple[str, ...]
    positions: tuple[int, ...]
    replies: tuple[tuple[str, str], ...]
    promises: tuple[str, ...]
    answer: tuple[str, ...]
    buried: bool
    unchanged: bool


class Side:
    """One store, what a worker there holds, and the history of it."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        """Take an empty store."""
        self.store = store
        self.clock = clock
        self.history: list[AnyEvent] = []
        self.fences: dict[str, int] = {}

    def note(self, event: AnyEvent) -> None:
        """Write something down."""
        self.history.append(event)

    def granted(self, who: ConversationId, granted: Granted) -> None:
        """Note a grant."""
        self.fences[granted.token] = granted.fence
        self.note(
            Grant(
                conversation=who.key,
                fence=granted.fence,
                owner=granted.token,
                granted_ms=granted.now_ms,
                until_ms=granted.lease_until_ms,
                interrupted=granted.interrupted,
            )
        )

    async def begin(self, request: Begin) -> Begun:
        """Bring a message or take over, as provider and worker."""
        answer = await self.store.turns.begin(request)
        if isinstance(answer, Granted):
            self.granted(request.conversation, answer)
        if request.message is not None:
            replies = None
            said = Answer.REFUSED if isinstance(answer, Full | Busy) else Answer.ACCEPTED
            if isinstance(answer, Duplicate) and answer.done:
                said, replies = Answer.DONE, tuple(_decode_ids(answer.reply)) if answer.reply else ()
            now = self.clock.now_ms()
            self.note(
                Asked(
                    conversation=request.conversation.key,
                    message=request.message.id,
                    started_ms=now,
                    ended_ms=now,
                    answer=said,
                    replies=replies,
                )
            )
        if isinstance(answer, Queued):  # a time that is over says nothing
            return msgspec.structs.replace(answer, ready_ms=max(answer.ready_ms, self.clock.now_ms()))
        return answer

    async def commit(self, request: Commit) -> object:
        """Commit, and note what was heard."""
        key = request.conversation.key
        self.note(Handback(conversation=key, fence=request.fence, at_ms=self.clock.now_ms()))
        answer = await self.store.turns.commit(request)
        if isinstance(answer, Committed) and answer.next is not None:
            self.granted(request.conversation, answer.next)
        is_plain = isinstance(answer, Committed) and not answer.repeated and request.state is not None
        self.note(
            Reported(
                conversation=key,
                commit=request.commit_id,
                ending=_ENDINGS.get(type(answer), Ending.FENCED),
                answered_ms=self.clock.now_ms(),
                version=answer.version if is_plain and isinstance(answer, Committed) else None,
            )
        )
        return answer

    async def renew(self, who: ConversationId, token: str) -> object:
        """Renew, and note what is held."""
        (answer,) = await self.store.turns.renew([Renewal(conversation=who, token=token, lease_ms=LEASE_MS)])
        if answer.held and token in self.fences:
            until_ms = self.clock.now_ms() + LEASE_MS
            self.note(Prolonged(conversation=who.key, fence=self.fences[token], until_ms=until_ms))
        return answer

    async def release(self, who: ConversationId, token: str, outcome: Outcome, wait_ms: int) -> object:
        """Give back."""
        if token in self.fences:
            self.note(Handback(conversation=who.key, fence=self.fences[token], at_ms=self.clock.now_ms()))
        return await self.store.turns.release(Release(conversation=who, token=token, outcome=outcome, wait_ms=wait_ms))

    def send(self, claim: Claim) -> None:
        """Let the provider have the first reply of a claim."""
        entry = claim.entries[0]
        self.note(
            Got(
                conversation=claim.lane.conversation.key,
                effect=entry.id,
                text=entry.payload.decode(),
                at_ms=self.clock.now_ms(),
                maybe_sent=entry.maybe_sent,
            )
        )

    async def settle(self, claim: Claim, verdict: Verdict, wait_ms: int) -> object:
        """Do what the first entry of a claim asks for, while the claim lasts, and settle it."""
        entry, who = claim.entries[0], claim.lane.conversation
        has_happened = verdict in {Verdict.DONE, Verdict.UNCERTAIN}
        if has_happened and claim.until_ms > self.clock.now_ms():
            if entry.kind is EffectKind.REPLY:
                self.send(claim)
            else:
                message = Incoming(id=f"result:{entry.id}", payload=b"result")
                begin = Begin(conversation=who, token=f"job {entry.id}", lease_ms=LEASE_MS, message=message, run=False)
                await self.store.turns.begin(begin)
        elif verdict is Verdict.DONE:
            return None
        settlement = Settlement(
            lane=claim.lane, token=claim.token, id=entry.id, verdict=verdict, wait_ms=wait_ms, error="because"
        )
        (answer,) = await self.store.deliveries.settle([settlement])
        return answer

    def drop(self, who: ConversationId) -> None:
        """Cut out of the history what was erased from the store."""
        self.history = [event for event in self.history if getattr(event, "conversation", "") != who.key]

    async def tell(self, torn: set[ConversationId]) -> list[AnyEvent]:
        """Return the whole history: what happened, how it ended, what the logs say."""
        events: list[AnyEvent] = [Setup(lease_ms=LEASE_MS, send_lease_ms=30_000, retains=True), *self.history]
        due = await self.store.deliveries.due(limit=256)
        for who in PEOPLE:
            exported = await self.store.catalog.export(who)
            if exported is not None and (exported.state is not None or exported.inbox):
                is_torn = who in torn or exported.state is None
                events.append(
                    Sight(
                        conversation=who.key,
                        at_ms=self.clock.now_ms(),
                        version=exported.version,
                        waiting=tuple(waiting.id for waiting in exported.inbox),
                        unsent=tuple(delivery.id for delivery in exported.deliveries),
                        applied=None if is_torn else tuple(_decode_ids(exported.state or b"[]")),
                        expires_ms=exported.expires_ms,
                        is_indexed=any(item.conversation == who for item in due.items),
                        is_last=True,
                    )
                )
            before: int | None = None
            while records := await self.store.turns.history(who, before=before):
                before = records[-1].seq
                for record in records:
                    entry = msgspec.json.decode(record.data, type=LogEntry)
                    events.append(
                        Turn(
                            conversation=who.key,
                            seq=record.seq,
                            version=record.version,
                            generation=record.generation,
                            at_ms=record.at_ms,
                            **msgspec.structs.asdict(entry),
                        )
                    )
        for letter in (await self.store.deliveries.dead(limit=256)).items:
            events.append(Dead(conversation=letter.conversation.key, source=letter.source_id))  # noqa: PERF401
        return events


class Pair:
    """The sides, asked together. They run on one event loop, which runs only while they are asked."""

    def __init__(self, stores: Sequence[Store], clock: ManualClock, loop: asyncio.AbstractEventLoop) -> None:
        """Take empty stores on one clock."""
        self.sides = [Side(store, clock) for store in stores]
        self._loop = loop

    def ask(self, question: Callable[[int, Side], Awaitable[Any]]) -> list[Any]:
        """Ask every side the same; their answers must be the same."""

        async def ask_all() -> list[Any]:
            return [await question(number, side) for number, side in enumerate(self.sides)]

        answers = self._loop.run_until_complete(ask_all())
        model = normalised(answers[0])
        for side, answer in zip(self.sides[1:], answers[1:], strict=True):
            assert normalised(answer) == model, f"{type(side.store).__name__}: {answer}\nthe model: {answers[0]}"
        return answers


def commit_of(
    who: ConversationId, granted: Granted, *, name: str, take: int, jobs: int, dead: bool, next_: bool, truncate: bool
) -> Commit:
    """Return a commit of this worker; `truncate` is an undo, which drops what was applied last."""
    taken = granted.messages[:take]
    ids = tuple(waiting.id for waiting in taken)
    before = _decode_ids(granted.state) if granted.state else []
    prefix = f"{who.key}/{name}"
    text = f"echo {' '.join(ids)}"
    reply = Effect(id=f"{prefix}:0", kind=EffectKind.REPLY, payload=text.encode())
    more = [Effect(id=f"{prefix}:{number}", kind=EffectKind.JOB, payload=b"job") for number in range(1, jobs + 1)]
    entry = LogEntry(
        commit=name,
        fence=granted.fence,
        messages=ids,
        positions=tuple(waiting.seq for waiting in taken),
        replies=((reply.id, text),),
        promises=tuple(f"result:{effect.id}" for effect in more),
        answer=() if dead else (text,),
        buried=dead,
        unchanged=dead,
    )
    return Commit(
        conversation=who,
        token=granted.token,
        fence=granted.fence,
        version=granted.version,
        generation=granted.generation,
        commit_id=name,
        take=len(taken),
        state=None if dead else _encode([*(before[:-1] if truncate else before), *ids]),
        status="open",
        retain_ms=RETAIN_MS,
        log=_encode(entry),
        log_keep=100_000,
        log_keep_ms=YEARS_MS,
        effects=(reply, *more),
        reply=None if dead else _encode([text]),
        lane_token="sender" if jobs else "",
        lane_ms=SEND_LEASE // timedelta(milliseconds=1),
        dead="poison" if dead else None,
        next=next_,
        hand_out=2,
        lease_ms=LEASE_MS,
    )


def begin_of(who: ConversationId, *, token: str, message: str | None, mode: Mode, run: bool) -> Begin:
    """Return a begin of this worker."""
    incoming = None if message is None else Incoming(id=message, payload=message.encode())
    return Begin(conversation=who, token=token, lease_ms=LEASE_MS, message=incoming, mode=mode, hand_out=2, run=run)
