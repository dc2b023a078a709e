"""Rules for every test of the repository, those of the applications included.

A skip fails. The one exception is a backend's declared inability, which its test states in the reason:
`pytest.skip(f"{DECLARED}the memory store has no round trips")` with the prefix below. Anything else that is skipped
would look like a promise that is kept.
"""

import signal
import threading
from collections.abc import Generator

import pytest
from hypothesis import settings

DECLARED = "declared inability: "

# `ci` repeats the same examples in every run, so that a red run is about the change; `nightly` looks for new ones
# (pytest --hypothesis-profile nightly). No example database: two runs side by side must not meet in a folder.
settings.register_profile("ci", derandomize=True, database=None, deadline=None, max_examples=100)
settings.register_profile("nightly", database=None, deadline=None, max_examples=5_000, print_blob=True)
settings.load_profile("ci")


def pytest_configure() -> None:
    """Give SIGINT back its meaning: a run that a script put into the background would hand "ignored" on to servers."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio only, which is what uvicorn runs."""
    return "asyncio"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a test's undeclared skip into a failure."""
    report = yield
    refuse_undeclared_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a module's undeclared skip (`importorskip`, `allow_module_level`) into a failure."""
    report = yield
    refuse_undeclared_skip(report)
    return report


def refuse_undeclared_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Fail the report if it is such a skip. An expected failure (`xfail`) is none: it runs, and strictly."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(DECLARED):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped ({reason}), and no backend declared that it cannot do this."
