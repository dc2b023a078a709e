"""The head: one conversation's row, with everything that a decision needs.

A step loads it, changes the struct and saves it once. `save_turn` leaves the catalogue's columns alone, so that taking
and giving back a lease touches no index of theirs.

A head that was saved is kept for the next step that loads it, which takes it out: whoever changes a head has it alone,
and one that a step changed but did not save is never found again. The writer drops all of them whenever the file may
hold something else: after a rollback, and after a commit of another process.
"""

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.limits import DEDUP_WINDOW
from turnkeeper.stores.sqlite.file.writer import Transaction

DEDUP_WINDOW_MS = DEDUP_WINDOW // DEDUP_WINDOW.resolution // 1000
"""The dedup window in milliseconds; also how long a head outlives its state."""

KEPT_HEADS = 2_048
"""Heads kept: about 1.5 KB each."""


class Head(msgspec.Struct):
    """A row of `conversation`, in the order of its columns.

    Attributes:
        id: Names the conversation in the other tables.
        token: Of the lease's owner; empty: nobody has it.
        handed: How many messages the live grant handed out.
        interrupted: The live grant was taken from a running turn.
        next_seq: Of the next message. The inbox is the `waiting` messages before it: they have no gaps.
        due_ms: When somebody must look after the inbox; None: nothing waits.
        memos: How many there are.
        is_known: False: erased or outlived; the row only remembers that it must not repeat its fences.
        published: Orders the changes for those who watch; None: there is nothing to tell yet.
        status: As committed, for the catalogue; None: not listed.
        created_ms: When this generation began; 0: forgotten and not begun anew.
        first_commit_ms: Of this generation, for a fixed retention.
        replies: Unsettled replies; they share a lane.
        unsent: Unsettled effects, replies included, timers not.
        timers: Unsettled timers.
        next_effect: Of the next delivery; orders a lane.
        log_seq: Of the newest log entry.
        opted_out: The person's wish, of another table.
    """

    id: int
    flow: str
    person: str
    member: str
    state_key: str
    generation: int
    version: int
    fence: int
    token: str
    lease_until_ms: int
    handed: int
    interrupted: int
    attempts: int
    errors: int
    next_seq: int
    waiting: int
    ready_ms: int
    due_ms: int | None
    memos: int
    is_known: int
    published: int | None
    status: str | None
    created_ms: int
    changed_ms: int
    active_ms: int | None
    first_commit_ms: int | None
    expires_ms: int | None
    replies: int
    unsent: int
    timers: int
    next_effect: int
    log_seq: int
    log_keep_ms: int
    last_commit_id: str
    opted_out: int = 0

    @property
    def conversation(self) -> ConversationId:
        """The identity that it is known by."""
        return ConversationId(flow=self.flow, person=self.person, member=self.member, state_key=self.state_key)

    @property
    def first_seq(self) -> int:
        """The earliest waiting message, if any."""
        return self.next_seq - self.waiting

    @property
    def is_in_flight(self) -> bool:
        """Whether anything keeps the state from being forgotten. A lease implies a waiting message."""
        return bool(self.waiting or self.unsent or self.timers)

    def is_leased(self, now_ms: int) -> bool:
        """Return whether somebody's lease lasts; an expired one is free."""
        return bool(self.token) and self.lease_until_ms > now_ms

    def is_over(self, now_ms: int) -> bool:
        """Return whether the time of the state is over and nothing is in flight."""
        return self.expires_ms is not None and self.expires_ms <= now_ms and not self.is_in_flight

    def is_outlived(self, now_ms: int) -> bool:
        """Return whether it was forgotten, or should have been, so long ago that no receipt counts any more."""
        if self.expires_ms is None or self.is_in_flight:
            return False
        return max(self.expires_ms, self.changed_ms) + DEDUP_WINDOW_MS <= now_ms

    def free_lease(self) -> None:
        """Let go of the lease; what was handed out waits again."""
        self.token = ""
        self.lease_until_ms = 0
        self.handed = 0
        self.interrupted = 0


COLUMNS = Head.__struct_fields__[:-1]
"""Of the table; `opted_out` is read with them."""


def select_heads(where: str) -> str:
    """Return a SELECT of whole heads; in `where` the table is called `c`."""
    columns = ", ".join("c." + column for column in COLUMNS)
    return (
        f"SELECT {columns}, "  # noqa: S608 - our own column names
        "COALESCE((SELECT o.is_out FROM opt_out o WHERE o.person = c.person AND o.flow = c.flow), 0) "
        f"FROM conversation c {where}"
    )


BY_NAME = select_heads("WHERE c.person = ? AND c.flow = ? AND c.member = ?")
BY_PERSON = select_heads("WHERE c.person = ? AND c.flow = ?")
BY_ID = select_heads("WHERE c.id = ?")

