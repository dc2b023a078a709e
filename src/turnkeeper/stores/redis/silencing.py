"""`cancel_all`: before a commit, everything of the person in that flow that was not handed out is cancelled.

It stands under the commit's own fence, so that nobody's effects are cancelled for a turn that cannot commit. A crash
between the two leaves the message in the inbox: the turn runs again, and cancels what is left.
"""

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.turns import Commit
from turnkeeper.stores.redis import codes
from turnkeeper.stores.redis import keys as names
from turnkeeper.stores.redis.committing import WINDOW_MS
from turnkeeper.stores.redis.medium import Medium
from turnkeeper.stores.redis.parsing import Reply
from turnkeeper.stores.redis.scripts import Call

_CHUNK = 500
"""Effects that one call cancels: a few milliseconds of the server."""


async def silence(medium: Medium, request: Commit) -> None:
    """Cancel for a commit that says `cancel_all`."""
    place = await medium.place(request.conversation)
    people = place.partition.people(request.conversation.person)
    (found,) = await medium.scripts.read([("ZRANGE", people, 0, -1)], place.partition)
    known = [names.conversation_of(member) for member in found]
    wanted = [one for one in known if one.flow == request.conversation.flow]
    while wanted:
        replies: list[Reply] = await medium.scripts.run_all([await _call(medium, one, request) for one in wanted])
        wanted = [one for one, reply in zip(wanted, replies, strict=True) if reply[0] == codes.OK and reply[2] == 1]


async def _call(medium: Medium, conversation: ConversationId, request: Commit) -> Call:
    committing, place = await medium.place(request.conversation), await medium.place(conversation)
    mine = place.keys
    return Call(
        "silence",
        place.partition,
        (
            mine.head, mine.state, mine.effects, mine.queue, place.partition.due(conversation.flow), mine.receipts,
            committing.keys.head, place.partition.planned,
        ),
        (
            names.lane_ref(names.ref(conversation)), request.token, request.fence, request.version,
            request.generation, request.commit_id, _CHUNK, WINDOW_MS,
        ),
    )  # fmt: skip
