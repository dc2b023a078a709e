"""A wrong declaration is refused at once, with a text that says what to write."""

from typing import Any

import pytest

from turnkeeper.dialogue.language.templates import MAX_TEMPLATE_CHARACTERS, Slot, plain_text, unfold
from turnkeeper.dialogue.understanding.intents import MAX_PHRASES, Intent
from turnkeeper.dialogue.understanding.matching import Matcher
from turnkeeper.dialogue.understanding.slots import Number, OneOf, Text, Weekdays
from turnkeeper.errors import InvalidFlowError


def test_a_template_unfolds_into_its_variants() -> None:
    """Alternatives and optional words become plain variants, in the order of writing."""
    variants = unfold("swap [the] {old} (for|in exchange for) {new}")

    assert variants == (
        ("swap", Slot("old"), "for", Slot("new")),
        ("swap", Slot("old"), "in", "exchange", "for", Slot("new")),
        ("swap", "the", Slot("old"), "for", Slot("new")),
        ("swap", "the", Slot("old"), "in", "exchange", "for", Slot("new")),
    )


def test_brackets_nest_and_belong_to_the_word_before_them() -> None:
    """`recipe[s]` is one word in two forms; an option may hold another."""
    variants = unfold("recipe[s] [right [this] now]")

    assert variants[:2] == (("recipe",), ("recipe", "right", "now"))
    assert ("recipes", "right", "this", "now") in variants


def test_two_short_words_are_understood_as_one() -> None:
    """People leave spaces out; a pair that makes another everyday word stays apart."""
    assert unfold("start over") == (("start", "over"), ("startover",))
    assert unfold("every one") == (("every", "one"),)


def test_contractions_are_the_words_they_stand_for() -> None:
    """The author writes one form, the person any other."""
    assert unfold("don't want {item}") == unfold("dont want {item}") == unfold("do not want {item}")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("swap {old for {new}", "no plain name"),
        ("swap {} for", "no plain name"),
        ("swap {old item}", "no plain name"),
        ("swap old}", "closes nothing"),
        ("swap (a|b", "never closed"),
        ("swap [the", "never closed"),
        ("swap a|b", "outside of brackets"),
        ("swap a)", "outside of brackets"),
        ("swap (a]", "outside of brackets|never closed"),
        ("", "no word to match"),
        ("?!", "no word to match"),
        ("{item}", "slot alone"),
        ("[please] {item}", "slot alone"),
        ("swap {old} {new}", "side by side"),
        ("swap {old} for {old}", "slot twice"),
        ("[a] [b] [c] [d] [e] [f] [g] [h] [i] [j] k", "more than"),
        ("x" * (MAX_TEMPLATE_CHARACTERS + 1), "longer than"),
    ],
)
def test_a_malformed_phrase_is_refused(template: str, reason: str) -> None:
    """The error names the intent, the phrase and what is wrong with it."""
    with pytest.raises(InvalidFlowError, match=reason) as refusal:
        Intent("swap", phrases=(template,))

    assert "intent 'swap'" in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "Start Over"}, "lower-case identifier"),
        ({"name": "unknown"}, "given by the matcher itself"),
        ({"name": "affirmative"}, "given by the matcher itself"),
        ({"phrases": "help"}, "with the comma"),
        ({"when": "idle"}, "with the comma"),
        ({"phrases": ()}, "nothing says it"),
        ({"phrases": ("help",) * (MAX_PHRASES + 1)}, "are allowed"),
        ({"weight": 0.0}, "weight is 0.0"),
        ({"weight": 2.5}, "weight is 2.5"),
        ({"slots": {"days": Weekdays()}}, "no phrase has the slot 'days'"),
        ({"keywords": ("two words",)}, "is not one word"),
    ],
)
def test_a_contradictory_intent_is_refused(fields: dict[str, Any], reason: str) -> None:
    """Every field is checked when the intent is declared, not when the first message comes."""
    with pytest.raises(InvalidFlowError, match=reason):
        Intent(**{"name": "help", "phrases": ("help",), **fields})


def test_an_intent_is_declared_once() -> None:
    """Two intents of one name would hide each other."""
    with pytest.raises(InvalidFlowError, match="'help' is declared twice"):
        Matcher([Intent("help", phrases=("help",)), Intent("help", phrases=("commands",))])


def test_a_slot_that_can_hold_nothing_is_refused() -> None:
    """Limits that leave no value are a mistake of the author."""
    with pytest.raises(InvalidFlowError, match="holds nothing"):
        Text(max_words=0)
    with pytest.raises(InvalidFlowError, match="holds nothing"):
        Number(least=3, most=2)
    with pytest.raises(InvalidFlowError, match="holds nothing"):
        OneOf(())


def test_a_clarifying_question_names_an_intent_in_words() -> None:
    """The label goes first, then an example, then the first phrase without its brackets."""
    phrases = ("(swap|switch) [out] {old} (for|with) {new}",)

    assert Intent("swap", phrases=phrases, label="swap a dish").sample == "swap a dish"
    assert Intent("swap", phrases=phrases, examples=("swap kale for peas",)).sample == "swap kale for peas"
    assert Intent("swap", phrases=phrases).sample == "swap … for …"
    assert plain_text("[hey] help [me]") == "help"
