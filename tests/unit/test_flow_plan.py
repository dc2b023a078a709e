"""A checked flow is a plan: complete, computed once, closed. It names conversations and knows what stops them."""

import pytest
from msgspec import Struct

from turnkeeper.dialogue.declaring.router import Router
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.plan import fill_state_key
from turnkeeper.dialogue.turn import Job, Turn
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.errors import InvalidFlowError, InvalidMessageError
from turnkeeper.model.message import Kind
from turnkeeper.model.person import phone_number
from turnkeeper.policy.durations import days, hours, minutes


class Meals(Struct):
    """A state with nothing to complain about."""

    swaps: list[str] = []


async def nothing(turn: Turn[Meals]) -> None:
    """Handle anything by doing nothing."""


def test_settings_reach_the_plan() -> None:
    """What is declared is what runs."""
    flow = Flow(
        "mealplan",
        Meals,
        start="idle",
        quiet_after=hours(2),
        forget_after=days(30),
        retention="fixed",
        on_lost="restart",
        turn_timeout=minutes(1),
        max_attempts=3,
        naive="refuse",
    )

    plan = flow.check()

    assert (plan.name, plan.state_type, plan.start) == ("mealplan", Meals, "idle")
    assert (plan.quiet_after, plan.forget_after, plan.retention) == (hours(2), days(30), "fixed")
    assert (plan.on_lost, plan.naive) == ("restart", "refuse")
    assert (plan.rules.turn_timeout, plan.rules.max_attempts) == (minutes(1), 3)


def test_a_flow_without_anything_is_sound() -> None:
    """A tutorial begins with two lines."""
    assert Flow("mealplan", Meals, start="idle").check().handlers == ()


def test_the_start_is_the_first_status() -> None:
    """Diagrams and lists begin where conversations do."""
    flow = Flow("mealplan", Meals, start="idle", intents=(Intent("plan", phrases=("plan",)),))
    flow.status("busy", help="I'm on it.")
    flow.on("plan", when="busy", to="idle")(nothing)
    flow.on("plan", when="idle", to="busy")(nothing)

    plan = flow.check()

    assert plan.statuses == ("idle", "busy")
    assert plan.status_help == {"busy": "I'm on it."}


def test_routers_bring_everything_they_declare() -> None:
    """Handlers, jobs and hooks live in modules of their own, in the order of inclusion."""
    flow = Flow("mealplan", Meals, start="idle", intents=(Intent("plan", phrases=("plan",)),))
    outer, inner = Router(Meals), Router(Meals)
    flow.include(outer)
    outer.include(inner)

    @inner.job()
    async def analyze(job: Job) -> str:
        return job.peer

    @inner.result(analyze, when="idle")
    async def analyzed(turn: Turn[Meals], dinners: str) -> None:
        turn.reply(dinners)

    inner.failed(analyze)(failed)
    outer.on("plan")(nothing)
    outer.each(nothing)
    flow.unknown()(nothing)

    plan = flow.check()

    assert [handler.triggers[0].kind for handler in plan.handlers] == ["unknown", "intent", "result", "failure"]
    assert list(plan.jobs) == ["analyze"]
    assert plan.each == (nothing,)


async def failed(turn: Turn[Meals], error: object) -> None:
    """Handle a failure by doing nothing."""


def test_the_plan_is_computed_once() -> None:
    """Everybody runs the same one."""
    flow = Flow("mealplan", Meals, start="idle")

    assert flow.check() is flow.check()


def test_nothing_can_be_declared_after_the_check() -> None:
    """A handler in a module that is imported too late would silently never run."""
    flow = Flow("mealplan", Meals, start="idle")
    router = Router(Meals)
    flow.include(router)
    flow.check()

    with pytest.raises(InvalidFlowError, match=rf"{__file__}:\d+: declared after the flow was checked"):
        flow.several_people()
    with pytest.raises(InvalidFlowError, match="import this module before"):
        router.timer("weekly")(nothing)


def test_a_flow_becomes_a_program() -> None:
    """The engine knows it by its name and its rules."""
    flow = Flow("mealplan", Meals, start="idle", max_attempts=3)

    program = flow.program(screens=("terminal",))

    assert (program.name, program.rules.max_attempts) == ("mealplan", 3)


def test_a_refused_flow_can_be_repaired() -> None:
    """A failed check closes nothing."""
    flow = Flow("mealplan", Meals, start="idle", intents=(Intent("plan", phrases=("plan",)),))
    with pytest.raises(InvalidFlowError):
        flow.check()

    flow.on("plan")(nothing)

    assert len(flow.check().handlers) == 1


def test_a_conversation_is_named_by_flow_and_person() -> None:
    """Every spelling of a number leads to the same one."""
    flow = Flow("mealplan", Meals, start="idle", person=phone_number)

    assert flow.conversation("1 (555) 123-4567").key == "mealplan:+15551234567"


def test_a_member_has_a_conversation_of_her_own() -> None:
    """Also under the users' own state key."""
    flow = Flow("mealplan", Meals, start="idle", state_key="conversation:{phone}")

    base, ana = flow.conversation("5866"), flow.conversation("5866", member="ana")

    assert (base.key, base.state_name) == ("mealplan:5866", "conversation:5866")
    assert (ana.key, ana.state_name) == ("mealplan:5866:ana", "conversation:5866:ana")


def test_no_normal_form_may_pose_as_a_member() -> None:
    """An application's own `person` is checked as well."""
    flow = Flow("mealplan", Meals, start="idle", person=str.strip)

    with pytest.raises(InvalidMessageError):
        flow.conversation("5866:ana")


def test_a_person_cannot_bring_in_a_placeholder() -> None:
    """The template is filled once, from the left."""
    assert fill_state_key("order:{id}:v1", "{x}") == "order:{x}:v1"


@pytest.mark.parametrize(
    ("text", "opted_out", "kind"),
    [
        ("STOP", False, Kind.OPT_OUT),
        (" stop. ", False, Kind.OPT_OUT),
        ("stop the salmon", False, Kind.TEXT),
        ("START", False, Kind.OPT_IN),
        ("yes", False, Kind.TEXT),
        ("yes", True, Kind.OPT_IN),
        ("help", False, Kind.TEXT),
    ],
)
def test_what_opts_out_is_known_before_a_turn_begins(text: str, opted_out: bool, kind: Kind) -> None:  # noqa: FBT001 - a parameter of the test
    """STOP interrupts the turn that runs; YES opts in only who had opted out."""
    flow = Flow("mealplan", Meals, start="idle")

    assert flow.classify_kind(text, opted_out=opted_out) is kind


def test_without_carriers_nothing_opts_out() -> None:
    """In a web page STOP is a word."""
    flow = Flow("mealplan", Meals, start="idle", carrier_words=False)

    assert flow.classify_kind("STOP") is Kind.TEXT
