"""The port that makes a turn a transaction: `begin`, a handler, `commit`.

Conflict, duplicate, queued and full are *values*; an outage is an *exception* that says whether anything was
written. Every operation is safe to send twice with the same arguments. All times are the store's own clock, in
milliseconds since 1970 UTC. State, payloads and log entries are opaque bytes here; their meaning lies above.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from turnkeeper.model.conversation import ConversationId


class Mode(enum.Enum):
    """What a message does when a turn is already running."""

    QUEUE = "queue"
    """Wait behind it (the default)."""

    REJECT = "reject"
    """Be refused with `Busy`; nothing is written."""

    INTERRUPT = "interrupt"
    """Take the lease over: the running turn is fenced off, a hold or back-off ends, all that waits is handed out."""


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way into the inbox.

    Attributes:
        id: The idempotency key. The same id within the dedup window is the same message.
        payload: The encoded message, at most `MAX_PAYLOAD_BYTES`.
        wait_ms: Hold the whole inbox this long after this message (coalescing); 0 does not hold.
        max_wait_ms: But never longer than this after the first message that waits.
    """

    id: str
    payload: bytes
    wait_ms: int = 0
    max_wait_ms: int = 0


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """Accept a message, take the lease, or both.

    Attributes:
        conversation: Whose turn.
        token: Names the would-be owner; fresh for every wish to own, the same when the wish is repeated.
        lease_ms: How long the lease lasts unless renewed.
        message: What to append, or None to take over what already waits (recovery, back-off over, wake-up).
        mode: See `Mode`.
        hand_out: How many waiting messages to hand out at most (1 to `MAX_HAND_OUT`).
        run: False accepts only: the message is durable, the lease is left to somebody else.
    """

    conversation: ConversationId
    token: str
    lease_ms: int
    message: Incoming | None = None
    mode: Mode = Mode.QUEUE
    hand_out: int = 1
    run: bool = True


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the inbox. `seq` grows by acceptance and is never reused within a generation."""

    seq: int
    id: str
    payload: bytes
    accepted_ms: int


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """The lease is yours, with everything that a turn needs.

    Attributes:
        token: The owner token that holds the lease.
        fence: Grows with every grant; hand it to third parties as a fencing token.
        version: Commits of this generation so far; 0 for a new conversation.
        generation: Changes when the conversation was forgotten and began anew.
        state: The committed state, or None if there is none (new, forgotten or lost).
        lost: The state should be there and is not: the store evicted it.
        rebuilt: The state is there, but what stood beside it was evicted: receipts (a message from before may run
            again), log position, when it began.
        attempts: Grants of the first message that ended in neither commit nor `returned`, this one included.
        errors: How many of the earlier ones ended with `error`; the others crashed or lost their lease.
        messages: The earliest waiting messages, in order; at least one.
        more: Messages waiting behind them.
        interrupted: This grant took the lease from a running turn.
        now_ms: The store's clock at the grant.
        lease_until_ms: When the lease ends on the store's clock.
        created_ms: When the conversation (this generation) began.
        active_ms: When a turn marked `active` was last committed, or None.
        memos: Step results remembered for the first message by earlier attempts.
        opted_out: The person does not want to hear from this flow.
    """

    token: str
    fence: int
    version: int
    generation: int
    state: bytes | None
    messages: tuple[Waiting, ...]
    more: int
    now_ms: int
    lease_until_ms: int
    created_ms: int
    active_ms: int | None
    attempts: int
    errors: int = 0
    lost: bool = False
    rebuilt: bool = False
    interrupted: bool = False
    opted_out: bool = False
    memos: Mapping[str, bytes] = {}


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """Durable; somebody else runs it, or nobody may before `ready_ms`. `position` counts from 1."""

    position: int
    ready_ms: int


class Duplicate(msgspec.Struct, frozen=True, kw_only=True):
    """Known already. `done` tells whether its turn was committed; `reply` is what that commit recorded."""

    done: bool
    reply: bytes | None = None


class Full(msgspec.Struct, frozen=True, kw_only=True):
    """The inbox holds `MAX_INBOX` messages. Nothing was written; answer 503 so that the provider retries."""

    waiting: int


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """`Mode.REJECT` while a turn runs or others wait. Nothing was written."""


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """`message=None` and nothing to take: empty (`ready_ms` None), leased, or held back until `ready_ms`."""

    ready_ms: int | None = None


Begun = Granted | Queued | Duplicate | Full | Busy | Idle


class EffectKind(enum.Enum):
    """What a commit asks the world to do."""

    REPLY = "reply"
    """Say something; ordered in the conversation's own lane."""

    JOB = "job"
    """Run something; its result comes back as a message."""

    TIMER = "timer"
    """Come back as a message at a time. Setting a timer of the same name replaces it."""

    FORWARD = "forward"
    """Become a message of another conversation."""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One durable consequence of a turn. Replies share the lane of their conversation, others have one each.

    Attributes:
        id: Stable and unique: `{conversation}:{generation}:{version}:{n}`.
        kind: See `EffectKind`.
        payload: Frozen now: what is sent is what was committed.
        due_ms: Not before this time of the store's clock; 0 is at once.
        name: Name of a timer, for replacing and cancelling; empty otherwise.
    """

    id: str
    kind: EffectKind
    payload: bytes
    due_ms: int = 0
    name: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A large value stored apart, immutable; read with `Documents.get(part_key(conversation, id))`."""

    id: str
    data: bytes


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one turn changes, at once or not at all.

    Attributes:
        conversation: Whose turn.
        token, fence, version, generation: As granted; the version is the one that the turn started from.
        commit_id: Repeating a commit with the same id gives the same answer and changes nothing.
        take: How many of the handed-out messages are done with (from the front).
        state: The new state with `version + 1`; None leaves state *and version* untouched.
        forget: Drop the state: the conversation is forgotten; head, receipts and log stay their own time.
        status: Where the dialogue stands, for the catalogue.
        active: A turn that somebody outside caused: renews sliding retention and `active_ms`.
        retain_ms: How long the state is kept, counted from the last active commit; None keeps it for ever.
        slide: False counts from the first commit instead (fixed retention).
        log: One entry of the event log, or None.
        log_keep: Entries of the log to keep.
        log_keep_ms: Age up to which entries are kept.
        effects: At most `MAX_EFFECTS`.
        cancel: Effect ids and timer names of this conversation that must not happen any more, unless already
            settled. Applied before `effects`.
        cancel_all: Cancel everything of this person in this flow that was not handed out yet (opt-out).
        reply: Recorded with the receipts of the taken messages and given to their duplicates.
        lane_token, lane_ms: Claim this commit's replies for this sender, if the lane is free or already its own.
        parts: New parts. adopted: ids of parts to keep again. retired: ids that go after `PART_GRACE`.
        opt_out: Set or clear the person's opt-out flag for this flow; None leaves it.
        dead: The first taken message failed for good: why. It goes to the dead letters in the same step.
        next: Hand out the next message in the same call, if one is ready; else release the lease.
        hand_out, lease_ms: As in `Begin`, for that next grant.
    """

    conversation: ConversationId
    token: str
    fence: int
    version: int
    generation: int
    commit_id: str
    take: int
    state: bytes | None
    status: str = ""
    forget: bool = False
    active: bool = True
    retain_ms: int | None = None
    slide: bool = True
    log: bytes | None = None
    log_keep: int = 116
    log_keep_ms: int = 30 * 86_400_000
    effects: tuple[Effect, ...] = ()
    cancel: tuple[str, ...] = ()
    cancel_all: bool = False
    reply: bytes | None = None
    lane_token: str = ""
    lane_ms: int = 0
    parts: tuple[Part, ...] = ()
    adopted: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    opt_out: bool | None = None
    dead: str | None = None
    next: bool = True
    hand_out: int = 1
    lease_ms: int = 15_000


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """Durable.

    Attributes:
        version: The version now.
        claimed: The lane is held by `lane_token`: send this commit's replies now. False: somebody else will.
        next: The next turn, already granted, or None.
        repeated: This commit had been applied before.
    """

    version: int
    claimed: bool = False
    next: Granted | None = None
    repeated: bool = False


class Fenced(msgspec.Struct, frozen=True, kw_only=True):
    """The lease is no longer yours. Nothing was written; whoever took it runs the message again.

    A commit that is repeated after the *next* one was committed is also answered so: only the last id is kept.
    """


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """The lease is yours but the version moved (a restore, an administrator). Nothing was written."""

    version: int


CommitAnswer = Committed | Fenced | Conflict


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """Prolong one lease, and remember a step's result with it. `memo` is (step name, encoded result)."""

    conversation: ConversationId
    token: str
    lease_ms: int
    memo: tuple[str, bytes] | None = None


