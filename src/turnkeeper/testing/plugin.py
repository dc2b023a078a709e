"""The pytest plugin: fixtures for bot authors, and the selection of conformance tests by declared ability.

It is registered by installing Turnkeeper; in a test run that does not use it, it imports nothing.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from turnkeeper.app import App
    from turnkeeper.dialogue.flow import Flow
    from turnkeeper.ports.channel import Channel
    from turnkeeper.testing.simulator import Simulator


@pytest.fixture
def simulate() -> "Iterator[Callable[..., Simulator]]":
    """Return a function that starts a `Simulator` of a bot and ends it with the test.

    It takes the bot, and by name `person`, `store` and `channels` as `Simulator` does.

    Example:
        ```python
        def test_plan(simulate):
            sim = simulate(flow)
            assert sim.say("plan")
        ```
    """
    from turnkeeper.testing.simulator import DEFAULT_PERSON, Simulator

    started: list[Simulator] = []

    def start(
        bot: "App | Flow[Any]",
        *,
        person: str = DEFAULT_PERSON,
        store: str = "memory://",
        channels: "tuple[Channel, ...]" = (),
    ) -> Simulator:
        simulator = Simulator(bot, person=person, store=store, channels=channels)
        simulator.__enter__()
        started.append(simulator)
        return simulator

    yield start
    for simulator in reversed(started):
        simulator.__exit__(None, None, None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out conformance tests of abilities that a backend does not declare."""
    import sys

    selection = sys.modules.get("turnkeeper.testing.conformance.selection")
    if selection is not None:
        selection.deselect_undeclared(config, items)
