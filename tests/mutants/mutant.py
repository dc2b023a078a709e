"""A mutant: one deliberate fault in our own code, and who must find it.

The fault is an old text and a new one; the old one must be in its file exactly once, so that a mutant that no longer
fits fails loudly and is brought up to date where it stands.
"""

from pathlib import Path

import msgspec


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """A fault.

    Attributes:
        name: In a few words, for the table.
        file: Below `src/turnkeeper`.
        old, new: What is exchanged.
        layer: Who must find it: `simulation`, `model:memory`, `model:sqlite`, `model:redis`, or a test's node id.
        invariant: The invariant of the history checker that must fire; None where another answer than the model's or
            a failing test is what finds it.
        seeds: Simulated runs until it must be found.
    """

    name: str
    file: str
    old: str
    new: str
    layer: str
    invariant: int | None = None
    seeds: int = 120

    def apply(self, package: Path) -> None:
        """Bring the fault into a copy of `src/turnkeeper`.

        Raises:
            ValueError: The old text is not there exactly once.
        """
        path = package / self.file
        text = path.read_text("utf-8")
        found = text.count(self.old)
        if found != 1:
            raise ValueError(
                f"mutant {self.name!r} no longer fits: its old text is {found} times in {self.file}, and must be there "
                "once; bring it up to date in tests/mutants/catalogue.py"
            )
        path.write_text(text.replace(self.old, self.new), "utf-8")
