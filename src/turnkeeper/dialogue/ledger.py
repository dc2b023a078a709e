"""What one turn has changed so far: state, thread, effects, parts. All handlers of one turn write into one ledger.

Nothing in it exists outside before the turn is committed. Ids are `{effect_prefix}:{n}` and count replies, jobs,
timers, forwards and parts alike, so that a re-run which decides the same gives everything the same id.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from turnkeeper.codecs import Extras
from turnkeeper.dialogue.plan import FlowPlan
from turnkeeper.dialogue.thread import MAX_LIVE_JOBS, MAX_LIVE_TIMERS, LiveJob, LiveTimer, Thread
from turnkeeper.errors import HandlerError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.event import LoggedReply
from turnkeeper.model.message import Button, Forward, JobCall, Message, Reply, TimerCall
from turnkeeper.ports.limits import MAX_EFFECTS, MAX_PARTS, MAX_PAYLOAD_BYTES
from turnkeeper.ports.program import Tools, TurnInput
from turnkeeper.ports.turns import Effect, EffectKind, Part

S = TypeVar("S")

RESERVED_EFFECTS = 8
"""Of `MAX_EFFECTS` for the flow itself: reminder, policy's reply, repeated question, two timers, and some air."""

_encode = msgspec.json.Encoder().encode


