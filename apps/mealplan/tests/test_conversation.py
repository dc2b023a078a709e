"""The meal planner as a household meets it, on every embedded store."""

from datetime import timedelta

import msgspec
import pytest

from apps.mealplan.tests.talk import ASK, planned
from mealplan import background
from mealplan.domain.analysis import Analysis
from mealplan.domain.cart import Cart
from mealplan.flow import flow
from turnkeeper.testing import Simulator

STATUSES = (
    "idle",
    "analyzing",
    "analysis_sent",
    "modifying",
    "awaiting_confirmation",
    "confirmed",
    "recipes_scheduled",
    "recipes_sent",
    "error",
    "cancelled",
    "expired",
)

MOVES = {
    "idle": {"analyzing"},
    "analyzing": {"analysis_sent", "error", "cancelled"},
    "analysis_sent": {"modifying", "awaiting_confirmation", "confirmed", "idle", "expired"},
    "modifying": {"analysis_sent", "awaiting_confirmation", "confirmed", "error", "expired"},
    "awaiting_confirmation": {"confirmed", "modifying", "expired", "error"},
    "confirmed": {"recipes_scheduled", "recipes_sent", "modifying"},
    "recipes_scheduled": {"recipes_sent", "modifying"},
    "recipes_sent": {"idle", "analyzing"},
    "error": {"analyzing", "idle"},
    "expired": {"analyzing", "idle"},
    "cancelled": {"idle", "analyzing"},
}
"""The product's moves, and what follows from them: an unconfirmed plan expires, work in the background may fail."""


def plan_of(sim: Simulator) -> Analysis:
    """Return the stored plan."""
    analysis: Analysis = sim.load(sim.state().context.last_analysis)
    return analysis


def test_the_statuses_and_moves_are_the_products() -> None:
    """The flow has the product's statuses and no move that the product does not know."""
    graph = flow.graph()

    assert set(flow.check().statuses) == set(STATUSES)
    for edge in graph.edges:
        if edge.target not in {edge.source, "idle"}:
            assert edge.target in MOVES[edge.source], f"{edge.source} -> {edge.target}"
    for source, targets in MOVES.items():
        found = {edge.target for edge in graph.edges if edge.source == source}
        assert targets <= found | {"idle"}, source


def test_plan_answers_at_once_and_the_analysis_is_a_message_of_its_own(sim: Simulator) -> None:
    """`plan` is acknowledged, the cart is read in the background, the plan arrives."""
    acknowledgement, plan, question = sim.say("plan")

    assert acknowledgement == "Analyzing your cart… your plan comes in a moment."
    assert plan.startswith("5 dinners for 2 from your cart:")
    assert question == ASK


def test_a_swap_is_honoured_and_the_plan_made_again(sim: Simulator) -> None:
    """After "swap salmon for chicken" no dinner uses salmon, and chicken is on the table."""
    planned(sim)

    answers = sim.say("swap salmon for chicken")

    assert answers[0] == "Salmon out, chicken thighs in. Updating your plan…"
    used = {portion.label for dinner in plan_of(sim).dinners for portion in dinner.portions}
    assert "salmon" not in used
    assert "chicken thighs" in used
    assert [(one.old, one.new) for one in sim.state().context.swapped_items] == [
        ("Wild Salmon Fillet", "Boneless Chicken Thighs")
    ]
    assert sim.state().context.modifications[0].type == "swap"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("skip monday and weds", ("monday", "wednesday")),
        ("not cooking thu", ("thursday",)),
        ("Hey, could you please skip friday? thanks!", ("friday",)),
    ],
)
def test_skipped_days_have_no_dinner(sim: Simulator, text: str, days: tuple[str, ...]) -> None:
    """Days are understood as people write them, and stand in the state."""
    planned(sim)

    sim.say(text)

    assert not {dinner.day for dinner in plan_of(sim).dinners} & set(days)
    assert tuple(sim.state().context.skipped_days) == days


@pytest.mark.parametrize("text", ["remove the eggplant", "no eggplant please", "leave out the eggplant"])
def test_removed_items_are_gone(sim: Simulator, text: str) -> None:
    """What is left out is in no dinner."""
    planned(sim)

    sim.say(text)

    used = {portion.label for dinner in plan_of(sim).dinners for portion in dinner.portions}
    assert not any("eggplant" in label for label in used)


def test_an_item_that_is_not_in_the_cart_gets_a_helpful_answer(sim: Simulator) -> None:
    """Nothing changes, the answer names what there is, and the question is still open."""
    planned(sim)

    answer = sim.say("swap lobster for chicken")

    assert answer == ["There's no lobster in your cart. You have salmon, chicken thighs, pork chops and eggs.", ASK]
    assert sim.status() == "analysis_sent"
    assert sim.state().context.modifications == []


def test_confirm_schedules_the_recipes_for_the_day_before_the_box(sim: Simulator) -> None:
    """They go out by themselves."""
    planned(sim)
    delivery = plan_of(sim).delivery_date

    answers = sim.say("confirm")
    assert sim.status() == "recipes_scheduled"
    assert "the day before your box" in answers[-1]
    sent = sim.advance(timedelta(days=7))

    assert sim.status() == "recipes_sent"
    assert sent[0] == "Your recipes:"
    assert len(sent) > 5
    assert sim.state().context.recipes_sent
    at = next(line.at for line in sim.thread() if line.text == "Your recipes:")
    assert (delivery - at.date()).days == 1


