"""A ready policy that speaks of something that is not there is refused like a handler that does."""

import warnings
from collections.abc import Awaitable, Callable

import pytest
from msgspec import Struct

from turnkeeper.dialogue.checks import FlowWarning
from turnkeeper.dialogue.declaring.jobtype import JobType
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.turn import Job, Turn
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.errors import InvalidFlowError
from turnkeeper.policy.durations import hours, seconds


class Meals(Struct):
    """A state with something worth keeping."""

    metrics: int = 0


INTENTS = tuple(Intent(name, phrases=(f"please {name}",)) for name in ("plan", "undo", "help", "new", "resume"))
Declare = Callable[[Flow[Meals]], None]


def sound_flow(*, without: str = "") -> Flow[Meals]:
    """Return a flow that answers all of its intents but one."""
    flow = Flow("mealplan", Meals, start="idle", intents=INTENTS)
    for intent in INTENTS:
        if intent.name != without:
            flow.on(intent.name)(nothing)
    return flow


async def nothing(turn: Turn[Meals]) -> None:
    """Handle anything by doing nothing."""


async def report(job: Job) -> None:
    """Run as a job."""


def refusal(flow: Flow[Meals]) -> str:
    """Return why the flow is refused."""
    with pytest.raises(InvalidFlowError) as caught:
        flow.check()
    return str(caught.value)


@pytest.mark.parametrize(
    ("declare", "reason"),
    [
        (lambda flow: flow.start_over("begin", to="idle"), "start_over: intent 'begin' does not exist"),
        (lambda flow: flow.corrections(intent="oops"), "corrections: intent 'oops' does not exist"),
        (lambda flow: flow.help("info"), "help: intent 'info' does not exist"),
        (lambda flow: flow.late_reply(resting="idle"), "late_reply: intent 'continue' does not exist"),
        (lambda flow: flow.start_over("undo", to="idel"), "to: status 'idel' does not exist; did you mean 'idle'?"),
        (
            lambda flow: flow.late_reply(resting="idel", continue_intent="resume"),
            "late_reply, resting: status 'idel' does not exist",
        ),
        (
            lambda flow: flow.start_over("undo", to="idle", keep="metric"),
            "keep: field of Meals 'metric' does not exist; did you mean 'metrics'?",
        ),
        (lambda flow: flow.corrections(keep="counts"), "corrections, keep: field of Meals 'counts' does not exist"),
        (
            lambda flow: flow.start_over("undo", to="idle", keep_timers="weekly"),
            "start_over, keep_timers: timer 'weekly' does not exist",
        ),
        (
            lambda flow: flow.late_reply(resting="idle", continue_intent="resume", ask_after=hours(1)),
            "late_reply asks after 1:00:00, so it never reminds after 2:00:00",
        ),
    ],
)
def test_a_policy_speaks_of_what_there_is(declare: Declare, reason: str) -> None:
    """Intents, statuses, fields and timers are looked up; the nearest name is suggested."""
    flow = sound_flow(without="undo")
    declare(flow)

    assert reason in refusal(flow)


def test_a_policy_answers_its_intents() -> None:
    """Such an intent needs no handler of its own."""
    flow = Flow("mealplan", Meals, start="idle", intents=INTENTS[1:])
    flow.corrections(intent="undo", keep="metrics")
    flow.help(intro="I plan dinners.")
    flow.late_reply(resting=("idle",), continue_intent="resume")
    flow.several_people()

    plan = flow.check()

    assert plan.undo_keep == ("metrics",)
    assert plan.help is not None
    assert plan.help.intro == "I plan dinners."
    assert plan.late_reply is not None
    assert plan.late_reply.resting == ("idle",)
    assert plan.several_people is not None


def test_what_a_policy_answers_no_handler_answers() -> None:
    """Which of the two would run would be anybody's guess."""
    flow = sound_flow()
    flow.help()

    text = refusal(flow)

    assert "intent 'help' is answered by handler nothing and by help (" in text
    assert "drop one of the two" in text


