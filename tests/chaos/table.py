"""The table of a chaos run."""

from collections.abc import Iterator

from tests.chaos.conducting import Outcome
from tests.chaos.world import Fault

MAX_SHOWN = 20


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
    yield f"seed {outcome.seed}, {outcome.storm_seconds:.0f} s of storm, {outcome.took_seconds:.0f} s in all"
    yield from (f"VIOLATION {violation}" for violation in outcome.violations[:MAX_SHOWN])
