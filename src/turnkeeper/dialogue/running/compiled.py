"""A plan with everything that can be computed before the first turn."""

from datetime import timedelta
from typing import Any, Generic, TypeVar

from turnkeeper.dialogue.checks.states import STATUS_FIELD, field_names
from turnkeeper.dialogue.choosing import Choices
from turnkeeper.dialogue.eventlog import log_limits
from turnkeeper.dialogue.plan import FlowPlan
from turnkeeper.dialogue.running.hearing import Hearing
from turnkeeper.dialogue.wording import fill

S = TypeVar("S")

ONE_MS = timedelta(milliseconds=1)


class Compiled(Generic[S]):
    """What all turns of a flow share; nothing in it changes.

    Attributes:
        screens: Channels whose clients read the log by themselves; nothing is sent on them.
        follows_status: The state has a field that shows the status.
        by_name: Handlers by their function's name.
    """

    def __init__(self, plan: FlowPlan[S], *, screens: frozenset[str]) -> None:
        self.plan = plan
        self.screens = screens
        self.choices = Choices(plan)
        self.hearing = Hearing(plan)
        self.by_name = {handler.name: handler for handler in plan.handlers}
        self.follows_status = STATUS_FIELD in field_names(plan.state_type)
        self.log_keep, self.log_keep_ms = log_limits(plan.log)
        self.retain_ms = None if plan.forget_after is None else plan.forget_after // ONE_MS
        self.quiet_ms = None if plan.quiet_after is None else plan.quiet_after // ONE_MS

    def hint(self, status: str) -> str:
        """Return one line of what can be said in a status; empty if nothing has a help text."""
        words = self.choices.words(status)
        return fill(self.plan.texts.can_say, words=words) if words else self.choices.status_help(status)

    def fresh(self) -> S:
        """Return the state of a conversation that begins."""
        make: Any = self.plan.state_type
        state: S = make()
        return state
