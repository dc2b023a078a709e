"""Which of a few options a text names: "the pasta" among "Chicken tacos" and "Veggie pasta", or "the second one".

Two options that fit equally well are no answer: the caller asks again instead of guessing.
"""

from collections.abc import Sequence
from functools import lru_cache

from turnkeeper.dialogue.language.courtesy import ARTICLES, LIGHT, courtesies
from turnkeeper.dialogue.language.spelling import Speller
from turnkeeper.dialogue.language.tokens import keys

MAX_NUMBER_DIGITS = 2
"""Digits of a number that chooses, because a longer one is an amount or a year."""

CACHED_VOCABULARIES = 256
"""Option lists whose vocabulary is kept: a flow has dozens; building one takes microseconds."""

MAX_BESIDES = 3
"""Full words beside those of the option ("pasta sounds good"): more of them make a sentence about something else."""

NEGATORS = frozenset({"not", "never", "no", "without", "neither", "nor", "none", "nobody", "nothing", "except"})
"""Words that turn a wish round."""

_ASKING = frozenset("what which how why who when where is are does do".split())
"""First words of a question about an option, which chooses none."""

_ORDINALS = {
    name: number
    for number, names in enumerate(
        "first 1st one|second 2nd two|third 3rd three|fourth 4th four|fifth 5th five|sixth 6th six|seventh 7th seven|"
        "eighth 8th eight|ninth 9th nine|tenth 10th ten".split("|")
    )
    for name in names.split()
}
_NUMBERING = frozenset(
    "option number choice one the pick take want ill i id like nr no num is make it go with would will".split()
)
_LAST = frozenset({"last", "latter", "final", "bottom"})
_FIRST = frozenset({"former", "top"})

_CHOOSING = frozenset("option number choice choose pick take want have like prefer one ones please give need".split())


def closest_option(text: str, options: Sequence[str]) -> int | None:
    """Return the place of the option that a text names, counted from 0; None if it names none or more than one.

    Args:
        text: What a person wrote: words of the option, and if it asks nothing ("what is in the pasta?") up to
            `MAX_BESIDES` others. Typos are tolerated; a negation ("not the pasta") names nothing.
        options: As they were shown.
    """
    said = keys(text)
    option_keys = [keys(option) for option in options]
    same = [index for index, option in enumerate(option_keys) if option == said and said]
    if same:
        return same[0] if len(same) == 1 else None
    vocabulary = _vocabulary(tuple(option_keys))
    if not said or said[0] in _ASKING or any(key in NEGATORS and key not in vocabulary.words for key in said):
        return None
    heard = [vocabulary.readings(key) for key in _telling(said)]
    hits = [sum(any(word in option for word in readings) for readings in heard) for option in option_keys]
    most = max(hits, default=0)
    if most == 0 or hits.count(most) > 1:
        return None
    best = hits.index(most)
    is_statement = "?" not in text and len(heard) <= MAX_BESIDES + most
    return best if most == len(heard) or is_statement else None


def numbered_option(said: Sequence[str], count: int) -> int | None:
    """Return the option that a number, an ordinal or a letter names: "2", "the second one", "option b", "last"."""
    if any(key in NEGATORS and key != "no" for key in said):
        return None
    polite = courtesies(said)
    told = [key for key, courteous in zip(said, polite, strict=True) if not courteous]
    named = [key for key in told if key not in _NUMBERING]
    if not named and told and told[-1] == "one" and told[0] in {"one", "option", "number", "choice"}:
        named = ["one"]
    if len(set(named)) != 1:
        return None
    name = named[0]
    if name in _LAST:
        return count - 1
    index = 0 if name in _FIRST else _ORDINALS.get(name, -1)
    if name.isascii() and name.isdigit() and len(name) <= MAX_NUMBER_DIGITS:
        index = int(name) - 1
    elif len(name) == 1 and "a" <= name <= "z":
        index = ord(name) - ord("a")
    return index if 0 <= index < count else None


def _telling(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that tell options apart; all of them if none would be left."""
    polite = courtesies(words)
    told = tuple(
        word
        for word, courteous in zip(words, polite, strict=True)
        if not courteous and word not in ARTICLES and word not in LIGHT and word not in _CHOOSING
    )
    return told or tuple(words)


@lru_cache(maxsize=CACHED_VOCABULARIES)
def _vocabulary(options: tuple[tuple[str, ...], ...]) -> Speller:
    return Speller(word for option in options for word in option)