class Renewed(msgspec.Struct, frozen=True, kw_only=True):
    """`held` False: the lease is lost, stop. `waiting` counts the messages behind the current one."""

    held: bool
    waiting: int = 0


class Outcome(enum.Enum):
    """Why a lease is given back without a commit."""

    RETURNED = "returned"
    """Nobody's fault (a deploy, newer state): the attempt does not count."""

    ERROR = "error"
    """The handler raised: the attempt counts."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Give a lease back; the messages stay first in line. Nobody gets them for `wait_ms`."""

    conversation: ConversationId
    token: str
    outcome: Outcome
    wait_ms: int = 0


class LogRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One kept entry of the event log; `seq` grows without gaps over the life of the log."""

    seq: int
    version: int
    generation: int
    at_ms: int
    data: bytes


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased, counted: nothing of it is readable any more.

    Attributes:
        changed: It was no longer what the mark stands for: nothing was erased.
    """

    conversations: int = 0
    log_entries: int = 0
    deliveries: int = 0
    parts: int = 0
    dead_letters: int = 0
    changed: bool = False

    def __add__(self, other: "Forgotten") -> "Forgotten":
        """Return what both counted together."""
        return Forgotten(
            conversations=self.conversations + other.conversations,
            log_entries=self.log_entries + other.log_entries,
            deliveries=self.deliveries + other.deliveries,
            parts=self.parts + other.parts,
            dead_letters=self.dead_letters + other.dead_letters,
            changed=self.changed or other.changed,
        )


