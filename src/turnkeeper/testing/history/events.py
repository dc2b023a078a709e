"""What a lab writes down while it attacks a bot: plain facts that were seen from outside, one JSON line each.

Nobody here trusts the code under test: providers say what they sent and got, the log says what was committed, the
catalogue says how it ended. Times ending in `_ms` are milliseconds of the store's clock (or of a clock that agrees
with it: one host, one virtual time). Message and effect ids must be unique within a conversation.
"""

import enum
from collections.abc import Iterable, Iterator

import msgspec


class Answer(enum.Enum):
    """What a provider heard when it delivered a message."""

    ACCEPTED = "accepted"
    """It is durable: applied some time, or a dead letter."""

    DONE = "done"
    """Its turn is committed; `Asked.replies` are those that came with the answer."""

    REFUSED = "refused"
    """Surely not written (full, busy, store away before writing)."""

    UNKNOWN = "unknown"
    """No answer, or one that promises nothing: it may have been taken."""


class Ending(enum.Enum):
    """What a worker heard when it asked for a commit."""

    COMMITTED = "committed"
    FENCED = "fenced"
    CONFLICT = "conflict"
    REFUSED = "refused"
    """An error that says that nothing was written."""
    UNKNOWN = "unknown"


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event"):
    """Something that was seen."""


class Setup(Event, frozen=True, kw_only=True, tag="setup"):
    """How the bot was run; the first event.

    Attributes:
        lease_ms, send_lease_ms: The longest time for which a worker may own a turn or a lane without a word.
        allowance_ms: What a bot's own waits (timers, back-off, delays of jobs) may add until everything is at rest.
        idle_per_second: Store round trips that one idle worker may cost.
        idle_writes_per_second: Writes to files that it may make: hardly any, now and then something is tidied away.
        idle_cpu_share: Of one processor, that it may use.
        resends: A reply may be sent again when nobody knows whether it was sent; else only an operator puts it back.
        retains: Every commit says how long the state is kept, so that whatever is at rest has an end.
    """

    lease_ms: int
    send_lease_ms: int
    allowance_ms: int = 0
    idle_per_second: float = 1.0
    idle_writes_per_second: float = 1.0
    idle_cpu_share: float = 0.05
    resends: bool = True
    retains: bool = False


class Asked(Event, frozen=True, kw_only=True, tag="asked"):
    """A provider delivered a message, for the first time or again; `replies` is what a DONE answer carried.

    One that a turn forwards to another conversation counts as delivered there.
    """

    conversation: str
    message: str
    started_ms: int
    ended_ms: int
    answer: Answer
    replies: tuple[str, ...] | None = None


class Got(Event, frozen=True, kw_only=True, tag="got"):
    """A provider took a reply, whatever it said about it. A reply that it surely did not take is no event."""

    conversation: str
    effect: str
    text: str
    at_ms: int
    maybe_sent: bool = False


class Turn(Event, frozen=True, kw_only=True, tag="turn"):
    """An entry of a conversation's log, read at the end; the lab's bot writes all of this into it.

    Attributes:
        seq, version, generation, at_ms: From the log record. The whole log must be kept (`log_keep`).
        commit, fence: From the turn.
        messages: Ids that this turn took.
        positions: Their numbers in the inbox, if the lab knows them.
        replies: (effect id, text), in the order of the lane.
        promises: Ids under which jobs and timers of this turn come back as messages.
        called_off: Effects and promises that this turn cancelled.
        answer: Replies recorded for duplicates of these messages.
        buried: The first message was given up: it is a dead letter.
        unchanged: State and version stay as they were.
        silences: The person wants to hear no more: what was committed before and not sent yet may never be.
    """

    conversation: str
    seq: int
    version: int
    at_ms: int
    commit: str
    fence: int
    messages: tuple[str, ...]
    generation: int = 0
    positions: tuple[int, ...] = ()
    replies: tuple[tuple[str, str], ...] = ()
    promises: tuple[str, ...] = ()
    called_off: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    buried: bool = False
    unchanged: bool = False
    silences: bool = False


