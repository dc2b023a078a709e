"""The tables of chaos runs, as Markdown: one of each run, and one of several side by side."""

from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.conducting import Outcome
from tests.chaos.world import Fault

MAX_SHOWN = 20

_COUNTERS: Mapping[str, str] = {
    "deliveries of messages": "deliveries_of_messages",
    "turns committed": "turns",
    "commits fenced off": "commits_fenced",
    "replies taken by providers": "replies",
    "of these repetitions, marked": "replies_repeated",
    "of these by workers that had stood still": "late_first_attempts",
    "given up by providers that do not retry for long": "given_up_by_providers",
}

Expected = frozenset[Fault]
"""The kinds that a run must have."""


def _facts(outcome: Outcome, expected: Expected) -> dict[str, str]:
    """Return everything that is counted, by what it is called."""
    facts = {"seconds of storm": f"{outcome.storm_seconds:.0f}", "messages": f"{outcome.messages:,}"}
    facts |= {title: f"{outcome.counters[name]:,}" for title, name in _COUNTERS.items()}
    facts["faults"] = f"{sum(outcome.faults.values()):,}"
    facts |= {f"- {kind.value}": f"{outcome.faults.get(kind.value, 0):,}" for kind in Fault if kind in expected}
    return {**facts, "at rest after the last fault": f"{outcome.rest_ms:,} ms", "violations": f"{outcome.found:,}"}


def side_by_side(runs: Sequence[tuple[Outcome, Expected]]) -> Iterator[str]:
    """Yield one table of several runs."""
    facts = [_facts(outcome, expected) for outcome, expected in runs]
    kinds = frozenset().union(*(expected for _, expected in runs))
    yield f"| | {' | '.join(outcome.store for outcome, _ in runs)} |"
    yield "|---|" + "--:|" * len(runs)
    for title in _facts(runs[0][0], kinds):
        yield f"| {title} | {' | '.join(one.get(title, '') for one in facts)} |"


def lines(outcome: Outcome, *, expected: Expected) -> Iterator[str]:
    """Yield the table of one run, and what it violated."""
    yield ""
    yield from side_by_side([(outcome, expected)])
    yield ""
    yield f"seed {outcome.seed}, {outcome.took_seconds:.0f} s in all"
    yield from (f"VIOLATION {violation}" for violation in outcome.violations[:MAX_SHOWN])
