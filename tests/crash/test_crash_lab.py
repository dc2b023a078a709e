"""The crash lab lets good bots pass, finds what is wrong with bad ones, and says how to see it again."""

import itertools
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

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


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ([], "has 1 to 200 entries"),
        ([timedelta(0)], "entry 1 of the script waits"),
        (["milk"] * 201, "this one has 201"),
        ("milk", "a list of entries"),
        (None, "a list of entries"),
        (["milk", 5], "entry 2 of the script is 5"),
        (["milk", ""], "entry 2 of the script.*cannot be sent: the text is empty"),
    ],
)
def test_a_script_that_cannot_be_played_is_refused(script: Any, text: str) -> None:
    """Empty, too long, waiting for nothing, no script at all: the text says which entry."""
    with pytest.raises(ConfigurationError, match=text):
        run_crash_lab(make_errands(), script=script)


@pytest.mark.parametrize("bot", [None, "errands:flow"])
def test_what_is_no_bot_is_refused(bot: Any) -> None:
    """A name is not looked up: the flow itself is wanted."""
    with pytest.raises(ConfigurationError, match="a crash lab attacks a Flow or an App"):
        run_crash_lab(bot, script=["milk"])


@pytest.mark.parametrize("pause", [timedelta(seconds=-5), timedelta(0), timedelta(seconds=1)])
def test_a_pause_into_which_no_recovery_fits_is_refused(pause: timedelta) -> None:
    """The bot would be blamed for what was not over yet."""
    with pytest.raises(ConfigurationError, match="a recovery takes up to 10 s"):
        run_crash_lab(make_errands(), script=["milk"], pause=pause)


def make_teller(tell: Callable[[Turn[Errands]], None]) -> Flow[Errands]:
    """Return a bot that does with every message whatever `tell` does."""
    flow = Flow("teller", Errands, start="ready")

    @flow.unknown
    async def listen(turn: Turn[Errands]) -> None:
        tell(turn)

    return flow


def test_a_handler_that_raises_is_told_before_anything_is_attacked() -> None:
    """A bot that fails without any fault is not judged by faults."""

    def fail(_: Turn[Errands]) -> None:
        raise ValueError("no tea")

    with pytest.raises(ConfigurationError, match=r"(?s)without any fault.*'milk'.*no tea"):
        run_crash_lab(make_teller(fail), script=["milk"])


def test_a_handler_that_raises_and_then_does_not_survives_a_crash_of_its_second_try() -> None:
    """A worker that dies while time passes is replaced then, and not when all of it has passed."""

    def stumble(turn: Turn[Errands]) -> None:
        if turn.attempt < 3:
            raise ValueError("not yet")
        turn.reply("at last")

    report = run_crash_lab(make_teller(stumble), script=["milk", "tea"])

    assert report.failures == ()


def test_what_is_done_outside_is_seen() -> None:
    """A handler that writes somewhere else writes twice when its worker dies; the store cannot tell, `outside` can."""
    rows: list[str] = []

    def take_rows() -> list[str]:
        taken = rows.copy()
        rows.clear()
        return taken

    flow = make_teller(lambda turn: rows.append(turn.text))

    with pytest.raises(CrashLabError) as caught:
        run_crash_lab(flow, script=["milk", "tea"], outside=take_rows)

    assert "outside: expected ['milk', 'tea'], found ['milk', 'milk', 'tea']" in str(caught.value)
    failed = {str(one.case) for one in caught.value.report.failures}
    assert "1:before_commit#1:kill" in failed
    assert "1:after_commit#1:kill" not in failed


def test_a_stand_in_that_answers_differently_each_time_shows_a_step_that_is_missing() -> None:
    """`outside` is called after each run, so that a stand-in can begin anew: a second call in one run shows."""
    calls: list[str] = []

    def think(turn: Turn[Errands]) -> None:
        calls.append(turn.text)
        turn.reply(f"thought {len(calls)}")

    with pytest.raises(CrashLabError, match="expected 'thought 1', found 'thought 2'"):
        run_crash_lab(make_teller(think), script=["milk"], outside=calls.clear)


def test_two_runs_that_differ_are_explained() -> None:
    """Whoever keeps something in a module reads so, and where it belongs."""
    heard: list[str] = []

    def count(turn: Turn[Errands]) -> None:
        heard.append(turn.text)
        turn.reply(f"{len(heard)} messages")

    with pytest.raises(ConfigurationError, match="outlives a run") as caught:
        run_crash_lab(make_teller(count), script=["milk"])

    assert "expected '1 messages', found '2 messages'" in str(caught.value)
    assert "turn 1 of the log" not in str(caught.value)  # it would say the same on both sides


def test_replies_on_other_channels_are_sent_too() -> None:
    """A bot that tells a group what a person said has both providers in the lab, and neither lane is blocked."""

    def tell(turn: Turn[Errands]) -> None:
        turn.reply("new", channel="telegram", to="-1001")
        turn.reply("noted")

    report = run_crash_lab(make_teller(tell), script=["milk", "tea"])

    assert report.failures == ()
    sends = [one for one in report.tried if one.case.moment.name == "before_send" and one.case.fault is Fault.KILL]
    assert len(sends) == 4


def test_a_person_may_come_on_another_channel() -> None:
    """`Said(channel=)`: the same person on another way, answered there."""
    flow = make_teller(lambda turn: turn.reply(turn.message.channel))

    report = run_crash_lab(flow, script=["milk", Said(text="tea", channel="telegram")], limit=20)

    assert report.failures == ()


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
