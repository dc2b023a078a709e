"""Two thousand simulated runs of the real engine, each with its own faults: every promise holds in all of them."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.__main__ import describe, run_chunk
from tests.simulation.subjects import FLOW_EVERY
from tests.simulation.teahouse import NAME
from tests.simulation.world import history_of
from turnkeeper.testing.history import Turn

SEEDS = 2_000
CHUNK = 100
ROOT = Path(__file__).parents[2]

KINDS = frozenset(
    {
        "deploy",
        "doubled",
        "freeze",
        "kill",
        "late",
        "lost_answer",
        "lost_request",
        "refused",
        "send_refused",
        "send_unsure",
    }
)
"""Every kind of fault that the simulation knows."""


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_promise_is_broken(first: int) -> None:
    """These seeds find nothing, and every kind of fault was there."""
    outcomes = run_chunk(range(first, first + CHUNK))

    broken = [line for outcome in outcomes if outcome.violations for line in describe(outcome)]
    assert broken == []
    faults: Counter[str] = Counter()
    for outcome in outcomes:
        faults.update(outcome.verdict.faults)
    assert {kind for kind, count in faults.items() if count >= 5} == KINDS


@pytest.mark.parametrize("seed", [1026, 1027])
def test_the_same_seed_is_the_same_run(seed: int) -> None:
    """Bit by bit, in another process and with another order of sets; of a plain program, and of a flow."""
    digests = set()
    for number in range(3):
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", str(seed)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": str(number), "PYTHONPATH": f"src{os.pathsep}."},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout.splitlines()[0])

    assert len(digests) == 1


@pytest.mark.parametrize("words", [["tests.simulation", "--seeds", "0"], ["tests.chaos", "--seconds", "0"]])
def test_a_run_that_tries_nothing_is_refused(words: list[str]) -> None:
    """It would end with "violations: 0"."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "breaks no promise" in done.stderr


def test_some_seeds_attack_a_flow() -> None:
    """The dialogue layer is a part of it: questions, jobs, timers and undo were all there."""
    histories = [history_of(seed)[0] for seed in range(FLOW_EVERY - 1, 40 * FLOW_EVERY, FLOW_EVERY)]
    turns = [event for history in histories for event in history if isinstance(event, Turn)]

    said = {text for turn in turns for _, text in turn.replies}
    assert {turn.conversation.partition(":")[0] for turn in turns} == {NAME}
    assert {"Which one?", "Thank you.", "It rings.", "Are you still there?", "OK, I took that back."} <= said


def test_another_seed_is_another_run() -> None:
    """A digest tells runs apart."""
    outcomes = run_chunk(range(10))

    assert len({outcome.digest for outcome in outcomes}) == 10
