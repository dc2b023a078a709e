"""The beginning of a turn: from stored bytes to a ledger.

What cannot be read stays as it is: `StateNewerError` and `StateUndecodableError` leave before anything was decided.
"""

from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

import msgspec

from turnkeeper.codecs import Decoded
from turnkeeper.dialogue.checks.states import STATUS_FIELD
from turnkeeper.dialogue.eventlog import newest_state
from turnkeeper.dialogue.ledger import Ledger
from turnkeeper.dialogue.running.compiled import Compiled
from turnkeeper.dialogue.thread import Passed, Thread, thread_of
from turnkeeper.errors import PermanentError
from turnkeeper.model.message import Kind
from turnkeeper.ports.program import Tools, TurnInput

S = TypeVar("S")

WAYS_OUT = frozenset({"reset", "expire"})
"""Admin messages that end the standstill of a conversation whose state was lost."""


class Opened(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """A turn that can be handled.

    Attributes:
        before: The encoded state that it begins with; None: there is none.
        refs: Ids of the parts that this state refers to.
        status: Where the dialogue stood.
    """

    ledger: Ledger[S]
    before: bytes | None
    refs: AbstractSet[str]
    status: str


async def open_turn(compiled: Compiled[S], turn: TurnInput, tools: Tools) -> Opened[S]:
    """Decode the state, or find out what becomes of a conversation without one.

    Raises:
        StateNewerError: Written by newer code.
        StateUndecodableError: It does not fit, or no thread can be read from it.
        PermanentError: It was lost, and the flow wants to stop then.
    """
    before = turn.state
    if before is None and turn.lost:
        before = await _recover(compiled, turn, tools)
    return read_turn(compiled, turn, tools, before)


def read_turn(compiled: Compiled[S], turn: TurnInput, tools: Tools, before: bytes | None) -> Opened[S]:
    """Decode a state, None being that of a new conversation. See `open_turn`."""
    decoded: Decoded[S] | None = None if before is None else compiled.plan.codec.decode(before)
    thread = _new_thread(compiled, turn) if decoded is None else _thread(compiled, turn, decoded)
    ledger = Ledger(
        compiled.plan,
        turn,
        tools,
        state=compiled.fresh() if decoded is None else decoded.state,
        extras=None if decoded is None else decoded.extras,
        thread=thread,
        screens=compiled.screens,
        is_new=turn.state is None and not turn.lost,
        lost=turn.lost,
    )
    refs = frozenset(decoded.refs) if decoded is not None else frozenset()
    return Opened(ledger=ledger, before=before, refs=refs, status=thread.status)


async def _recover(compiled: Compiled[S], turn: TurnInput, tools: Tools) -> bytes | None:
    match compiled.plan.on_lost:
        case "rebuild":
            return await newest_state(tools, generation=turn.generation, version=turn.version)
        case "restart":
            return None
        case "fail" if all(message.text in WAYS_OUT and message.kind is Kind.ADMIN for message in turn.messages):
            return None
        case "fail":
            raise PermanentError(
                "the store lost the state of this conversation, and the flow wants to stop then (on_lost='fail'); "
                "restore it from a backup, or let it begin anew with the admin message 'reset'"
            )


def _new_thread(compiled: Compiled[S], turn: TurnInput) -> Thread:
    start = compiled.plan.start
    return Thread(status=start, history=(Passed(status=start, at_ms=turn.now_ms),))


def _thread(compiled: Compiled[S], turn: TurnInput, decoded: Decoded[S]) -> Thread:
    envelope = decoded.envelope
    thread = thread_of(envelope)
    if thread is not None:
        return thread
    # Somebody else wrote the state (an import, a repair by hand): its own words say where it stands.
    status = "" if envelope is None else envelope.status
    if not status and compiled.follows_status:
        status = getattr(decoded.state, STATUS_FIELD)
    if status not in compiled.plan.statuses:
        status = compiled.plan.start
    return Thread(status=status, history=(Passed(status=status, at_ms=turn.now_ms),))
