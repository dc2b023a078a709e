"""Typos are tolerated, and no correct word is bent into another one."""

import pytest

from turnkeeper.dialogue.language.everyday_words import EVERYDAY
from turnkeeper.dialogue.language.spelling import Speller, is_everyday

COMMANDS = (
    "plan confirm swap remove skip modify undo help recipes pricing continue thanks start reset change replace cancel "
    "order track deliver schedule appointment book agent payment refund repeat again address now new no yes go all"
).split()
SPELLER = Speller(COMMANDS)


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("swpa", "swap"),
        ("wsap", "swap"),
        ("skipp", "skip"),
        ("skiop", "skip"),
        ("skop", "skip"),
        ("skp", "skip"),
        ("plann", "plan"),
        ("paln", "plan"),
        ("unod", "undo"),
        ("undoo", "undo"),
        ("hepl", "help"),
        ("hlep", "help"),
        ("confrm", "confirm"),
        ("confirn", "confirm"),
        ("comfirm", "confirm"),
        ("cnfrm", "confirm"),
        ("ocnfirm", "confirm"),
        ("confiirm", "confirm"),
        ("remvoe", "remove"),
        ("remoove", "remove"),
        ("recipies", "recipes"),
        ("apointment", "appointment"),
        ("appointmnet", "appointment"),
        ("adress", "address"),
        ("strat", "start"),
        ("restet", "reset"),
        ("yesss", "yes"),
        ("nooooo", "no"),
        ("skiiiip", "skip"),
        ("helppp", "help"),
        ("orders", "order"),
        ("recipe", "recipes"),
    ],
)
def test_a_slip_is_understood(typed: str, word: str) -> None:
    """What thumbs do to words."""
    assert SPELLER.readings(typed) == (word,)


@pytest.mark.parametrize(
    "typed",
    """
    plant plane plain planet plank pan clan know snow note non nope ne
    slip ship skin skim ski skit swab swan swat sway swam snap soap
    help-less hell helm held heap whelp kelp yelp into unto under undue
    conform confirmed remote revoke removal remodel restart rest preset resort star stark stare smart state
    chance charge orange ranger changed chicken monday
    canoe cancer cancers older border orders-of boo look book-ish brook
    thank-less think thin reply replaced replica repast refuse relax repeal address-book
    g goo gal ally ball yet yew eyes news knew gone ago
    """.split(),
)
def test_a_correct_word_stays_what_it_is(typed: str) -> None:
    """The person wrote another word, however near it is."""
    assert SPELLER.readings(typed.replace("-", "")) == ()


def test_short_words_must_be_exact() -> None:
    """Of three letters any other letter is another word."""
    speller = Speller(["no", "yes", "new", "now"])

    assert [speller.readings(typed) for typed in ("on", "yse", "nwe", "noe", "ye")] == [()] * 5


def test_two_words_equally_near_are_both_returned() -> None:
    """Which one was meant is for the rest of the message to say."""
    assert Speller(["marina", "marine"]).readings("marinq") == ("marina", "marine")


def test_the_nearer_word_wins() -> None:
    """One edit is likelier than two."""
    assert Speller(["confirm", "conform", "inform"]).readings("confirmm") == ("confirm",)


@pytest.mark.parametrize("word", ["slipped", "slipping", "toasted", "easier", "easily", "stories", "wishes", "nicest"])
def test_inflected_words_are_everyday_words(word: str) -> None:
    """The list holds stems; endings are known."""
    assert word not in EVERYDAY
    assert is_everyday(word)


def test_the_everyday_words_are_what_is_compared() -> None:
    """Keys are lower-case and without apostrophes; an entry in another form would protect nothing."""
    assert all(word == word.casefold() and word.isalnum() for word in EVERYDAY)
    assert len(EVERYDAY) > 3_000


def test_huge_and_odd_words_cost_nothing() -> None:
    """Only a word that could be a typo is compared."""
    assert SPELLER.readings("x" * 2_000) == ()
    assert SPELLER.readings("") == ()
