"""The ends of a conversation that are not a commit: its time is over, or somebody asks for its erasure."""

from collections.abc import Sequence

from turnkeeper.errors import StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.turns import Forgotten
from turnkeeper.stores.redis import codes
from turnkeeper.stores.redis import keys as names
from turnkeeper.stores.redis.committing import GRACE_MS, WINDOW_MS
from turnkeeper.stores.redis.keys import Keys
from turnkeeper.stores.redis.medium import Medium, Place
from turnkeeper.stores.redis.parsing import Reply, text
from turnkeeper.stores.redis.scripts import Call

TRIES = 8
"""How often the keys may turn out to be other ones before somebody is told; each time another writer was faster."""


async def end(medium: Medium, conversation: ConversationId) -> bool:
    """Forget a state whose time is over; False if something keeps it, or has just begun anew."""
    keys, place = await medium.keys(), await medium.place(conversation)
    mine, partition, flow = place.keys, place.partition, conversation.flow
    status, parts = medium.status(place), list[str]()
    for _ in range(TRIES):
        call = Call(
            "end",
            partition,
            (
                mine.head, mine.state, partition.recent(flow), partition.shelf(flow, status), partition.statuses(flow),
                partition.feed(flow), partition.tick, mine.parts, partition.planned,
                partition.people(conversation.person), partition.shelf(flow, ""), mine.log, mine.letters,
                *part_keys(keys, conversation, parts),
            ),
            (names.ref(conversation), status, len(parts), WINDOW_MS, GRACE_MS, *parts),
        )  # fmt: skip
        reply: Reply = (await medium.scripts.run(call))[0]
        if reply[0] != codes.AGAIN:
            medium.note_status(place, "")
            return bool(reply[0] == codes.OK)
        status, parts = text(reply[1]), [text(part) for part in reply[2]]
    raise _changing()


async def erase(medium: Medium, conversation: ConversationId) -> Forgotten:
    """Remove everything of a conversation but the person's opt-out, and count it."""
    keys, place = await medium.keys(), await medium.place(conversation)
    status, parts = medium.status(place), list[str]()
    for _ in range(TRIES):
        call = Call(
            "erase",
            place.partition,
            (*_all_keys(place, conversation, status), *part_keys(keys, conversation, parts)),
            (names.ref(conversation), names.lane_ref(names.ref(conversation)), status, len(parts), WINDOW_MS),
        )
        reply: Reply = (await medium.scripts.run(call))[0]
        if reply[0] != codes.AGAIN:
            medium.note_status(place, "")
            conversations, entries, deliveries, erased, letters = reply[1:]
            return Forgotten(
                conversations=conversations,
                log_entries=entries,
                deliveries=deliveries,
                parts=erased,
                dead_letters=letters,
            )
        status, parts = text(reply[1]), [text(part) for part in reply[2]]
    raise _changing()


def part_keys(keys: Keys, conversation: ConversationId, parts: Sequence[str]) -> list[str]:
    """Return the keys of parts, two for each."""
    return [key for part in parts for key in keys.document(part_key(conversation, part))]


def _all_keys(place: Place, conversation: ConversationId, status: str) -> tuple[str, ...]:
    mine, partition, flow = place.keys, place.partition, conversation.flow
    return (
        mine.head, mine.state, mine.inbox, mine.receipts, mine.answers, mine.memos, mine.effects, mine.queue,
        partition.due(flow), partition.recent(flow), partition.shelf(flow, status), partition.statuses(flow),
        partition.feed(flow), partition.tick, partition.planned, mine.log, mine.parts, partition.dead(flow),
        partition.dead_bodies, mine.letters, partition.people(conversation.person),
    )  # fmt: skip


def _changing() -> StoreUnavailableError:
    return StoreUnavailableError(f"the conversation changed {TRIES} times meanwhile; nothing was written, repeat")