class Sight(Event, frozen=True, kw_only=True, tag="sight"):
    """A consistent look at a conversation from outside, at any moment; `is_last`: when everything was over.

    Attributes:
        version: 0 if there is no state (new, forgotten).
        applied: Message ids in the state, in order; None if this look did not read it.
        waiting: Ids in the inbox.
        unsent: Effects not settled.
        is_indexed: Whether the index of due things knows the conversation; None if this look did not ask.
        expires_ms: When the medium itself lets the state go (a key's time to live), None: never. A store that looks
            at what is in flight before it forgets anything is told by its generations instead.
    """

    conversation: str
    at_ms: int
    version: int
    waiting: tuple[str, ...] = ()
    unsent: tuple[str, ...] = ()
    applied: tuple[str, ...] | None = None
    expires_ms: int | None = None
    is_indexed: bool | None = None
    is_last: bool = False


class Dead(Event, frozen=True, kw_only=True, tag="dead"):
    """A dead letter found at the end: a message's or an effect's id."""

    conversation: str
    source: str


class Redriven(Event, frozen=True, kw_only=True, tag="redriven"):
    """Somebody put a dead letter back: it may come out of order, and end a second time."""

    conversation: str
    source: str


class Grant(Event, frozen=True, kw_only=True, tag="grant"):
    """A worker was given a lease; the times are those of the grant, `owner` its token."""

    conversation: str
    fence: int
    owner: str
    granted_ms: int
    until_ms: int
    interrupted: bool = False


class Prolonged(Event, frozen=True, kw_only=True, tag="prolonged"):
    """A renewal was answered with held: the lease lasts at least until then."""

    conversation: str
    fence: int
    until_ms: int


class Handback(Event, frozen=True, kw_only=True, tag="handback"):
    """A worker asked for a commit or a release: from this moment on the lease may be over."""

    conversation: str
    fence: int
    at_ms: int


class Reported(Event, frozen=True, kw_only=True, tag="reported"):
    """A worker's commit was answered, or was not; every repetition is an event of its own."""

    conversation: str
    commit: str
    ending: Ending
    answered_ms: int
    version: int | None = None


class Fault(Event, frozen=True, kw_only=True, tag="fault"):
    """Something was broken on purpose."""

    kind: str
    at_ms: int


class Healed(Event, frozen=True, kw_only=True, tag="healed"):
    """The last fault is over, and nothing new is sent."""

    at_ms: int


class Rested(Event, frozen=True, kw_only=True, tag="rested"):
    """Nothing waits, runs, or is unsent any more; timers that lie ahead do not count."""

    at_ms: int


class Idle(Event, frozen=True, kw_only=True, tag="idle"):
    """What so many workers without work cost in that time; None of what could not be counted from outside.

    Attributes:
        round_trips: Requests that a store got.
        writes: Calls of the kernel that wrote to a file.
        cpu_ms: Time on processors.
    """

    workers: int
    window_ms: int
    round_trips: int | None = None
    writes: int | None = None
    cpu_ms: int | None = None


class Footprint(Event, frozen=True, kw_only=True, tag="footprint"):
    """How many entries a store holds, by kind; `is_baseline`: what it may hold, from a run without faults."""

    entries: dict[str, int]
    is_baseline: bool = False


AnyEvent = (
    Setup
    | Asked
    | Got
    | Turn
    | Sight
    | Dead
    | Redriven
    | Grant
    | Prolonged
    | Handback
    | Reported
    | Fault
    | Healed
    | Rested
    | Idle
    | Footprint
)
"""Every kind of event."""

_decode = msgspec.json.Decoder(AnyEvent).decode
_encode = msgspec.json.Encoder().encode


def to_line(event: AnyEvent) -> bytes:
    """Return an event as one line of JSON, the line's end included."""
    return _encode(event) + b"\n"


def from_lines(lines: Iterable[bytes]) -> Iterator[AnyEvent]:
    """Read events from lines, lazily; empty ones are passed over.

    Raises:
        msgspec.DecodeError: A line is no event. A process killed while it wrote leaves half a line: leave that out.
    """
    return (_decode(line) for line in lines if line.strip())
