"""Answers to a pending question, and what only looks like one."""

import pytest

from tests.unit.intent_corpus import YES_NO, Asked
from turnkeeper.dialogue.understanding.answers import read_answer

DINNERS = Asked("dinner", "choice", ("Chicken tacos", "Veggie pasta", "Beef stew"))

YES = """
yes|Yes.|YES!!!|y|ye|yea|yeah|ya|yep|yup|yess|yesss|yas|yse|yes please|yes pls|yeah sure|yes yes|sure|sure thing|Sure!
sure, why not|ok|okay|k|kk|ok thanks|alright|sounds good|soudns good|sounds great to me|that sounds good|looks good
lgtm|go ahead|please do|do it|let's do it|of course|absolutely|definitely|for sure|you bet|works for me|that works
perfect|perfect, thank you|great|fine|that's fine|correct|that's right|exactly|I do|it is|I think so|i guess so|hey yes
um yes|well yes|I'd say yes|ok yes|hmm yes please|love it|no problem|agreed|deal|please|yes of course, thanks!
👍|👍🏽|👍👍|✅|👌|yes 👍|👍 thanks|yes it is|yes I do|go for it|mhm|uh huh|si
"""

NO = """
no|No.|NO!!|n|nope|nah|naw|nooo|no no no|no thanks|no thank you|no thx|No, thank you very much|not really|not yet
not now|not today, thanks|no way|never|absolutely not|definitely not|of course not|i don't think so|I do not think so
dont think so|don't|please don't|do not|don't do it|rather not|I'd rather not|maybe not|probably not|no, that's wrong
wrong|that's not right|no it isn't|it's not|i'm not|nah im good|no i'm good|no, we're fine|no that's fine|hard pass
pass|not interested|ok no|well no|uh no|i'd say no|no need|nothing|none|maybe later|no, maybe later|no changes|not good
👎|👎🏿|❌|no 👎
"""

NEITHER = """
maybe|not sure|idk|i don't know|perhaps|hmm|what?|why|yes no|yes or no?|yes and no|no yes|👍👎|now|know|yesterday
nothing much to say here|no mushrooms please|no salmon|No onions!|good food is hard to find|right now we have guests
fine dining|great idea but who cooks|perfect timing is everything|ok so what now|pass me the salt|done with this week
skip monday|don't skip monday|never cook fish|I do not like fish|it is monday|we are away|i am hungry|nobody|snow
please skip monday|thanks|thank you|hello|confirm|notable|okra|...|❤️|😀
"""


def _lines(table: str) -> list[str]:
    return table.strip().replace("\n", "|").split("|")


def _polarity(text: str) -> tuple[str, str] | None:
    answer = read_answer(text, YES_NO)
    return None if answer is None else (answer.kind, answer.remainder)


@pytest.mark.parametrize("text", _lines(YES))
def test_a_yes_is_a_yes(text: str) -> None:
    """All its dresses, and nothing is left over."""
    assert _polarity(text) == ("affirmative", "")


@pytest.mark.parametrize("text", _lines(NO))
def test_a_no_is_a_no(text: str) -> None:
    """All its dresses, and nothing is left over."""
    assert _polarity(text) == ("negative", "")


@pytest.mark.parametrize("text", ["", "   ", *_lines(NEITHER)])
def test_other_words_are_no_plain_answer(text: str) -> None:
    """A word in a word, a sentence that begins like an answer, both at once, neither."""
    answer = read_answer(text, YES_NO)

    assert answer is None or answer.remainder, answer


