"""What a checked flow is, ready to be run: names resolved, types read, every contradiction already refused.

A plan is data. `Flow.check` computes it once; nothing that is declared afterwards gets into it.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Generic, Literal, TypeVar

import msgspec

from turnkeeper.codecs.state import StateCodec
from turnkeeper.codecs.walk import Naive
from turnkeeper.dialogue.declaring.declared import (
    Corrections,
    DeclaredJob,
    Handler,
    LateReply,
    SeveralPeople,
    StartOver,
    StillWorking,
)
from turnkeeper.dialogue.understanding.carrier_words import carrier_word
from turnkeeper.dialogue.understanding.intents import AFFIRMATIVE, ANSWER, CHOICE, NEGATIVE, Classifier, Intent
from turnkeeper.dialogue.wording import Texts
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Kind
from turnkeeper.model.person import opaque
from turnkeeper.ports.program import Rules

S = TypeVar("S")

BUILT_IN_INTENTS = frozenset({AFFIRMATIVE, NEGATIVE, CHOICE, ANSWER})
"""Intents that a handler may name although no `Intent` declares them: answers to a pending question."""

Retention = Literal["sliding", "fixed"]
"""What `forget_after` counts from: the last activity, or the beginning of the conversation."""

OnLost = Literal["rebuild", "restart", "fail"]
"""What to do with a conversation whose state the store evicted: rebuild it from the log, begin anew, or raise."""


class LogRetention(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a conversation's event log is kept; whichever limit is reached first.

    The store keeps up to 16 entries more, because the oldest readable state is rebuilt from a whole one before it.
    """

    entries: int = 100
    age: timedelta = timedelta(days=30)


class Help(msgspec.Struct, frozen=True, kw_only=True):
    """Policy: this intent is answered by `intro` and by what can be said in the current status."""

    intent: str = "help"
    intro: str = ""
    where: str = ""


class FlowPlan(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """A flow that can be run.

    Attributes:
        codec: Encodes and decodes `state_type`; knows schema, upgrades and the meaning of naive datetimes.
        statuses: `start` first, then in the order in which they were first named.
        status_help: What a person should know in a status, where declared.
        handlers: In the order of declaration, which decides nothing. Of two that match, the one with the question
            wins over the one without, then an explicit status over anywhere, then one with a guard over one without;
            what could still tie was refused, except two different guards that hold at once.
        jobs: By name, which is the function's unless declared otherwise.
        each: Run before every handler of a personal message, in order.
        timers: Names of timers that some handler takes.
        forget_after: None keeps for ever; `retention` says from when it counts.
        quiet_after: None: no silence is noticed.
        state_key: Template with one placeholder for person and member; empty: the conversation's key.
        person: Returns the normal form of an address; raises `InvalidMessageError`.
    """

    name: str
    state_type: type[S]
    codec: StateCodec[S]
    start: str
    statuses: tuple[str, ...]
    handlers: tuple[Handler, ...]
    jobs: Mapping[str, DeclaredJob]
    intents: tuple[Intent, ...]
    person: Callable[[str], str]
    classifier: Classifier | None = None
    each: tuple[Callable[..., Awaitable[None]], ...] = ()
    timers: frozenset[str] = frozenset()
    status_help: Mapping[str, str] = {}
    schema: int = 1
    naive: Naive = "utc"
    quiet_after: timedelta | None = None
    forget_after: timedelta | None = None
    retention: Retention = "sliding"
    on_lost: OnLost = "rebuild"
    log: LogRetention = LogRetention()
    rules: Rules = Rules()
    carrier_words: bool = True
    texts: Texts = Texts()
    state_key: str = ""
    still_working: tuple[StillWorking, ...] = ()
    start_over: StartOver | None = None
    late_reply: LateReply | None = None
    corrections: Corrections | None = None
    several_people: SeveralPeople | None = None
    help: Help | None = None

    @property
    def undo_keep(self) -> tuple[str, ...]:
        """Fields of the state that an undo leaves as they are."""
        return self.corrections.keep if self.corrections else ()

    def conversation(self, address: str, *, member: str = "") -> ConversationId:
        """Name the conversation of a person.

        Args:
            address: In any form that `person` understands.
            member: Who of several people on that address, as a slug; empty for the address itself.

        Raises:
            InvalidMessageError: The address cannot be one.
        """
        person = opaque(self.person(address))
        speaker = f"{person}:{member}" if member else person
        return ConversationId(
            flow=self.name, person=person, member=member, state_key=fill_state_key(self.state_key, speaker)
        )

    def classify_kind(self, text: str, *, opted_out: bool = False) -> Kind:
        """Tell what words from a person are before any turn begins: STOP must interrupt the one that runs.

        Args:
            text: The whole message.
            opted_out: Whether the person had opted out, so that YES opts in again.
        """
        word = carrier_word(text, opted_out=opted_out) if self.carrier_words else None
        if word == "opt_out":
            return Kind.OPT_OUT
        return Kind.OPT_IN if word == "opt_in" else Kind.TEXT


def is_restart(handler: Handler, policy: StillWorking) -> bool:
    """Tell whether a handler is the one that begins a stuck request anew."""
    return handler.name == policy.restart and any(
        trigger.kind == "intent" and trigger.name == policy.intent for trigger in handler.triggers
    )


def fill_state_key(template: str, speaker: str) -> str:
    """Return the template with its one placeholder replaced; a person's name cannot bring in another one."""
    if not template:
        return ""
    before, _, rest = template.partition("{")
    return before + speaker + rest.partition("}")[2]
