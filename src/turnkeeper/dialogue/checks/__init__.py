"""All that can be wrong with a flow without running it. Everything found is reported at once, sorted by place."""

from collections.abc import Mapping

import msgspec

from turnkeeper.dialogue.checks.carriers import FlowWarning, warn_about_carrier_words
from turnkeeper.dialogue.checks.names import name_problems
from turnkeeper.dialogue.checks.policies import policy_problems
from turnkeeper.dialogue.checks.problem import Problem
from turnkeeper.dialogue.checks.settings import setting_problems
from turnkeeper.dialogue.checks.signatures import read_signatures
from turnkeeper.dialogue.checks.states import state_problems
from turnkeeper.dialogue.checks.statuses import status_problems, statuses_of
from turnkeeper.dialogue.checks.triggers import trigger_problems
from turnkeeper.dialogue.declaring.declarations import Gathered
from turnkeeper.dialogue.declaring.declared import DeclaredJob, Handler
from turnkeeper.errors import InvalidFlowError

__all__ = ["Examined", "FlowWarning", "examine", "warn_about_carrier_words"]


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks found out about a sound flow: its statuses in order, and the types of handlers and jobs."""

    statuses: tuple[str, ...]
    handlers: tuple[Handler, ...]
    jobs: Mapping[str, DeclaredJob]


def examine(flow: Gathered) -> Examined:
    """Check a flow as a whole.

    Raises:
        InvalidFlowError: With every problem found, each with its line and what to do.
    """
    signatures = read_signatures(flow)
    problems = {
        *setting_problems(flow),
        *name_problems(flow),
        *state_problems(flow),
        *signatures.problems,
        *status_problems(flow),
        *trigger_problems(flow),
        *policy_problems(flow),
    }
    if problems:
        listed = "".join(f"\n  {problem}" for problem in sorted(problems, key=_place))
        raise InvalidFlowError(f"flow {flow.name!r} cannot be run:{listed}")
    return Examined(statuses=statuses_of(flow), handlers=signatures.handlers, jobs=signatures.jobs)


def _place(problem: Problem) -> tuple[str, int, str]:
    file, _, line = problem.where.rpartition(":")
    return file, int(line), problem.text
