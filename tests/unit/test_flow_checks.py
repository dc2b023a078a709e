"""A flow that contradicts itself is refused before its first message, with the line at fault and what to do."""

from pathlib import Path

import pytest
from msgspec import Struct

from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.turn import Job, Turn
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.errors import InvalidFlowError
from turnkeeper.model.message import JobFailed
from turnkeeper.policy.durations import days, hours, minutes

PLAN = Intent("plan", phrases=("plan",))
SWAP = Intent("swap", phrases=("swap {old} for {new}",))


class Meals(Struct):
    """A state with nothing to complain about."""

    swaps: list[str] = []
    metrics: int = 0


def new_flow(*intents: Intent) -> Flow[Meals]:
    """Return a flow that starts in `idle`."""
    return Flow("mealplan", Meals, start="idle", intents=intents)


def refusal(flow: Flow[Meals]) -> str:
    """Return why the flow is refused."""
    with pytest.raises(InvalidFlowError) as caught:
        flow.check()
    return str(caught.value)


def line_of(text: str) -> int:
    """Return the line of this file that ends with a remark."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if line.endswith(f"# {text}"))


async def nothing(turn: Turn[Meals]) -> None:
    """Handle anything by doing nothing."""


def test_a_sound_flow_is_accepted() -> None:
    """Handlers, jobs and timers that fit each other raise nothing."""
    flow = new_flow(PLAN)

    @flow.job()
    async def analyze(job: Job, phone: str) -> list[str]:
        return [job.peer, phone]

    @flow.result(analyze, when="analyzing", to="idle")
    async def analyzed(turn: Turn[Meals], dinners: list[str]) -> None:
        turn.state.swaps = dinners

    @flow.failed(analyze, when="analyzing", to="error")
    async def failed(turn: Turn[Meals], error: JobFailed) -> None:
        turn.reply(error.reason)

    flow.on("plan", when=("idle", "error"), to="analyzing")(nothing)

    assert flow.check().statuses == ("idle", "analyzing", "error")


def test_every_problem_is_reported_at_once_sorted_by_line() -> None:
    """Nobody wants to start a program five times to learn five things."""
    flow = new_flow(PLAN, SWAP)

    @flow.on("plan", when="idel", to="busy")  # the first
    async def plan(turn: Turn[Meals]) -> None:
        turn.reply("")

    @flow.on("pln")  # the second
    async def pln(turn: Turn[Meals]) -> None:
        turn.reply("")

    text = refusal(flow)

    first, second = f"{__file__}:{line_of('the first')}:", f"{__file__}:{line_of('the second')}:"
    assert text.index(first) < text.index(second)
    assert "'mealplan'" in text
    assert "'swap' is understood and then nobody answers it" in text


def test_an_unknown_status_in_when_names_the_one_that_was_meant() -> None:
    """A slip in `when` would make a handler that never runs."""
    flow = new_flow(PLAN)
    flow.on("plan", when="idel")(nothing)

    assert "when: status 'idel' does not exist; did you mean 'idle'?" in refusal(flow)


def test_an_unknown_status_in_the_when_of_an_intent_is_found() -> None:
    """An intent that is expected nowhere would be understood too rarely."""
    flow = new_flow(Intent("plan", phrases=("plan",), when=("idel",)))
    flow.on("plan")(nothing)

    assert "intent 'plan', when: status 'idel' does not exist; did you mean 'idle'?" in refusal(flow)


def test_a_slip_in_to_is_found_by_the_status_that_was_meant() -> None:
    """Any `to` makes a status exist, so a slip there would make a dead end."""
    flow = new_flow(PLAN, SWAP)
    flow.on("plan", when="idle", to="analyzing")(nothing)
    flow.on("swap", when="analyzing", to="idle")(nothing)
    flow.on("swap", when="idle", to="analysing")(nothing)

    assert "leads to 'analysing', where nothing goes on; did you mean 'analyzing'?" in refusal(flow)


def test_a_dead_end_with_a_name_of_its_own_is_allowed() -> None:
    """A conversation may end somewhere."""
    flow = new_flow(PLAN)
    flow.on("plan", when="idle", to="done")(nothing)

    assert flow.check().statuses == ("idle", "done")


def test_a_declared_status_is_no_slip() -> None:
    """Two statuses may have names that are nearly the same, if that is meant."""
    flow = new_flow(PLAN, SWAP)
    flow.status("step_2")
    flow.on("plan", when="idle", to="step_1")(nothing)
    flow.on("swap", when="step_1", to="step_2")(nothing)

    assert flow.check().statuses == ("idle", "step_2", "step_1")


def test_a_status_that_no_path_reaches_is_refused() -> None:
    """Two statuses that only lead to each other are an island."""
    flow = new_flow(PLAN, SWAP)
    flow.on("plan", when="far", to="away")(nothing)
    flow.on("swap", when="away", to="far")(nothing)

    text = refusal(flow)

    assert "no path leads from 'idle' to status 'far'" in text
    assert "no path leads from 'idle' to status 'away'" in text


def test_a_handler_whose_statuses_are_all_out_of_reach_is_named() -> None:
    """The handler is what somebody wrote; so it is named besides the status."""
    flow = new_flow(PLAN)
    flow.status("expired")
    flow.on("plan", when="expired")(nothing)

    assert "handler nothing can never run: no path leads to 'expired'" in refusal(flow)


def test_a_handler_without_any_status_is_refused() -> None:
    """`when=()` is a handler switched off by accident."""
    flow = new_flow(PLAN)
    flow.on("plan", when=())(nothing)

    assert "has when=(), so it can never run" in refusal(flow)


def test_policies_make_paths_too() -> None:
    """Start-over leads from anywhere to its status."""
    flow = new_flow(PLAN, SWAP)
    flow.start_over("plan", to="fresh")
    flow.on("swap", when="fresh", to="idle")(nothing)
    flow.status("fresh")

    assert flow.check().statuses == ("idle", "fresh")


def test_an_undeclared_intent_is_refused() -> None:
    """A handler for words that nobody listens for never runs."""
    flow = new_flow(PLAN)
    flow.on("plan")(nothing)
    flow.on("pla")(nothing)

    assert "intent 'pla' does not exist; did you mean 'plan'? (intents are declared in Flow(intents=…))" in refusal(
        flow
    )


def test_answers_need_no_declaration_but_a_question() -> None:
    """Yes and no are built in; an answer in any other words belongs to one question."""
    flow = new_flow()
    flow.on("affirmative")(nothing)
    flow.on("answer")(nothing)

    text = refusal(flow)

    assert "takes 'answer' to no question" in text
    assert "affirmative" not in text


def test_unknown_is_no_intent() -> None:
    """There is one way to declare what happens with unknown words."""
    flow = new_flow()
    flow.on("unknown")(nothing)

    assert "declare it by @flow.unknown" in refusal(flow)


def test_an_intent_that_nobody_answers_is_refused() -> None:
    """It would be understood, and then met with silence."""
    flow = new_flow(PLAN)

    text = refusal(flow)

    assert "intent 'plan' is understood and then nobody answers it; add @flow.on('plan', …)" in text


def test_a_job_without_handlers_for_its_outcome_is_refused() -> None:
    """Its result would be lost, or nobody would hear that it gave up."""
    flow = new_flow()

    @flow.job()
    async def analyze(job: Job) -> str:
        return job.peer

    text = refusal(flow)

    assert "its result would be lost; add @flow.result(analyze, …)" in text
    assert "nobody would hear that it gave up; add @flow.failed(analyze, …)" in text


def test_a_job_may_be_declared_to_be_fire_and_forget() -> None:
    """Whoever says that nobody waits for the outcome needs no handler for it."""
    flow = new_flow()

    @flow.job(result_dropped=True)
    async def report(job: Job) -> None:
        """Tell somebody."""

    assert flow.check().jobs["report"].result_type is type(None)


def test_a_job_of_a_router_that_is_not_included_is_refused() -> None:
    """Its result could never be decoded."""
    flow, other = new_flow(), new_flow()

    @other.job()
    async def analyze(job: Job) -> str:
        return job.peer

    @flow.result(analyze)
    async def analyzed(turn: Turn[Meals], dinners: str) -> None:
        turn.reply(dinners)

    text = refusal(flow)

    assert "job analyze is not part of this flow; flow.include(…) the router that declares it" in text


def test_two_handlers_on_equal_terms_are_refused() -> None:
    """The order of declaration decides nothing, so something else must."""
    flow = new_flow(PLAN)

    @flow.on("plan", when=("idle", "busy"), to="busy")
    async def one(turn: Turn[Meals]) -> None:
        turn.reply("one")

    @flow.on("plan", when=("busy", "idle"))
    async def other(turn: Turn[Meals]) -> None:
        turn.reply("other")

    text = refusal(flow)

    assert "both answer intent 'plan' in 'idle', 'busy'" in text
    assert "narrow one's `when`, or tell them apart by a guard" in text


def test_a_function_declared_twice_for_one_cause_is_ambiguous() -> None:
    """Which declaration counts would otherwise be anybody's guess."""
    flow = new_flow(PLAN)
    flow.on("plan")(nothing)
    flow.on("plan")(nothing)

    assert "both answer intent 'plan' anywhere" in refusal(flow)


