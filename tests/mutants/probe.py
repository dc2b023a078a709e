"""Runs one layer on whatever `turnkeeper` is on the path, and prints what it found as one line of JSON.

Started by the runner in a process of its own, with a mutated copy in front of the path.
"""

import argparse
import re
import sys
import tempfile
import traceback
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import turnkeeper
from tests.conformance.redis_servers import RedisServer
from tests.model.machine import MakeStores, PortsMachine
from tests.simulation.world import simulate
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.sqlite import SqliteStore

STEPS = 50
EXAMPLES = 400


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a layer found: which invariants fired, and one line of text; empty if nothing was found."""

    package: str
    invariants: tuple[int, ...] = ()
    text: str = ""


def probe_simulation(seeds: int, wanted: int | None) -> tuple[tuple[int, ...], str]:
    """Run seeds until the wanted invariant fires, or any."""
    fired: dict[int, str] = {}
    for seed in range(seeds):
        outcome = simulate(seed)
        for violation in outcome.verdict.violations:
            fired.setdefault(violation.invariant, f"seed {seed}: {violation}")
        if outcome.troubles:
            fired.setdefault(0, f"seed {seed}: {outcome.troubles[0]}")
        if wanted in fired or (wanted is None and fired):
            break
    text = fired.get(wanted or 0) or next(iter(fired.values()), "")
    return tuple(sorted(number for number in fired if number)), text


def probe_model(kind: str, folder: Path) -> tuple[tuple[int, ...], str]:
    """Run the model test without shortening what it finds."""
    server: RedisServer | None = None
    make: MakeStores = lambda clock: [MemoryStore(clock=clock)]  # noqa: E731 - three of a kind
    if kind == "sqlite":
        files = iter(range(1_000_000))
        make = lambda clock: [  # noqa: E731
            MemoryStore(clock=clock),
            SqliteStore(folder / f"{next(files)}.db", clock=clock, durability="memory"),
        ]
    if kind == "redis":
        from turnkeeper.stores.redis import RedisStore

        server = RedisServer(folder)
        make = lambda clock: [MemoryStore(clock=clock), RedisStore(server.url(server.fresh()), clock=clock)]  # noqa: E731

    class Machine(PortsMachine):
        make_stores = staticmethod(make)

    try:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                derandomize=True,
                print_blob=False,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )
    except BaseExceptionGroup as exc:
        error: BaseException = exc.exceptions[0]
    except Exception as exc:  # noqa: BLE001 - whatever the mutant breaks is a finding
        error = exc
    else:
        return (), ""
    finally:
        if server is not None:
            server.stop()
    text = str(error)
    fired = {int(number) for number in re.findall(r"'I(\d+) ", text)}
    return tuple(sorted(fired)), f"{type(error).__name__}: {text}".replace("\n", " ")


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("layer")
    parser.add_argument("--seeds", type=int, default=120)
    parser.add_argument("--invariant", type=int)
    chosen = parser.parse_args()
    try:
        if chosen.layer == "simulation":
            fired, text = probe_simulation(chosen.seeds, chosen.invariant)
        else:
            with tempfile.TemporaryDirectory() as folder:
                fired, text = probe_model(chosen.layer.removeprefix("model:"), Path(folder))
    except Exception:  # noqa: BLE001 - a layer that falls over has found something, but no invariant has
        fired, text = (), traceback.format_exc().strip().splitlines()[-1]
    finding = Finding(package=str(Path(turnkeeper.__file__).parent), invariants=fired, text=text[:500])
    sys.stdout.write(msgspec.json.encode(finding).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
