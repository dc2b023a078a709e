"""A head that the server evicted, rebuilt from the envelope of the state that it left.

What only the head knew is lost: the receipts, so that a message from before may run again, and when it began. The grant
says so.
"""

from msgspec.structs import replace

from turnkeeper.errors import StoreUnreadableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.turns import Granted
from turnkeeper.stores.redis.layout import codes
from turnkeeper.stores.redis.layout.envelope import unseal
from turnkeeper.stores.redis.layout.parsing import Reply
from turnkeeper.stores.redis.medium import Medium
from turnkeeper.stores.redis.scripts import Call


async def rebuilt(medium: Medium, conversation: ConversationId, grant: Granted, value: object) -> Granted:
    """Return a grant whose conversation had lost its head, with the state that is still there; one round trip.

    One whose time was over is not lost but gone.

    Raises:
        StoreUnreadableError: Somebody else's value stands under the state's name. The lease is held until it ends, and
            the message waits; its attempts are counted.
    """
    place = await medium.place(conversation)
    found = unseal(value) if isinstance(value, bytes) else None
    if found is None:
        raise StoreUnreadableError(
            f"{place.keys.state!r} holds what Turnkeeper did not write; a turn would write over it. It is as it was; "
            "rename or delete it. What was said until then is applied, or is in the dead letters"
        )
    partition, flow = place.partition, conversation.flow
    call = Call(
        "adopt",
        partition,
        (
            place.keys.head, place.keys.state, partition.shelf(flow, ""), partition.shelf(flow, found.status),
            partition.tick, place.planned,
        ),
        (
            grant.token, found.fence, found.version, found.generation, found.commit_id, found.status, place.member,
            place.ref,
        ),
    )  # fmt: skip
    reply: Reply = (await medium.scripts.run(call))[0]
    if reply[0] == codes.OVER:
        return replace(grant, lost=False)
    if reply[0] != codes.OK:
        return grant
    place.status = found.status
    medium.heads_rebuilt += 1
    _, fence, active_ms = reply
    return replace(
        grant,
        fence=fence,
        version=found.version,
        generation=found.generation,
        state=found.state,
        active_ms=active_ms,
        lost=False,
        rebuilt=True,
    )
