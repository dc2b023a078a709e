"""Runs the measurements and writes them down with the machine: `python -m benchmarks [NAME …] [--rounds N]`."""

import argparse
import json
import os
import platform
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import age, dialogue, documents, engine, redis_memory, redis_turns, sqlite

MEASUREMENTS: dict[str, Callable[[int], dict[str, object]]] = {
    "sqlite": sqlite.measure,
    "engine": engine.measure,
    "age": age.measure,
    "dialogue": dialogue.measure,
    "redis": redis_turns.measure,
    "redis-memory": redis_memory.measure,
    "documents": documents.measure,
}

RESULTS = Path(__file__).parent / "results.json"


def machine() -> dict[str, object]:
    """Return what the figures were taken on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),  # noqa: TID251 - a report, not a conversation
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    """Run what was asked for, everything by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*MEASUREMENTS, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    options = parser.parse_args()
    found: dict[str, object] = {"machine": machine()}
    for name in options.names or MEASUREMENTS:
        print(f"{name} …", flush=True)
        found[name] = MEASUREMENTS[name](options.rounds)
        print(json.dumps(found[name], indent=2), flush=True)
    if not options.names:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        print(f"written to {RESULTS}")


if __name__ == "__main__":
    main()
