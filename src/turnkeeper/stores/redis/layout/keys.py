"""Every key, and every member of an index that names a conversation. No other module builds one, and no script does.

A person's partition is a hash tag made from the person's address, so that all that a turn touches is on one node. The
tags are chosen by their slot: counted ones (`p0`, `p1` ...) would land four, five and seven on three nodes.
"""

import functools
import hashlib
import itertools
import string
import zlib
from collections.abc import Iterable, Sequence

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.turns import EffectKind

SLOTS = 16_384
"""Hash slots of a cluster; the number is part of Redis Cluster's specification."""

PARTITIONS = 16
"""Hash tags of one server: enough that a later move to a small cluster spreads evenly."""

CLUSTER_PARTITIONS = 64
"""Hash tags of a cluster: a node more or less moves a part of them, not a quarter of everything."""

PLANS = 64
"""Sorted sets for the ends of one partition: a server keeps one of up to 128 entries in a third of the memory."""

META = "turnkeeper:meta"
"""Says which schema and how many partitions this database has. On a cluster every node could own its slot: one does."""

_POLYNOMIAL = 0x1021
_KINDS = {EffectKind.REPLY: "r", EffectKind.JOB: "j", EffectKind.TIMER: "t", EffectKind.FORWARD: "f"}
KIND_OF = {letter: kind for kind, letter in _KINDS.items()}
"""What the letter of an entry stands for."""


def slot(tag: bytes) -> int:
    """Return the hash slot of a tag: CRC16 (XMODEM) modulo 16,384, as Redis Cluster's specification has it."""
    crc = 0
    for byte in tag:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (_POLYNOMIAL if crc & 0x8000 else 0)
        crc &= 0xFFFF
    return crc % SLOTS


@functools.lru_cache(maxsize=8)
def tags(count: int) -> tuple[str, ...]:
    """Return the hash tags of that many partitions, each in the middle of its equal share of the slots."""
    letters = string.digits + string.ascii_lowercase
    names = ["".join(pair) for pair in itertools.product(letters, repeat=2)]
    slots = {name: slot(name.encode()) for name in names}
    width = SLOTS / count
    return tuple(min(names, key=lambda name: abs(slots[name] - (share + 0.5) * width)) for share in range(count))


def quoted(name: str) -> str:
    """Return a name in which nothing can be taken for a separator or a tag; ordinary names stay readable."""
    if name.isalnum():
        return name
    return name.replace("%", "%25").replace(":", "%3A").replace("{", "%7B").replace("}", "%7D")


def ref(conversation: ConversationId) -> bytes:
    """Return the member that names a conversation in an index: a JSON list without empty ends."""
    parts = [conversation.flow, conversation.person, conversation.member, conversation.state_key]
    while not parts[-1] and len(parts) > 2:  # noqa: PLR2004 - flow and person are always there
        parts.pop()
    return msgspec.json.encode(parts)


def conversation_of(member: bytes) -> ConversationId:
    """Return the conversation that a member names."""
    flow, person, *rest = msgspec.json.decode(member, type=list[str])
    return ConversationId(
        flow=flow, person=person, member=rest[0] if rest else "", state_key=rest[1] if rest[1:] else ""
    )


def short(conversation: ConversationId) -> bytes:
    """Return the member that names a conversation in an index of one flow: the person, in nearly every case.

    An index costs a hundred bytes for each conversation, and its members are a part of that.
    """
    if is_only(conversation) and not conversation.person.startswith("["):
        return conversation.person.encode()
    return msgspec.json.encode((conversation.person, conversation.member, conversation.state_key))


def conversation_in(flow: str, member: bytes) -> ConversationId:
    """Return the conversation that a member of a flow's index names."""
    if not member.startswith(b"["):
        return ConversationId(flow=flow, person=member.decode())
    person, name, state_key = msgspec.json.decode(member, type=tuple[str, str, str])
    return ConversationId(flow=flow, person=person, member=name, state_key=state_key)


def is_only(conversation: ConversationId) -> bool:
    """Return whether flow and person alone name it; no index is needed to find such a one."""
    return not conversation.member and not conversation.state_key


