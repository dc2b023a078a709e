"""What goes in and out of a turn, as it is stored: messages, replies, jobs, timers, forwards.

These are wire formats: fields are only ever added, with defaults, so that old and new processes share a store.
A message of a kind that this code does not know is tried like any other and ends in the dead letters, whole.
"""

import enum

import msgspec

from turnkeeper.model.conversation import ConversationId

NOTHING = msgspec.Raw(b"null")
"""An absent value of a JSON member."""


class Kind(enum.StrEnum):
    """What a message is."""

    TEXT = "text"
    """Words from a person."""

    ACTION = "action"
    """A button pressed, a webhook: `text` names it, `data` holds the rest."""

    TIMER = "timer"
    """A timer of this conversation came due: `text` is its name, `data` what was given to it."""

    RESULT = "result"
    """A job ended well: `text` is its name, `data` its result, `source` the job's effect id."""

    FAILURE = "failure"
    """A job failed for good: `text` is its name, `data` a `JobFailed`, `source` the job's effect id."""

    ADMIN = "admin"
    """An operator's wish (`undo`, `reset`, `touch`, `expire`): `text` names it."""

    OPT_OUT = "opt_out"
    """The person wants silence (STOP): interrupts anything."""

    OPT_IN = "opt_in"
    """The person wants to hear again (START)."""


PERSONAL = frozenset({Kind.TEXT, Kind.ACTION, Kind.OPT_OUT, Kind.OPT_IN})
"""Kinds that a person caused: only these may interrupt or be coalesced."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message as it lies in an inbox.

    Attributes:
        id: The idempotency key, unique per conversation within the dedup window.
        kind: See `Kind`.
        text: Words, or the name that `kind` speaks of.
        channel: Name of the channel that replies take; empty: the one that the person used last.
        to: The address on that channel; empty: the person.
        received_ms: When the process that accepted it had it, in ms since 1970 UTC.
        data: Anything else, as JSON.
        source: Effect id of the job or timer that it comes from.
        late: It was accepted while the store was down, and waited in a journal.
    """

    id: str
    kind: Kind
    text: str = ""
    channel: str = ""
    to: str = ""
    received_ms: int = 0
    data: msgspec.Raw = NOTHING
    source: str = ""
    late: bool = False


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """A choice offered with a reply; channels without buttons render it as text."""

    text: str
    data: str


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something to say, frozen at commit.

    Attributes:
        channel: Name of the channel.
        to: The address on that channel.
        text: What is said.
        buttons: Choices offered with it.
        in_reply_to: Id of the message that it answers.
        key: The flow's own name for it, by which a channel tells what became of it.
        edits: The provider's id of an earlier message that it takes the place of, on channels that can edit.
    """

    channel: str
    to: str
    text: str
    buttons: tuple[Button, ...] = ()
    in_reply_to: str = ""
    key: str = ""
    edits: str = ""


class JobCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job to run: its name and its arguments as a JSON array and object."""

    name: str
    args: msgspec.Raw = msgspec.Raw(b"[]")
    kwargs: msgspec.Raw = msgspec.Raw(b"{}")


class JobFailed(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job gave up. `reason` is text for logs, not for the person; `kind` is error, timeout or crash."""

    job: str
    kind: str
    reason: str
    attempts: int


class TimerCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a timer brings back."""

    name: str
    data: msgspec.Raw = NOTHING


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """A message for another conversation of the same person."""

    conversation: ConversationId
    message: Message
