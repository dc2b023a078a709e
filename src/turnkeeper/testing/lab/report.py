"""What a crash lab tells: a table of moments and faults, and for every failure how to run it again alone."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from turnkeeper.testing.lab.cases import WHOLE, Case, Fault

MAX_SHOWN = 10
"""Failures told in full; what follows them has mostly the same cause."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One case and what was wrong with it; nothing: it came to the same as the undisturbed run."""

    case: Case
    store: str
    problems: tuple[str, ...]


class CrashLabReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried. `planned` is how many cases the script has on these stores; some runs try only some of them.

    `labels` names the script's entries by number.
    """

    name: str
    planned: int
    tried: tuple[Tried, ...]
    labels: Mapping[int, str]

    @property
    def failures(self) -> tuple[Tried, ...]:
        """What did not come to the same."""
        return tuple(one for one in self.tried if one.problems)

    def table(self) -> str:
        """Return the moments as rows and the faults as columns; a cell says how many passed of how many."""
        faults = [fault for fault in Fault if any(one.case.fault is fault for one in self.tried)]
        names = sorted({one.case.moment.name for one in self.tried}, key=_rank)
        total: Counter[tuple[str, Fault]] = Counter((one.case.moment.name, one.case.fault) for one in self.tried)
        failed: Counter[tuple[str, Fault]] = Counter((one.case.moment.name, one.case.fault) for one in self.failures)
        rows = [["", *(str(fault) for fault in faults)]]
        for name in names:
            cells = [(total[name, fault], failed[name, fault]) for fault in faults]
            rows.append([name, *(_cell(count, wrong) for count, wrong in cells)])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([self.headline(), *lines])

    def headline(self) -> str:
        """Return the sum of it in one line."""
        stores = ", ".join(sorted({one.store for one in self.tried}))
        return (
            f"crash lab {self.name}: {len(self.tried)} of {self.planned} cases on {stores}, {len(self.failures)} failed"
        )

    def explain(self) -> str:
        """Return the table and every failure with its step and how to run it again."""
        lines = [self.table()]
        for one in self.failures[:MAX_SHOWN]:
            moment = one.case.moment
            lines += [
                "",
                f"{one.case} on {one.store}: {one.case.fault} at {moment.name} of {self.labels[moment.item]}",
                *(f"    {problem}" for problem in one.problems),
                f"    again: pytest {self.name} --crash-lab-only '{one.case}'",
            ]
        if len(self.failures) > MAX_SHOWN:
            lines += ["", f"and {len(self.failures) - MAX_SHOWN} more"]
        return "\n".join(lines)


class CrashLabError(AssertionError):
    """A fault changed what a bot does. `report` has everything that was tried."""

    def __init__(self, report: CrashLabReport) -> None:
        """Take the report; the text is its table and its failures."""
        self.report = report
        super().__init__(report.explain())


def _cell(count: int, wrong: int) -> str:
    if not count:
        return ""
    return f"{count - wrong}/{count}" + (" FAILED" if wrong else "")


def _rank(name: str) -> tuple[int, str]:
    """Crash points first, then calls of the store, then whole messages."""
    return (2 if name == WHOLE else 1 if "." in name else 0, name)
