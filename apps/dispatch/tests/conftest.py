"""Starts the dispatch bot for a test, on either embedded store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.dispatch.tests.orders import PLACED, Team
from dispatch.flow import flow
from turnkeeper.testing import FakeChannel, ManualClock, Simulator


@pytest.fixture(params=["memory", "sqlite"])
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Team]:
    """Return the team; time moves only by `advance`."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'orders.db'}"
    telegram = FakeChannel("telegram")
    with Simulator(flow, store=url, channels=[telegram], clock=ManualClock(PLACED)) as simulator:
        yield Team(simulator, telegram)
