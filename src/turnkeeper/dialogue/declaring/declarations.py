"""What was declared, in order, before anybody asked whether it makes sense: per router, and gathered for a flow.

Once a flow that includes a router was checked the router is sealed: what came later would silently be missing.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from turnkeeper.codecs.walk import Naive
from turnkeeper.dialogue.declaring.declared import (
    Corrections,
    Handler,
    LateReply,
    SeveralPeople,
    StartOver,
    StillWorking,
)
from turnkeeper.dialogue.declaring.jobtype import JobType
from turnkeeper.dialogue.plan import Help, LogRetention, OnLost, Retention
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.errors import InvalidFlowError
from turnkeeper.ports.program import Rules

if TYPE_CHECKING:
    from turnkeeper.dialogue.declaring.router import Router


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A function of `each`."""

    call: Callable[..., Awaitable[None]]
    where: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A status that was declared by name, with what a person should know in it."""

    name: str
    help: str
    where: str


class Inclusion(msgspec.Struct, frozen=True, kw_only=True):
    """A router that was included, and where."""

    router: "Router[Any]"
    where: str


class JobUse(msgspec.Struct, frozen=True, kw_only=True):
    """A job that a handler takes the outcome of."""

    job: JobType[..., Any]
    where: str


class Declarations:
    """What was declared on one router, in order; `sealed` once a flow with it was checked."""

    __slots__ = ("handlers", "hooks", "inclusions", "job_uses", "jobs", "sealed", "statuses")

    def __init__(self) -> None:
        self.handlers: list[Handler] = []
        self.hooks: list[Hook] = []
        self.inclusions: list[Inclusion] = []
        self.job_uses: list[JobUse] = []
        self.jobs: list[JobType[..., Any]] = []
        self.statuses: list[Status] = []
        self.sealed = False

    def open(self, where: str) -> "Declarations":
        """Return these declarations for one more.

        Raises:
            InvalidFlowError: The flow was checked already; what came now would silently be missing from it.
        """
        if self.sealed:
            raise InvalidFlowError(
                f"{where}: declared after the flow was checked, so it would never run; "
                "import this module before the flow goes into App(...)"
            )
        return self


Policy = StillWorking | StartOver | LateReply | Corrections | SeveralPeople | Help
"""A ready answer to an edge case, declared on the flow."""

Upgrading = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the members of a state of one schema into those of the next."""


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """A declared step from one schema of the state to the next."""

    from_version: int
    call: Upgrading
    where: str


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """A flow and everything that it includes, flattened, as declared: what the checks look at.

    Attributes:
        where: Of the flow itself.
        routers: Every router once, the flow's own first.
        inclusions: Every inclusion, also a repeated one.
    """

    name: str
    state_type: type[Any]
    start: str
    where: str
    intents: tuple[Intent, ...]
    schema: int
    state_key: str
    naive: Naive
    quiet_after: timedelta | None
    forget_after: timedelta | None
    retention: Retention
    on_lost: OnLost
    log: LogRetention
    rules: Rules
    carrier_words: bool
    policies: tuple[Policy, ...] = ()
    upgrades: tuple[Upgrade, ...] = ()
    routers: tuple["Router[Any]", ...] = ()
    inclusions: tuple[Inclusion, ...] = ()
    handlers: tuple[Handler, ...] = ()
    hooks: tuple[Hook, ...] = ()
    jobs: tuple[JobType[..., Any], ...] = ()
    job_uses: tuple[JobUse, ...] = ()
    statuses: tuple[Status, ...] = ()


def routers_of(router: "Router[Any]") -> tuple["Router[Any]", ...]:
    """Return a router and all that it includes, each once, in the order of inclusion."""
    found: dict[int, Router[Any]] = {}

    waiting = [router]
    while waiting:
        visited = waiting.pop()
        if id(visited) not in found:
            found[id(visited)] = visited
            waiting.extend(inclusion.router for inclusion in reversed(visited.declared.inclusions))
    return tuple(found.values())
