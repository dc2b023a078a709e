"""Runs the simulation from a terminal: `python -m tests.simulation --seeds 2000`, or one seed again with `--seed 7`."""

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.world import Outcome, history_of, simulate
from turnkeeper.testing.history import to_line

CHUNK = 20
"""Seeds handed to a process at once."""

MAX_SHOWN = 20
"""Seeds with violations that are told one by one."""


def run_chunk(seeds: range) -> list[Outcome]:
    """Run some seeds, with the collector of garbage called less often than it wishes: each run leaves little."""
    gc.set_threshold(50_000, 10, 10)
    return [simulate(seed) for seed in seeds]


def run_many(seeds: range, *, jobs: int) -> Iterator[Outcome]:
    """Run seeds in so many processes; outcomes come in the order of the seeds."""
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    if jobs == 1:
        for chunk in chunks:
            yield from run_chunk(chunk)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for outcomes in pool.map(run_chunk, chunks):
            yield from outcomes


def describe(outcome: Outcome) -> Iterator[str]:
    """Say what a seed broke, and how to see it again."""
    yield f"seed {outcome.seed}, digest {outcome.digest}: again with  make simulate SEED={outcome.seed}"
    yield from (f"  {violation}" for violation in outcome.verdict.violations)
    yield from (f"  the engine failed: {trouble}" for trouble in outcome.troubles)


def say(text: str) -> None:
    """Write a line to the terminal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def one(seed: int, *, verbose: bool) -> int:
    """Run one seed and tell everything of it; return how many promises it broke."""
    outcome = simulate(seed)
    if verbose:
        for event in history_of(seed)[0]:
            sys.stdout.write(to_line(event).decode())
    for line in describe(outcome):
        say(line)
    say("counters: " + ", ".join(f"{name} {count:,}" for name, count in outcome.verdict.counters.items()))
    say("faults: " + ", ".join(f"{kind} {count:,}" for kind, count in sorted(outcome.verdict.faults.items())))
    return outcome.violations


def many(seeds: range, *, jobs: int) -> int:
    """Run many seeds with a line of progress; return how many promises were broken."""
    began = last = time.monotonic()
    counters: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    violations = shown = 0
    for number, outcome in enumerate(run_many(seeds, jobs=jobs), 1):
        counters.update(outcome.verdict.counters)
        faults.update(outcome.verdict.faults)
        violations += outcome.violations
        if outcome.violations and shown < MAX_SHOWN:
            shown += 1
            for line in describe(outcome):
                say(line)
        if time.monotonic() - last > 5:
            last = time.monotonic()
            say(f"{number:,} of {len(seeds):,} seeds, {counters['turns']:,} turns, violations: {violations}")
    seconds = time.monotonic() - began
    say(f"{len(seeds):,} seeds in {seconds:.0f} s, {60 * counters['turns'] / seconds:,.0f} turns a minute")
    say("counters: " + ", ".join(f"{name} {count:,}" for name, count in counters.items()))
    say("faults: " + ", ".join(f"{kind} {count:,}" for kind, count in sorted(faults.items())))
    return violations


def main() -> int:
    """Parse, run, and end with the verdict."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one only, and tell everything of it")
    parser.add_argument("--history", action="store_true", help="with --seed: print its history as JSON lines")
    parser.add_argument("--seeds", type=int, default=2_000, help="how many (default: 2000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    chosen = parser.parse_args()
    if chosen.seeds < 1:
        parser.error(f"--seeds must be 1 or more, got {chosen.seeds}: a run that tries nothing breaks no promise")
    if chosen.seed is not None:
        violations = one(chosen.seed, verbose=chosen.history)
    else:
        violations = many(range(chosen.first, chosen.first + chosen.seeds), jobs=chosen.jobs)
    say(f"violations: {violations}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
