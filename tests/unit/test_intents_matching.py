"""How intents compete, what is left over, and when a question back is the better answer."""

import pytest

from tests.unit.intent_corpus import MEAL_PLANNER, YES_NO, Asked
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.dialogue.understanding.matching import CONFIDENT, GUESS, Matcher
from turnkeeper.dialogue.understanding.slots import Number, OneOf, Weekdays

MATCHER = Matcher(MEAL_PLANNER)


def test_an_exact_phrase_is_certain_and_a_typo_is_nearly_so() -> None:
    """Confidence says how good the words were."""
    exact = MATCHER.match("confirm", status="analysis_sent")
    misspelt = MATCHER.match("confrm", status="analysis_sent")

    assert exact.confidence == 1.0
    assert CONFIDENT < misspelt.confidence < exact.confidence


def test_a_phrase_inside_other_talk_is_less_certain_than_alone() -> None:
    """What was not understood costs confidence."""
    alone = MATCHER.match("skip monday", status="analysis_sent")
    wrapped = MATCHER.match("my brother is visiting us so skip monday", status="analysis_sent")

    assert wrapped.intent == alone.intent == "skip"
    assert wrapped.confidence < alone.confidence
    assert wrapped.matched_text == "skip monday"


def test_greetings_and_thanks_cost_nothing() -> None:
    """Courtesy around a wish is no part of it."""
    match = MATCHER.match("Hi there! Could you please skip Monday for us? Thank you so much :)", status="analysis_sent")

    assert (match.intent, match.confidence, match.slots) == ("skip", 1.0, {"days": ("monday",)})


def test_two_intents_that_say_the_same_are_ambiguous() -> None:
    """A coin toss is no understanding: both names go into a clarifying question."""
    matcher = Matcher([Intent("wipe", phrases=("reset",)), Intent("reboot", phrases=("reset",)), Intent("x", ("y",))])

    match = matcher.match("reset")

    assert (match.intent, match.guesses, match.runner_up) == ("ambiguous", ("wipe", "reboot"), "reboot")
    assert not match.is_clear


def test_the_status_tells_two_intents_apart() -> None:
    """What is declared for the status goes first, whatever the order of declaration."""
    matcher = Matcher(
        [
            Intent("cancel_order", phrases=("cancel it",), when=("ordered",)),
            Intent("cancel_plan", phrases=("cancel it",), when=("planned",)),
        ]
    )

    assert matcher.match("cancel it", status="planned").intent == "cancel_plan"
    assert matcher.match("cancel it", status="ordered").intent == "cancel_order"
    assert matcher.match("cancel it").intent == "ambiguous"


def test_an_intent_of_another_status_is_understood_when_said_clearly() -> None:
    """The flow can only explain why something is not possible now if it hears what was wanted."""
    match = MATCHER.match("skip monday", status="idle")

    assert match.intent == "skip"
    assert CONFIDENT <= match.confidence < 1.0


def test_every_status_may_be_declared_by_a_star() -> None:
    """`("*",)` is the same as no `when`."""
    matcher = Matcher([Intent("help", phrases=("help",), when=("*",))])

    assert matcher.match("help", status="anything").confidence == 1.0


def test_an_unclear_message_comes_with_guesses() -> None:
    """Below the threshold nothing is done, and what came to mind is worth a question."""
    match = MATCHER.match("swap the salmon", status="analysis_sent")

    assert match.intent == "unknown"
    assert match.guesses == ("swap",)
    assert GUESS <= match.confidence < CONFIDENT
    assert MATCHER.samples(match) == ("swap one thing for another",)


def test_a_message_that_reminds_of_nothing_has_no_guesses() -> None:
    """A guess out of nothing would be worse than none."""
    match = MATCHER.match("my dog ate the box", status="analysis_sent")

    assert (match.intent, match.confidence, match.guesses, match.runner_up) == ("unknown", 0.0, (), None)


def test_the_next_best_intent_is_named() -> None:
    """The log shows what else it could have been."""
    matcher = Matcher([Intent("recipes", phrases=("send recipes",)), Intent("send", phrases=("send",))])

    match = matcher.match("send recipes")

    assert (match.intent, match.runner_up) == ("recipes", "send")