def of_person(flows: Sequence[str], person: str, indexed: Iterable[ConversationId]) -> list[ConversationId]:
    """Return a person's conversations in some flows, each once: those of the index, and those that need none.

    What stands in the index knows its state key; without it the same conversation would be taken for another one.
    """
    plain = [ConversationId(flow=flow, person=person) for flow in flows]
    known = {one.key: one for one in plain} | {one.key: one for one in indexed if one.flow in flows}
    return list(known.values())


def lane_ref(member: bytes) -> bytes:
    """Return what names a conversation in the due index: a letter stands before it, a lane behind it."""
    return b"%d:%b" % (len(member), member)


def turn_member(member: bytes) -> bytes:
    """Return what stands in the due index for a conversation's inbox."""
    return b"c" + lane_ref(member)


def lane_member(member: bytes, kind: EffectKind, lane: str) -> bytes:
    """Return what stands in the due index for a lane."""
    return _KINDS[kind].encode() + lane_ref(member) + lane.encode()


def parse_due(member: bytes) -> tuple[ConversationId, EffectKind | None, str]:
    """Return the conversation, the kind (None: its inbox) and the lane that a member of the due index names."""
    length, _, rest = member[1:].partition(b":")
    return conversation_of(rest[: int(length)]), KIND_OF.get(chr(member[0])), rest[int(length) :].decode()


def letter_of(kind: EffectKind) -> str:
    """Return the letter of a kind."""
    return _KINDS[kind]


class Partition:
    """The keys that are shared by everybody in one partition."""

    __slots__ = ("dead_bodies", "flows", "tag", "tick")

    def __init__(self, tag: str) -> None:
        """Take the hash tag without its braces."""
        self.tag = f"{{{tag}}}:"
        self.flows = f"{self.tag}flows"
        self.tick = f"{self.tag}tick"
        self.dead_bodies = f"{self.tag}letters"

    def due(self, flow: str) -> str:
        """Sorted set: what somebody must look at, by when."""
        return f"{self.tag}due:{quoted(flow)}"

    def shelf(self, flow: str, status: str) -> str:
        """Sorted set: listed conversations of one status by the number of their last change."""
        return f"{self.tag}status:{quoted(flow)}:{quoted(status)}"

    def statuses(self, flow: str) -> str:
        """Hash: how many conversations with a state have which status."""
        return f"{self.tag}statuses:{quoted(flow)}"

    def gone(self, flow: str) -> str:
        """Sorted set: what was forgotten, erased or restored, by the number of that change, for those who watch."""
        return f"{self.tag}gone:{quoted(flow)}"

    def planned(self, person: str) -> str:
        """Sorted set, one of `PLANS`: when the time of conversations is over, and half a millisecond if it was."""
        return f"{self.tag}end:{zlib.crc32(person.encode('utf-8', 'surrogatepass')) % PLANS}"

    def plans(self) -> list[str]:
        """Return all of these."""
        return [f"{self.tag}end:{number}" for number in range(PLANS)]

    def dead(self, flow: str) -> str:
        """Sorted set: dead letters by age."""
        return f"{self.tag}dead:{quoted(flow)}"

    def people(self, person: str) -> str:
        """Sorted set, half as large as a set: a person's conversations that need more than flow and person."""
        return f"{self.tag}w:{quoted(person)}"

    def wish(self, flow: str, person: str) -> str:
        """Hash: whether a person wants to hear from a flow."""
        return f"{self.tag}u:{quoted(flow)}:{quoted(person)}"

    def collection(self, name: str) -> str:
        """Sorted set: the names of a collection's documents, in the order of their bytes."""
        return f"{self.tag}names:{quoted(name)}"

    def clock(self) -> str:
        """Hash: a time that a test moves. Production neither reads nor writes it."""
        return f"{self.tag}clock"


