"""The pytest plugin: fixtures for bot authors, and the selection of conformance tests by declared ability.

It is registered by installing Turnkeeper; in a test run that does not use it, it imports nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from turnkeeper.app import App
    from turnkeeper.dialogue.flow import Flow
    from turnkeeper.ports.channel import Channel
    from turnkeeper.testing.lab.outcome import Normalise
    from turnkeeper.testing.lab.report import CrashLabReport
    from turnkeeper.testing.lab.run import Outside
    from turnkeeper.testing.lab.script import Entry
    from turnkeeper.testing.simulator import Simulator

_REPORTS = pytest.StashKey[list[str]]()
"""What the crash labs of this run have to tell, for its last page."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options of the crash lab."""
    group = parser.getgroup("turnkeeper")
    group.addoption(
        "--crash-lab", action="store_true", help="let every crash lab try all of its cases, in memory and on SQLite"
    )
    group.addoption(
        "--crash-lab-only", default="", metavar="CASE", help="let crash labs try one case, as a report names it"
    )


@pytest.fixture
def crash_lab(request: pytest.FixtureRequest) -> "Callable[..., CrashLabReport]":
    """Return a function that attacks a bot at every step of every turn of a script; see `run_crash_lab`.

    It tries some forty cases in memory; with `--crash-lab` all of them, in memory and on SQLite.

    Example:
        ```python
        def test_no_crash_shows(crash_lab):
            crash_lab(flow, script=["plan", "swap salmon for chicken", "yes"])
        ```
    """
    from turnkeeper.testing.lab.lab import PAUSE, QUICK_CASES, STORES, as_it_is, nothing_outside, run_crash_lab
    from turnkeeper.testing.simulator import DEFAULT_PERSON

    config = request.config
    only: str = config.getoption("--crash-lab-only")
    is_thorough = bool(config.getoption("--crash-lab"))

    def run(
        bot: "App | Flow[Any]",
        *,
        script: "Sequence[Entry]",
        person: str = DEFAULT_PERSON,
        channel: str = "sms",
        normalise: "Normalise" = as_it_is,
        outside: "Outside" = nothing_outside,
        pause: timedelta = PAUSE,
    ) -> "CrashLabReport":
        report = run_crash_lab(
            bot,
            script=script,
            person=person,
            channel=channel,
            normalise=normalise,
            outside=outside,
            pause=pause,
            stores=STORES if is_thorough or only else STORES[:1],
            limit=None if is_thorough or only else QUICK_CASES,
            only=only,
            name=request.node.nodeid,
        )
        config.stash.setdefault(_REPORTS, []).append(report.table())
        return report

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the tables of the crash labs that were asked to be thorough."""
    reports = config.stash.get(_REPORTS, [])
    if reports and config.getoption("--crash-lab"):
        terminalreporter.section("crash lab")
        for table in reports:
            terminalreporter.write_line(table)
            terminalreporter.write_line("")


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
