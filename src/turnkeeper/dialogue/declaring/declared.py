"""What a flow or router declares, as plain data: the one thing that checks, graph and execution share.

Nothing here decides anything. `where` is `file:line` of the declaration, for error texts.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from turnkeeper.ports.program import JobRules

ANYWHERE: tuple[str, ...] = ("*",)
"""As `when`: in every status."""


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a handler run.

    Attributes:
        kind: `intent`, `action`, `result`, `failure`, `timer`, `quiet`, `forget`, `unknown`, `admin`.
        name: The intent's, action's, job's or timer's name; empty for quiet, forget and unknown.
        question: Only as the answer to this pending question; empty: any.
    """

    kind: str
    name: str = ""
    question: str = ""


class Handler(msgspec.Struct, frozen=True, kw_only=True):
    """One declared handler.

    Attributes:
        triggers: Any of these makes it run.
        when: Statuses in which it may run; `ANYWHERE` for all.
        to: Statuses it may lead to. One: it leads there unless the handler says otherwise by `turn.go`. Several: the
            handler chooses one by `turn.go`, or stays. Empty: it stays.
        guard: Takes the turn; False: as if the handler were not declared, this time.
        undoable: It changes something that "undo" takes back.
        aside: It answers without losing the thread: status and pending question stay, the question is repeated.
        help: What a person can say here, for help and hints; empty: not mentioned.
        call: `async (turn)` or, for results, failures and timers, `async (turn, value)`.
        value_type: What `value` is decoded as; None where the handler takes none.
    """

    triggers: tuple[Trigger, ...]
    when: tuple[str, ...]
    to: tuple[str, ...]
    call: Callable[..., Awaitable[None]]
    where: str
    guard: Callable[..., bool] | None = None
    undoable: bool = False
    aside: bool = False
    help: str = ""
    value_type: Any = None

    @property
    def name(self) -> str:
        """The function's qualified name."""
        return self.call.__qualname__


class DeclaredJob(msgspec.Struct, frozen=True, kw_only=True):
    """A function that runs outside of turns. `arguments` are the types after the leading `Job`, by name."""

    name: str
    call: Callable[..., Awaitable[Any]]
    rules: JobRules
    arguments: Mapping[str, Any]
    result_type: Any
    where: str


class StillWorking(msgspec.Struct, frozen=True, kw_only=True):
    """Policy for a request repeated while its job runs.

    In status `when`, the trigger intent again: within `within` of the job's start, or as long as the job is alive, the
    answer is `reply`; afterwards, if no job is alive, `restart` runs as if it were allowed here.
    """

    intent: str
    when: tuple[str, ...]
    job: str
    restart: str
    reply: str = "Still working on it, one moment…"
    within: timedelta = timedelta(seconds=30)
    where: str = ""


class StartOver(msgspec.Struct, frozen=True, kw_only=True):
    """Policy: from anywhere back to `to`, with a new state except for the fields in `keep`.

    Jobs and timers that wait are cancelled, except timers named in `keep_timers`.
    """

    intent: str
    to: str
    keep: tuple[str, ...] = ()
    keep_timers: tuple[str, ...] = ()
    reply: str = "Starting over."
    where: str = ""


class LateReply(msgspec.Struct, frozen=True, kw_only=True):
    """Policy for a message after a silence, in any status that is not `resting`.

    After `remind_after` the answer begins with a reminder of where they were; after `ask_after` the message is not
    run, and the person chooses between `continue_intent` and `new_intent`.
    `reminder` takes the turn and returns the reminder's text.
    """

    resting: tuple[str, ...]
    continue_intent: str = "continue"
    new_intent: str = "new"
    remind_after: timedelta = timedelta(hours=2)
    ask_after: timedelta = timedelta(hours=24)
    reminder: Callable[..., str] | None = None
    where: str = ""


class Corrections(msgspec.Struct, frozen=True, kw_only=True):
    """Policy: "oops", "actually …", "wait" take the last undoable turn back, then the rest of the text is understood.

    Fields named in `keep` are not taken back (counters, times). `intent` does the same; empty: there is none.
    """

    intent: str = ""
    keep: tuple[str, ...] = ()
    reply: str = "OK, I took that back."
    nothing: str = "There is nothing to take back."
    where: str = ""


class SeveralPeople(msgspec.Struct, frozen=True, kw_only=True):
    """Policy: "This is Ana" leads this and later messages to `{flow}:{person}:ana`, until somebody else speaks up."""

    greeting: str = "Hi {name}! From now on this is your own conversation."
    where: str = ""
