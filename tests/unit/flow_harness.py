"""Plays the engine's and the store's part for one flow, in memory, with a clock that is moved by hand.

It keeps the promises of the ports and checks the program's: ids are unique, limits hold, a part that is adopted is
there, and after every commit the log rebuilds the very bytes that were committed.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from turnkeeper.dialogue.eventlog import rebuild
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.running import FlowProgram
from turnkeeper.dialogue.thread import Thread
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.event import LogEntry
from turnkeeper.model.message import Forward, JobCall, JobFailed, Kind, Message, Reply, TimerCall
from turnkeeper.ports.limits import MAX_EFFECTS, MAX_PARTS, PART_GRACE
from turnkeeper.ports.program import Draft, JobInput, TurnInput
from turnkeeper.ports.turns import Effect, EffectKind, LogRecord

ONE_MS = timedelta(milliseconds=1)
START_MS = 1_790_000_000_000
"""A day in September 2026."""


class Talk:
    """One conversation as a store keeps it."""

    def __init__(self, world: "World", conversation: ConversationId) -> None:
        self.world = world
        self.id = conversation
        self.state: bytes | None = None
        self.version = 0
        self.generation = 1
        self.status = ""
        self.created_ms = world.now_ms
        self.active_ms: int | None = None
        self.records: list[LogRecord] = []
        self.seq = 0
        self.inbox_seq = 0
        self.pending: dict[str, Effect] = {}
        self.parts: dict[str, bytes] = {}
        self.retired: dict[str, int] = {}
        self.memos: dict[str, bytes] = {}
        self.loads = 0
        self.history_calls = 0
        self.lost = False
        self.drafts: list[Draft] = []

    # --- Tools -------------------------------------------------------------------------------------------------------

    async def part(self, part_id: str, /) -> bytes | None:
        """See `Tools.part`."""
        self.loads += 1
        if part_id in self.retired and self.world.now_ms - self.retired[part_id] > PART_GRACE // ONE_MS:
            return None
        return self.parts.get(part_id)

    async def remember(self, step: str, data: bytes, /) -> None:
        """See `Tools.remember`."""
        self.memos[step] = data

    async def history(self, *, before: int | None = None, limit: int = 100) -> Sequence[LogRecord]:
        """See `Tools.history`."""
        self.history_calls += 1
        older = [record for record in self.records if before is None or record.seq < before]
        return older[::-1][:limit]

    # --- Turns -------------------------------------------------------------------------------------------------------

    async def turn(self, *messages: Message, superseded: int = 0, commit: bool = True, attempt: int = 1) -> list[str]:
        """Run one turn and commit it; returns the replies."""
        draft = await self.world.program.run(self.input(messages, superseded=superseded, attempt=attempt), self)
        if not commit:
            return list(draft.replies)
        await self.apply(draft)
        return list(draft.replies)

    def input(self, messages: Sequence[Message], *, superseded: int = 0, attempt: int = 1) -> TurnInput:
        """Return what the engine would hand to the program."""
        return TurnInput(
            conversation=self.id,
            messages=tuple(messages),
            superseded=superseded,
            effect_prefix=f"{self.id.key}:{self.generation}:{self.inbox_seq + 1}",
            commit_id=f"commit-{self.seq}",
            fence=self.seq + 1,
            version=self.version,
            generation=self.generation,
            state=None if self.lost else self.state,
            now_ms=self.world.now_ms,
            created_ms=self.created_ms,
            active_ms=self.active_ms,
            attempt=attempt,
            lost=self.lost,
            opted_out=self.world.opted_out,
            memos=dict(self.memos),
        )

    async def apply(self, draft: Draft) -> None:
        """Commit a draft."""
        self._check(draft)
        self.drafts.append(draft)
        self.inbox_seq += 1
        self.memos.clear()
        self.status = draft.status
        if draft.active:
            self.active_ms = self.world.now_ms
        if draft.opt_out is not None:
            self.world.opted_out = draft.opt_out
        self._withdraw(draft)
        self._keep_parts(draft)
        if draft.state is not None:
            self.state, self.lost = draft.state, False
            self.version += 1
        self._log(draft)
        if draft.state is not None:
            assert rebuild(self.records, self.version, generation=self.generation) == draft.state
        if draft.forget:
            self.state, self.version, self.generation = None, 0, self.generation + 1
            self.active_ms, self.created_ms = None, self.world.now_ms
        for effect in draft.effects:
            await self._take(effect)

    def _check(self, draft: Draft) -> None:
        assert len(draft.effects) <= MAX_EFFECTS
        assert len(draft.parts) <= MAX_PARTS
        ids = [effect.id for effect in draft.effects] + [part.id for part in draft.parts]
        assert len(set(ids)) == len(ids)
        assert not any(effect_id in self.pending for effect_id in ids)
        assert all(part_id in self.parts for part_id in draft.adopted)
        assert len({effect.name for effect in draft.effects if effect.kind is EffectKind.TIMER}) == sum(
            effect.kind is EffectKind.TIMER for effect in draft.effects
        )

    def _keep_parts(self, draft: Draft) -> None:
        for part in draft.parts:
            self.parts[part.id] = part.data
        for part_id in draft.adopted:
            self.retired.pop(part_id, None)
        for part_id in draft.retired:
            self.retired[part_id] = self.world.now_ms

    def _log(self, draft: Draft) -> None:
        assert draft.log is not None
        self.seq += 1
        record = LogRecord(
            seq=self.seq, version=self.version, generation=self.generation, at_ms=self.world.now_ms, data=draft.log
        )
        oldest_ms = self.world.now_ms - draft.log_keep_ms
        self.records = [old for old in [*self.records, record] if old.at_ms >= oldest_ms][-draft.log_keep :]

    def _withdraw(self, draft: Draft) -> None:
        for name in draft.cancel:
            self._cancel(name)
        if draft.cancel_all:
            for talk in self.world.talks.values():
                talk.pending.clear()

    def _cancel(self, name: str) -> None:
        for effect in list(self.pending.values()):
            if name in (effect.id, effect.name):
                del self.pending[effect.id]

    async def _take(self, effect: Effect) -> None:
        if effect.kind is EffectKind.REPLY:
            self.world.sent.append(msgspec.json.decode(effect.payload, type=Reply))
        elif effect.kind is EffectKind.FORWARD:
            self.world.forwarded.append(msgspec.json.decode(effect.payload, type=Forward))
        else:
            if effect.kind is EffectKind.TIMER:
                self._cancel(effect.name)
            self.pending[effect.id] = effect

    # --- What is there -----------------------------------------------------------------------------------------------

    @property
    def decoded(self) -> Any:
        """The decoded state with its envelope."""
        assert self.state is not None
        return self.world.program.plan.codec.decode(self.state)

    @property
    def model(self) -> Any:
        """The typed state."""
        return self.decoded.state

    @property
    def thread(self) -> Thread:
        """The dialogue's own facts."""
        return msgspec.json.decode(self.decoded.envelope.engine, type=Thread)

    @property
    def entries(self) -> list[LogEntry]:
        """The kept log entries, oldest first."""
        return [msgspec.json.decode(record.data, type=LogEntry) for record in self.records]

    @property
    def last(self) -> LogEntry:
        """The newest log entry."""
        return self.entries[-1]

    def jobs(self, name: str = "") -> list[Effect]:
        """Return the jobs that wait or run."""
        jobs = [effect for effect in self.pending.values() if effect.kind is EffectKind.JOB]
        return [job for job in jobs if not name or msgspec.json.decode(job.payload, type=JobCall).name == name]

    def timers(self) -> dict[str, Effect]:
        """Return the timers that wait, by name."""
        return {effect.name: effect for effect in self.pending.values() if effect.kind is EffectKind.TIMER}


