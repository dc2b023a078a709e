"""The phrases on the phone page come from the flow's own help texts, and the flow understands every one of them."""

import pytest

from mealplan.flow import flow as meals
from turnkeeper import Flow, Intent, Struct, Turn
from turnkeeper.dialogue.thread import Question
from turnkeeper.dialogue.understanding.matching import Matcher
from turnkeeper.web.suggestions import MAX_SUGGESTIONS, Suggestions


class Nothing(Struct):
    """Remembers nothing."""


async def answer(turn: Turn[Nothing]) -> None:
    """Answer something."""
    turn.reply("ok")


def says(flow: Flow[Nothing], status: str = "start") -> list[str]:
    """Return what is suggested."""
    return [each.say for each in Suggestions(flow.check()).here(status)]


@pytest.mark.parametrize("status", meals.check().statuses)
def test_the_meal_planner_understands_what_it_suggests(status: str) -> None:
    """Everywhere there is something to tap, and no phrase leads to "Sorry, I didn't get that"."""
    suggested = Suggestions(meals.check()).here(status)

    matcher = Matcher(meals.check().intents)
    understood = {each.say: matcher.match(each.say, status=status).is_clear or each.say == "yes" for each in suggested}
    assert understood
    assert all(understood.values())


def test_a_pending_question_is_answered_with_a_tap() -> None:
    """Yes and no come first while one waits for them; a choice has buttons, and words are typed."""
    suggestions = Suggestions(meals.check())
    questions = [Question(name="confirm_plan", text="Shall we?", kind=kind) for kind in ("yes_no", "choice", "text")]

    first = [[each.say for each in suggestions.here("analysis_sent", question=question)][:2] for question in questions]

    assert first[0] == ["yes", "no"]
    assert "yes" not in first[1] + first[2]


def test_what_names_a_thing_is_an_example() -> None:
    """The page stops offering it once it was said; a command can be said again and again."""
    examples = {each.say: each.example for each in Suggestions(meals.check()).here("analysis_sent")}

    assert examples["swap salmon for chicken"] is True
    assert examples["confirm"] is False
    assert examples["plan"] is False


def test_a_command_in_capitals_is_said_alone_if_that_is_enough() -> None:
    """Else the whole help text is the example."""
    flow = Flow(
        "shop",
        Nothing,
        start="start",
        intents=(
            Intent("pay", phrases=("pay [now]",)),
            Intent("order", phrases=("order {thing}",)),
            Intent("bring", phrases=("bring {thing} to {place}",)),
        ),
    )
    flow.on("pay", when="start", help="PAY when you are done")(answer)
    flow.on("order", when="start", help="ORDER a margherita")(answer)
    flow.on("bring", when="start", help="BRING it TO my door: costs extra")(answer)

    assert says(flow) == ["pay", "order a margherita", "bring it to my door"]


def test_a_help_text_that_is_no_example_is_left_out() -> None:
    """A phrase that the flow would not understand is worse than none."""
    flow = Flow("shop", Nothing, start="start", intents=(Intent("pay", phrases=("pay",)),))
    flow.on("pay", when="start", help="You can settle your bill here")(answer)

    assert says(flow) == []


def test_only_what_can_be_said_here_is_suggested() -> None:
    """Another status has other phrases; what holds anywhere comes after them, help and start over last."""
    flow = Flow(
        "shop",
        Nothing,
        start="start",
        intents=tuple(Intent(name, phrases=(name,)) for name in ("go", "stay", "where", "help", "again")),
    )
    flow.on("where", help="WHERE am I?")(answer)
    flow.on("go", when="start", to="away", help="GO away")(answer)
    flow.on("stay", when="away", help="STAY a while")(answer)
    flow.help("help")
    flow.start_over("again", to="start")

    assert says(flow) == ["go", "where", "again", "help"]
    assert says(flow, "away") == ["stay", "where", "again", "help"]


def test_a_status_of_other_code_still_offers_what_holds_anywhere() -> None:
    """A conversation that newer code led somewhere does not break the page."""
    flow = Flow("shop", Nothing, start="start", intents=(Intent("where", phrases=("where",)),))
    flow.on("where", help="WHERE am I?")(answer)

    assert says(flow, "unheard_of") == ["where"]


def test_there_are_never_too_many() -> None:
    """A list that nobody reads is cut, but help stays."""
    names = [f"thing{letter}" for letter in "abcdefghijklmnop"]
    flow = Flow(
        "shop", Nothing, start="start", intents=tuple(Intent(name, phrases=(name,)) for name in (*names, "help"))
    )
    for name in names:
        flow.on(name, when="start", help=name.upper())(answer)
    flow.help("help")

    assert len(says(flow)) == MAX_SUGGESTIONS
    assert says(flow)[-1] == "help"
