"""What this process last knew of its conversations, so that they can go on here while the store is away.

It is fed by the answers to begin and commit, and is a memory, not a cache: nothing reads it while the store is there.
A commit whose answer is missing counts as applied: its replies are sent here then, and by nobody twice.
"""

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.deliveries import Claim, Lane, Settled
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.turns import Begin, Commit, Committed, Effect, EffectKind, Granted, Queued, Waiting

RECEIPTS_REMEMBERED = 32
"""Message ids remembered of one conversation: a provider repeats what it sent in the last minutes."""

_STRUCT_BYTES = 1_000
"""Counted for what a remembered conversation takes beside its state, messages and parts."""


class Known(msgspec.Struct, kw_only=True):
    """A conversation as this process last saw it.

    Attributes:
        token: The lease that this process has, empty if it has none.
        inbox: Messages that wait there or are being run here, as far as this process brought or got them.
        receipts: Ids of messages that were committed, with the recorded reply.
        limbo: A commit that was sent and not answered.
        unclaimed: Committed replies, with the time, that found their lane taken: nobody has them in hand yet.
        sends: A sender of this process has the lane of the replies, so that nobody else sends these.
        retain_ms: As last committed; None: for ever.
    """

    conversation: ConversationId
    generation: int
    version: int
    fence: int
    state: bytes | None
    created_ms: int
    active_ms: int | None
    opted_out: bool
    status: str = ""
    retain_ms: int | None = None
    token: str = ""
    handed: int = 0
    attempts: int = 0
    inbox: list[Waiting] = []
    receipts: dict[str, bytes | None] = {}
    limbo: Commit | None = None
    unclaimed: list[tuple[int, Effect]] = []
    sends: bool = False

    @property
    def is_under_way(self) -> bool:
        """Whether somebody waits for an answer that this process was about to give."""
        return bool(self.token or self.limbo is not None or (self.unclaimed and self.sends))

    @property
    def size_bytes(self) -> int:
        """What remembering it costs, roughly."""
        return _STRUCT_BYTES + len(self.state or b"") + sum(len(waiting.payload) for waiting in self.inbox)


