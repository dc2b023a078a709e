"""The ready policies: several people on one number, start over, help, still working, opting out and in.

Each is a function on the turn being handled. Late replies have their own module (`lateness`), since they span two turns.
"""

from typing import Any, TypeVar

import msgspec

from turnkeeper.codecs import Decoded
from turnkeeper.dialogue.compiled import ONE_MS
from turnkeeper.dialogue.declared import StillWorking
from turnkeeper.dialogue.eventlog import STARTED_OVER
from turnkeeper.dialogue.handling import Handling
from turnkeeper.dialogue.introductions import Introduction, introduction
from turnkeeper.dialogue.language.tokens import keys
from turnkeeper.dialogue.turn import Understanding
from turnkeeper.dialogue.wording import fill
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Kind, Message

S = TypeVar("S")

MAX_MEMBERS = 16
"""People of one address that are remembered: a household, not a company."""

_MYSELF = frozenset(
    keys(text) for text in ("this is me", "it's me", "it is me", "me here", "me again", "it's me again", "this is me again")
)


def lead_elsewhere(handling: Handling[Any], text: str) -> bool:
    """Lead a person's messages to the conversation of whoever speaks on this address; False: it is this one.

    "This is Ana" makes it Ana's, "This is me" brings it back. Who is greeted is greeted in their own conversation.
    """
    thread, conversation = handling.thread, handling.ledger.input.conversation
    if conversation.member:
        return False
    who = introduction(text) if text else None
    if who is not None and who.slug:
        thread.speaking = who.slug
        thread.members = (*(slug for slug in thread.members if slug != who.slug), who.slug)[-MAX_MEMBERS:]
    elif keys(text) in _MYSELF:
        thread.speaking = ""
    if not thread.speaking:
        return False
    for message in handling.messages:
        forward(handling, thread.speaking, message)
    handling.remark("forwarded")
    return True


def forward(handling: Handling[Any], member: str, message: Message) -> None:
    """Lead a message to a member's conversation, under the same id, so that a duplicate stays one there."""
    base = handling.ledger.input.conversation
    there = handling.plan.member_conversation(base, member)
    handling.ledger.forward(there, message)