def test_questions_guards_and_statuses_tell_handlers_apart() -> None:
    """A question beats none, a status beats anywhere, a guard beats none."""
    flow = new_flow(PLAN)

    def is_hungry(turn: Turn[Meals]) -> bool:
        return bool(turn.state.swaps)

    flow.on("plan")(nothing)
    flow.on("plan", when="idle")(nothing)
    flow.on("plan", when="idle", guard=is_hungry)(nothing)
    flow.on("plan", when="idle", question="sure")(nothing)

    assert len(flow.check().handlers) == 4


def test_the_same_guard_tells_nothing_apart() -> None:
    """Both would hold, or neither."""
    flow = new_flow(PLAN)

    def is_hungry(turn: Turn[Meals]) -> bool:
        return bool(turn.state.swaps)

    flow.on("plan", guard=is_hungry)(nothing)
    flow.on("plan", guard=is_hungry)(nothing)

    assert "both answer intent 'plan' anywhere" in refusal(flow)


def test_an_aside_leads_nowhere() -> None:
    """It promises to keep the thread."""
    flow = new_flow(PLAN)
    flow.on("plan", aside=True, to="idle")(nothing)

    assert "is an aside, which keeps the status, and has a `to`" in refusal(flow)


def test_quiet_and_forget_need_a_time() -> None:
    """Without one they would never come."""
    flow = new_flow()
    flow.on_quiet(nothing)
    flow.on_forget(nothing)

    text = refusal(flow)

    assert "give Flow(quiet_after=…)" in text
    assert "give Flow(forget_after=…)" in text


def test_quiet_and_forget_are_declared_with_and_without_brackets() -> None:
    """Most have nothing to say in them."""
    flow = Flow("mealplan", Meals, start="idle", quiet_after=hours(2), forget_after=days(30))
    flow.on_quiet(nothing)
    flow.on_quiet(when="idle")(nothing)
    flow.on_forget(nothing)

    assert [handler.triggers[0].kind for handler in flow.check().handlers] == ["quiet", "quiet", "forget"]


def test_quiet_comes_before_forgotten() -> None:
    """Nobody can be reminded of what is gone."""
    flow = Flow("mealplan", Meals, start="idle", quiet_after=hours(2), forget_after=hours(1))

    assert "quiet_after (2:00:00) must be shorter than forget_after (1:00:00)" in refusal(flow)


def test_settings_out_of_range_are_refused() -> None:
    """A time of nothing and an empty log are slips."""
    flow = Flow("mealplan", Meals, start="idle", quiet_after=minutes(0), max_attempts=0)

    text = refusal(flow)

    assert "quiet_after is 0:00:00; it must be longer than nothing" in text
    assert "max_attempts is 0" in text
