"""What Turnkeeper's users test with: bots in a simulator, stores against the conformance suite, time without waiting.

Names are loaded when they are used, so that importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnkeeper.testing.channel import FakeChannel
    from turnkeeper.testing.clock import ManualClock
    from turnkeeper.testing.conformance import StoreConformance
    from turnkeeper.testing.lab.lab import run_crash_lab
    from turnkeeper.testing.lab.report import CrashLabError, CrashLabReport
    from turnkeeper.testing.lab.script import Said
    from turnkeeper.testing.simulator import SimulatedCrash, Simulator

__all__ = [
    "CrashLabError",
    "CrashLabReport",
    "FakeChannel",
    "ManualClock",
    "Said",
    "SimulatedCrash",
    "Simulator",
    "StoreConformance",
    "run_crash_lab",
]

_HOMES = {
    "CrashLabError": "turnkeeper.testing.lab.report",
    "CrashLabReport": "turnkeeper.testing.lab.report",
    "Said": "turnkeeper.testing.lab.script",
    "run_crash_lab": "turnkeeper.testing.lab.lab",
    "FakeChannel": "turnkeeper.testing.channel",
    "SimulatedCrash": "turnkeeper.testing.simulator",
    "Simulator": "turnkeeper.testing.simulator",
    "ManualClock": "turnkeeper.testing.clock",
    "StoreConformance": "turnkeeper.testing.conformance",
}
"""Where each public name stands."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - it stands for every name above
    """Load a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
