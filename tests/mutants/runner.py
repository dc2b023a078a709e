"""Brings each mutant into a copy of our code and lets its layer look for it.

The copy is on a path in front of everything else, in a process of its own; the tree itself is never touched.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tests.mutants.mutant import Mutant
from tests.mutants.probe import Finding

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "turnkeeper"

TIMEOUT_SECONDS = 100.0
"""A layer that has not ended by then hangs, which is a finding too."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a mutant. `problem` is empty if it was found by whom and how it must be."""

    mutant: Mutant
    fired: tuple[int, ...] = ()
    text: str = ""
    problem: str = ""


def run_all(mutants: Sequence[Mutant], *, jobs: int) -> list[Result]:
    """Try mutants, so many at once; results come in their order."""
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(try_one, mutants))


def try_one(mutant: Mutant) -> Result:
    """Try one mutant."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package = folder / "src" / "turnkeeper"
        shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
        try:
            mutant.apply(package)
        except ValueError as exc:
            return Result(mutant=mutant, problem=str(exc))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder / "src"), str(ROOT)))}
        if mutant.layer == "simulation" or mutant.layer.startswith("model:"):
            return _probe(mutant, package, environment)
        return _test(mutant, folder / "src", environment)


def _probe(mutant: Mutant, package: Path, environment: dict[str, str]) -> Result:
    command = [sys.executable, "-m", "tests.mutants.probe", mutant.layer, "--seeds", str(mutant.seeds)]
    if mutant.invariant is not None:
        command += ["--invariant", str(mutant.invariant)]
    try:
        done = _run(command, environment)
    except subprocess.TimeoutExpired:
        return Result(mutant=mutant, text="it hangs", problem="" if mutant.invariant is None else "it hangs")
    if done.returncode:
        return Result(mutant=mutant, problem=f"the probe failed: {done.stderr[-500:]}")
    finding = msgspec.json.decode(done.stdout.splitlines()[-1], type=Finding)
    if Path(finding.package) != package:
        return Result(mutant=mutant, problem=f"the probe ran {finding.package}, not the mutant")
    return Result(mutant=mutant, fired=finding.invariants, text=finding.text, problem=_judge(mutant, finding))


def _judge(mutant: Mutant, finding: Finding) -> str:
    if not finding.text and not finding.invariants:
        return "nobody found it"
    if mutant.invariant is not None and mutant.invariant not in finding.invariants:
        return f"I{mutant.invariant} did not fire; found was: {finding.text}"
    return ""


def _test(mutant: Mutant, source: Path, environment: dict[str, str]) -> Result:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["-o", f"pythonpath={source} apps/mealplan/src .", *mutant.layer.split()]
    try:
        done = _run(command, environment)
    except subprocess.TimeoutExpired:
        return Result(mutant=mutant, text="it hangs")
    found = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    if done.returncode == 1 and found:
        return Result(mutant=mutant, text=found[0])
    return Result(mutant=mutant, problem=f"nobody found it: {done.stdout[-300:]}")


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )


def table(results: Sequence[Result]) -> str:
    """Return the results as a table for people."""
    lines = ["| fault | in | found by | invariant |", "|---|---|---|---|"]
    for result in results:
        mutant = result.mutant
        by = f"`{mutant.layer.split()[-1]}`" if mutant.layer.startswith("tests/") else mutant.layer
        number = f"I{mutant.invariant}" if mutant.invariant else "-"
        lines.append(f"| {mutant.name} | `{mutant.file}` | {by if not result.problem else '**nobody**'} | {number} |")
    return "\n".join(lines)
