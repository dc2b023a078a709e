"""Attacks the store, the workers and the providers, and judges what came of it: `python -m tests.chaos --seconds 20`.

The last line says how many violations there were, and so does the exit status.
"""

import argparse
import asyncio
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.chaos.conducting import TARGETS, Outcome, Run
from tests.chaos.floors import SHARES, what_is_missing
from tests.chaos.table import Expected, lines, side_by_side

PEOPLE = 300
PER_SECOND = 180.0
"""Messages from all people together: 32,000 in three minutes, if the machine can."""


LEAST_SECONDS = 5
"""In less hardly anything is attacked."""

STOPPED = 130
"""The exit status of what somebody stopped, as shells have it."""


def main() -> int:
    """Run on each store that was asked for; return the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):  # whoever ends a run leaves no servers behind
        signal.signal(number, signal.default_int_handler)
    options = _options()
    try:
        return _run_all(options)
    except KeyboardInterrupt:
        _tell("stopped: nothing was judged")
        return STOPPED


def _run_all(options: argparse.Namespace) -> int:
    seed = options.seed if options.seed is not None else secrets.randbits(32)
    runs = [
        _run(store, options, seconds=options.seconds * share, seed=seed)
        for store, share in (SHARES.items() if options.store == "both" else ((options.store, 1.0),))
    ]
    if options.report is not None:
        (options.report / "chaos.md").write_text("\n".join((*side_by_side(runs), "")), encoding="utf-8")
    found = sum(outcome.found for outcome, _ in runs)
    _tell(f"violations: {found}")
    return 1 if found else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--store", choices=(*TARGETS, "both"), default="both")
    parser.add_argument("--seconds", type=float, default=180.0, help="how long the storm lasts, on SQLite and on Redis")
    parser.add_argument("--seed", type=int, help="of every choice that the conductor makes; printed by every run")
    parser.add_argument("--per-second", type=float, default=PER_SECOND, help="messages written by all people together")
    parser.add_argument("--report", type=Path, help="a folder for the tables as Markdown and JSON")
    parser.add_argument("--keep", action="store_true", help="keep history and logs also of a clean run")
    options = parser.parse_args()
    if not options.seconds >= LEAST_SECONDS:
        parser.error(f"--seconds must be {LEAST_SECONDS} or more, got {options.seconds}: a calm breaks no promise")
    return options


def _run(store: str, options: argparse.Namespace, *, seconds: float, seed: int) -> tuple[Outcome, Expected]:
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    _tell(f"chaos on {store}: {seconds:.0f} s, seed {seed}, files in {folder}")
    run = Run(
        store=store,
        seconds=seconds,
        seed=seed,
        folder=folder,
        people=PEOPLE,
        per_second=options.per_second,
    )
    try:
        outcome = asyncio.run(run.play())
    except KeyboardInterrupt:
        _tell(f"history and logs are in {folder}")
        raise
    missing = what_is_missing(seconds=seconds, messages=outcome.messages, faults=outcome.faults, expected=run.expected)
    outcome.violations += missing
    outcome.found += len(missing)
    for line in lines(outcome, expected=run.expected):
        _tell(line)
    if options.report is not None:
        _write(options.report, outcome, "\n".join(lines(outcome, expected=run.expected)))
    if outcome.found or options.keep:
        _tell(f"history and logs are in {folder}")
    else:
        shutil.rmtree(folder)
    return outcome, run.expected


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _write(folder: Path, outcome: Outcome, table: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"chaos-{outcome.store}.md").write_text(f"{table}\n", encoding="utf-8")
    (folder / f"chaos-{outcome.store}.json").write_bytes(msgspec.json.format(msgspec.json.encode(outcome)))


if __name__ == "__main__":
    sys.exit(main())
