"""What the memory store holds: plain tables, and the facts that are read off them.

Only bytes and frozen structs stand in here, never an object that a caller still holds: what is not written is not
remembered. Every function on these tables is synchronous and runs under one lock (see `medium`).
"""

import hashlib
import heapq

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.deliveries import DeadLetter
from turnkeeper.ports.documents import Document, DocumentKey
from turnkeeper.ports.limits import DEDUP_WINDOW, RECEIPTS_KEPT
from turnkeeper.ports.turns import Effect, LogRecord, Waiting

DEDUP_WINDOW_MS = DEDUP_WINDOW // DEDUP_WINDOW.resolution // 1000
"""The dedup window in milliseconds; also how long a head outlives its state."""

Key = tuple[str, str, str]
"""Flow, person and member: what tells conversations apart. The state key is only a name."""


def key_of(conversation: ConversationId) -> Key:
    """Return the key of a conversation."""
    return conversation.flow, conversation.person, conversation.member


def digest_of(message_id: str) -> str:
    """Return what a receipt keeps of a message id: 8 bytes of BLAKE2b in hex, the same in every store."""
    return hashlib.blake2b(message_id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


class Receipt(msgspec.Struct, kw_only=True):
    """Proof that a message was accepted; `reply` is what its commit recorded."""

    at_ms: int
    done: bool = False
    reply: bytes | None = None


class Entry(msgspec.Struct, kw_only=True):
    """An unsettled effect.

    `opt_outs` is how often the person had opted out when it was committed: a later opt-out suppresses it.
    """

    effect: Effect
    order: int
    committed_ms: int
    due_ms: int
    opt_outs: int
    attempts: int = 0
    maybe_sent: bool = False
    claimed: bool = False


class Line(msgspec.Struct, kw_only=True):
    """A lane with its entries in order. `token` is empty if nobody claimed it."""

    entries: list[Entry] = []
    token: str = ""
    until_ms: int = 0

    def is_held(self, now: int) -> bool:
        """Return whether somebody's claim lasts."""
        return bool(self.token) and self.until_ms > now

    def due_ms(self) -> int:
        """Return when somebody must look: the end of the claim, or when the first entry may go."""
        first = self.entries[0]
        return self.until_ms if self.token else max(first.due_ms, first.committed_ms)

    def free(self) -> None:
        """Let go of the lane and of every entry that is still claimed."""
        self.token, self.until_ms = "", 0
        for entry in self.entries:
            entry.claimed = False


class Head(msgspec.Struct, kw_only=True):
    """One conversation. `created_ms` 0: forgotten and not begun anew. `token` empty: nobody has the lease."""

    conversation: ConversationId
    generation: int
    fence: int
    version: int = 0
    state: bytes | None = None
    status: str = ""
    created_ms: int = 0
    changed_ms: int = 0
    active_ms: int | None = None
    first_commit_ms: int | None = None
    expires_ms: int | None = None
    token: str = ""
    lease_until_ms: int = 0
    handed: int = 0
    interrupted: bool = False
    ready_ms: int = 0
    attempts: int = 0
    errors: int = 0
    last_commit_id: str = ""
    next_seq: int = 1
    inbox: list[Waiting] = []
    receipts: dict[str, Receipt] = {}
    memos: dict[str, bytes] = {}
    lanes: dict[str, Line] = {}
    parts: set[str] = set()

    def is_leased(self, now: int) -> bool:
        """Return whether somebody's lease lasts; an expired one is free."""
        return bool(self.token) and self.lease_until_ms > now

    def is_in_flight(self) -> bool:
        """Return whether anything keeps the state from being forgotten. A lease implies a waiting message."""
        return bool(self.inbox or self.lanes)

    def is_over(self, now: int) -> bool:
        """Return whether the time of the state is over and nothing is in flight."""
        return self.expires_ms is not None and self.expires_ms <= now and not self.is_in_flight()

    def is_lost(self) -> bool:
        """Return whether the state should be there and is not."""
        return self.version > 0 and self.state is None

    def entries(self) -> list[Entry]:
        """Return all unsettled effects in the order of their commits."""
        return sorted((entry for line in self.lanes.values() for entry in line.entries), key=lambda e: e.order)

    def receipt(self, message_id: str, now: int) -> Receipt | None:
        """Return the receipt of a message, None if there is none or its window is over."""
        found = self.receipts.get(digest_of(message_id))
        if found is None or (found.done and found.at_ms + DEDUP_WINDOW_MS <= now):
            return None
        return found

    def add_receipt(self, message_id: str, now: int) -> None:
        """Keep a new receipt, and let go of the oldest ones of messages that are done."""
        digest = digest_of(message_id)
        self.receipts.pop(digest, None)
        self.receipts[digest] = Receipt(at_ms=now)
        while len(self.receipts) > RECEIPTS_KEPT:
            del self.receipts[next(digest for digest, receipt in self.receipts.items() if receipt.done)]


class Log(msgspec.Struct, kw_only=True):
    """The event log of a conversation; it has its own time and outlives the head. `keep_ms` None: not told yet."""

    entries: list[LogRecord] = []
    next_seq: int = 1
    keep_ms: int | None = None

    def kept(self, now: int) -> list[LogRecord]:
        """Return the entries that are not too old, oldest first."""
        if self.keep_ms is None:
            return self.entries
        return [entry for entry in self.entries if entry.at_ms + self.keep_ms > now]


class OptOut(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a person wants to hear from a flow, and how often the person said no."""

    is_out: bool = False
    count: int = 0


class Buried(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter, with the delivery that it was."""

    letter: DeadLetter
    entry: Entry | None = None


class Agenda:
    """When which row of a table is to be looked at, at most one time for each: housekeeping without a walk."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, object]] = []
        self._planned: dict[object, int] = {}
        self._count = 0

    def plan(self, at_ms: int, name: object) -> None:
        """Look at a row then, or earlier if that was planned before."""
        planned = self._planned.get(name)
        if planned is None or at_ms < planned:
            self._planned[name] = at_ms
            self._count += 1
            heapq.heappush(self._heap, (at_ms, self._count, name))

    def take(self, now: int) -> list[object]:
        """Return and drop what was to be looked at until now."""
        names = []
        while self._heap and self._heap[0][0] <= now:
            at_ms, _, name = heapq.heappop(self._heap)
            if self._planned.get(name) == at_ms:
                del self._planned[name]
                names.append(name)
        return names


class Tables:
    """All that the store knows. `busy` names at least the conversations that have anything in flight."""

    def __init__(self) -> None:
        self.heads: dict[Key, Head] = {}
        self.busy: set[Key] = set()
        self.logs: dict[Key, Log] = {}
        self.opt_outs: dict[tuple[str, str], OptOut] = {}
        self.dead: dict[str, Buried] = {}
        self.documents: dict[DocumentKey, Document] = {}
        self.feed: dict[Key, tuple[int, ConversationId]] = {}
        self.agenda = Agenda()
        self._serial = 0

    def serial(self) -> int:
        """Return a number that was never returned before; they grow."""
        self._serial += 1
        return self._serial

    def in_flight(self) -> list[Head]:
        """Return the heads with anything waiting or unsent, and drop the others from `busy`."""
        heads = [self.heads[key] for key in self.busy if key in self.heads and self.heads[key].is_in_flight()]
        self.busy = {key_of(head.conversation) for head in heads}
        return heads

    def wish(self, conversation: ConversationId) -> OptOut:
        """Return what a person wishes of a flow; all the person's conversations there share it."""
        return self.opt_outs.get((conversation.flow, conversation.person), OptOut())

    def note_wish(self, conversation: ConversationId, *, is_out: bool) -> None:
        """Set or clear a person's opt-out for a flow. Every opt-out is counted, also a repeated one."""
        count = self.wish(conversation).count + is_out
        self.opt_outs[conversation.flow, conversation.person] = OptOut(is_out=is_out, count=count)

    def publish(self, conversation: ConversationId) -> None:
        """Put a conversation at the end of the change feed."""
        key = key_of(conversation)
        self.feed.pop(key, None)
        self.feed[key] = (self.serial(), conversation)

    def of_person(self, conversation: ConversationId) -> list[Key]:
        """Return every key that a person has in a flow, known by head, log or dead letter."""
        known = {*self.heads, *self.logs, *(key_of(buried.letter.conversation) for buried in self.dead.values())}
        return sorted(key for key in known if key[:2] == (conversation.flow, conversation.person))
