"""The end of a turn: from a ledger to the draft that the engine commits.

The log entry is part of the same commit, so that what was answered and how the state changed can never disagree.
"""

import dataclasses
from typing import Any, TypeVar

import msgspec

from turnkeeper.codecs import Envelope
from turnkeeper.dialogue.checks.states import STATUS_FIELD
from turnkeeper.dialogue.eventlog import is_whole_due, preview, state_members
from turnkeeper.dialogue.running.handling import Handling
from turnkeeper.dialogue.running.opening import Opened
from turnkeeper.dialogue.thread import moment
from turnkeeper.model.event import LogEntry, LoggedInput
from turnkeeper.model.message import NOTHING, PERSONAL, TimerCall
from turnkeeper.ports.program import Draft, TurnInput

S = TypeVar("S")

QUIET = "_quiet"
"""Name of the timer behind `on_quiet`."""

FORGET = "_forget"
"""Name of the timer behind `on_forget`."""

MAX_LOGGED_CHARACTERS = 2_000
"""Of a message in the readable part of an entry, as many as are understood; `inputs` hold it whole."""

MAX_ERROR_CHARACTERS = 1_000
"""Of an error in the log; the dead letter holds the whole."""

_encode = msgspec.json.Encoder().encode


def close_turn(handling: Handling[S], opened: Opened[S]) -> Draft:
    """Return what to commit.

    Raises:
        InvalidStateError: A handler left a value in the state that does not fit its type.
    """
    ledger, thread, plan, turn = handling.ledger, handling.thread, handling.plan, handling.ledger.input
    if ledger.forget:
        return _forgetting(handling, opened)
    is_active = any(message.kind in PERSONAL for message in turn.messages)
    if is_active:
        set_silence_timers(handling)
    if handling.compiled.follows_status and getattr(ledger.state, STATUS_FIELD) != thread.status:
        ledger.state = _with_status(ledger.state, thread.status)
    is_whole = is_whole_due(version=turn.version + 1, full_ms=thread.full_ms, now_ms=turn.now_ms)
    if is_whole:
        thread.full_ms = turn.now_ms
    encoded = plan.codec.encode(ledger.state, _envelope(handling), ledger.extras)
    full, delta = state_members(opened.before, encoded.data, is_whole=is_whole)
    parts = ledger.new_parts(encoded.refs)
    return Draft(
        state=encoded.data,
        status=thread.status,
        active=is_active,
        retain_ms=handling.compiled.retain_ms,
        slide=plan.retention == "sliding",
        log=_encode(entry_of(handling, before=opened.status, full=full, delta=delta)),
        log_keep=handling.compiled.log_keep,
        log_keep_ms=handling.compiled.log_keep_ms,
        effects=tuple(ledger.effects),
        cancel=tuple(dict.fromkeys(ledger.cancelled)),
        cancel_all=handling.opt_out is True,
        replies=tuple(reply.text for reply in ledger.replies),
        parts=parts,
        adopted=tuple(sorted(encoded.refs - opened.refs - {part.id for part in parts})),
        retired=tuple(sorted(opened.refs - encoded.refs)),
        opt_out=handling.opt_out,
    )


def _envelope(handling: Handling[Any]) -> Envelope:
    turn, thread = handling.ledger.input, handling.thread
    return Envelope(
        generation=turn.generation,
        version=turn.version + 1,
        fence=turn.fence,
        commit_id=turn.commit_id,
        schema=handling.plan.schema,
        status=thread.status,
        engine=msgspec.Raw(_encode(thread)),
    )


def leave_turn(handling: Handling[S], opened: Opened[S], *, active: bool = False) -> Draft:
    """Return a draft that leaves the state as it is and only logs the messages.

    Its log entry holds the state in full: such entries may fill the log, and the newest state must stay in it.
    """
    compiled = handling.compiled
    full = NOTHING if opened.before is None else msgspec.Raw(opened.before)
    return Draft(
        state=None,
        status=opened.status,
        active=active,
        retain_ms=compiled.retain_ms,
        slide=compiled.plan.retention == "sliding",
        log=_encode(entry_of(handling, before=opened.status, full=full)),
        log_keep=compiled.log_keep,
        log_keep_ms=compiled.log_keep_ms,
        effects=tuple(handling.ledger.effects),
        replies=tuple(reply.text for reply in handling.ledger.replies),
    )


