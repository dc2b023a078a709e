"""The thread of a dialogue: what the flow itself remembers of a conversation, kept in the envelope beside the state.

A `Thread` belongs to the one turn that decoded it and is changed in place; only a commit makes it last. Ids of jobs and
timers stand here as long as they may still come back: what is not listed is stale, and is dropped when it arrives.
"""

from datetime import UTC, datetime

import msgspec

from turnkeeper.codecs import Envelope
from turnkeeper.dialogue.understanding.intents import QuestionKind
from turnkeeper.errors import StateUndecodableError
from turnkeeper.model.message import NOTHING

KEPT_STATUSES = 10
"""Statuses in the history: enough to see how a person got here, small enough to be stored with every turn."""

MAX_LIVE_JOBS = 64
"""Jobs of one conversation that have not ended; as many as one turn may start."""

MAX_LIVE_TIMERS = 64
"""Timers of one conversation that have not fired: a year of weekly reminders."""

OWN_PREFIX = "_"
"""Questions and timers of the flow itself begin with it; handlers cannot use such names."""


class Guess(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What "Did you mean …?" offered: the intents, and the words that they were guessed from."""

    intents: tuple[str, ...]
    text: str


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question that was asked and not answered yet.

    Attributes:
        name: What handlers name to be run by its answer.
        text: As it was asked, to be repeated.
        kind: Answered by yes or no, one of its options, or any words.
        options: The choices, as the person sees them.
    """

    name: str
    text: str
    kind: QuestionKind = "yes_no"
    options: tuple[str, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether the flow itself asked it."""
        return self.name.startswith(OWN_PREFIX)


class LiveJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job that was started and has not ended.

    Attributes:
        id: The effect's id, which its result carries as `source`.
        name: The job's name.
        started_ms: Time of the turn that started it.
        root: Version of the person's turn that led to it, through however many results and timers; 0: none.
    """

    id: str
    name: str
    started_ms: int
    root: int = 0

    @property
    def started(self) -> datetime:
        """When it was started, UTC."""
        return moment(self.started_ms)


class LiveTimer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A timer that was set and has not fired.

    Attributes:
        id: The effect's id, which the timer's message carries as `source`.
        name: What replaces and cancels it.
        timer: The declared timer, which decides the handler.
        due_ms: When it is due.
        root: As in `LiveJob`.
    """

    id: str
    name: str
    timer: str
    due_ms: int
    root: int = 0

    @property
    def is_own(self) -> bool:
        """Whether the flow itself set it."""
        return self.name.startswith(OWN_PREFIX)


class Route(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The way the person used last; timers and results answer on it."""

    channel: str
    to: str = ""


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """A status that was entered, and when."""

    status: str
    at_ms: int


class Thread(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Everything that the dialogue layer keeps of one conversation.

    Attributes:
        question: The pending question.
        parked: The question that was pending when the flow had to ask one of its own ("Did you mean …?").
        guess: What the flow's own question offered.
        held_back: Words that were not run because they came after a long silence.
        jobs, timers: What may still come back.
        started: When a job of that name was started last, for jobs with a "still working" policy.
        route: Where answers go when no message says it.
        speaking: Member whose conversation the person's messages are led to; empty: this one.
        members: Everybody who introduced themselves on this address, the last ones last.
        full_ms: When the event log got the last full state.
        history: The last statuses, oldest first; the last one is the current one.
        message_count: Messages that a person caused.
        error_count: Failures that reached a handler, and messages that were given up.
        modifications_count: Turns that changed what "undo" takes back.
        counters: The application's own.
    """

    status: str
    question: Question | None = None
    parked: Question | None = None
    guess: Guess | None = None
    held_back: str = ""
    jobs: tuple[LiveJob, ...] = ()
    timers: tuple[LiveTimer, ...] = ()
    started: dict[str, int] = {}
    route: Route | None = None
    speaking: str = ""
    members: tuple[str, ...] = ()
    full_ms: int | None = None
    history: tuple[Passed, ...] = ()
    message_count: int = 0
    error_count: int = 0
    modifications_count: int = 0
    counters: dict[str, int] = {}

    def enter(self, status: str, *, at_ms: int) -> None:
        """Stand in a status. Entering the current one again changes nothing."""
        if status == self.status and self.history:
            return
        self.status = status
        self.history = (*self.history[-KEPT_STATUSES + 1 :], Passed(status=status, at_ms=at_ms))

    def job(self, job_id: str) -> LiveJob | None:
        """Return the live job of that id."""
        return next((job for job in self.jobs if job.id == job_id), None)

    def timer(self, timer_id: str) -> LiveTimer | None:
        """Return the live timer of that id."""
        return next((timer for timer in self.timers if timer.id == timer_id), None)

    def settle(self) -> None:
        """Have no question pending any more."""
        self.question = self.parked = self.guess = None

    def park(self, question: Question, guess: Guess | None = None) -> None:
        """Ask a question of the flow's own; the one that was pending comes back when it is answered."""
        if self.question is not None and not self.question.is_own:
            self.parked = self.question
        self.question = question
        self.guess = guess

    def unpark(self) -> None:
        """Take the flow's own question off; what was pending before is pending again."""
        self.question = self.parked
        self.parked = self.guess = None


_decode = msgspec.json.Decoder(Thread).decode


def thread_of(envelope: Envelope | None) -> Thread | None:
    """Return the thread in an envelope, None if there is none.

    Raises:
        StateUndecodableError: Something else stands there.
    """
    if envelope is None or bytes(envelope.engine) == bytes(NOTHING):
        return None
    try:
        return _decode(envelope.engine)
    except msgspec.DecodeError as error:
        raise StateUndecodableError(what="the thread of the conversation", reason=str(error)) from error


def moment(at_ms: int) -> datetime:
    """Return the time of a store's clock as an aware datetime, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)
