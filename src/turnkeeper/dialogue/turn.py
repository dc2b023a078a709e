"""`Turn`: what a handler works with. `Job`: the same for a job.

Everything that a handler does to its turn happens when the turn is committed, or not at all if the handler raises. A
handler may run again for the same message (a crash, a lost lease): what must not be paid for twice goes into `step`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

import msgspec

from turnkeeper.codecs.json import decode_value, encode_value
from turnkeeper.dialogue.declaring.declared import Handler
from turnkeeper.dialogue.declaring.jobcalls import pack_call
from turnkeeper.dialogue.ledger import Ledger
from turnkeeper.dialogue.steps import run_step
from turnkeeper.dialogue.thread import OWN_PREFIX, LiveJob, Passed, Question, moment
from turnkeeper.dialogue.understanding.intents import QuestionKind
from turnkeeper.errors import HandlerError, InvalidStateError, PartGoneError
from turnkeeper.model.message import Button, Message, TimerCall
from turnkeeper.model.ref import Ref

if TYPE_CHECKING:
    from turnkeeper.dialogue.declaring.jobtype import JobType

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

MAX_REPLY_CHARACTERS = 10_000
"""One reply: six times the longest SMS, more than twice a Telegram message; channels split further."""

MAX_BUTTONS = 100
"""Buttons of one reply: what Telegram takes."""

MAX_OPTIONS = 50
"""Options of one question, because nobody reads more."""

MAX_COUNTERS = 64
"""The application's own counters of one conversation; they stand in every log entry."""


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that was taken back: what was said, how it was understood, and when that was."""

    message: str
    intent: str
    at: datetime
    version: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a running job knows of itself.

    Attributes:
        id: The same for every attempt: an idempotency key for the outside world.
        name: As declared.
        peer: The person's address.
        member: Who of several people on that address, or empty.
        attempt: Counts from 1.
        maybe_ran: An earlier attempt may have done its work without being able to say so.
        started: When this attempt began, UTC, on the store's clock.
    """

    id: str
    name: str
    peer: str
    member: str = ""
    attempt: int = 1
    maybe_ran: bool = False
    started: datetime


class Understanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a message was understood: what `Turn.intent`, `confidence`, `slots`, `question` and `text` show."""

    intent: str = ""
    confidence: float = 1.0
    slots: Mapping[str, Any] = {}
    question: Question | None = None
    text: str = ""


Undo = Callable[[], Awaitable[Undone | None]]
"""Takes the newest modification back, in the ledger of this turn."""


class Turn(Generic[S]):
    """One turn of a conversation, as its handler sees it.

    A turn is over when its handler returns; using it afterwards (from a task that was left behind, say) raises
    `HandlerError`, because nothing of it would be committed.
    """

    __slots__ = ("_handler", "_has_moved", "_hint", "_is_open", "_ledger", "_messages", "_understanding", "_undo")

    def __init__(
        self,
        ledger: Ledger[S],
        messages: tuple[Message, ...],
        understanding: Understanding,
        *,
        handler: Handler | None,
        undo: Undo,
        hint: Callable[[str], str],
    ) -> None:
        """Take what the handler may see and do; without a handler (hooks, reminders) the status stays as it is."""
        self._ledger = ledger
        self._messages = messages
        self._understanding = understanding
        self._handler = handler
        self._undo = undo
        self._hint = hint
        self._is_open = True
        self._has_moved = False

    # --- What is known -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> S:
        """This turn's own copy: what stands in it when the handler returns is committed."""
        return self._open().state

    @state.setter
    def state(self, state: S) -> None:
        ledger = self._open()
        if not isinstance(state, ledger.plan.state_type):
            raise HandlerError(f"turn.state must be a {ledger.plan.state_type.__name__}, got {type(state).__name__}")
        ledger.state = state

    @property
    def status(self) -> str:
        """Where the dialogue stands; after `go`, the new status."""
        return self._ledger.thread.status

    @property
    def peer(self) -> str:
        """The person's address without the channel."""
        return self._ledger.input.conversation.person

    @property
    def member(self) -> str:
        """Who of several people on that address, as a slug; empty: the address itself."""
        return self._ledger.input.conversation.member

    @property
    def text(self) -> str:
        """The words that are to be understood: of a burst all, without "actually" or "This is Ana" in front."""
        return self._understanding.text

    @property
    def message(self) -> Message:
        """The message, of several the last one."""
        return self._messages[-1]

    @property
    def messages(self) -> tuple[Message, ...]:
        """All messages that this turn is about, in order of acceptance."""
        return self._messages

    @property
    def intent(self) -> str:
        """How the message was understood; for actions, timers and results their name."""
        return self._understanding.intent

    @property
    def confidence(self) -> float:
        """How sure that is, 0 to 1."""
        return self._understanding.confidence

    @property
    def slots(self) -> Mapping[str, Any]:
        """What was said beside the intent.

        With an answer also `rest`, the words behind it that are no wish of their own ("yes but …"); with a wish behind
        an answer also `answer`, which is `affirmative` or `negative`.
        """
        return self._understanding.slots

    @property
    def question(self) -> Question | None:
        """The pending question that this message answers."""
        return self._understanding.question

    @property
    def now(self) -> datetime:
        """The store's clock when the turn began, UTC. It stands still during the turn."""
        return moment(self._ledger.input.now_ms)

    @property
    def late(self) -> bool:
        """Whether the message was accepted during an outage and had to wait for the store."""
        return self._messages[-1].late

    @property
    def lost(self) -> bool:
        """Whether the store lost the earlier state; `state` is what the flow's `on_lost` made of that."""
        return self._ledger.lost

    @property
    def attempt(self) -> int:
        """Counts from 1; above 1 this handler may have run before, without a commit."""
        return self._ledger.input.attempt

    @property
    def is_new(self) -> bool:
        """Whether the conversation begins with this turn."""
        return self._ledger.is_new

    @property
    def quiet_for(self) -> timedelta | None:
        """Time since the last turn that somebody outside caused; None if there was none."""
        active_ms = self._ledger.input.active_ms
        return None if active_ms is None else timedelta(milliseconds=max(0, self._ledger.input.now_ms - active_ms))

    @property
    def jobs(self) -> tuple[LiveJob, ...]:
        """Jobs of this conversation that were started and have not ended."""
        return self._ledger.thread.jobs

    @property
    def status_history(self) -> tuple[Passed, ...]:
        """The last ten statuses, oldest first; the last one is the current one."""
        return self._ledger.thread.history

    def hint(self) -> str:
        """Return one short line of what can be said in the current status; empty if nothing has a help text."""
        return self._hint(self._open().thread.status)

    # --- What can be done --------------------------------------------------------------------------------------------

    def reply(
        self,
        text: str,
        buttons: Sequence[Button] = (),
        *,
        channel: str = "",
        to: str = "",
        key: str = "",
        edits: str = "",
    ) -> None:
        """Say something, once the turn is committed: to the person, on the way that their message came.

        Args:
            text: What to say.
            buttons: Choices offered with it.
            channel: With `to`: another way, for what somebody else must hear, such as a group or a vendor.
            to: The address on that channel.
            key: A name of your own for what is said; channels that report what became of it tell it back.
            edits: The provider's id of an earlier message that this one takes the place of, where the channel can.

        Raises:
            HandlerError: No text, an empty one, or more than `MAX_REPLY_CHARACTERS`; too many buttons or effects.
        """
        ledger = self._open()
        if not isinstance(text, str):
            raise HandlerError(f"turn.reply takes text, got {type(text).__name__}")
        if not text.strip():
            raise HandlerError("turn.reply got an empty text; say something, or do not reply")
        if len(text) > MAX_REPLY_CHARACTERS:
            raise HandlerError(f"a reply may have {MAX_REPLY_CHARACTERS} characters, got {len(text)}; send a link")
        if len(buttons) > MAX_BUTTONS or not all(isinstance(button, Button) for button in buttons):
            raise HandlerError(f"buttons must be at most {MAX_BUTTONS} Button(text=…, data=…)")
        if bool(channel) != bool(to):
            raise HandlerError("turn.reply to somebody else needs both: channel='telegram', to='-1001'")
        ledger.check_room()
        elsewhere = (channel, to) if channel else None
        ledger.reply(self.message, text, tuple(buttons), elsewhere=elsewhere, key=key, edits=edits)

    def ask(self, text: str, *, question: str, kind: QuestionKind = "yes_no", options: Sequence[str] = ()) -> None:
        """Say something that wants an answer: the next "yes" is one to this, and handlers can name the question.

        It stays pending until it is answered, another is asked, the status changes, or a handler that is no `aside`
        runs on a message. A choice is offered with buttons, whose presses are answers too.

        Args:
            text: What to ask.
            question: The name by which handlers declare that they take its answer.
            kind: `yes_no` is answered by the intents `affirmative` and `negative`; `choice` by `choice`, with
                `slots["option"]` and `slots["number"]`; `text` by `answer`, with `slots["text"]`.
            options: Only with `choice`: 1 to `MAX_OPTIONS`.
        """
        ledger = self._open()
        if self._handler is not None and self._handler.aside:
            raise HandlerError("an aside keeps the pending question, so it cannot ask one; declare it without aside")
        if not question or question.startswith(OWN_PREFIX):
            raise HandlerError(f"turn.ask needs a question name that does not begin with {OWN_PREFIX!r}")
        if kind not in ("yes_no", "choice", "text"):
            raise HandlerError(f"turn.ask knows the kinds yes_no, choice and text, got {kind!r}")
        if (kind == "choice") != bool(options) or len(options) > MAX_OPTIONS:
            raise HandlerError(f"turn.ask takes 1 to {MAX_OPTIONS} options with kind='choice', and only with it")
        self.reply(text, [Button(text=option, data=option) for option in options])
        asked = Question(name=question, text=text, kind=kind, options=tuple(options))
        ledger.thread.question, ledger.thread.parked, ledger.thread.guess = asked, None, None

    def go(self, status: str) -> None:
        """Lead the dialogue to a status; the last call counts.

        Raises:
            HandlerError: The handler does not declare it in `to`.
        """
        ledger = self._open()
        reach = self._handler.to if self._handler is not None else ()
        if status not in reach and status != ledger.thread.status:
            declared = ", ".join(reach) or "nothing"
            raise HandlerError(f"turn.go({status!r}): this handler declares to={declared}; name the status there")
        ledger.thread.enter(status, at_ms=ledger.input.now_ms)
        self._has_moved = True

    def start(self, job: "JobType[P, R]", *args: P.args, **kwargs: P.kwargs) -> str:
        """Start a job once the turn is committed; its outcome comes back as a turn.

        Returns:
            The job's id, by which it can be cancelled.

        Raises:
            HandlerError: The flow does not know it, or the arguments do not fit; nothing is started.
        """
        ledger = self._open()
        declared = ledger.plan.jobs.get(job.name)
        if declared is None or declared.call is not job.call:
            raise HandlerError(f"job {job.name} ({job.where}) is not declared on flow {ledger.plan.name}; include it")
        ledger.check_room()
        return ledger.start_job(pack_call(declared, args, kwargs, naive=ledger.plan.naive))

    def after(self, delay: timedelta, timer: str, value: object = None, *, name: str | None = None) -> None:
        """Have a timer come back after a delay, counted from this turn.

        Args:
            delay: Zero or more.
            timer: Name of a declared timer, which decides the handler.
            value: What the handler takes; any value that JSON can hold.
            name: By which it is replaced and cancelled; the timer's name if not given.

        Raises:
            HandlerError: No such timer, a negative delay, a value that cannot be stored, too many timers.
        """
        if not isinstance(delay, timedelta):
            raise HandlerError(f"turn.after takes a timedelta such as hours(2), got {delay!r}")
        if delay < timedelta(0):
            raise HandlerError(f"turn.after takes a timedelta of 0 or more, got {delay}")
        self._set_timer(self._open().input.now_ms + delay // timedelta(milliseconds=1), timer, value, name)

    def at(self, when: datetime, timer: str, value: object = None, *, name: str | None = None) -> None:
        """Have a timer come back at a time; at once if that is over. See `after`.

        Raises:
            HandlerError: `when` has no time zone, and as `after`.
        """
        if not isinstance(when, datetime):
            raise HandlerError(f"turn.at takes a datetime, got {when!r}")
        if when.utcoffset() is None:
            raise HandlerError(f"turn.at takes a datetime with a time zone, got {when!r}")
        self._set_timer(max(0, int(when.timestamp() * 1000)), timer, value, name)

    def _set_timer(self, due_ms: int, timer: str, value: object, name: str | None) -> None:
        ledger = self._open()
        if timer not in ledger.plan.timers:
            known = ", ".join(sorted(ledger.plan.timers)) or "none"
            raise HandlerError(f"no handler takes timer {timer!r}; declared are: {known}")
        label = timer if name is None else name
        if not label or label.startswith(OWN_PREFIX):
            raise HandlerError(f"a timer's name must not be empty or begin with {OWN_PREFIX!r}, got {label!r}")
        try:
            data = msgspec.Raw(encode_value(value, naive=ledger.plan.naive))
        except InvalidStateError as error:
            raise HandlerError(f"the value of timer {label} cannot be stored: {error.reason}") from error
        ledger.check_room()
        ledger.set_timer(TimerCall(name=timer, data=data), name=label, due_ms=due_ms)

    def cancel(self, name_or_job_id: str, /) -> bool:
        """Cancel a timer by name or a job by id; False if nothing of that name is under way.

        A job that runs already is not stopped, but its outcome will be dropped.
        """
        ledger = self._open()
        if ledger.cancel_timers(lambda timer: timer.name == name_or_job_id and not timer.is_own):
            return True
        return ledger.cancel_jobs(lambda job: job.id == name_or_job_id) > 0

    def cancel_jobs(self) -> int:
        """Cancel all jobs of this conversation that have not ended; returns how many."""
        return self._open().cancel_jobs(lambda _: True)

    def count(self, name: str, by: int = 1) -> int:
        """Add to one of the application's own counters, which every log entry shows; returns the new value.

        Raises:
            HandlerError: More than `MAX_COUNTERS` names.
        """
        counters = self._open().thread.counters
        if name not in counters and len(counters) >= MAX_COUNTERS:
            raise HandlerError(f"a conversation may have {MAX_COUNTERS} counters; keep others in the state")
        counters[name] = counters.get(name, 0) + by
        return counters[name]

    def forget(self) -> None:
        """Drop the conversation with this turn: its state goes, jobs and timers are cancelled, replies are sent."""
        self._open().forget = True

    async def undo(self) -> Undone | None:
        """Take back the newest turn of an `undoable` handler that was not taken back yet; None if there is none.

        The state is put back to what it was before that turn (except for the fields kept by `flow.corrections`), the
        status too, and what the turn started is cancelled. Costs one or two round trips.
        """
        self._open()
        undone = await self._undo()
        self._has_moved = self._has_moved or undone is not None
        return undone

    async def step(self, name: str, call: Callable[[], Awaitable[T]], *, of: type[T] | None = None) -> T:
        """Run something expensive, and remember its result in case this turn has to run again.

        The value returned is always the stored one read back, so that a first run and a repeated one see the same.

        Args:
            name: Unique in the turn.
            call: Runs at most once per remembered result; an exception is not remembered.
            of: The result's type, unless the return annotation of `call` or plain JSON values tell.

        Raises:
            HandlerError: The name was used before in this turn, or the result would come back as another type.
        """
        return await run_step(self._open(), name, call, of)

    def ref(self, value: T) -> Ref[T]:
        """Store a large value apart; put the reference into the state, else it is not kept.

        The value is stored as it is now: changing it afterwards changes nothing.
        """
        ledger = self._open()
        try:
            data = encode_value(value, naive=ledger.plan.naive)
        except InvalidStateError as error:
            raise HandlerError(f"turn.ref got a value that cannot be stored: {error}") from error
        return Ref(ledger.add_part(data, value), size_bytes=len(data), of=type(value))

    async def load(self, ref: Ref[T]) -> T:
        """Load a large value. Costs one round trip, unless it was stored in this turn.

        Raises:
            PartGoneError: The reference was taken out of the state longer ago than parts are kept.
            InvalidStateError: It does not fit its type any more.
        """
        ledger = self._open()
        own = ledger.parts.get(ref.id)
        if own is not None:
            value: T = own[1]
            return value
        data = await ledger.tools.part(ref.id)
        if data is None:
            raise PartGoneError(part_id=ref.id)
        return decode_value(data, ref.type, naive=ledger.plan.naive)

    def _open(self) -> Ledger[S]:
        if not self._is_open:
            raise HandlerError("this turn is over: its handler has returned, so nothing of this would be committed")
        return self._ledger

    def close(self) -> bool:
        """End it; returns whether the handler itself decided about the status."""
        self._is_open = False
        return self._has_moved