class Ledger(Generic[S]):
    """The running account of one turn.

    Attributes:
        state, thread: This turn's own decoded copies.
        extras: What was stored beside the state and the code does not know.
        root: Version that jobs and timers are traced back to; see `LiveJob.root`.
        steps: Names of the steps that ran in this turn.
        undoable, undoes: For the log entry, see `LogEntry`.
        forget: The conversation is forgotten with this turn.
    """

    __slots__ = (
        "_count",
        "cancelled",
        "effects",
        "extras",
        "forget",
        "input",
        "is_new",
        "lost",
        "parts",
        "plan",
        "replies",
        "root",
        "screens",
        "started",
        "state",
        "steps",
        "thread",
        "tools",
        "undoable",
        "undoes",
    )

    def __init__(
        self,
        plan: FlowPlan[S],
        turn: TurnInput,
        tools: Tools,
        *,
        state: S,
        extras: Extras | None,
        thread: Thread,
        screens: frozenset[str],
        is_new: bool = False,
        lost: bool = False,
    ) -> None:
        self.plan = plan
        self.input = turn
        self.tools = tools
        self.state = state
        self.extras = extras
        self.thread = thread
        self.screens = screens
        self.is_new = is_new
        self.lost = lost
        self.root = 0
        self.replies: list[LoggedReply] = []
        self.effects: list[Effect] = []
        self.cancelled: list[str] = []
        self.started: list[str] = []
        self.parts: dict[str, tuple[bytes, Any]] = {}
        self.steps: set[str] = set()
        self.undoable = False
        self.undoes: int | None = None
        self.forget = False
        self._count = 0

    def next_id(self) -> str:
        """Return the id of the turn's next reply, effect or part."""
        effect_id = f"{self.input.effect_prefix}:{self._count}"
        self._count += 1
        return effect_id

    def check_room(self) -> None:
        """Refuse a handler's next effect if the flow could not add its own any more."""
        if len(self.replies) + len(self.started) >= MAX_EFFECTS - RESERVED_EFFECTS:
            raise HandlerError(
                f"a turn may have {MAX_EFFECTS - RESERVED_EFFECTS} replies, jobs and timers; "
                "do the rest in another turn, for example from a timer"
            )

    def reply(
        self,
        message: Message | None,
        text: str,
        buttons: tuple[Button, ...] = (),
        *,
        elsewhere: tuple[str, str] | None = None,
        key: str = "",
        edits: str = "",
    ) -> None:
        """Say something to the person, on the way that the message came, else on the one used last.

        Args:
            message: What is answered.
            text: What to say.
            buttons: Choices offered with it.
            elsewhere: A channel and an address in place of the person's way.
            key: See `Reply`.
            edits: See `Reply`.
        """
        route = self.thread.route
        channel, to = "", ""
        if elsewhere is not None:
            channel, to = elsewhere
        elif message is not None and message.channel:
            channel, to = message.channel, message.to
        elif route is not None:
            channel, to = route.channel, route.to
        to = to or self.input.conversation.person
        reply_id = self.next_id()
        self.replies.append(LoggedReply(id=reply_id, text=text, channel=channel, to=to, buttons=buttons))
        if channel and channel not in self.screens:
            answered = message.id if message is not None else ""
            reply = Reply(
                channel=channel, to=to, text=text, buttons=buttons, in_reply_to=answered, key=key, edits=edits
            )
            self._add(Effect(id=reply_id, kind=EffectKind.REPLY, payload=_encode(reply)), what="a reply")

    def start_job(self, call: JobCall) -> str:
        """Start a job; returns its id."""
        if len(self.thread.jobs) >= MAX_LIVE_JOBS:
            raise HandlerError(f"{call.name}: a conversation may have {MAX_LIVE_JOBS} jobs that have not ended")
        job_id = self.next_id()
        self._add(Effect(id=job_id, kind=EffectKind.JOB, payload=_encode(call)), what=f"the call of {call.name}")
        self.started.append(job_id)
        job = LiveJob(id=job_id, name=call.name, started_ms=self.input.now_ms, root=self.root)
        self.thread.jobs = (*self.thread.jobs, job)
        if any(policy.job == call.name for policy in self.plan.still_working):
            self.thread.started = {**self.thread.started, call.name: self.input.now_ms}
        return job_id

    def set_timer(self, call: TimerCall, *, name: str, due_ms: int) -> None:
        """Set a timer; one of the same name is replaced."""
        others = tuple(timer for timer in self.thread.timers if timer.name != name)
        if len(others) >= MAX_LIVE_TIMERS:
            raise HandlerError(f"{name}: a conversation may have {MAX_LIVE_TIMERS} timers that have not fired")
        self._withdraw([timer.id for timer in self.thread.timers if timer.name == name])
        timer_id = self.next_id()
        effect = Effect(id=timer_id, kind=EffectKind.TIMER, payload=_encode(call), due_ms=due_ms, name=name)
        self._add(effect, what=f"the value of timer {name}")
        self.started.append(timer_id)
        timer = LiveTimer(id=timer_id, name=name, timer=call.name, due_ms=due_ms, root=self.root)
        self.thread.timers = (*others, timer)

    def forward(self, conversation: ConversationId, message: Message) -> None:
        """Lead a message to another conversation of the same person."""
        payload = _encode(Forward(conversation=conversation, message=message))
        self._add(Effect(id=self.next_id(), kind=EffectKind.FORWARD, payload=payload), what="a forwarded message")

    def cancel_jobs(self, which: Callable[[LiveJob], bool]) -> int:
        """Cancel live jobs; what of them still comes back is dropped. Returns how many."""
        gone = [job for job in self.thread.jobs if which(job)]
        if gone:
            self.thread.jobs = tuple(job for job in self.thread.jobs if job not in gone)
            own = self._withdraw([job.id for job in gone])
            self.cancelled.extend(job.id for job in gone if job.id not in own)
        return len(gone)

    def cancel_timers(self, which: Callable[[LiveTimer], bool]) -> int:
        """Cancel timers that were set. Returns how many."""
        gone = [timer for timer in self.thread.timers if which(timer)]
        if gone:
            self.thread.timers = tuple(timer for timer in self.thread.timers if timer not in gone)
            self._withdraw([timer.id for timer in gone])
            # By name, because a timer that this turn set may have replaced one that the store still holds.
            self.cancelled.extend(timer.name for timer in gone)
        return len(gone)

    def _withdraw(self, ids: list[str]) -> set[str]:
        """Take effects of this very turn out again; returns the ids of those."""
        own = {effect.id for effect in self.effects if effect.id in ids} if ids else set()
        if own:
            self.effects = [effect for effect in self.effects if effect.id not in own]
            self.started = [effect_id for effect_id in self.started if effect_id not in own]
        return own

    def add_part(self, data: bytes, value: object) -> str:
        """Keep a value to be stored apart if the state refers to it in the end; returns its id."""
        if len(self.parts) >= MAX_PARTS:
            raise HandlerError(f"a turn may store {MAX_PARTS} large values apart; keep several in one")
        part_id = self.next_id()
        self.parts[part_id] = (data, value)
        return part_id

    def new_parts(self, refs: frozenset[str]) -> tuple[Part, ...]:
        """Return the parts of this turn that the state refers to."""
        return tuple(Part(id=part_id, data=data) for part_id, (data, _) in self.parts.items() if part_id in refs)

    def _add(self, effect: Effect, *, what: str) -> None:
        if len(effect.payload) > MAX_PAYLOAD_BYTES:
            raise HandlerError(
                f"{what} has {len(effect.payload)} bytes, allowed are {MAX_PAYLOAD_BYTES}; "
                "store the large part with turn.ref and pass what names it"
            )
        self.effects.append(effect)