def test_weight_decides_between_equal_phrases() -> None:
    """An author may prefer one of two readings."""
    matcher = Matcher([Intent("rare", phrases=("stop it",), weight=0.8), Intent("usual", phrases=("stop it",))])

    assert matcher.match("stop it").intent == "usual"


def test_more_words_of_its_own_make_a_phrase_go_first() -> None:
    """A phrase with a slot may hold another phrase; the one that says more with its own words is meant."""
    matcher = Matcher([Intent("remove", phrases=("remove {item}",)), Intent("wipe", phrases=("remove everything",))])

    assert matcher.match("remove everything").intent == "wipe"
    assert matcher.match("remove kale").slots == {"item": "kale"}


@pytest.mark.parametrize(
    ("text", "intent", "remainder"),
    [
        ("confirm and skip monday", "confirm", "skip monday"),
        ("skip monday. Also remove the kale!", "skip", "remove the kale!"),
        ("remove the kale; skip monday; confirm", "remove", "skip monday; confirm"),
        ("confirm, then send me the recipes please", "confirm", "send me the recipes please"),
        ("remove the kale and remove the leeks", "remove", "remove the leeks"),
    ],
)
def test_the_first_of_several_wishes_is_returned_with_the_rest(text: str, intent: str, remainder: str) -> None:
    """Nothing that was asked for is lost in silence."""
    match = MATCHER.match(text, status="confirmed")

    assert (match.intent, match.remainder) == (intent, remainder)


@pytest.mark.parametrize(
    "text",
    [
        "skip monday because my mother is visiting",
        "skip monday, thanks a lot!",
        "skip monday, she is vegan",
        "hello! skip monday",
        "confirm, confirm!",
    ],
)
def test_talk_around_a_wish_is_no_second_wish(text: str) -> None:
    """Reasons, thanks and repetitions leave no remainder that would need an answer."""
    assert MATCHER.match(text, status="analysis_sent").remainder == ""


def test_a_chain_of_many_wishes_is_followed_one_by_one() -> None:
    """Matching each remainder again walks through all of them, in order."""
    text = "skip monday. skip tuesday. remove kale. confirm"
    heard = []

    while text:
        match = MATCHER.match(text, status="analysis_sent")
        heard.append((match.intent, *match.slots.values()))
        text = match.remainder

    assert heard == [("skip", ("monday",)), ("skip", ("tuesday",)), ("remove", "kale"), ("confirm",)]


def test_only_some_intents_may_be_asked_for() -> None:
    """A clarifying question between two intents hears nothing else."""
    assert MATCHER.match("help", only=("help", "plan")).intent == "help"
    assert MATCHER.match("help", only=("plan",)).intent == "unknown"


def test_today_is_a_day_only_when_it_is_known() -> None:
    """The matcher has no clock; a guess about the date would be wrong every night."""
    assert MATCHER.match("skip tomorrow", status="analysis_sent").intent == "unknown"
    assert MATCHER.match("skip tomorrow", status="analysis_sent", today="sunday").slots == {"days": ("monday",)}


def test_a_slot_keeps_what_the_person_wrote() -> None:
    """Case, accents and signs stay; articles, politeness and line breaks around and inside go."""
    match = MATCHER.match("swap my  Crème\nBrûlée for some M&M's please", status="analysis_sent")

    assert match.slots == {"old": "Crème Brûlée", "new": "M&M's"}


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("for 4 people", {"count": 4}),
        ("for four people", {"count": 4}),
        ("for 40 people", None),
        ("for many people", None),
        ("make it mild", {"heat": "mild"}),
        ("make it medium hot please", {"heat": "Medium hot"}),
        ("make it meduim hot", {"heat": "Medium hot"}),
        ("make it purple", None),
    ],
)
def test_closed_slots_hold_only_their_values(text: str, slots: dict[str, object] | None) -> None:
    """A number outside its limits or an unknown option is no match."""
    matcher = Matcher(
        [
            Intent("people", phrases=("for {count} people",), slots={"count": Number(least=1, most=12)}),
            Intent("heat", phrases=("make it {heat}",), slots={"heat": OneOf(("mild", "Medium hot", "very hot"))}),
        ]
    )

    match = matcher.match(text)

    assert (match.slots if match.is_clear else None) == slots