_TURN = (
    "state_key", "fence", "token", "lease_until_ms", "handed", "interrupted", "attempts", "errors", "next_seq",
    "waiting", "ready_ms", "due_ms", "memos",
)  # fmt: skip
_SAVE_TURN = f"UPDATE conversation SET {', '.join(column + ' = ?' for column in _TURN)} WHERE id = ?"  # noqa: S608
_SAVE_EFFECTS = "UPDATE conversation SET replies = ?, unsent = ?, timers = ? WHERE id = ?"
_NAMED = 4
"""The first columns: id and name. They never change, and an UPDATE that names them would touch their index."""
_SAVE = f"UPDATE conversation SET {', '.join(column + ' = ?' for column in COLUMNS[_NAMED:])} WHERE id = ?"  # noqa: S608
_INSERT = (
    f"INSERT INTO conversation ({', '.join(COLUMNS[1:])}) "  # noqa: S608 - our own column names
    f"VALUES ({', '.join('?' * (len(COLUMNS) - 1))})"
)

_OPTED_OUT = "SELECT is_out FROM opt_out WHERE person = ? AND flow = ?"


def load(transaction: Transaction, conversation: ConversationId) -> Head | None:
    """Return the conversation's row, even if it is only remembered (see `Head.is_known`); None: there is none."""
    name = (conversation.person, conversation.flow, conversation.member)
    kept = transaction.heads.pop(name, None)
    if isinstance(kept, Head):
        return kept
    row = transaction.execute(BY_NAME, name).fetchone()
    return None if row is None else Head(*row)


def forget_heads(transaction: Transaction) -> None:
    """Have every head read again: something that they repeat changed in another table, or one is deleted."""
    transaction.heads.clear()


def _keep(transaction: Transaction, head: Head) -> None:
    """Spare the next step the reading of a head that was just written."""
    heads = transaction.heads
    heads[head.person, head.flow, head.member] = head
    if len(heads) > KEPT_HEADS:
        del heads[next(iter(heads))]  # the one that was not wanted for the longest time


def new_head(transaction: Transaction, conversation: ConversationId) -> Head:
    """Return a head that has not begun; `save` inserts it."""
    now_ms = transaction.now_ms
    wish = transaction.execute(_OPTED_OUT, (conversation.person, conversation.flow)).fetchone()
    return Head(
        id=0,
        flow=conversation.flow,
        person=conversation.person,
        member=conversation.member,
        state_key=conversation.state_key,
        generation=now_ms,
        version=0,
        fence=0,
        token="",
        lease_until_ms=0,
        handed=0,
        interrupted=0,
        attempts=0,
        errors=0,
        next_seq=1,
        waiting=0,
        ready_ms=0,
        due_ms=None,
        memos=0,
        is_known=1,
        published=None,
        status=None,
        created_ms=0,
        changed_ms=now_ms,
        active_ms=None,
        first_commit_ms=None,
        expires_ms=None,
        replies=0,
        unsent=0,
        timers=0,
        next_effect=1,
        log_seq=0,
        log_keep_ms=0,
        last_commit_id="",
        opted_out=0 if wish is None else int(wish[0]),
    )


def save_turn(transaction: Transaction, head: Head) -> None:
    """Write the columns of lease and inbox."""
    _set_due(transaction, head)
    transaction.execute(
        _SAVE_TURN,
        (
            head.state_key,
            head.fence,
            head.token,
            head.lease_until_ms,
            head.handed,
            head.interrupted,
            head.attempts,
            head.errors,
            head.next_seq,
            head.waiting,
            head.ready_ms,
            head.due_ms,
            head.memos,
            head.id,
        ),
    )
    _keep(transaction, head)


def save_effects(transaction: Transaction, head: Head) -> None:
    """Write how many effects are unsettled."""
    transaction.execute(_SAVE_EFFECTS, (head.replies, head.unsent, head.timers, head.id))
    _keep(transaction, head)


def save(transaction: Transaction, head: Head) -> None:
    """Write the whole row; a new one gets its id."""
    _set_due(transaction, head)
    values = msgspec.structs.astuple(head)
    if head.id:
        transaction.execute(_SAVE, (*values[_NAMED:-1], head.id))
    else:
        head.id = transaction.execute(_INSERT, values[1:-1]).lastrowid or 0
    _keep(transaction, head)


def _set_due(transaction: Transaction, head: Head) -> None:
    if not head.waiting:
        head.due_ms = None
        return
    if head.token:
        since_ms = head.lease_until_ms
    elif head.due_ms is not None and head.due_ms <= transaction.now_ms:
        since_ms = head.due_ms  # it stays as overdue as it was, however many more arrive
    else:
        since_ms = transaction.now_ms
    head.due_ms = max(head.ready_ms, since_ms)
    transaction.note_due(head.due_ms)
