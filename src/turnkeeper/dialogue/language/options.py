"""Which of a few options a text names in words: "the pasta" among "Chicken tacos" and "Veggie pasta".

Two options that fit equally well are no answer: the caller asks again instead of guessing.
"""

from collections.abc import Sequence
from functools import lru_cache

from turnkeeper.dialogue.language.courtesy import ARTICLES, LIGHT, courtesies
from turnkeeper.dialogue.language.spelling import Speller
from turnkeeper.dialogue.language.tokens import keys

CACHED_VOCABULARIES = 256
"""Option lists whose vocabulary is kept: a flow has dozens; building one takes microseconds."""

MAX_BESIDES = 3
"""Full words beside those of the option ("pasta sounds good"): more of them make a sentence about something else."""

NEGATORS = frozenset({"not", "never", "no", "without", "neither", "nor", "none", "nobody", "nothing", "except"})
"""Words that turn a wish round."""

_ASKING = frozenset("what which how why who when where is are does do can could".split())
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
    if any(key in NEGATORS and key not in vocabulary.words for key in said):
        return None
    heard = [vocabulary.readings(key) for key in _telling(said)]
    hits = [sum(any(word in option for word in readings) for readings in heard) for option in option_keys]
    most = max(hits, default=0)
    if most == 0 or hits.count(most) > 1:
        return None
    best = hits.index(most)
    is_statement = "?" not in text and said[0] not in _ASKING and len(heard) <= MAX_BESIDES + most
    return best if most == len(heard) or is_statement else None


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
