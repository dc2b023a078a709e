"""The pytest plugin: fixtures for bot authors, and the selection of conformance tests by declared ability.

It is registered by installing Turnkeeper; it does nothing in a test run that does not use it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from turnkeeper.testing.conformance.selection import deselect_undeclared

from turnkeeper.testing.simulator import Simulator


@pytest.fixture
def simulate() -> Iterator[Callable[..., Simulator]]:
    """Return a function that starts a `Simulator` of a bot and ends it with the test.

    Example:
        ```python
        def test_plan(simulate):
            sim = simulate(flow)
            assert sim.say("plan")
        ```
    """
    started: list[Simulator] = []

    def start(bot: Any, **options: Any) -> Simulator:  # noqa: ANN401 - passed on to Simulator, which checks
        simulator = Simulator(bot, **options)
        simulator.__enter__()
        started.append(simulator)
        return simulator

    yield start
    for simulator in reversed(started):
        simulator.__exit__(None, None, None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out conformance tests of abilities that a backend does not declare."""
    deselect_undeclared(config, items)
