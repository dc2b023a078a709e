"""Starts the meal planner for a test, on either embedded store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mealplan.flow import flow
from turnkeeper.testing import Simulator


@pytest.fixture(params=["memory", "sqlite"])
def sim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Simulator]:
    """Return a household's phone; time moves only by `advance`."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'plan.db'}"
    with Simulator(flow, store=url) as simulator:
        yield simulator
