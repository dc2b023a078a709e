"""Any text at all: matching never raises, never depends on luck, never hangs."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.intent_corpus import CORPUS, MEAL_PLANNER, YES_NO, Asked
from turnkeeper.dialogue.language.tokens import MAX_CONSIDERED_CHARACTERS, keys, tokenize
from turnkeeper.dialogue.understanding.answers import read_answer
from turnkeeper.dialogue.understanding.carrier_words import carrier_word, is_opt_out_request
from turnkeeper.dialogue.understanding.intents import RESERVED_NAMES, Match
from turnkeeper.dialogue.understanding.introductions import introduction
from turnkeeper.dialogue.understanding.matching import Matcher

MATCHER = Matcher(MEAL_PLANNER)
NAMES = {intent.name for intent in MEAL_PLANNER} | RESERVED_NAMES
QUESTIONS = (None, YES_NO, Asked("dinner", "choice", ("Chicken tacos", "Veggie pasta")), Asked("name", "text"))

WORDS = sorted({word for line in CORPUS for word in line.text.split()} | {",", ".", "?", "-", "&", "\n", "no", "for"})
SENTENCES = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)
TEXTS = st.one_of(
    st.text(max_size=200), SENTENCES, st.text("\u0300\u200d\ufe0f'\u2019-&+.,👍🏽noyes \n\x00", max_size=60)
)


@settings(deadline=None, max_examples=400)
@given(TEXTS, st.sampled_from(QUESTIONS), st.sampled_from([None, "idle", "analysis_sent"]))
def test_any_text_has_a_meaning(text: str, question: Asked | None, status: str | None) -> None:
    """A declared or built-in name, a confidence from 0 to 1, and values that can be stored as JSON."""
    match = MATCHER.match(text, status=status, expecting=question, today="friday")

    assert match.intent in NAMES
    assert 0.0 <= match.confidence <= 1.0
    assert msgspec.json.decode(msgspec.json.encode(match), type=Match, strict=False).intent == match.intent


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_the_same_text_always_means_the_same(text: str) -> None:
    """Another matcher of the same intents, as in another process, hears the same."""
    assert MATCHER.match(text, status="idle") == Matcher(MEAL_PLANNER[:]).match(text, status="idle")


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_a_remainder_is_shorter_than_its_message(text: str) -> None:
    """Matching remainder after remainder comes to an end."""
    match = MATCHER.match(text, status="analysis_sent", expecting=YES_NO)

    assert len(keys(match.remainder)) < max(1, len(keys(text)))


@settings(deadline=None)
@given(TEXTS)
def test_every_reader_takes_any_text(text: str) -> None:
    """Answers, introductions and carrier words have no text they cannot stand."""
    for question in QUESTIONS[1:]:
        assert question is not None
        read_answer(text, question)
    who = introduction(text)
    is_bare = carrier_word(text) == "opt_out"

    assert who is None or (who.name and who.slug and ":" not in who.slug)
    assert is_opt_out_request(text) or not is_bare


@settings(deadline=None)
@given(st.text())
def test_words_are_cut_where_they_stand(text: str) -> None:
    """Every word is a piece of the source, in order, and the tail is the rest."""
    tokens = tokenize(text)

    ends = [0, *(word.end for word in tokens.words)]
    starts = [*(word.start for word in tokens.words), len(tokens.source) - len(tokens.tail)]
    assert all(
        end <= start or end == word_end for end, start, word_end in zip(ends, starts, [*ends[1:], -1], strict=True)
    )
    assert all(word.key for word in tokens.words)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "text",
    [
        "skip " * 20_000,
        "swap a for b and " * 6_000,
        "chicken instead of pork and " * 4_000,
        "skip monday. " * 8_000,
        "no, " * 25_000,
        "yes no " * 15_000,
        "mon " * 25_000,
        "a" * 100_000,
        "zq" * 50_000,
        "confrm swpa remvoe " * 5_000,
        "\u0301" * 100_000,
        "\ufdfa" * 100_000,
        "\U0001f44d\U0001f3fd" * 50_000,
        "\x00" * 100_000,
        "'" * 100_000,
        "a'" * 50_000,
        "((((" * 25_000,
        "x for " * 16_000,
    ],
    ids=lambda text: text[:12].encode("unicode_escape").decode(),
)
def test_a_hostile_text_is_cut_and_read_fast(text: str) -> None:
    """A hundred kilobytes of anything are cut to the limit; none of it takes long."""
    match = MATCHER.match(text, status="analysis_sent", expecting=YES_NO)

    assert match.intent in NAMES
    assert len(tokenize(text).source) <= MAX_CONSIDERED_CHARACTERS


def test_only_the_beginning_of_a_long_text_counts() -> None:
    """What stands behind the limit is not looked at."""
    hidden = "x" * MAX_CONSIDERED_CHARACTERS + " skip monday"

    assert MATCHER.match(hidden, status="analysis_sent").intent == "unknown"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Don\u2019t", "do not"),
        ("I\u02bcm", "i am"),
        ("can't", "cannot"),
        ("\uff33\uff2b\uff29\uff30", "skip"),
        ("sk\x00ip", "skip"),
        ("s\u200bkip", "skip"),
        ("STRASSE", "stra\u00dfe"),
        ("e\u0301clair", "\u00e9clair"),
        ("\U0001f44d\U0001f3fd", "\U0001f44d"),
        ("\u2764\ufe0f", "\u2764"),
        ("2\ufe0f\u20e3", "2"),
        ("mac & cheese", "mac and cheese"),
        ("can u", "can you"),
        ("we're", "we are"),
        ("mom's", "moms"),
    ],
)
def test_the_same_word_in_another_dress(text: str, same: str) -> None:
    """Quotes, widths, marks, skin tones and invisible characters make no difference."""
    assert keys(text) == keys(same)


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\x00", "\u200b", "...", "?!", "\ufe0f", "\U0001f3fd"])
def test_a_text_without_words_means_nothing(text: str) -> None:
    """Empty, blank and punctuation-only texts are unknown, without a guess, and no answer."""
    match = MATCHER.match(text, status="analysis_sent", expecting=YES_NO)

    assert (match.intent, match.confidence, match.guesses) == ("unknown", 0.0, ())
