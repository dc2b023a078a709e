"""Invariants 11 and 12: when the faults are over, everything comes to an end, and nothing stays behind."""

from turnkeeper.testing.history.books import Books
from turnkeeper.testing.history.events import Idle, Setup
from turnkeeper.testing.history.finding import Finding, Findings

_GRACE_MS = 1_000
"""What draining may take beyond two leases."""

_TIDYING_WRITES = 8
"""Of one small transaction."""

_TICK_MS = 10
"""In which a kernel may count time on a processor."""


def everything_comes_to_rest(books: Books) -> Findings:
    """Two leases and a second after the last fault nothing waits or is unsent, and idle workers cost little."""
    setup = books.setup
    if setup is not None and books.healed is not None:
        allowed_ms = 2 * max(setup.lease_ms, setup.send_lease_ms) + _GRACE_MS + setup.allowance_ms
        if books.rested is None:
            yield Finding("", "it did not come to rest")
        elif books.rested.at_ms - books.healed.at_ms > allowed_ms:
            took_ms = books.rested.at_ms - books.healed.at_ms
            yield Finding("", f"it came to rest after {took_ms} ms; allowed are {allowed_ms} ms")
    for book in books.by_name.values():
        if book.last is not None and book.last.waiting:
            yield Finding(book.name, f"{len(book.last.waiting)} messages wait at the end, first {book.last.waiting[0]}")
        if book.last is not None and book.last.unsent:
            yield Finding(book.name, f"{len(book.last.unsent)} effects are unsent, first {book.last.unsent[0]}")
    for idle in books.idle:
        yield from _costs_too_much(idle, Setup(lease_ms=0, send_lease_ms=0) if setup is None else setup)


def _costs_too_much(idle: Idle, setup: Setup) -> Findings:
    costs = (
        (idle.round_trips, setup.idle_per_second, 1, "asked {} times"),  # a look may fall on either edge
        (idle.writes, setup.idle_writes_per_second, _TIDYING_WRITES, "wrote {} times"),
        (idle.cpu_ms, setup.idle_cpu_share * 1_000, _TICK_MS, "used {} ms of processors"),
    )
    for cost, per_second, at_once, text in costs:
        allowed = idle.workers * (per_second * idle.window_ms / 1_000 + at_once)
        if cost is not None and cost > allowed:
            yield Finding("", f"{idle.workers} idle workers {text.format(cost)} in {idle.window_ms} ms")


def nothing_stays_behind(books: Books) -> Findings:
    """Of no kind does the store hold more entries than after a run without faults."""
    allowed: dict[str, int] = {}
    for footprint in books.footprints:
        if footprint.is_baseline:
            allowed |= footprint.entries
    for footprint in books.footprints:
        if footprint.is_baseline:
            continue
        for kind, count in footprint.entries.items():
            if count > allowed.get(kind, 0):
                yield Finding("", f"{count} {kind} are left; {allowed.get(kind, 0)} may be")
