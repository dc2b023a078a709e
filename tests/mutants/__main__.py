"""Tries the mutants from a terminal: `python -m tests.mutants`, or some of them by words of their names."""

import argparse
import os
import sys

from tests.mutants.catalogue import MUTANTS
from tests.mutants.runner import run_all, table


def main() -> int:
    """Try them, tell who was found by whom, and end with the verdict."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only those whose name holds all of these")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once (default: one per core)")
    chosen = parser.parse_args()
    wanted = [mutant for mutant in MUTANTS if all(word in mutant.name for word in chosen.words)]
    results = run_all(wanted, jobs=chosen.jobs)
    sys.stdout.write(table(results) + "\n\n")
    for result in results:
        sys.stdout.write(f"{result.mutant.name}: {result.problem or result.text}\n")
    alive = sum(bool(result.problem) for result in results)
    sys.stdout.write(f"mutants alive: {alive} of {len(results)}\n")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