class Recent:
    """The conversations that this process saw last, within a number and a size; the oldest go first."""

    def __init__(self, *, conversations: int, size_bytes: int) -> None:
        """Take both limits; parts count too."""
        self._conversations = conversations
        self._size_bytes = size_bytes
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._parts: dict[str, dict[str, bytes]] = {}
        self._sizes: dict[str, int] = {}
        self._used_bytes = 0

    def get(self, conversation: ConversationId) -> Known | None:
        """Return what is known of a conversation."""
        return self._known.get(conversation.key)

    def parts(self, conversation: ConversationId) -> dict[str, bytes]:
        """Return the parts that are known of a conversation."""
        return dict(self._parts.get(conversation.key, {}))

    def under_way(self) -> Iterator[Known]:
        """Yield the conversations in which somebody waits for an answer of this process."""
        return iter([known for known in self._known.values() if known.is_under_way])

    def forget(self, conversation: ConversationId) -> None:
        """Know nothing of it any more: somebody else moves it."""
        self._known.pop(conversation.key, None)
        self._parts.pop(conversation.key, None)
        self._used_bytes -= self._sizes.pop(conversation.key, 0)

    def forget_person(self, conversation: ConversationId) -> None:
        """Know nothing of any conversation of that person in that flow any more: they were erased."""
        for known in list(self._known.values()):
            one = known.conversation
            if one.flow == conversation.flow and one.person == conversation.person:
                self.forget(one)

    def begun(self, request: Begin, answer: object) -> None:
        """Learn from the answer to a begin."""
        if isinstance(answer, Granted):
            self._granted(request.conversation, answer)
        elif isinstance(answer, Queued) and request.message is not None:
            known = self._known.get(request.conversation.key)
            if known is None or not known.token:
                return  # behind somebody else's turn: on the way back it is found where it waits
            message = request.message
            if all(waiting.id != message.id for waiting in known.inbox):
                waiting = Waiting(seq=0, id=message.id, payload=message.payload, accepted_ms=0)
                known.inbox.append(waiting)
            self._keep(known)

    def _granted(self, conversation: ConversationId, granted: Granted) -> None:
        before = self._known.get(conversation.key)
        if before is not None and before.generation != granted.generation:
            self.forget(conversation)
            before = None
        handed = {waiting.id for waiting in granted.messages}
        behind = [one for one in before.inbox if one.id not in handed] if before is not None and granted.more else []
        known = Known(
            conversation=conversation,
            generation=granted.generation,
            version=granted.version,
            fence=granted.fence,
            state=granted.state,
            created_ms=granted.created_ms,
            active_ms=granted.active_ms,
            opted_out=granted.opted_out,
            token=granted.token,
            handed=len(granted.messages),
            attempts=granted.attempts,
            inbox=[*granted.messages, *behind],
        )
        if before is not None and before.version == granted.version:
            known.status, known.retain_ms, known.receipts = before.status, before.retain_ms, before.receipts
            known.unclaimed, known.sends = before.unclaimed, before.sends
        if granted.lost:
            self.forget(conversation)  # the store lost the state; what is known here may be older than it was
            return
        self._keep(known)

    def learn(self, exported: Exported) -> None:
        """Know a conversation as the store has it."""
        conversation = exported.conversation
        self._parts[conversation.key] = dict(exported.parts)
        retain_ms = None
        if exported.expires_ms is not None and exported.active_ms is not None:
            retain_ms = max(exported.expires_ms - exported.active_ms, 1)
        self._keep(
            Known(
                conversation=conversation,
                generation=exported.generation,
                version=exported.version,
                fence=exported.fence,
                state=exported.state,
                created_ms=exported.created_ms,
                active_ms=exported.active_ms,
                opted_out=exported.opted_out,
                status=exported.status,
                retain_ms=retain_ms,
            )
        )

    def committing(self, request: Commit) -> Commit | None:
        """Note that a commit is sent; return the one that was in limbo before, to be given to `refused`."""
        known = self._known.get(request.conversation.key)
        if known is None or known.token != request.token:
            return None
        before, known.limbo = known.limbo, request
        return before

    def refused(self, request: Commit, before: Commit | None) -> None:
        """Note that this try of a commit wrote nothing."""
        known = self._known.get(request.conversation.key)
        if known is not None and known.limbo is request:
            known.limbo = before

    def committed(self, request: Commit, answer: object, *, now_ms: int) -> None:
        """Learn from the answer to a commit."""
        known = self._known.get(request.conversation.key)
        if known is None or known.token != request.token:
            return
        if not isinstance(
            answer, Committed
        ):  # somebody else moves it on; what is known is old, and better than nothing
            known.token, known.handed, known.limbo = "", 0, None
            known.inbox, known.unclaimed = [], []
            return
        if request.forget:
            self.forget(request.conversation)
        else:
            self._applied(known, request, answer, now_ms)
        if answer.next is not None:
            self._granted(request.conversation, answer.next)

    def _applied(self, known: Known, request: Commit, answer: Committed, now_ms: int) -> None:
        apply(known, request, version=answer.version, now_ms=now_ms)
        replies = [effect for effect in request.effects if effect.kind is EffectKind.REPLY]
        # A lane that could be claimed was free: every earlier reply is settled.
        known.unclaimed = [] if answer.claimed else [*known.unclaimed, *((now_ms, effect) for effect in replies)]
        known.sends |= answer.claimed
        known.limbo = None
        known.token, known.handed = "", 0
        for part in request.parts:
            self._parts.setdefault(request.conversation.key, {})[part.id] = part.data
        for part_id in request.retired:
            self._parts.get(request.conversation.key, {}).pop(part_id, None)
        self._keep(known)

    def released(self, conversation: ConversationId, token: str) -> None:
        """Note that a lease was given back; its messages wait."""
        known = self._known.get(conversation.key)
        if known is not None and known.token == token:
            known.token, known.handed = "", 0

    def claimed(self, lane: Lane, claim: Claim | None) -> None:
        """Note which replies a sender of this process has in hand, or that it got none."""
        known = self._known.get(lane.conversation.key)
        if known is None or lane.name:
            return
        known.sends = claim is not None
        if known.unclaimed and claim is not None:
            taken = {entry.id for entry in claim.entries}
            known.unclaimed = [one for one in known.unclaimed if one[1].id not in taken]

    def settled(self, lane: Lane, answer: Settled) -> None:
        """Note whether a sender of this process still has the lane: if nothing more is there, it is free."""
        known = self._known.get(lane.conversation.key)
        if known is not None and not lane.name:
            known.sends = answer.held and answer.more

    def note_part(self, key: DocumentKey, data: bytes) -> None:
        """Remember a part that was read."""
        if (found := _part_of(key)) is not None and found[0] in self._known:
            name, part_id = found
            self._parts.setdefault(name, {})[part_id] = data
            self._keep(self._known[name])

    def _keep(self, known: Known) -> None:
        key = known.conversation.key
        size = known.size_bytes + sum(len(part) for part in self._parts.get(key, {}).values())
        self._used_bytes += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        self._known[key] = known
        self._known.move_to_end(key)
        while self._known and (len(self._known) > self._conversations or self._used_bytes > self._size_bytes):
            self.forget(next(iter(self._known.values())).conversation)


def apply(known: Known, commit: Commit, *, version: int, now_ms: int) -> None:
    """Let a known conversation be as it is after a commit."""
    if commit.state is not None:
        known.state, known.version = commit.state, version
    known.status = commit.status
    known.retain_ms = commit.retain_ms
    if commit.active:
        known.active_ms = now_ms
    if commit.opt_out is not None:
        known.opted_out = commit.opt_out
    taken, known.inbox = known.inbox[: commit.take], known.inbox[commit.take :]
    known.attempts = 0 if taken else known.attempts
    for waiting in taken:
        known.receipts.pop(waiting.id, None)
        known.receipts[waiting.id] = commit.reply
    while len(known.receipts) > RECEIPTS_REMEMBERED:
        del known.receipts[next(iter(known.receipts))]


def _part_of(key: DocumentKey) -> tuple[str, str] | None:
    """Return the conversation's key and the part's id of a part's document; see `part_key`."""
    if key.collection != "part":
        return None
    slash = key.id.find("/")
    while slash >= 0:
        name = key.id[:slash]
        if key.id.startswith(f"{name}:", slash + 1):  # a part's id begins with its conversation's key
            return name, key.id[slash + 1 :]
        slash = key.id.find("/", slash + 1)
    return None