def test_recipes_now_sends_them_at_once_and_only_once(sim: Simulator) -> None:
    """The timer that was set is gone."""
    planned(sim)
    sim.say("yes")

    assert sim.say("recipes now")[0] == "Your recipes:"

    assert sim.status() == "recipes_sent"
    assert sim.advance(timedelta(days=8)) == []


def test_a_new_weeks_cart_expires_an_unconfirmed_plan(sim: Simulator) -> None:
    """Nothing is confirmed late by mistake."""
    planned(sim)

    news = sim.advance(timedelta(days=8))

    assert sim.status() == "expired"
    assert news == ["A new week's cart is open, so last week's plan has expired. Reply PLAN for a new one."]
    sim.say("new")
    assert sim.status() == "idle"


def test_yes_but_is_asked_about_before_it_counts(sim: Simulator) -> None:
    """ "Yes but …" with something unclear waits; a clear change in it is made."""
    planned(sim)

    sim.say("yes but what about thursday")
    assert sim.status() == "awaiting_confirmation"
    sim.say("yes")

    assert sim.status() == "recipes_scheduled"


def test_yes_but_with_a_clear_change_makes_the_change(sim: Simulator) -> None:
    """The change wins over the yes."""
    planned(sim)

    sim.say("yes but swap salmon for chicken")

    assert [one.type for one in sim.state().context.modifications] == ["swap"]
    assert sim.status() == "analysis_sent"


def test_no_asks_what_to_change(sim: Simulator) -> None:
    """A thumbs down to the question is an answer to it."""
    planned(sim)

    assert "What shall I change?" in sim.say("👎")[0]


def test_start_over_works_from_every_status_and_keeps_the_counts(sim: Simulator) -> None:
    """The plan goes, the person stays."""
    planned(sim)
    sim.say("swap salmon for chicken")

    sim.say("start over")

    assert sim.status() == "idle"
    assert sim.state().context.last_analysis is None
    assert sim.state().metrics.message_count == 3
    assert sim.state().phone == "+15551230001"


def test_help_says_what_can_be_said_here(sim: Simulator) -> None:
    """Help fits the status."""
    before = sim.say("help")[0]
    planned(sim)
    after = sim.say("help")[0]

    assert "SWAP" not in before
    assert "SWAP" in after


def test_hints_follow_what_was_said(sim: Simulator) -> None:
    """A reply that leaves the next step open says in a line what can be said now; the line fits the status."""
    before = sim.say("continue")[0].splitlines()[-1]
    planned(sim)
    assert sim.say("swap lobster for chicken")[-1] == ASK
    sim.say("yes")
    after = sim.say("continue")[0].splitlines()[-1]

    assert before == "You can say: PLAN for this week's dinners."
    assert after.startswith("You can say: ")
    assert "RECIPES NOW" in after


def test_an_unclear_item_is_asked_about_and_the_answer_goes_on_with_the_change(sim: Simulator) -> None:
    """ "Which one do you mean?" is answered by number or by name."""
    planned(sim)

    asked = sim.say("swap greens for broccoli")
    assert "Which one do you mean" in asked[0]
    sim.say("the first one")

    assert [one.old for one in sim.state().context.swapped_items] == ["Lacinato Kale"]


def test_several_changes_in_a_row_all_hold(sim: Simulator) -> None:
    """Each is planned again together with those before."""
    planned(sim)
    for text in ("swap salmon for chicken", "skip monday", "remove the kale"):
        sim.say(text)

    plan = plan_of(sim)

    used = {portion.label for dinner in plan.dinners for portion in dinner.portions}
    assert not used & {"salmon", "kale"}
    assert plan.dinner_on("monday") is None


def test_a_failing_analysis_moves_to_error_and_says_how_to_retry(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The background work is tried three times, then the person hears of it; PLAN tries again."""

    def fail(cart: Cart, *_: object) -> Analysis:
        raise OSError("no shop")

    with monkeypatch.context() as broken:
        broken.setattr(background, "make_plan", fail)
        sim.say("plan")
        news = sim.advance(timedelta(minutes=1))
    assert sim.status() == "error"
    assert news == ["Sorry, I could not read your cart just now. Reply PLAN to try again."]
    assert sim.state().metrics.error_count == 1
    assert "no shop" in (sim.state().context.last_error or "")

    sim.say("plan")

    assert sim.status() == "analysis_sent"


def test_the_state_has_the_users_names(sim: Simulator) -> None:
    """Readable JSON by the names of the product, under the product's key."""
    planned(sim)
    view = sim.view()
    assert view is not None

    stored = msgspec.json.decode(view.exported.state or b"{}")

    assert view.conversation.state_key == "conversation:+15551230001"
    assert {"phone", "status", "created_at", "last_activity", "context", "metrics"} <= stored.keys()
    assert {
        "last_analysis",
        "cart_snapshot",
        "user_preferences",
        "modifications",
        "skipped_days",
        "swapped_items",
        "confirmation_status",
        "recipes_sent",
        "last_question_asked",
        "last_error",
    } <= stored["context"].keys()
    assert stored["metrics"] == {"message_count": 1, "error_count": 0, "analysis_count": 1}
    assert stored["status"] == "analysis_sent"
