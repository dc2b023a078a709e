"""Late replies: nothing, a reminder, or "continue or new?", by how long nobody had said anything."""

from datetime import timedelta

import pytest

from tests.unit.flow_dinners import dinners
from tests.unit.flow_harness import World
from turnkeeper.dialogue.wording import Texts

pytestmark = pytest.mark.anyio

REMINDER = "Welcome back! We were at: analysis sent."
QUESTION = "It has been a while! Reply CONTINUE to go on where we were, or NEW to start fresh."


PLAIN = Texts()


async def waiting(*, texts: Texts = PLAIN) -> World:
    """Return a conversation in which the dinners were sent and the question "Confirm?" is pending."""
    world = World(dinners(texts=texts))
    await world.says("plan")
    await world.works(world.talk.jobs()[0])
    return world


async def test_after_1_59_hours_nothing_is_said_about_it() -> None:
    """A pause is no silence."""
    world = await waiting()
    world.pass_time(timedelta(hours=1, minutes=59))

    replies = await world.says("skip monday")

    assert replies == ["Skipping monday."]


@pytest.mark.parametrize("silence", [timedelta(hours=2, minutes=1), timedelta(hours=23, minutes=59)])
async def test_between_2_and_24_hours_the_answer_begins_with_a_reminder(silence: timedelta) -> None:
    """The message is handled, and the person is told where they were."""
    world = await waiting()
    world.pass_time(silence)

    replies = await world.says("skip monday")

    assert replies == [REMINDER, "Skipping monday."]
    assert world.talk.model.skipped == ["monday"]


async def test_after_24_01_hours_the_person_is_asked_and_nothing_is_run() -> None:
    """Words that are a day out of context are not acted upon."""
    world = await waiting()
    world.pass_time(timedelta(hours=24, minutes=1))

    replies = await world.says("skip monday")

    assert replies == [QUESTION]
    assert world.talk.model.skipped == []
    assert world.talk.last.note == "held_back"
    assert world.talk.last.message == "skip monday"


@pytest.mark.parametrize("words", ["continue", "CONTINUE", "Continue please", "1", "yes", "go on"])
async def test_continue_reminds_and_shows_what_was_held_back(words: str) -> None:
    """The message is not lost: it is shown, the pending question is asked again, and both can be used."""
    world = await waiting()
    world.pass_time(timedelta(hours=24, minutes=1))
    await world.says("skip monday")

    replies = await world.says(words)
    repeated = await world.says("skip monday")

    assert replies == [
        REMINDER,
        'You wrote "skip monday". Send it again if it still holds.',
        "5 dinners. Confirm?",
    ]
    assert repeated == ["Skipping monday."]


async def test_after_continue_the_pending_question_can_be_answered() -> None:
    """It was only set aside."""
    world = await waiting()
    world.pass_time(timedelta(hours=25))
    await world.says("hello again")
    await world.says("continue")

    replies = await world.says("yes")

    assert replies == ["Confirmed!"]
    assert world.talk.status == "confirmed"


@pytest.mark.parametrize("words", ["new", "NEW", "start fresh", "2"])
async def test_new_starts_fresh(words: str) -> None:
    """The state is empty but for what starting over keeps, jobs and questions are gone."""
    world = await waiting()
    world.pass_time(timedelta(hours=24, minutes=1))
    await world.says("skip monday")

    replies = await world.says(words)

    assert replies == ["Starting over."]
    assert world.talk.status == "idle"
    assert world.talk.model.menu is None
    assert world.talk.thread.question is None


async def test_who_simply_goes_on_is_understood() -> None:
    """Saying it again is a way to continue."""
    world = await waiting()
    world.pass_time(timedelta(hours=24, minutes=1))
    await world.says("hm, skip something")

    replies = await world.says("skip monday")

    assert replies == ["Skipping monday."]


async def test_no_to_continue_or_new_is_asked_again() -> None:
    """It must not become the answer to the question that was pending before."""
    world = await waiting()
    world.pass_time(timedelta(hours=24, minutes=1))
    await world.says("hello")

    replies = await world.says("no")

    assert replies == [QUESTION]
    assert world.talk.status == "analysis_sent"


async def test_a_second_day_of_silence_asks_again() -> None:
    """What was held back is then the newer message."""
    world = await waiting()
    world.pass_time(timedelta(hours=25))
    await world.says("skip monday")
    world.pass_time(timedelta(hours=25))
    asked = await world.says("skip tuesday")

    replies = await world.says("continue")

    assert asked == [QUESTION]
    assert 'You wrote "skip tuesday".' in replies[1]
    assert replies[2] == "5 dinners. Confirm?"


async def test_a_resting_status_knows_no_late_reply() -> None:
    """Who comes back to a finished conversation is not late."""
    world = World(dinners())
    await world.says("how much is it?")
    world.pass_time(timedelta(days=20))

    replies = await world.says("plan")

    assert replies == ["Analyzing your cart…"]


async def test_start_over_and_help_are_not_asked_about() -> None:
    """They mean the same whatever was before."""
    world = await waiting()
    world.pass_time(timedelta(days=2))

    replies = await world.says("start over")

    assert replies == ["Starting over."]


async def test_continue_after_a_day_needs_no_question_first() -> None:
    """Who says it unasked has answered already."""
    world = await waiting()
    world.pass_time(timedelta(days=2))

    replies = await world.says("continue")

    assert replies == [REMINDER, "5 dinners. Confirm?"]


async def test_a_message_that_waited_out_an_outage_was_not_late() -> None:
    """What counts is when it was received, not when the store was back."""
    world = await waiting()
    message = world.message("skip monday", late=True)
    world.pass_time(timedelta(days=2))

    replies = await world.talk.turn(message)

    assert replies == ["Skipping monday."]


async def test_the_texts_belong_to_the_flow() -> None:
    """Question and reminder can be said in another tone."""
    texts = Texts(late_question="Weiter ({go_on}) oder neu ({new})?", reminder="Stand: {status}")
    world = await waiting(texts=texts)
    world.pass_time(timedelta(days=2))

    asked = await world.says("skip monday")
    replies = await world.says("continue")

    assert asked == ["Weiter (CONTINUE) oder neu (NEW)?"]
    assert replies[0] == "Stand: analysis sent"
