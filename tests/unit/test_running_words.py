"""What words lead to: handlers, answers, clarifying questions, several wishes at once, never silence."""

from collections.abc import Sequence

import pytest

from tests.unit.flow_dinners import INTENTS, Dinners, dinners
from tests.unit.flow_harness import World
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.turn import Turn
from turnkeeper.dialogue.understanding.intents import AskedQuestion, Intent, Match
from turnkeeper.model.struct import Struct

pytestmark = pytest.mark.anyio

QUESTION = "5 dinners. Confirm?"


async def planned(**settings: object) -> World:
    """Return a conversation in which the dinners were sent and "Confirm?" is pending."""
    world = World(dinners(**settings))  # type: ignore[arg-type]
    await world.says("plan")
    await world.works(world.talk.jobs()[0])
    return world


@pytest.mark.parametrize("words", ["yes", "👍", "Sure!", "ok", "confirm"])
async def test_a_pending_question_takes_a_yes(words: str) -> None:
    """In any of its forms."""
    world = await planned()

    replies = await world.says(words)

    assert replies == ["Confirmed!"]
    assert world.talk.status == "confirmed"


@pytest.mark.parametrize("words", ["no", "👎", "nope"])
async def test_a_pending_question_takes_a_no(words: str) -> None:
    """And is answered with it."""
    world = await planned()

    replies = await world.says(words)

    assert replies == ["What should I change?"]
    assert world.talk.thread.question is None


async def test_an_aside_keeps_the_thread() -> None:
    """It is answered, the question is repeated, and "yes" still answers it."""
    world = await planned()

    replies = await world.says("how much is it?")
    confirmed = await world.says("yes")

    assert replies == ["It is free.", QUESTION]
    assert confirmed == ["Confirmed!"]


async def test_help_says_what_can_be_said_here() -> None:
    """Intro, then the help texts of this status, then the pending question."""
    world = await planned()

    replies = await world.says("help")

    assert replies == [
        "I plan dinners.\nSWAP x FOR y\nSKIP a day\nCONFIRM: get the recipes\nPRICING",
        QUESTION,
    ]


@pytest.mark.parametrize("words", ["flurbl grmpf", "🎉🎉", "", "   ", "?!"])
async def test_what_is_not_understood_is_asked_about(words: str) -> None:
    """With what can be said now; the pending question stays."""
    world = await planned()

    replies = await world.says(words)
    confirmed = await world.says("yes")

    assert replies == [
        "Sorry, I didn't get that. You can say: SWAP x FOR y, SKIP a day, CONFIRM, PRICING.",
        QUESTION,
    ]
    assert world.talk.entries[-2].note == "unclear"
    assert confirmed == ["Confirmed!"]


async def test_what_cannot_be_had_here_is_refused_with_a_hint() -> None:
    """An intent that is known is not called unknown."""
    world = World(dinners())

    replies = await world.says("skip monday")

    assert replies == ["That isn't possible right now. You can say: PLAN, PRICING."]
    assert world.talk.last.note == "refused"
    assert world.talk.last.intent == "skip"


async def test_yes_to_did_you_mean_runs_it() -> None:
    """Then the question that was pending is back."""
    world = await planned()

    guessed = await world.says("the pricing thing about my neighbour")
    replies = await world.says("yes")

    assert guessed == ['Did you mean "how much is it"?']
    assert replies == ["It is free.", QUESTION]
    assert world.talk.thread.guess is None


async def test_no_to_did_you_mean_says_what_can_be_said() -> None:
    """And is no answer to the question that was pending."""
    world = await planned()
    await world.says("the pricing thing about my neighbour")

    replies = await world.says("no")

    assert replies[-1] == QUESTION
    assert world.talk.status == "analysis_sent"


async def test_another_wish_answers_did_you_mean_too() -> None:
    """Who says something else meant something else."""
    world = await planned()
    await world.says("the pricing thing about my neighbour")

    replies = await world.says("skip monday")

    assert replies == ["Skipping monday."]
    assert world.talk.thread.parked is None


async def test_two_that_come_equally_near_are_a_choice() -> None:
    """It can be answered by words or by number, and the slots are read from what was said first."""
    intents = (*INTENTS, Intent("cheat", ("swap {old} for {new}",), label="cheat a bit"))
    flow = dinners(intents=intents)

    @flow.on("cheat")
    async def cheat(turn: Turn[Dinners]) -> None:
        turn.reply(f"Cheating with {turn.slots['new']}.")

    world = World(flow)
    await world.says("plan")
    await world.works(world.talk.jobs()[0])

    asked = await world.says("swap salmon for tofu")
    replies = await world.says("cheat a bit")

    assert "swap a dish" in asked[0]
    assert "cheat a bit" in asked[0]
    assert replies == ["Cheating with tofu."]


async def test_yes_but_follows_the_wish_instead() -> None:
    """Nothing is confirmed while it is being changed."""
    world = await planned()

    replies = await world.says("yes but swap the salmon for tofu")

    assert replies == ["Swapping for tofu."]
    assert world.talk.status == "modifying"
    assert world.talk.last.intent == "swap"


async def test_yes_but_with_a_rest_that_is_no_wish_is_the_handlers_own_affair() -> None:
    """It finds the rest in its slots."""
    world = await planned()

    replies = await world.says("yes but my brother hates fish")

    assert replies == ["Confirmed, but: my brother hates fish"]


async def test_yes_with_an_aside_behind_it_is_both() -> None:
    """Asking for the price takes nothing back from the yes."""
    world = await planned()

    replies = await world.says("yes, and how much is it?")

    assert replies == ["Confirmed!", "It is free."]
    assert world.talk.status == "confirmed"


