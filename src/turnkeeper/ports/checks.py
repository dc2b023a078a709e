"""Refuses what the ports do not allow: every store calls these before it writes anything."""

from turnkeeper.errors import LimitError
from turnkeeper.model.conversation import MAX_NAME_BYTES, ConversationId
from turnkeeper.ports.limits import (
    MAX_BATCH,
    MAX_EFFECTS,
    MAX_HAND_OUT,
    MAX_MEMOS,
    MAX_PART_BYTES,
    MAX_PARTS,
    MAX_PAYLOAD_BYTES,
    MAX_STATE_BYTES,
)
from turnkeeper.ports.turns import Begin, Commit


def refuse_above(limit: str, allowed: int, found: int) -> None:
    """Let a number pass that is within a limit.

    Raises:
        LimitError: It is above.
    """
    if found > allowed:
        raise LimitError(limit=limit, found=found, allowed=allowed)


def check_batch(count: int) -> None:
    """Let a call pass that does not ask for too much at once."""
    refuse_above("MAX_BATCH", MAX_BATCH, count)


def page_size(limit: int) -> int:
    """Return how many rows a page has: what was asked for, but 1 to `MAX_BATCH`."""
    return max(1, min(limit, MAX_BATCH))


def check_payload(data: bytes | None) -> None:
    """Let a message, an effect, a reply or a memo pass that is not too large."""
    refuse_above("MAX_PAYLOAD_BYTES", MAX_PAYLOAD_BYTES, len(data or b""))


def check_part(data: bytes) -> None:
    """Let a part or a document pass that is not too large."""
    refuse_above("MAX_PART_BYTES", MAX_PART_BYTES, len(data))


def check_memos(count: int) -> None:
    """Let a message have that many memos."""
    refuse_above("MAX_MEMOS", MAX_MEMOS, count)


def check_begin(request: Begin) -> None:
    """Let a `begin` pass that keeps every limit."""
    _check_names(request.conversation)
    _check_hand_out(request.hand_out)
    if request.message is not None:
        check_payload(request.message.payload)


def check_commit(request: Commit) -> None:
    """Let a `commit` pass that keeps every limit."""
    _check_names(request.conversation)
    _check_hand_out(request.hand_out)
    refuse_above("MAX_STATE_BYTES", MAX_STATE_BYTES, len(request.state or b""))
    refuse_above("MAX_STATE_BYTES", MAX_STATE_BYTES, len(request.log or b""))
    refuse_above("MAX_EFFECTS", MAX_EFFECTS, len(request.effects))
    refuse_above("MAX_PARTS", MAX_PARTS, len(request.parts) + len(request.adopted) + len(request.retired))
    check_batch(len(request.cancel))
    check_payload(request.reply)
    for effect in request.effects:
        check_payload(effect.payload)
    for part in request.parts:
        check_part(part.data)


def _check_names(conversation: ConversationId) -> None:
    for name in (conversation.flow, conversation.person, conversation.member, conversation.state_key):
        if len(name) * 4 > MAX_NAME_BYTES:  # only then can its UTF-8 be too long
            refuse_above("MAX_NAME_BYTES", MAX_NAME_BYTES, len(name.encode("utf-8", "surrogatepass")))


def _check_hand_out(count: int) -> None:
    if not 1 <= count <= MAX_HAND_OUT:
        raise LimitError(limit="MAX_HAND_OUT", found=count, allowed=MAX_HAND_OUT)