@pytest.mark.parametrize(
    ("text", "kind", "remainder"),
    [
        ("yes but swap the salmon", "affirmative", "swap the salmon"),
        ("Yes, but no mushrooms please!", "affirmative", "no mushrooms please!"),
        ("yes and skip monday", "affirmative", "skip monday"),
        ("yes swap the salmon for chicken", "affirmative", "swap the salmon for chicken"),
        ("yep, skip monday", "affirmative", "skip monday"),
        ("sounds good but skip monday", "affirmative", "skip monday"),
        ("sounds good except monday", "affirmative", "except monday"),
        ("ok but not on friday", "affirmative", "not on friday"),
        ("ok, skip monday", "affirmative", "skip monday"),
        ("👍 but no fish", "affirmative", "no fish"),
        ("yes i have a question", "affirmative", "i have a question"),
        ("yes, no mushrooms", "affirmative", "no mushrooms"),
        ("no, swap the salmon", "negative", "swap the salmon"),
        ("no i want chicken", "negative", "i want chicken"),
        ("no don't do that, skip monday", "negative", "skip monday"),
        ("no because I'm allergic", "negative", "I'm allergic"),
        ("nope. Remove the kale", "negative", "Remove the kale"),
        ("no thanks, but send the recipes?", "negative", "send the recipes?"),
    ],
)
def test_an_answer_with_more_keeps_the_rest(text: str, kind: str, remainder: str) -> None:
    """Yes, but … is a yes and a wish; the wish comes back as it was written."""
    assert _polarity(text) == (kind, remainder)


def test_a_condition_is_told_from_an_addition() -> None:
    """ "but" and "except" bind the answer, "and" adds to it."""
    condition = read_answer("yes but swap the salmon", YES_NO)
    addition = read_answer("yes and swap the salmon", YES_NO)

    assert condition is not None
    assert addition is not None
    assert (condition.is_insistent, addition.is_insistent) == (True, False)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("1", 0),
        ("2", 1),
        ("2.", 1),
        ("#2", 1),
        ("2️⃣", 1),
        ("two", 1),
        ("option 2", 1),
        ("number two please", 1),
        ("the second one", 1),
        ("second", 1),
        ("2nd", 1),
        ("I'd like number 3", 2),
        ("one", 0),
        ("option one", 0),
        ("the first one", 0),
        ("last one", 2),
        ("b", 1),
        ("option c", 2),
        ("the pasta", 1),
        ("psta", 1),
        ("vegie", 1),
        ("pasta sounds good", 1),
        ("beef stew please!", 2),
        ("I'll take the tacos", 0),
        ("can we have the stew", 2),
        ("the one with chicken", 0),
        ("CHICKEN TACOS", 0),
        ("stew 👍", 2),
    ],
)
def test_an_option_is_chosen_by_number_or_name(text: str, index: int) -> None:
    """However it is said, typos included."""
    answer = read_answer(text, DINNERS)

    assert answer is not None
    assert (answer.kind, answer.index, answer.option) == ("choice", index, DINNERS.options[index])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "4",
        "12",
        "z",
        "2024",
        "fourth",
        "1 and 2",
        "chicken or beef",
        "the tacos and the stew",
        "both",
        "not the pasta",
        "anything except pasta",
        "what's in the pasta?",
        "how long does the stew take",
        "maybe",
        "yes",
        "no",
        "surprise me",
    ],
)
def test_no_single_option_is_no_choice(text: str) -> None:
    """None, several, a refusal and a question choose nothing."""
    assert read_answer(text, DINNERS) is None


def test_an_options_own_number_goes_before_its_place() -> None:
    """ "4" means four people, not the fourth option; a number of none of them is a place."""
    question = Asked("people", "choice", ("4 people", "2 people", "1 person"))

    chosen = [read_answer(text, question) for text in ("4", "2", "3", "1")]

    assert [answer and answer.index for answer in chosen] == [0, 1, 2, 2]


def test_yes_and_no_choose_between_options_that_say_so() -> None:
    """A button's text is not what people type."""
    question = Asked("sure", "choice", ("Yes, send it", "No"))

    chosen = [read_answer(text, question) for text in ("yep", "nah", "maybe")]

    assert [answer and answer.index for answer in chosen] == [0, 1, None]


def test_free_words_are_taken_as_they_are() -> None:
    """Trimmed, on one line; no words are no answer."""
    answer = read_answer("  4 of us,\n two kids ", Asked("household", "text"))

    assert answer is not None
    assert (answer.kind, answer.text) == ("text", "4 of us, two kids")
    assert read_answer(" ... ", Asked("household", "text")) is None