def _forgetting(handling: Handling[S], opened: Opened[S]) -> Draft:
    ledger, compiled = handling.ledger, handling.compiled
    ledger.cancel_jobs(lambda job: job.id not in ledger.started)
    ledger.cancel_timers(lambda _: True)
    return Draft(
        state=None,
        status=ledger.thread.status,
        active=any(message.kind in PERSONAL for message in ledger.input.messages),
        forget=True,
        log=_encode(entry_of(handling, before=opened.status)),
        log_keep=compiled.log_keep,
        log_keep_ms=compiled.log_keep_ms,
        effects=tuple(ledger.effects),
        cancel=tuple(dict.fromkeys(ledger.cancelled)),
        cancel_all=handling.opt_out is True,
        replies=tuple(reply.text for reply in ledger.replies),
        retired=tuple(sorted(opened.refs)),
        opt_out=handling.opt_out,
    )


def set_silence_timers(handling: Handling[S]) -> None:
    """Set the timers behind `on_quiet` and `on_forget`, each replacing the one set before. Flows without have none."""
    ledger, compiled, turn = handling.ledger, handling.compiled, handling.ledger.input
    kinds = compiled.choices.kinds
    ledger.root = 0
    if "quiet" in kinds and compiled.quiet_ms is not None and not handling.is_silent:
        ledger.set_timer(TimerCall(name=QUIET), name=QUIET, due_ms=turn.now_ms + compiled.quiet_ms)
    if "forget" in kinds and compiled.retain_ms is not None:
        is_sliding = compiled.plan.retention == "sliding"
        due_ms = (turn.now_ms if is_sliding else turn.created_ms) + compiled.retain_ms
        if all(timer.name != FORGET or timer.due_ms != due_ms for timer in handling.thread.timers):
            ledger.set_timer(TimerCall(name=FORGET), name=FORGET, due_ms=due_ms)


def entry_of(
    handling: Handling[S], *, before: str, full: msgspec.Raw = NOTHING, delta: msgspec.Raw = NOTHING
) -> LogEntry:
    """Return the log entry of the turn."""
    ledger, thread, turn = handling.ledger, handling.thread, handling.ledger.input
    return LogEntry(
        phone=turn.conversation.person,
        state=thread.status,
        message="\n".join(handling.heard)[:MAX_LOGGED_CHARACTERS],
        intent=handling.intent,
        response_preview=preview(ledger.replies),
        timestamp=moment(turn.now_ms),
        modifications_count=thread.modifications_count,
        error_count=thread.error_count,
        counters=thread.counters,
        before=before,
        handler=", ".join(handling.handlers),
        inputs=logged_inputs(turn),
        replies=tuple(ledger.replies),
        undoable=ledger.undoable,
        undoes=ledger.undoes,
        effects=tuple(ledger.started),
        note=handling.note,
        error=handling.error[:MAX_ERROR_CHARACTERS],
        full=full,
        delta=delta,
    )


def logged_inputs(turn: TurnInput) -> tuple[LoggedInput, ...]:
    """Return the messages of a turn as the log shows them."""
    return tuple(
        LoggedInput(
            id=message.id,
            kind=message.kind,
            text=message.text,
            channel=message.channel,
            at_ms=message.received_ms or turn.now_ms,
            superseded=index < turn.superseded and message.kind in PERSONAL,
            late=message.late,
        )
        for index, message in enumerate(turn.messages)
    )


def _with_status(state: Any, status: str) -> Any:  # noqa: ANN401 - a Struct or a dataclass, perhaps a frozen one
    try:
        setattr(state, STATUS_FIELD, status)
    except AttributeError:
        replace = msgspec.structs.replace if isinstance(state, msgspec.Struct) else dataclasses.replace
        return replace(state, **{STATUS_FIELD: status})
    return state