def test_keywords_are_heard_in_questions() -> None:
    """A keyword hints at its intent wherever it stands; in a long message it is only a guess."""
    matcher = Matcher([Intent("pricing", phrases=("pricing",), keywords=("price", "cost"))])

    assert matcher.match("what is the price of it?").intent == "pricing"
    long = matcher.match("my grandfather always said that every freedom has its own price and weight in gold")
    assert (long.intent, long.guesses) == ("unknown", ("pricing",))


def test_examples_are_matched_by_the_words_in_common() -> None:
    """Whole sentences that nobody would write as templates."""
    matcher = Matcher([Intent("late", examples=("where does my delivery stay", "my box has not arrived"))])

    assert matcher.match("hey, my box still has not arrived today").intent == "late"
    assert matcher.match("my box has arrived").intent == "unknown"


def test_without_a_question_an_answer_word_says_nothing() -> None:
    """Nobody may guess what a yes is meant for."""
    assert MATCHER.match("yes", status="analysis_sent").intent == "unknown"
    assert MATCHER.match("yes", status="analysis_sent", expecting=YES_NO).intent == "affirmative"


def test_a_bare_answer_goes_before_an_intent_with_the_same_phrase() -> None:
    """While a question waits, "sounds good" answers it; otherwise it confirms."""
    assert MATCHER.match("sounds good", status="analysis_sent", expecting=YES_NO).intent == "affirmative"
    assert MATCHER.match("sounds good", status="analysis_sent").intent == "confirm"


def test_a_choice_is_answered_by_number_or_name() -> None:
    """The option as it was shown, and its number counted from 1."""
    question = Asked("dinner", "choice", ("Chicken tacos", "Veggie pasta"))

    by_number = MATCHER.match("the second one please", expecting=question)
    by_name = MATCHER.match("psta", expecting=question)

    assert by_number.intent == by_name.intent == "choice"
    assert by_number.slots == by_name.slots == {"option": "Veggie pasta", "number": 2}


def test_free_words_answer_an_open_question_unless_they_are_a_wish() -> None:
    """What is expected in the status is heard as a wish; all other words are the answer."""
    question = Asked("restrictions", "text")

    answer = MATCHER.match("no mushrooms please", status="idle", expecting=question)
    wish = MATCHER.match("help", status="idle", expecting=question)

    assert (answer.intent, answer.slots) == ("answer", {"text": "no mushrooms please"})
    assert wish.intent == "help"


@pytest.mark.parametrize(
    "text", ["did you skip monday?", "what if i skip monday", "how do I skip monday", "if I skip monday, what happens?"]
)
def test_a_wish_that_is_only_asked_about_is_not_done(text: str) -> None:
    """A question about a wish and a condition are none; a request in the form of a question is one."""
    assert MATCHER.match(text, status="analysis_sent").guesses == ("skip",)
    assert MATCHER.match("could we skip monday?", status="analysis_sent").intent == "skip"


def test_a_thing_may_be_asked_for() -> None:
    """ "What is …" before a phrase that names a thing is a way to ask for it."""
    matcher = Matcher([Intent("status", phrases=("status [of my order]",))])

    assert matcher.match("hey, what's the status of my order?").intent == "status"


def test_a_negated_wish_is_asked_about() -> None:
    """Doing what was refused is the worst misunderstanding."""
    match = MATCHER.match("please don't skip monday", status="analysis_sent")

    assert (match.intent, match.guesses) == ("unknown", ("skip",))
    assert match.slots == {"days": ("monday",)}


def test_a_phrase_may_contain_its_own_negation() -> None:
    """The phrase's own "not" is no refusal of it."""
    matcher = Matcher([Intent("skip", phrases=("not cooking {days}",), slots={"days": Weekdays()})])

    assert matcher.match("we're not cooking on monday or tuesday").slots == {"days": ("monday", "tuesday")}


def test_an_open_choice_between_days_is_not_decided() -> None:
    """Skipping one of the two, or both, would be a guess."""
    assert MATCHER.match("skip monday or tuesday", status="analysis_sent").intent == "unknown"
