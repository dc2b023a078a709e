"""The decorators that declare handlers and jobs, for a flow or for a module of its own that a flow includes.

A router only collects: nothing is checked, and no annotation read, before `Flow.check`; so modules may be imported in
any order, as long as all are imported before the check. What comes later is refused.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, overload

from turnkeeper.dialogue.declaring.declarations import Declarations, Hook, Inclusion, JobUse, Status
from turnkeeper.dialogue.declaring.declared import ANYWHERE, Handler, Trigger
from turnkeeper.dialogue.declaring.jobtype import JobType, Retry
from turnkeeper.dialogue.declaring.origin import origin_of, origin_of_caller
from turnkeeper.model.message import JobFailed
from turnkeeper.ports.program import JobRules

S = TypeVar("S")
R = TypeVar("R")
P = ParamSpec("P")
Q = ParamSpec("Q")

if TYPE_CHECKING:
    from turnkeeper.dialogue.turn import Job, Turn

    TurnOnly: TypeAlias = Callable[[Turn[S]], Awaitable[None]]
    """A handler that takes the turn."""
    TurnAnd: TypeAlias = Callable[[Turn[S], R], Awaitable[None]]
    """A handler that takes the turn and a value of that type."""
    TurnWith: TypeAlias = Callable[Concatenate[Turn[S], Q], Awaitable[None]]
    """A handler that takes the turn and perhaps a value, whose type is read from its annotation."""
    Guard: TypeAlias = Callable[[Turn[S]], bool]
    """Tells whether a handler may run this time; plain, pure and quick."""

Names: TypeAlias = str | Sequence[str]
"""One name, or several."""

DEFAULT_RETRY = Retry()
DEFAULT_TIMEOUT = timedelta(minutes=5)
"""For one attempt of a job: a slow model or a slow site, but not a lost one."""


def as_names(names: Names) -> tuple[str, ...]:
    """Return one name or several as a tuple."""
    return (names,) if isinstance(names, str) else tuple(names)


class Router(Generic[S]):
    """Declares handlers and jobs of a flow in a module of its own.

        router = Router(MealPlan)

        @router.on("pricing", aside=True)
        async def pricing(turn: Turn[MealPlan]) -> None: ...

        flow.include(router)

    In every decorator, `when` are the statuses in which the handler may run (default: anywhere) and `to` those that it
    may lead to: with one it leads there unless it says otherwise by `turn.go`, with several it chooses, without any
    it stays. A `guard` that returns False makes it as if the handler were not declared, this time. An `undoable`
    handler changes something that "undo" takes back. Each decorator returns the function as it was.

    Attributes:
        state_type: The flow's state; including it into a flow with another state is an error.
        declared: What was declared so far.
    """

    def __init__(self, state_type: type[S]) -> None:
        self.state_type = state_type
        self.declared = Declarations()

    def on(
        self,
        intent: str,
        /,
        *others: str,
        when: Names = ANYWHERE,
        to: Names = (),
        question: str = "",
        guard: "Guard[S] | None" = None,
        undoable: bool = False,
        aside: bool = False,
        help: str = "",  # noqa: A002 - the word of the domain
    ) -> "Callable[[TurnOnly[S]], TurnOnly[S]]":
        """Declare what happens when a person means one of these intents.

        Args:
            intent: Declared in the flow's `intents`, or built in: `affirmative` and `negative` (yes and no to a
                pending question), `answer` (any other answer; needs `question`).
            others: Further intents that mean the same here.
            when: See `Router`.
            to: See `Router`.
            question: Only as the answer to this pending question, named as in `turn.ask`.
            guard: See `Router`.
            undoable: See `Router`.
            aside: It answers without losing the thread: status and pending question stay, the question is repeated.
            help: What a person can say here, such as "PLAN: this week's dinners".
        """
        triggers = tuple(Trigger(kind="intent", name=name, question=question) for name in (intent, *others))

        def declare(call: "TurnOnly[S]") -> "TurnOnly[S]":
            self._add(call, triggers, when, to, guard=guard, undoable=undoable, aside=aside, help=help)
            return call

        return declare

    def action(
        self,
        name: str,
        /,
        *,
        when: Names = ANYWHERE,
        to: Names = (),
        guard: "Guard[S] | None" = None,
        undoable: bool = False,
        aside: bool = False,
    ) -> "Callable[[TurnWith[S, Q]], TurnWith[S, Q]]":
        """Declare what a button or webhook of this name does.

        The handler takes the turn, or the turn and a value: the action's data, decoded as annotated.
        """
        triggers = (Trigger(kind="action", name=name),)

        def declare(call: "TurnWith[S, Q]") -> "TurnWith[S, Q]":
            self._add(call, triggers, when, to, guard=guard, undoable=undoable, aside=aside)
            return call

        return declare

    def timer(
        self, name: str, /, *, when: Names = ANYWHERE, to: Names = (), guard: "Guard[S] | None" = None
    ) -> "Callable[[TurnWith[S, Q]], TurnWith[S, Q]]":
        """Declare what happens when a timer of this name comes due.

        The handler takes the turn, or the turn and a value: what the timer was given, decoded as annotated. In a
        status that no handler names the timer is logged and dropped.
        """
        triggers = (Trigger(kind="timer", name=name),)

        def declare(call: "TurnWith[S, Q]") -> "TurnWith[S, Q]":
            self._add(call, triggers, when, to, guard=guard)
            return call

        return declare

    def result(
        self,
        job: "JobType[P, R]",
        /,
        *,
        when: Names = ANYWHERE,
        to: Names = (),
        guard: "Guard[S] | None" = None,
    ) -> "Callable[[TurnAnd[S, R]], TurnAnd[S, R]]":
        """Declare what happens with the result of a job, which the handler takes behind the turn.

        A result that arrives in another status than `when`, or of a job that was cancelled, is logged and dropped.
        """
        triggers = (Trigger(kind="result", name=job.name),)

        def declare(call: "TurnAnd[S, R]") -> "TurnAnd[S, R]":
            self._add(call, triggers, when, to, guard=guard, job=job)
            return call

        return declare

    def failed(
        self,
        job: JobType[..., Any],
        /,
        *,
        when: Names = ANYWHERE,
        to: Names = (),
        guard: "Guard[S] | None" = None,
    ) -> "Callable[[TurnAnd[S, JobFailed]], TurnAnd[S, JobFailed]]":
        """Declare what happens when a job gave up after its last attempt: the handler takes turn and `JobFailed`.

        A failure that arrives in another status than `when`, or of a job that was cancelled, is logged and dropped.
        """
        triggers = (Trigger(kind="failure", name=job.name),)

        def declare(call: "TurnAnd[S, JobFailed]") -> "TurnAnd[S, JobFailed]":
            self._add(call, triggers, when, to, guard=guard, job=job)
            return call

        return declare

    @overload
    def on_quiet(self, call: "TurnOnly[S]", /) -> "TurnOnly[S]": ...

    @overload
    def on_quiet(
        self, /, *, when: Names = ..., to: Names = ..., guard: "Guard[S] | None" = ...
    ) -> "Callable[[TurnOnly[S]], TurnOnly[S]]": ...

    def on_quiet(
        self,
        call: "TurnOnly[S] | None" = None,
        /,
        *,
        when: Names = ANYWHERE,
        to: Names = (),
        guard: "Guard[S] | None" = None,
    ) -> "TurnOnly[S] | Callable[[TurnOnly[S]], TurnOnly[S]]":
        """Declare what happens when nobody said anything for the flow's `quiet_after`."""

        def declare(call: "TurnOnly[S]") -> "TurnOnly[S]":
            self._add(call, (Trigger(kind="quiet"),), when, to, guard=guard)
            return call

        return declare if call is None else declare(call)

    @overload
    def on_forget(self, call: "TurnOnly[S]", /) -> "TurnOnly[S]": ...

    @overload
    def on_forget(self, /, *, when: Names = ...) -> "Callable[[TurnOnly[S]], TurnOnly[S]]": ...

    def on_forget(
        self, call: "TurnOnly[S] | None" = None, /, *, when: Names = ANYWHERE
    ) -> "TurnOnly[S] | Callable[[TurnOnly[S]], TurnOnly[S]]":
        """Declare the last turn, after the flow's `forget_after`: with it the conversation is forgotten."""

        def declare(call: "TurnOnly[S]") -> "TurnOnly[S]":
            self._add(call, (Trigger(kind="forget"),), when, ())
            return call

        return declare if call is None else declare(call)

    @overload
    def unknown(self, call: "TurnOnly[S]", /) -> "TurnOnly[S]": ...

    @overload
    def unknown(
        self, /, *, when: Names = ..., to: Names = ..., guard: "Guard[S] | None" = ...
    ) -> "Callable[[TurnOnly[S]], TurnOnly[S]]": ...

    def unknown(
        self,
        call: "TurnOnly[S] | None" = None,
        /,
        *,
        when: Names = ANYWHERE,
        to: Names = (),
        guard: "Guard[S] | None" = None,
    ) -> "TurnOnly[S] | Callable[[TurnOnly[S]], TurnOnly[S]]":
        """Declare the answer to words that fit no intent, instead of the flow's own clarifying question."""

        def declare(call: "TurnOnly[S]") -> "TurnOnly[S]":
            self._add(call, (Trigger(kind="unknown"),), when, to, guard=guard)
            return call

        return declare if call is None else declare(call)

    def each(self, call: "TurnOnly[S]", /) -> "TurnOnly[S]":
        """Declare what runs before every handler of a personal message (counters, last activity); no parentheses."""
        where = origin_of(call)
        self.declared.open(where).hooks.append(Hook(call=call, where=where))
        return call

    def job(
        self,
        *,
        retry: Retry = DEFAULT_RETRY,
        timeout: timedelta = DEFAULT_TIMEOUT,
        name: str = "",
        result_dropped: bool = False,
    ) -> "Callable[[Callable[Concatenate[Job, P], Awaitable[R]]], JobType[P, R]]":
        """Declare a function that runs outside of turns, started by `turn.start`; its outcome comes back as a turn.

        It takes a `Job` and its arguments, all annotated with types that the codec knows. It may run more than once
        (a crash, a retry): use `job.id` as idempotency key for the outside world.

        Args:
            retry: When it is tried again after an error.
            timeout: For one attempt.
            name: Its name in stored data; empty: the function's. Renaming strands jobs that wait.
            result_dropped: Nobody waits for the outcome: neither result nor failure needs a handler.
        """
        rules = JobRules(
            attempts=retry.attempts,
            factor=retry.factor,
            delay=retry.delay,
            max_delay=retry.max_delay,
            timeout=timeout,
        )

        def declare(call: "Callable[Concatenate[Job, P], Awaitable[R]]") -> "JobType[P, R]":
            where = origin_of(call)
            job = JobType(call, name=name or call.__name__, rules=rules, result_dropped=result_dropped, where=where)
            self.declared.open(where).jobs.append(job)
            return job

        return declare

    def status(self, name: str, /, *, help: str = "") -> str:  # noqa: A002 - the word of the domain
        """Declare a status and what a person should know in it; returns the name.

        Statuses need no declaration otherwise: `start` and whatever a `to` names exist.
        """
        where = origin_of_caller()
        self.declared.open(where).statuses.append(Status(name=name, help=help, where=where))
        return name

    def include(self, router: "Router[S]", /) -> None:
        """Take over everything that is declared on another router, now or later."""
        where = origin_of_caller()
        self.declared.open(where).inclusions.append(Inclusion(router=router, where=where))

    def _add(
        self,
        call: Callable[..., Awaitable[None]],
        triggers: tuple[Trigger, ...],
        when: Names,
        to: Names,
        *,
        guard: "Guard[S] | None" = None,
        undoable: bool = False,
        aside: bool = False,
        help: str = "",  # noqa: A002 - the word of the domain
        job: JobType[..., Any] | None = None,
    ) -> None:
        where = origin_of(call)
        declared = self.declared.open(where)
        if job is not None:
            declared.job_uses.append(JobUse(job=job, where=where))
        declared.handlers.append(
            Handler(
                triggers=triggers,
                when=as_names(when),
                to=as_names(to),
                call=call,
                where=where,
                guard=guard,
                undoable=undoable,
                aside=aside,
                help=help,
            )
        )
