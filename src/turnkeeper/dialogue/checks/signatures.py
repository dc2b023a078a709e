"""Are the declared functions callable as they will be called, and what are their values decoded as?

Annotations are read here and not at declaration, and only where a type is needed: `turn: Turn[MealPlan]` may name what
is imported for type checking only, a value's type may not.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_type_hints

import msgspec

from turnkeeper.codecs.json import TypedJson, type_name
from turnkeeper.dialogue.checks.problem import Problem
from turnkeeper.dialogue.declaring.declarations import Gathered
from turnkeeper.dialogue.declaring.declared import DeclaredJob, Handler, LateReply
from turnkeeper.dialogue.declaring.jobtype import JobType
from turnkeeper.errors import InvalidStateError
from turnkeeper.model.message import JobFailed

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

ROLES = {"result": "result", "failure": "error"}
"""Kinds of triggers whose handlers always take a value, and how it is called in texts."""
MAY_TAKE = frozenset({"action", "timer"})
"""Kinds of triggers whose handlers may take a value."""


class Signatures(msgspec.Struct, frozen=True, kw_only=True):
    """What the declared functions take: handlers with their value types, jobs by name."""

    handlers: tuple[Handler, ...]
    jobs: Mapping[str, DeclaredJob]
    problems: tuple[Problem, ...]


def read_signatures(flow: Gathered) -> Signatures:
    """Read every declared function once; whoever has a problem is left out."""
    problems: list[Problem] = []
    jobs: dict[str, DeclaredJob] = {}
    for job in flow.jobs:
        declared = _read_job(job, problems)
        if declared is not None:
            jobs.setdefault(job.name, declared)
    handlers = tuple(filter(None, (_read_handler(handler, jobs, problems) for handler in flow.handlers)))
    problems.extend(_plain_functions(flow))
    return Signatures(handlers=handlers, jobs=jobs, problems=tuple(problems))


def _read_handler(handler: Handler, jobs: Mapping[str, DeclaredJob], problems: list[Problem]) -> Handler | None:
    kind, what = handler.triggers[0].kind, f"handler {handler.name}"
    found = [
        *_not_async(handler.call, what, handler.where),
        *_wrong_parameters(handler.call, what, handler.where, _expected(kind, handler.call)),
        *_bad_guard(handler),
    ]
    problems.extend(found)
    if found:
        return None
    if kind == "failure":
        return msgspec.structs.replace(handler, value_type=JobFailed)
    if kind == "result":
        job = jobs.get(handler.triggers[0].name)
        return msgspec.structs.replace(handler, value_type=job.result_type) if job else handler
    value = _positional(handler.call)[1:]
    if kind not in MAY_TAKE or not value:
        return handler
    reader = TypeReader(handler.call, what, handler.where)
    type_ = reader.read(f"its parameter {value[0].name!r}", value[0].annotation)
    problems.extend(reader.problems)
    return None if reader.problems else msgspec.structs.replace(handler, value_type=type_)


def _read_job(job: JobType[..., Any], problems: list[Problem]) -> DeclaredJob | None:
    what = f"job {job.name}"
    found = list(_not_async(job.call, what, job.where))
    signature = inspect.signature(job.call)
    parameters = list(signature.parameters.values())
    if not parameters or parameters[0].kind not in POSITIONAL:
        text = f"{what} takes {_shown(signature)}; its first parameter must be the Job: `(job: Job, …)`"
        found.append(Problem(where=job.where, text=text))
    found.extend(
        Problem(where=job.where, text=f"{what} takes {parameter}; name each argument: it is stored with its type")
        for parameter in parameters
        if parameter.kind in VARIADIC
    )
    if found:
        problems.extend(found)
        return None
    reader = TypeReader(job.call, what, job.where)
    arguments = {
        parameter.name: reader.read(f"its parameter {parameter.name!r}", parameter.annotation)
        for parameter in parameters[1:]
    }
    result_type = reader.read("what it returns", signature.return_annotation)
    problems.extend(reader.problems)
    if reader.problems:
        return None
    return DeclaredJob(
        name=job.name, call=job.call, rules=job.rules, arguments=arguments, result_type=result_type, where=job.where
    )


class TypeReader:
    """Reads annotations of one function; what cannot be read or stored is among its `problems`."""

    def __init__(self, call: Callable[..., Any], what: str, where: str) -> None:
        self.problems: list[Problem] = []
        self._call = call
        self._what = what
        self._where = where

    def read(self, subject: str, annotation: object) -> object:
        """Return the type behind an annotation, or the annotation if there is a problem with it."""
        if annotation is inspect.Parameter.empty:
            self._refuse(f"must annotate {subject}, because it is stored by its type (None if there is nothing)")
            return annotation
        try:
            type_ = _resolve(self._call, annotation)
            TypedJson(type_, name=type_name(type_))
        except NameError as error:
            self._refuse(
                f"annotates {subject} with {annotation!r}, but {error.name!r} is unknown when the program runs; "
                "import it at the top of the module, outside of `if TYPE_CHECKING`"
            )
        except InvalidStateError as error:
            self._refuse(f"cannot store {subject}: {error}")
        else:
            return type_
        return annotation

    def _refuse(self, text: str) -> None:
        self.problems.append(Problem(where=self._where, text=f"{self._what} {text}"))


def _resolve(call: Callable[..., Any], annotation: object) -> object:
    def probe() -> None:
        """Carry the one annotation: the others of the function may name what is not there at run time."""

    probe.__annotations__ = {"value": annotation}
    hints = get_type_hints(probe, globalns=inspect.unwrap(call).__globals__, include_extras=True)
    return hints["value"]


def _plain_functions(flow: Gathered) -> Iterator[Problem]:
    for hook in flow.hooks:
        what = f"hook {hook.call.__qualname__}"
        yield from _not_async(hook.call, what, hook.where)
        yield from _wrong_parameters(hook.call, what, hook.where, ("turn",))
    for upgrade in flow.upgrades:
        what = f"upgrade {upgrade.call.__qualname__}"
        yield from _not_plain(upgrade.call, what, upgrade.where)
        yield from _wrong_parameters(upgrade.call, what, upgrade.where, ("old",))
    for policy in flow.policies:
        if isinstance(policy, LateReply) and policy.reminder is not None:
            yield from _not_plain(policy.reminder, "the reminder of late_reply", policy.where)
            yield from _wrong_parameters(policy.reminder, "the reminder of late_reply", policy.where, ("turn",))


def _bad_guard(handler: Handler) -> Iterator[Problem]:
    if handler.guard is not None:
        what = f"the guard of handler {handler.name}"
        yield from _not_plain(handler.guard, what, handler.where)
        yield from _wrong_parameters(handler.guard, what, handler.where, ("turn",))


def _not_async(call: Callable[..., Any], what: str, where: str) -> Iterator[Problem]:
    if not (inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(inspect.unwrap(call))):
        yield Problem(where=where, text=f"{what} must be `async def`, because it is awaited")


def _not_plain(call: object, what: str, where: str) -> Iterator[Problem]:
    if not callable(call):
        yield Problem(where=where, text=f"{what} must be a function, got {call!r}")
    elif inspect.iscoroutinefunction(call):
        yield Problem(where=where, text=f"{what} must be a plain `def`: it only looks, and is never awaited")


def _wrong_parameters(call: object, what: str, where: str, expected: tuple[str, ...]) -> Iterator[Problem]:
    if not callable(call):
        return
    signature = inspect.signature(call)
    try:
        signature.bind(*expected)
    except TypeError:
        wanted = ", ".join(expected)
        yield Problem(where=where, text=f"{what} takes {_shown(signature)} but is called with ({wanted})")


def _expected(kind: str, call: Callable[..., Any]) -> tuple[str, ...]:
    if kind in ROLES:
        return ("turn", ROLES[kind])
    if kind in MAY_TAKE and len(_positional(call)) > 1:
        return ("turn", "value")
    return ("turn",)


def _positional(call: Callable[..., Any]) -> list[inspect.Parameter]:
    return [found for found in inspect.signature(call).parameters.values() if found.kind in POSITIONAL]


def _shown(signature: inspect.Signature) -> str:
    return f"({', '.join(signature.parameters)})"
