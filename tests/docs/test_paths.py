"""Files and folders that the documentation names are there: a page that points nowhere is worse than none."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "apps").glob("*/README.md")),
]
NAMED = re.compile(r"`(?P<path>[\w.-]+(?:/[\w.-]+)+/?|[\w-]+/)`")
"""A code span that is a path: it has a slash, and neither a scheme nor anything that a shell would read."""

PARENTS = ("", "src/turnkeeper", "apps/mealplan/src/mealplan", "apps/dispatch/src/dispatch")
"""What a page may leave out in front of a path."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    """Relative to the page, to the repository, or to one of its packages."""
    homes = [page.parent, *(ROOT / parent for parent in PARENTS)]

    named = [span["path"] for span in NAMED.finditer(page.read_text("utf-8"))]
    missing = [path for path in named if not any((home / path).exists() for home in homes)]

    assert not missing
