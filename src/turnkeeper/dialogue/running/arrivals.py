"""What comes to a conversation without words: results and failures of jobs, timers, an operator's wishes.

Only what the thread still lists as live is run, and only where a handler takes it in this status; everything else is
logged as `dropped` and changes nothing: it belongs to something that was cancelled, undone, or started over meanwhile.
"""

from typing import Any

from turnkeeper.dialogue.running.closing import FORGET, QUIET
from turnkeeper.dialogue.running.handling import Handling
from turnkeeper.dialogue.running.policies import start_over
from turnkeeper.dialogue.turn import Understanding
from turnkeeper.model.message import Kind, Message, TimerCall

DROPPED = "dropped"
"""Note of what came too late to matter."""

OUTCOMES = {Kind.RESULT: "result", Kind.FAILURE: "failure"}
"""Triggers by the kind of message that ends a job."""


async def handle_outcome(handling: Handling[Any], message: Message) -> None:
    """Handle the result or the failure of a job."""
    thread, name = handling.thread, message.text
    handling.understood(name)
    job = thread.job(message.source)
    if job is None:
        handling.remark(DROPPED)
        return
    thread.jobs = tuple(live for live in thread.jobs if live is not job)
    understanding = Understanding(intent=name)
    handler = handling.choose(OUTCOMES[message.kind], name, understanding)
    if handler is None:
        handling.remark(DROPPED)
        return
    if message.kind is Kind.FAILURE:
        thread.error_count += 1
    await handling.run(handler, understanding, root=job.root)


async def handle_timer(handling: Handling[Any], message: Message) -> None:
    """Handle a timer that came due."""
    thread, name = handling.thread, message.text
    handling.understood(name)
    timer = thread.timer(message.source)
    if timer is None:
        handling.remark(DROPPED)
        return
    thread.timers = tuple(live for live in thread.timers if live is not timer)
    if name == QUIET:
        await _handle_quiet(handling)
        return
    if name == FORGET:
        await _handle_forget(handling)
        return
    understanding = Understanding(intent=name)
    handler = handling.choose("timer", name, understanding)
    if handler is None:
        handling.remark(DROPPED)
        return
    await handling.run(handler, understanding, root=timer.root)


async def _handle_quiet(handling: Handling[Any]) -> None:
    """Run `on_quiet` if nobody said anything since the timer was set."""
    quiet_ms = handling.compiled.quiet_ms
    if quiet_ms is None:  # an earlier version of the flow set it
        handling.remark(DROPPED)
        return
    due_ms = _active_ms(handling) + quiet_ms
    if handling.now_ms < due_ms:
        handling.ledger.set_timer(TimerCall(name=QUIET), name=QUIET, due_ms=due_ms)
        handling.remark("not_quiet")
        return
    understanding = Understanding(intent=QUIET)
    handler = handling.choose("quiet", "", understanding)
    if handler is None:
        handling.remark(DROPPED)
        return
    await handling.run(handler, understanding, root=0)


async def _handle_forget(handling: Handling[Any]) -> None:
    """Run `on_forget` and forget, if nobody said anything meanwhile."""
    retain_ms = handling.compiled.retain_ms
    if retain_ms is None:
        handling.remark(DROPPED)
        return
    is_sliding = handling.plan.retention == "sliding"
    due_ms = (_active_ms(handling) if is_sliding else handling.ledger.input.created_ms) + retain_ms
    if handling.now_ms < due_ms:
        handling.ledger.set_timer(TimerCall(name=FORGET), name=FORGET, due_ms=due_ms)
        handling.remark("not_forgotten")
        return
    await expire(handling)


async def expire(handling: Handling[Any]) -> None:
    """Run `on_forget`, if the flow has one here, and forget the conversation."""
    understanding = Understanding(intent=FORGET)
    handler = handling.choose("forget", "", understanding)
    if handler is not None:
        await handling.run(handler, understanding, root=0)
    handling.ledger.forget = True
    handling.remark("forgotten")


def _active_ms(handling: Handling[Any]) -> int:
    """Return when somebody outside last caused a turn; a conversation without any counts from its beginning."""
    turn = handling.ledger.input
    return turn.created_ms if turn.active_ms is None else turn.active_ms


async def handle_admin(handling: Handling[Any], name: str) -> None:
    """Do what an operator wants. The person is told nothing: whoever operates decides what to say."""
    handling.understood(name)
    handling.handlers.append("admin")
    match name:
        case "undo":
            if await handling.take_back() is None:
                handling.remark("nothing_to_undo")
        case "reset":
            start_over(handling)
        case "expire":
            await expire(handling)
        case _:
            handling.remark("ignored")
