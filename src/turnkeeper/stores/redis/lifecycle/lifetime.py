"""The ends of a conversation that are not a commit: its time is over, or somebody asks for its erasure."""

from collections.abc import Sequence

from turnkeeper.errors import StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.turns import Forgotten
from turnkeeper.stores.redis.committing import GRACE_MS, WINDOW_MS
from turnkeeper.stores.redis.layout import codes
from turnkeeper.stores.redis.layout.keys import Keys
from turnkeeper.stores.redis.layout.parsing import Reply, text
from turnkeeper.stores.redis.medium import Medium, Place
from turnkeeper.stores.redis.scripts import Call

_CHUNK = 500
"""Effects and dead letters that one call erases: a few milliseconds of the server."""

_WHOLE = 1_000_000
"""More than a conversation may have."""

TRIES = 8
"""How often the keys may turn out to be other ones before somebody is told; each time another writer was faster."""


async def end(medium: Medium, conversation: ConversationId) -> bool:
    """Forget a state whose time is over; False if something keeps it, or has just begun anew."""
    keys, place = await medium.keys(), await medium.place(conversation)
    status, parts = place.status, list[str]()
    for _ in range(TRIES):
        reply: Reply = (await medium.scripts.run(_end_call(keys, place, conversation, status, parts)))[0]
        if reply[0] == codes.AGAIN:
            status, parts = text(reply[1]), [text(part) for part in reply[2]]
            continue
        place.status = ""
        if reply[0] != codes.OK:
            return False
        others = [text(name) for name in reply[1]]  # what its head would have known: where it is listed
        if others:
            await medium.scripts.run_all([_end_call(keys, place, conversation, name, ()) for name in others])
        return True
    raise _changing()


async def unlist(medium: Medium, conversation: ConversationId) -> None:
    """Take a conversation that began anew off the lists in which a head that was evicted left it."""
    keys, place = await medium.keys(), await medium.place(conversation)
    asked = ("HKEYS", place.partition.statuses(conversation.flow))
    (names,) = await medium.scripts.read([asked], place.partition)
    calls = [_end_call(keys, place, conversation, text(name), ()) for name in names]
    if calls:
        await medium.scripts.run_all(calls)


def _end_call(keys: Keys, place: Place, conversation: ConversationId, status: str, parts: Sequence[str]) -> Call:
    mine, partition, flow = place.keys, place.partition, conversation.flow
    return Call(
        "end",
        partition,
        (
            mine.head, mine.state, partition.gone(flow), partition.shelf(flow, status), partition.statuses(flow),
            partition.tick, mine.parts, place.planned, partition.people(conversation.person),
            partition.shelf(flow, ""), mine.log, mine.letters,
            *part_keys(keys, conversation, parts),
        ),
        (place.ref, place.member, status, len(parts), WINDOW_MS, GRACE_MS, *parts),
    )  # fmt: skip


async def erase(medium: Medium, conversation: ConversationId, *, mark: str | None = None) -> Forgotten:
    """Remove everything of a conversation but the person's opt-out, and count it.

    Effects and letters go a chunk at a time, so that nobody waits for a long lane; the rest goes at once, at the end.
    With a mark all of it goes at once: between two chunks somebody could change what is left.
    """
    keys, place = await medium.keys(), await medium.place(conversation)
    status, parts, tries = place.status, list[str](), 0
    deliveries, letters, cursor = 0, 0, b"0"
    while tries < TRIES:
        call = Call(
            "erase",
            place.partition,
            (*_all_keys(place, conversation, status), *part_keys(keys, conversation, parts)),
            (
                place.ref,
                place.member,
                place.lane,
                status,
                len(parts),
                WINDOW_MS,
                _CHUNK if mark is None else _WHOLE,
                mark or "",
                cursor,
            ),
        )
        reply: Reply = (await medium.scripts.run(call))[0]
        if reply[0] == codes.AGAIN:
            status, parts, tries = text(reply[1]), [text(part) for part in reply[2]], tries + 1
            continue
        if reply[0] == codes.CHANGED:
            return Forgotten(changed=True)
        mark = None
        if reply[0] == codes.MORE:
            deliveries, letters, cursor = deliveries + reply[1], letters + reply[2], reply[3]
            continue
        place.status = ""
        if not reply[1]:
            await end(medium, conversation)  # its head may have been evicted, and the indexes still name it
        return Forgotten(
            conversations=reply[1],
            log_entries=reply[2],
            deliveries=deliveries + reply[3],
            parts=reply[4],
            dead_letters=letters + reply[5],
        )
    raise _changing()


def part_keys(keys: Keys, conversation: ConversationId, parts: Sequence[str]) -> list[str]:
    """Return the keys of parts, two for each."""
    return [key for part in parts for key in keys.document(part_key(conversation, part))]


def _all_keys(place: Place, conversation: ConversationId, status: str) -> tuple[str, ...]:
    mine, partition, flow = place.keys, place.partition, conversation.flow
    return (
        mine.head, mine.state, mine.inbox, mine.receipts, mine.answers, mine.memos, mine.effects, partition.due(flow),
        partition.gone(flow), partition.shelf(flow, status), partition.statuses(flow), partition.tick, place.planned,
        mine.log, mine.parts, partition.dead(flow), partition.dead_bodies, mine.letters,
        partition.people(conversation.person), partition.wish(flow, conversation.person),
    )  # fmt: skip


def _changing() -> StoreUnavailableError:
    return StoreUnavailableError(f"the conversation changed {TRIES} times meanwhile; nothing was written, repeat")
