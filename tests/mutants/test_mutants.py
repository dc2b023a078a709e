"""Every deliberate fault is found, by the one who must find it; so the tests that find nothing mean something."""

from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.runner import Result, table, try_one
from turnkeeper.testing.history import INVARIANTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "attacks.md"


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_this_fault_is_found(mutant: Mutant) -> None:
    """Its layer finds it; where an invariant is named, the checker's verdict does."""
    result = try_one(mutant)

    assert result.problem == ""


def test_every_invariant_finds_a_mutant() -> None:
    """An invariant that never fires is not known to work."""
    finds = {mutant.invariant for mutant in MUTANTS}

    assert {invariant.number for invariant in INVARIANTS} <= finds


def test_a_mutant_that_no_longer_fits_says_so(tmp_path: Path) -> None:
    """It fails loudly: a fault that is not there would be found by nobody for another reason."""
    (tmp_path / "module.py").write_text("a = 1\na = 1\n", "utf-8")
    twice = Mutant(name="twice", file="module.py", old="a = 1", new="a = 2", layer="simulation")

    with pytest.raises(ValueError, match=r"2 times in module\.py"):
        twice.apply(tmp_path)


def test_the_page_shows_every_mutant() -> None:
    """The table in the documentation is the one that the runner prints."""
    shown = table([Result(mutant=mutant) for mutant in MUTANTS])

    assert shown in PAGE.read_text("utf-8"), f"{PAGE} must hold:\n{shown}"


def test_the_readme_counts_them() -> None:
    """Whoever adds a mutant says so."""
    assert f"plants {len(MUTANTS)} faults" in " ".join((ROOT / "README.md").read_text("utf-8").split())
