"""A declared job as its module sees it: what `turn.start` takes, and what result handlers are checked against.

It is not callable: a handler that awaited it would hold the conversation up and lose the result in a crash.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Concatenate, Generic, ParamSpec, TypeVar

import msgspec

from turnkeeper.errors import ConfigurationError
from turnkeeper.ports.program import JobRules

if TYPE_CHECKING:
    from turnkeeper.dialogue.turn import Job

P = ParamSpec("P")
R = TypeVar("R")

MAX_ATTEMPTS = 100
"""Attempts of one job: with the longest wait of five minutes that is a working day."""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """When a job that failed is tried again: after `delay * factor ** (attempt - 1)`, at most `max_delay`, with jitter.

    A failure with a `PermanentError` is never tried again.

    Attributes:
        attempts: How often it may run in all, 1 to `MAX_ATTEMPTS`; 1 means no repetition.
        factor: 1 or more.
    """

    attempts: int = 3
    factor: float = 2.0
    delay: timedelta = timedelta(seconds=1)
    max_delay: timedelta = timedelta(minutes=5)

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= MAX_ATTEMPTS:
            raise ConfigurationError(f"Retry.attempts must be 1 to {MAX_ATTEMPTS}, got {self.attempts}")
        if self.factor < 1:
            raise ConfigurationError(f"Retry.factor must be 1 or more, got {self.factor}")
        if not timedelta(0) <= self.delay <= self.max_delay:
            raise ConfigurationError(
                f"Retry.delay must be between 0 and max_delay ({self.max_delay}), got {self.delay}"
            )


class JobType(Generic[P, R]):
    """A job that turns of this flow can start; made by `@flow.job`.

    Attributes:
        name: Unique in the flow; it is stored with waiting jobs, so renaming strands those.
        call: The function itself, for tests: `await analyze_cart.call(job, "+15551234567")`.
        rules: How it is retried and how long one attempt may take.
        result_dropped: Nobody waits for the outcome: neither result nor failure needs a handler.
        where: `file:line` of the declaration.
    """

    __slots__ = ("call", "name", "result_dropped", "rules", "where")

    def __init__(
        self,
        call: "Callable[Concatenate[Job, P], Awaitable[R]]",
        *,
        name: str,
        rules: JobRules,
        result_dropped: bool,
        where: str,
    ) -> None:
        self.call = call
        self.name = name
        self.rules = rules
        self.result_dropped = result_dropped
        self.where = where

    def __repr__(self) -> str:
        return f"<job {self.name} declared at {self.where}>"
