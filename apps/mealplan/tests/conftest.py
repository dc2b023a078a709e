"""Starts the meal planner for a test, on either embedded store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mealplan.flow import flow
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.testing import ManualClock, Simulator


@pytest.fixture(params=["memory", "sqlite"])
def sim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Simulator]:
    """Return a household's phone; time moves only by `advance`."""
    clock = ManualClock()
    store = MemoryStore(clock=clock) if request.param == "memory" else SqliteStore(tmp_path / "plan.db", clock=clock)
    with Simulator(flow, store=store, clock=clock) as simulator:
        yield simulator