def test_a_policy_is_declared_once() -> None:
    """Only one can hold."""
    flow = sound_flow(without="undo")
    flow.corrections()
    flow.corrections(keep="metrics")

    assert "corrections is declared twice, and only one can hold" in refusal(flow)


def still_working(flow: Flow[Meals], job: JobType[[], None], restart: str = "plan") -> None:
    """Declare a request and the policy for repeating it."""

    @flow.on(restart, when="idle", to="analyzing")
    async def begin(turn: Turn[Meals]) -> None:
        turn.start(job)

    flow.still_working("plan", when="analyzing", job=job, restart=begin, within=seconds(10))


def test_still_working_is_part_of_the_plan() -> None:
    """It names job and handler."""
    flow = sound_flow(without="plan")
    job = flow.job(result_dropped=True)(report)
    still_working(flow, job)

    (policy,) = flow.check().still_working

    assert (policy.intent, policy.when, policy.job, policy.within) == ("plan", ("analyzing",), "report", seconds(10))
    assert policy.restart.endswith("begin")


def test_still_working_speaks_of_a_job_of_this_flow() -> None:
    """Another flow's job never runs here."""
    flow = sound_flow(without="plan")
    job = sound_flow().job(result_dropped=True)(report)
    still_working(flow, job)

    assert "job report is not part of this flow" in refusal(flow)


def test_still_working_restarts_by_a_handler_of_the_same_intent() -> None:
    """The person said that again, and nothing else."""
    flow = sound_flow()
    job = flow.job(result_dropped=True)(report)
    still_working(flow, job, restart="undo")

    assert "does not answer intent 'plan', so it cannot restart it" in refusal(flow)


def test_still_working_restarts_by_a_handler() -> None:
    """A plain function that is none would never be found."""
    flow = sound_flow()
    job = flow.job(result_dropped=True)(report)

    async def stray(turn: Turn[Meals]) -> None:
        turn.reply("")

    flow.still_working("plan", when="idle", job=job, restart=stray)

    text = refusal(flow)

    assert "stray is no handler of this flow; pass the function that @flow.on decorates" in text


def declare_begin(flow: Flow[Meals], when: str) -> Callable[[Turn[Meals]], Awaitable[None]]:
    """Declare a handler that is called like the one declared before."""

    @flow.on("plan", when=when, to="away")
    async def begin(turn: Turn[Meals]) -> None:
        turn.reply("")

    return begin


def test_a_restart_is_told_by_its_name() -> None:
    """Two handlers of one name are two functions that the plan could not tell apart."""
    flow = sound_flow(without="plan")
    job = flow.job(result_dropped=True)(report)
    declared = [declare_begin(flow, when) for when in ("idle", "away")]
    flow.still_working("plan", when="away", job=job, restart=declared[0])

    assert "several handlers are called" in refusal(flow)


def test_a_phrase_that_carriers_reserve_is_warned_of_at_the_line_of_the_flow() -> None:
    """On SMS it unsubscribes the person, and the flow never sees it."""
    intents = (Intent("cancel", phrases=("cancel", "forget it")),)
    flow = Flow("mealplan", Meals, start="idle", intents=intents)
    flow.on("cancel")(nothing)

    with pytest.warns(FlowWarning, match=r"phrase 'cancel': 'CANCEL' as a whole message unsubscribes") as caught:
        flow.check()

    assert [warning.filename for warning in caught] == [__file__]


def test_without_carriers_every_phrase_is_the_flows() -> None:
    """A web page has no carrier."""
    intents = (Intent("cancel", phrases=("cancel",)),)
    flow = Flow("mealplan", Meals, start="idle", intents=intents, carrier_words=False)
    flow.on("cancel")(nothing)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan = flow.check()

    assert not plan.carrier_words