class ConversationKeys:
    """The keys of one conversation."""

    __slots__ = (
        "answers",
        "effects",
        "head",
        "inbox",
        "letters",
        "log",
        "memos",
        "parts",
        "receipts",
        "state",
    )

    def __init__(self, partition: Partition, conversation: ConversationId, *, in_cluster: bool) -> None:
        """Take the person's partition; on a cluster the state key has the tag in front of the flow's own name."""
        name, tag = _named(conversation), partition.tag
        self.head = f"{tag}h:{name}"
        self.state = f"{tag}{conversation.state_name}" if in_cluster else conversation.state_name
        self.inbox = f"{tag}i:{name}"
        self.receipts = f"{tag}r:{name}"
        self.answers = f"{tag}a:{name}"
        self.memos = f"{tag}m:{name}"
        self.effects = f"{tag}o:{name}"
        self.log = f"{tag}l:{name}"
        self.parts = f"{tag}p:{name}"
        self.letters = f"{tag}g:{name}"

    def stage(self, commit_id: str, name: str = "") -> str:
        """Where a commit's state or part waits: under the commit's own id, so that no zombie's gets in."""
        return f"{self.head}:stage:{commit_id}:{name}"


def _named(conversation: ConversationId) -> str:
    name = f"{quoted(conversation.flow)}:{quoted(conversation.person)}"
    return f"{name}:{quoted(conversation.member)}" if conversation.member else name


_TYPES = {
    "h": "string", "i": "list", "r": "zset", "a": "hash", "m": "hash", "o": "hash", "l": "list", "p": "zset",
    "g": "set", "due": "zset", "status": "zset", "statuses": "hash", "gone": "zset", "end": "zset", "dead": "zset",
    "letters": "hash", "flows": "set", "tick": "zset", "w": "zset", "u": "hash", "names": "zset", "e": "hash",
    "d": "string", "clock": "hash", "collections": "set",
}  # fmt: skip


def type_of(key: str) -> str:
    """Return the type that a key of ours has; one without a tag is a state or a document."""
    kind = key.partition("}:")[2].partition(":")[0]
    return "string" if not key.startswith("{") or ":stage:" in key else _TYPES.get(kind, "string")


class Keys:
    """All keys of one database."""

    def __init__(self, count: int, *, in_cluster: bool) -> None:
        """Take how many partitions the database has."""
        self.partitions = tuple(Partition(tag) for tag in tags(count))
        self._in_cluster = in_cluster

    def partition(self, person: str) -> Partition:
        """Return the partition of a person, or of whatever else decides where something lives."""
        digest = hashlib.blake2b(person.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return self.partitions[int.from_bytes(digest, "big") % len(self.partitions)]

    def conversation(self, partition: Partition, conversation: ConversationId) -> ConversationKeys:
        """Return the keys of a conversation."""
        return ConversationKeys(partition, conversation, in_cluster=self._in_cluster)

    def seen(self, partition: Partition, conversation: ConversationId) -> tuple[str, str]:
        """Return the keys of a conversation's head and state, all that a look at it needs."""
        state = conversation.state_name
        return f"{partition.tag}h:{_named(conversation)}", f"{partition.tag}{state}" if self._in_cluster else state

    @property
    def collections(self) -> str:
        """Set: collections whose documents have the users' own names and stand in no list; none on a cluster."""
        return f"{self.partitions[0].tag}collections"

    def home(self, key: DocumentKey) -> Partition:
        """Return the partition of a document."""
        return self.partition(key.person or f"{key.collection}:{key.id}")

    def document(self, key: DocumentKey) -> tuple[str, str]:
        """Return the keys of a document's value and of its etag.

        Without a person the value has the name that the users gave it, `collection:id`.
        """
        tag = self.home(key).tag
        name = f"{key.collection}:{key.id}"
        if key.person:
            own = f"{quoted(key.collection)}:{quoted(key.id)}:{quoted(key.person)}"
            return f"{tag}d:{own}", f"{tag}e:{own}"
        return (f"{tag}{name}" if self._in_cluster else name), f"{tag}e:{quoted(key.collection)}:{quoted(key.id)}"


def proof_key(tag: str) -> str:
    """Return what is written in front of a WAIT, so that it proves something; the tag is a partition's own."""
    return f"{tag}proof"