class World:
    """A flow with its conversations, one person and a clock."""

    def __init__(self, flow: Flow[Any], *, person: str = "+15551234567", screens: Sequence[str] = ()) -> None:
        self.now_ms = START_MS
        self.program: FlowProgram[Any] = FlowProgram(flow.check(), screens=frozenset(screens))
        self.person = person
        self.opted_out = False
        self.talks: dict[str, Talk] = {}
        self.sent: list[Reply] = []
        self.forwarded: list[Forward] = []
        self.count = 0
        self.talk = self.find(self.program.plan.conversation(person))

    def find(self, conversation: ConversationId) -> Talk:
        """Return a conversation, new or known."""
        return self.talks.setdefault(conversation.key, Talk(self, conversation))

    def pass_time(self, time: timedelta) -> None:
        """Move the clock."""
        self.now_ms += time // ONE_MS

    def message(self, text: str, kind: Kind = Kind.TEXT, **fields: Any) -> Message:
        """Return a message with a fresh id, as a channel would parse it."""
        self.count += 1
        fields.setdefault("channel", "sms" if kind in {Kind.TEXT, Kind.ACTION} else "")
        return Message(id=f"m{self.count}", kind=kind, text=text, received_ms=self.now_ms, **fields)

    async def says(self, text: str, **fields: Any) -> list[str]:
        """Have the person say something; returns the replies, those of a member's conversation included."""
        kind = self.program.plan.classify_kind(text)
        return await self._bring(self.message(text, kind, channel=fields.pop("channel", "sms"), **fields))

    async def presses(self, name: str, data: object = None) -> list[str]:
        """Have the person press a button."""
        raw = msgspec.Raw(msgspec.json.encode(data))
        return await self._bring(self.message(name, Kind.ACTION, data=raw))

    async def admin(self, name: str) -> list[str]:
        """Bring an operator's wish."""
        return await self.talk.turn(self.message(name, Kind.ADMIN))

    async def _bring(self, message: Message) -> list[str]:
        replies = await self.talk.turn(message)
        while self.forwarded:
            forward = self.forwarded.pop(0)
            replies += await self.find(forward.conversation).turn(forward.message)
        return replies

    async def ends(self, job: Effect, value: object = None, *, talk: Talk | None = None) -> list[str]:
        """Have a job end with a value."""
        talk = talk or self.talk
        talk.pending.pop(job.id, None)
        name = msgspec.json.decode(job.payload, type=JobCall).name
        raw = msgspec.Raw(msgspec.json.encode(value))
        return await talk.turn(self.message(name, Kind.RESULT, data=raw, source=job.id))

    async def works(self, job: Effect, *, attempt: int = 1) -> list[str]:
        """Run a job's function and bring its result."""
        call = msgspec.json.decode(job.payload, type=JobCall)
        work = JobInput(
            id=job.id, conversation=self.talk.id, call=call, attempt=attempt, maybe_ran=False, started_ms=self.now_ms
        )
        raw = msgspec.Raw(await self.program.work(work))
        self.talk.pending.pop(job.id, None)
        return await self.talk.turn(self.message(call.name, Kind.RESULT, data=raw, source=job.id))

    async def fails(self, job: Effect, reason: str = "no") -> list[str]:
        """Have a job give up."""
        self.talk.pending.pop(job.id, None)
        name = msgspec.json.decode(job.payload, type=JobCall).name
        failed = JobFailed(job=name, kind="error", reason=reason, attempts=3)
        raw = msgspec.Raw(self.program.failure(failed))
        return await self.talk.turn(self.message(name, Kind.FAILURE, data=raw, source=job.id))

    async def fires_timers(self) -> list[str]:
        """Bring every timer that is due by now, in order."""
        replies: list[str] = []
        while True:
            due = [timer for timer in self.talk.timers().values() if timer.due_ms <= self.now_ms]
            if not due:
                return replies
            timer = min(due, key=lambda effect: effect.due_ms)
            del self.talk.pending[timer.id]
            call = msgspec.json.decode(timer.payload, type=TimerCall)
            replies += await self.talk.turn(self.message(call.name, Kind.TIMER, data=call.data, source=timer.id))