class Turns(Protocol):
    """Conversations as a sequence of turns. Losing the lease means: `commit` answers `Fenced`, always."""

    async def begin(self, request: Begin, /) -> Begun:
        """Append the message durably, and take the lease if it is free.

        In this order: the owner token that already holds the lease gets its grant again. A message whose
        receipt is kept is `Duplicate`, unless it still waits and may be run now: then it is taken over as if
        `message` were None. `Full` and `Busy` write nothing. Then the message is appended; if a lease is live
        or the inbox is held back (and mode is not INTERRUPT), or `run` is False, it is `Queued`. Otherwise the
        *earliest* waiting message is granted, not necessarily this one. An expired lease is free.

        A state whose time is over and that has nothing in flight (inbox, lease, unsent effect, timer) is
        forgotten here: new generation, version 0, receipts and log kept.

        Raises:
            LimitError: The payload or a name is too large. Nothing was written.
            RetryableError: Nothing was written.
            OutcomeUnknownError: Repeat with the same token and message id.
        """
        ...

    async def commit(self, request: Commit, /) -> CommitAnswer:
        """Apply a turn, take its messages off, and hand out the next or release the lease.

        A repeat with the same `commit_id` gives the same answer, including the next grant while it is held.
        Works when the store is too full to accept new messages, as far as the medium allows.

        Raises:
            LimitError: State, effects or parts are too large. Nothing was written.
            RetryableError: Nothing was written.
            OutcomeUnknownError: Repeat with the same commit id.
        """
        ...

    async def renew(self, requests: Sequence[Renewal], /) -> Sequence[Renewed]:
        """Prolong leases that are still held, up to `MAX_BATCH`; answers in the order of the requests.

        An expired lease that nobody took is still held. May be called from another thread's event loop: a
        blocked loop must not cost the lease.
        """
        ...

    async def release(self, request: Release, /) -> bool:
        """Give the lease back; False if it was not held any more. Safe to repeat."""
        ...

    async def history(
        self, conversation: ConversationId, /, *, before: int | None = None, limit: int = 100
    ) -> Sequence[LogRecord]:
        """Return the newest entries with `seq < before`, newest first, at most `MAX_BATCH`."""
        ...

    async def forget(
        self, conversation: ConversationId, /, *, person: bool = False, mark: str | None = None
    ) -> Forgotten:
        """Erase a conversation, or with `person` all conversations of that person in that flow.

        State, parts, log, inbox, deliveries, timers, memos, receipts and dead letters go; a running turn is
        fenced off. The opt-out flag stays. Safe to repeat.

        With the `mark` of an export (not together with `person`) only what was exported is erased: if anything has
        happened to the conversation since, a message that was accepted or an effect that was settled, nothing is.
        """
        ...
