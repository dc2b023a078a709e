"""Erases the accounts of conflicts with what they tell: an erased person's words must not stand in one."""

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage.standing import CONFLICTS, Conflict
from turnkeeper.ports.documents import Documents
from turnkeeper.ports.limits import MAX_BATCH


async def drop_accounts(documents: Documents, conversation: ConversationId, *, person: bool) -> None:
    """Delete the accounts of a conversation, or of all conversations that its person has in its flow.

    Safe to repeat.
    """
    cursor = None
    while True:
        page = await documents.scan(CONFLICTS, cursor=cursor, limit=MAX_BATCH)
        for key, document in page.items:
            about = msgspec.json.decode(document.data, type=Conflict).conversation
            is_theirs = person and (about.flow, about.person) == (conversation.flow, conversation.person)
            if is_theirs or about.key == conversation.key:
                await documents.delete(key)
        if (cursor := page.cursor) is None:
            return
