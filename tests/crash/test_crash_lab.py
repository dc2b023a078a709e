"""The crash lab lets good bots pass, finds what is wrong with bad ones, and says how to see it again."""

import itertools
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from turnkeeper import Flow, Job, Kind, Retry, Struct, Turn, days, minutes, seconds
from turnkeeper.errors import ConfigurationError
from turnkeeper.model.message import JobFailed
from turnkeeper.testing import CrashLabError, CrashLabReport, Said, run_crash_lab
from turnkeeper.testing.lab.cases import Fault

BEN = "+15551230002"


class Errands(Struct):
    done: list[str] = []
    asked: int = 0


def make_errands(ask: Callable[[Turn[Errands]], int] = lambda turn: 1) -> Flow[Errands]:
    """Return a bot with a step, a job and a timer; `ask` is what its handler adds to the state at each run."""
    flow = Flow("errands", Errands, start="ready")

    @flow.job(retry=Retry(attempts=5, delay=seconds(0.1)), timeout=seconds(30))
    async def fetch(job: Job, what: str) -> str:
        return f"{what} fetched"

    @flow.unknown
    async def listen(turn: Turn[Errands]) -> None:
        async def price() -> int:
            return len(turn.text)

        cost = await turn.step("price", price)
        turn.state.asked += ask(turn)
        turn.reply(f"{turn.text} costs {cost}")
        turn.start(fetch, turn.text)
        turn.after(minutes(5), "remind")

    @flow.action("done")
    async def done(turn: Turn[Errands]) -> None:
        turn.state.done.append("button")

    @flow.result(fetch)
    async def fetched(turn: Turn[Errands], what: str) -> None:
        turn.state.done.append(what)
        turn.reply(f"{what}.")

    @flow.failed(fetch)
    async def not_fetched(turn: Turn[Errands], failed: JobFailed) -> None:
        turn.state.done.append("nothing")

    @flow.timer("remind")
    async def remind(turn: Turn[Errands]) -> None:
        turn.reply("Anything else?")

    return flow


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the log lines of the failures that the lab causes out of the report."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_a_bot_with_steps_jobs_and_timers_passes_everything() -> None:
    """Every fault at every moment of a bot that keeps the rules comes to the same."""
    report = run_crash_lab(
        make_errands(), script=["milk", Said(text="tea", person=BEN), Said(text="done", kind=Kind.ACTION), minutes(6)]
    )

    assert len(report.tried) == report.planned
    assert report.failures == ()
    names = {one.case.moment.name for one in report.tried}
    assert {"before_step_kept", "after_step_kept", "in_job", "before_send", "turns.commit", "turns.renew"} <= names
    assert {one.case.fault for one in report.tried} == set(Fault)


def test_the_same_holds_on_a_file() -> None:
    """SQLite comes to what memory comes to."""
    report = run_crash_lab(make_errands(), script=["milk"], stores=("sqlite",), limit=20)

    assert report.failures == ()
    assert {one.store for one in report.tried} == {"sqlite"}


def test_a_bot_that_counts_its_runs_is_found() -> None:
    """A handler that depends on how often it ran makes a crash visible, and the report says where."""
    flow = make_errands(lambda turn: turn.attempt)

    with pytest.raises(CrashLabError) as caught:
        run_crash_lab(flow, script=["milk"], name="tests/test_errands.py::test_errands")

    failed = {str(one.case) for one in caught.value.report.failures}
    assert "1:before_commit#1:kill" in failed
    assert "1:after_commit#1:kill" not in failed
    text = str(caught.value)
    assert "state.asked: expected 1, found 2" in text
    assert "pytest tests/test_errands.py::test_errands --crash-lab-only '1:before_commit#1:kill'" in text
    assert "FAILED" in text


def test_one_case_can_be_run_again_alone() -> None:
    """What a report names is what `only` takes."""
    flow = make_errands(lambda turn: turn.attempt)

    with pytest.raises(CrashLabError) as caught:
        run_crash_lab(flow, script=["milk"], only="1:before_commit#1:kill")

    assert [str(one.case) for one in caught.value.report.tried] == ["1:before_commit#1:kill"]


def test_a_case_that_does_not_exist_is_refused() -> None:
    """A script that changed has other moments, and says so."""
    with pytest.raises(ConfigurationError, match="no case '9:before_commit#1:kill'"):
        run_crash_lab(make_errands(), script=["milk"], only="9:before_commit#1:kill")


def test_a_bot_that_makes_things_up_cannot_be_judged_unless_they_are_left_out() -> None:
    """Two undisturbed runs must be the same; `normalise` leaves out what need not be."""
    numbers = itertools.count(1)
    flow = make_errands(lambda turn: next(numbers))

    with pytest.raises(ConfigurationError, match="two undisturbed runs"):
        run_crash_lab(flow, script=["milk"])
    report = run_crash_lab(
        flow,
        script=["milk"],
        limit=5,
        normalise=lambda state: state["done"] if isinstance(state, dict) else state,
    )

    assert report.failures == ()


def test_nothing_is_repeated_later_than_a_provider_would() -> None:
    """A message that comes again after a week is a new one, and no fault that a lab should make."""
    report = run_crash_lab(make_errands(), script=["milk", days(7), "tea"], only="3:message#1:reordered")

    assert report.failures == ()


@pytest.mark.parametrize("script", [[], [timedelta(0)], ["milk"] * 201])
def test_a_script_that_cannot_be_played_is_refused(script: list[str | timedelta]) -> None:
    """Empty, too long, or waiting for nothing."""
    with pytest.raises(ConfigurationError):
        run_crash_lab(make_errands(), script=script)


def test_a_store_that_the_lab_does_not_have_is_refused() -> None:
    """The error names those that it has."""
    with pytest.raises(ConfigurationError, match="memory, sqlite; got paper"):
        run_crash_lab(make_errands(), script=["milk"], stores=("paper",))


def test_the_fixture_tries_some_of_it(crash_lab: Callable[..., CrashLabReport], pytestconfig: pytest.Config) -> None:
    """Without `--crash-lab` a test takes seconds, and still sees each kind of moment with each fault."""
    report = crash_lab(make_errands(), script=["milk"])

    is_thorough = pytestconfig.getoption("--crash-lab")
    assert is_thorough or len(report.tried) <= 40 < report.planned
    assert {one.case.fault for one in report.tried} == set(Fault)
    assert report.headline() in report.table()
