"""The table of a chaos run, and whether it was a storm at all."""

from collections.abc import Iterator

from tests.chaos.conducting import Outcome
from tests.chaos.world import Fault

LONG_SECONDS = 120.0
"""From here on a run is one to be published."""
OFTEN = 5
"""How often each kind of fault must have happened in a long run; once in a short one."""
MOST_SHARE = 0.5
MAX_SHOWN = 20


def judge_faults(outcome: Outcome, *, expected: frozenset[Fault]) -> list[str]:
    """Return what was not tried enough: a run without faults, or with one kind only, proves nothing."""
    least = OFTEN if outcome.seconds >= LONG_SECONDS else 1
    problems = [
        f"not tried enough: {fault.value}, {outcome.faults.get(fault.value, 0)} times of at least {least}"
        for fault in Fault
        if fault in expected and outcome.faults.get(fault.value, 0) < least
    ]
    total = sum(outcome.faults.values())
    return problems + [
        f"tried too much: {kind} is {count} of {total} faults"
        for kind, count in outcome.faults.items()
        if count > total * MOST_SHARE
    ]


def lines(outcome: Outcome, *, expected: frozenset[Fault]) -> Iterator[str]:
    """Yield the table as Markdown."""
    counters = outcome.counters
    yield ""
    yield f"| {outcome.store} | |"
    yield "|---|--:|"
    yield f"| messages | {outcome.messages:,} |"
    yield f"| deliveries of messages | {counters['deliveries_of_messages']:,} |"
    yield f"| turns committed | {counters['turns']:,} |"
    yield f"| commits fenced off | {counters['commits_fenced']:,} |"
    yield f"| replies taken by providers | {counters['replies']:,} |"
    yield f"| of these repetitions, marked | {counters['replies_repeated']:,} |"
    yield f"| of these by workers that had stood still | {counters['late_first_attempts']:,} |"
    yield f"| given up by providers that do not retry for long | {counters['given_up_by_providers']:,} |"
    yield f"| faults | {sum(outcome.faults.values()):,} |"
    for fault in Fault:
        if fault in expected:
            yield f"| - {fault.value} | {outcome.faults.get(fault.value, 0):,} |"
    yield f"| at rest after the last fault | {outcome.rest_ms:,} ms |"
    yield f"| violations | {outcome.found:,} |"
    yield ""
    yield f"seed {outcome.seed}, {outcome.seconds:.0f} s of storm, {outcome.took_seconds:.0f} s in all"
    yield from (f"VIOLATION {violation}" for violation in outcome.violations[:MAX_SHOWN])