async def test_two_wishes_of_one_message_are_both_followed() -> None:
    """In one turn, committed together."""
    world = await planned()
    version = world.talk.version

    replies = await world.says("skip monday and what does it cost?")

    assert replies == ["Skipping monday.", "It is free."]
    assert world.talk.version == version + 1


async def test_a_burst_is_understood_as_one_message() -> None:
    """What is split over several texts belongs together."""
    world = await planned()

    replies = await world.talk.turn(world.message("skip"), world.message("monday"))

    assert replies == ["Skipping monday."]
    assert world.talk.last.message == "skip\nmonday"
    assert len(world.talk.last.inputs) == 2
    assert world.talk.thread.message_count == 3


async def test_what_was_overtaken_is_only_logged() -> None:
    """The newest word wins, the older ones are marked."""
    world = await planned()

    replies = await world.talk.turn(world.message("skip monday"), world.message("skip friday"), superseded=1)

    assert replies == ["Skipping friday."]
    assert [each.superseded for each in world.talk.last.inputs] == [True, False]


class Survey(Struct):
    """Answers to questions."""

    name: str = ""
    diet: str = ""


def survey() -> Flow[Survey]:
    """Return a flow that asks a free question and a choice."""
    flow = Flow("survey", Survey, start="start", intents=(Intent("begin", ("begin",)), Intent("cost", ("cost",))))

    @flow.on("begin")
    async def begin(turn: Turn[Survey]) -> None:
        turn.ask("What is your name?", question="name", kind="text")

    @flow.on("cost", aside=True)
    async def cost(turn: Turn[Survey]) -> None:
        turn.reply("Nothing.")

    @flow.on("answer", question="name")
    async def named(turn: Turn[Survey]) -> None:
        turn.state.name = turn.slots["text"]
        turn.ask("Which diet?", question="diet", kind="choice", options=("Vegan", "Anything"))

    @flow.on("choice", question="diet")
    async def diet(turn: Turn[Survey]) -> None:
        turn.state.diet = turn.slots["option"]
        turn.reply("Thanks!")

    return flow


async def test_a_free_question_takes_any_words() -> None:
    """But a clear wish is a wish, and the question waits."""
    world = World(survey())
    await world.says("begin")

    aside = await world.says("cost")
    replies = await world.says("José García")

    assert aside == ["Nothing.", "What is your name?"]
    assert replies == ["Which diet?"]
    assert world.talk.model.name == "José García"


@pytest.mark.parametrize("words", ["vegan", "1", "the first one"])
async def test_a_choice_takes_an_option(words: str) -> None:
    """By its name or its number."""
    world = World(survey())
    await world.says("begin")
    await world.says("Ana")

    await world.says(words)

    assert world.talk.model.diet == "Vegan"


async def test_the_button_of_an_option_is_its_answer() -> None:
    """Channels with buttons send its data back as an action."""
    world = World(survey())
    await world.says("begin")
    await world.says("Ana")
    buttons = world.sent[-1].buttons

    await world.presses(buttons[1].data)

    assert [button.text for button in buttons] == ["Vegan", "Anything"]
    assert world.talk.model.diet == "Anything"


async def test_a_button_that_nobody_takes_is_logged() -> None:
    """A double click, or one on an old message: no answer, no change."""
    world = World(survey())

    replies = await world.presses("long_gone")

    assert replies == []
    assert world.talk.last.note == "refused"


class Model:
    """A classifier as an application would write it around a language model."""

    def __init__(self, answer: Match | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str | None, str]] = []

    async def classify(
        self, text: str, *, status: str | None, question: AskedQuestion | None, candidates: Sequence[Intent]
    ) -> Match:
        """Answer what it was made to."""
        self.asked.append((text, status, question.name if question is not None else ""))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_a_classifier_understands_instead_of_the_matcher() -> None:
    """It is told where the dialogue stands."""
    model = Model(Match(intent="pricing", confidence=0.9))
    world = World(dinners(classifier=model))

    replies = await world.says("is that expensive")

    assert replies == ["It is free."]
    assert model.asked == [("is that expensive", "idle", "")]


@pytest.mark.parametrize(
    "answer",
    [OSError("model is down"), Match(intent="rocket", confidence=0.9), Match(intent="affirmative", confidence=1.0)],
)
async def test_a_classifier_that_fails_is_replaced_by_the_matcher(answer: Match | Exception) -> None:
    """The person gets an answer, the log says what happened."""
    world = World(dinners(classifier=Model(answer)))

    replies = await world.says("pricing")

    assert replies == ["It is free."]
    assert world.talk.last.error


async def test_an_unknown_handler_answers_in_place_of_the_flow() -> None:
    """It sees the words and what came near; the pending question stays."""
    flow = dinners()

    @flow.unknown(when="analysis_sent")
    async def anything(turn: Turn[Dinners]) -> None:
        turn.reply(f"Let me think about {turn.text!r}.")

    world = World(flow)
    await world.says("plan")
    await world.works(world.talk.jobs()[0])

    replies = await world.says("why is the sky blue")
    confirmed = await world.says("yes")

    assert replies == ["Let me think about 'why is the sky blue'."]
    assert confirmed == ["Confirmed!"]


async def test_the_last_fields_of_the_log_are_the_users_names() -> None:
    """E8: what an entry reads as."""
    world = await planned()

    await world.says("skip monday")

    entry = world.talk.last
    assert (entry.phone, entry.state, entry.message, entry.intent) == (
        "+15551234567",
        "analysis_sent",
        "skip monday",
        "skip",
    )
    assert entry.response_preview == "Skipping monday."
    assert (entry.modifications_count, entry.error_count, entry.undoable) == (1, 0, True)
