"""Transcripts of the edge cases on a clock that only the test moves."""

from datetime import timedelta

import pytest

from apps.mealplan.tests.talk import ASK, planned
from turnkeeper.testing import Simulator

WHERE = "We were looking at your plan for the week."
LONG = "It has been a while! Reply CONTINUE to go on where we were, or NEW to start fresh."


@pytest.mark.parametrize(
    ("silence", "answers"),
    [
        (timedelta(hours=1, minutes=59), ["You're welcome!", ASK]),
        (timedelta(hours=2, minutes=1), [WHERE, "You're welcome!", ASK]),
        (timedelta(hours=23, minutes=59), [WHERE, "You're welcome!", ASK]),
        (timedelta(hours=24, minutes=1), [LONG]),
    ],
)
def test_a_late_answer(sim: Simulator, silence: timedelta, answers: list[str]) -> None:
    """After two hours a reminder of where they were, after a day "continue or new"."""
    planned(sim)
    sim.advance(silence)

    assert sim.say("thanks") == answers
    assert sim.status() == "analysis_sent"


def test_continue_after_a_day_goes_on_where_they_were(sim: Simulator) -> None:
    """What was said is not lost: the person is told to say it again if it still holds."""
    planned(sim)
    sim.advance(timedelta(hours=25))
    assert sim.say("skip monday") == [LONG]

    answers = sim.say("continue")

    assert answers == [WHERE, 'You wrote "skip monday". Send it again if it still holds.', ASK]
    assert sim.state().context.skipped_days == []
    sim.say("skip monday")
    assert sim.state().context.skipped_days == ["monday"]


def test_new_after_a_day_starts_fresh(sim: Simulator) -> None:
    """The old plan is put away."""
    planned(sim)
    sim.advance(timedelta(hours=25))
    sim.say("hello")

    sim.say("new")

    assert sim.status() == "idle"
    assert sim.state().context.last_analysis is None


def test_this_is_ana_leads_to_a_conversation_of_her_own(sim: Simulator) -> None:
    """Until somebody else speaks up; each keeps a plan of their own."""
    planned(sim)

    assert sim.say("This is Ana") == ["Hi Ana! From now on this is your own conversation."]
    assert sim.status(member="ana") == "idle"
    sim.say("plan")
    assert sim.status(member="ana") == "analysis_sent"
    sim.say("skip monday")
    sim.say("This is Bob")
    sim.say("plan")

    assert sim.state(member="ana").context.skipped_days == ["monday"]
    assert sim.state(member="bob").context.skipped_days == []
    assert sim.state().context.skipped_days == []


def test_a_question_in_between_does_not_lose_the_thread(sim: Simulator) -> None:
    """ "How much is it?" is answered, the pending question repeated, and "yes" still answers it."""
    planned(sim)

    price, question = sim.say("how much is it?")
    assert price.startswith("Your cart comes to $")
    assert question == ASK
    sim.say("yes")

    assert sim.status() == "recipes_scheduled"


def test_oops_takes_the_last_change_back(sim: Simulator) -> None:
    """Twice takes back two; then there is nothing left."""
    planned(sim)
    sim.say("swap salmon for chicken")
    sim.say("skip monday")

    assert sim.say("oops") == ["OK, I took that back.", ASK]
    assert sim.state().context.skipped_days == []
    assert len(sim.state().context.modifications) == 1
    sim.say("undo")
    assert sim.state().context.modifications == []
    assert sim.say("undo")[0] == "There is nothing to take back."
    assert sim.state().metrics.message_count == 6


def test_actually_takes_back_and_then_understands_the_rest(sim: Simulator) -> None:
    """The correction and the new wish are one message."""
    planned(sim)
    sim.say("skip monday")

    sim.say("actually, skip tuesday")

    assert sim.state().context.skipped_days == ["tuesday"]


def test_a_second_plan_while_the_first_is_made(sim: Simulator) -> None:
    """After 29 s and after 31 s the job is alive, so it is still working, however often its workers die."""
    still = ["Still working on it, one moment…"]
    for _ in range(3):
        sim.crash(at="in_job")
    sim.say("plan")
    sim.restart(after=timedelta(seconds=15))
    sim.restart(after=timedelta(seconds=14))

    assert sim.say("plan") == still
    sim.advance(timedelta(seconds=2))
    sim.restart(after=timedelta(0))
    assert sim.say("plan") == still

    assert sim.status() == "analyzing"


def test_a_stuck_request_is_restarted_after_half_a_minute(sim: Simulator) -> None:
    """Without a live job (STOP cancelled it, START came back): still working at 29 s, restarted at 31 s."""
    sim.crash(at="in_job")
    sim.say("plan")
    sim.restart(after=timedelta(0))
    sim.say("STOP")
    sim.say("START")
    sim.advance(timedelta(seconds=29))
    assert sim.status() == "analyzing"

    assert sim.say("plan") == ["Still working on it, one moment…"]
    sim.advance(timedelta(seconds=2))

    assert sim.say("plan")[-1] == ASK


def test_two_things_in_one_breath_are_both_left_out(sim: Simulator) -> None:
    """Each is read for itself: the second diet is not the first one's too."""
    planned(sim)
    sim.say("yes")

    answers = sim.say("no pork, no fish")

    assert [answer.partition(".")[0] for answer in answers[:2]] == ["Pork-free", "Fish-free"]
    assert [change.details.restriction for change in sim.state().context.modifications] == ["pork-free", "fish-free"]


@pytest.mark.parametrize("greeting", ["hi", "Hello!", "good morning", "who is this?"])
def test_a_greeting_is_told_what_this_is(sim: Simulator, greeting: str) -> None:
    """Most people begin with one."""
    (answer,) = sim.say(greeting)

    assert answer.startswith("I plan your dinners")
    assert "PLAN" in answer


def test_a_greeting_in_front_of_a_wish_is_only_a_greeting(sim: Simulator) -> None:
    """The wish is followed, and nothing is explained."""
    answers = sim.say("hi, plan please")

    assert answers[0].startswith("Analyzing your cart")


def test_two_refusals_after_a_question_are_two_wishes(sim: Simulator) -> None:
    """ "no fish, no pork" while a plan waits for yes or no: neither is lost, and neither is the answer."""
    planned(sim)
    sim.say("no fish, no pork")

    said = [change.details.restriction for change in sim.state().context.modifications]
    assert said == ["fish-free", "pork-free"]
