"""`Turns.forget`: erase a conversation, or all of one person's in a flow."""

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.turns import Forgotten
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps.heads import BY_PERSON, Head, load
from turnkeeper.stores.sqlite.steps.lifetime import erase


def forget(transaction: Transaction, conversation: ConversationId, *, person: bool) -> Forgotten:
    """See `Turns.forget`."""
    if person:
        rows = transaction.execute(BY_PERSON, (conversation.person, conversation.flow)).fetchall()
        heads = [Head(*row) for row in rows]
    else:
        head = load(transaction, conversation)
        heads = [] if head is None else [head]
    erased = [erase(transaction, head) for head in heads]
    return Forgotten(
        conversations=sum(one.conversations for one in erased),
        log_entries=sum(one.log_entries for one in erased),
        deliveries=sum(one.deliveries for one in erased),
        parts=sum(one.parts for one in erased),
        dead_letters=sum(one.dead_letters for one in erased),
    )
