"""Which node of a cluster has which slot, as one of the nodes says when it is asked."""

from collections.abc import Sequence

from turnkeeper.errors import StoreUnavailableError, StoreUnreadableError, TurnkeeperError
from turnkeeper.stores.redis.connections.addresses import Address
from turnkeeper.stores.redis.connections.dialling import Dialler
from turnkeeper.stores.redis.deployments.wire import ErrorReply
from turnkeeper.stores.redis.layout.keys import SLOTS

Slots = list[Address | None]
"""The owner of each slot; None for those that nobody serves at the moment."""


async def ask(dialler: Dialler, nodes: Sequence[Address], *, url: str) -> Slots:
    """Return the slots as the first node says that answers. Each is asked on a connection that is closed again.

    Raises:
        StoreUnreadableError: It is no cluster, or refuses us.
        StoreUnavailableError: None answers.
    """
    failed: TurnkeeperError = StoreUnavailableError(f"{url} names no node; nothing was sent")
    for node in nodes:
        try:
            connection = await dialler.dial(node)
        except StoreUnavailableError as exc:
            failed = exc
            continue
        try:
            (reply,) = await connection.call([("CLUSTER", "SLOTS")])
        except TurnkeeperError as exc:
            failed = StoreUnavailableError(str(exc))
            continue
        finally:
            connection.cut("it was asked for the slots only")
        if isinstance(reply, ErrorReply):
            raise _refusal(reply, url)
        slots = parse_slots(reply, node)
        if any(slots):
            return slots
        failed = StoreUnavailableError(f"{url}: no node has a slot yet; nothing was sent. Is the cluster created?")
    raise failed


def parse_slots(reply: object, asked: Address) -> Slots:
    """Return what CLUSTER SLOTS says. A node that does not know its own name is where it was asked."""
    slots: Slots = [None] * SLOTS
    for one in reply if isinstance(reply, list) else ():
        match one:
            case [int(first), int(last), [host, int(port), *_], *_]:
                name = host.decode() if isinstance(host, bytes) else ""
                owner = Address(asked.host if name in {"", "?"} else name, port)
                slots[first : last + 1] = [owner] * (last + 1 - first)
    return slots


def _refusal(reply: ErrorReply, url: str) -> TurnkeeperError:
    if "cluster support disabled" in reply.text or "unknown command" in reply.text:  # a sentinel says the latter
        return StoreUnreadableError(
            f"{url} is no cluster; nothing was written. Write redis:// in place of redis+cluster://"
        )
    if reply.code in {"NOPERM", "NOAUTH"}:
        return StoreUnreadableError(f"{url}: the user may not use CLUSTER SLOTS ({reply.text}); nothing was written")
    return StoreUnavailableError(f"{url} is not ready ({reply.text}); nothing was sent")
