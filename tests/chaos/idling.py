"""What processes cost that have nothing to do, as the kernel counts it: nobody asks the code under test."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

NS_IN_MS = 1_000_000


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What some processes spent since they began: time on a processor, and calls that wrote to a file."""

    cpu_ms: int
    writes: int


def spent(pids: Sequence[int]) -> Spent:
    """Read it for processes that run now, every thread of them included.

    Raises:
        OSError: One of them is gone.
    """
    cpu_ns = writes = 0
    for pid in pids:
        folder = Path("/proc") / str(pid)
        for thread in (folder / "task").iterdir():
            cpu_ns += int((thread / "schedstat").read_text("ascii").split()[0])
        counts = dict(line.split(": ") for line in (folder / "io").read_text("ascii").splitlines())
        writes += int(counts["syscw"])
    return Spent(cpu_ms=cpu_ns // NS_IN_MS, writes=writes)
