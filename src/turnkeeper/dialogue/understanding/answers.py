"""Answers to a pending question: yes, no, one of several options, or free words.

An answer exists only while a question is pending; without one "yes" says nothing, and nobody may guess what to. The
word at the beginning is not the whole answer either: "yes but swap the salmon" leaves a remainder that must be heard,
and "no mushrooms please" is no "no".
"""

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from turnkeeper.dialogue.language.courtesy import courtesies
from turnkeeper.dialogue.language.everyday_words import EVERYDAY
from turnkeeper.dialogue.language.options import closest_option, numbered_option
from turnkeeper.dialogue.language.spelling import Speller
from turnkeeper.dialogue.language.tokens import Break, Tokens, key_set, tokenize
from turnkeeper.dialogue.language.yes_and_no import EITHER, POLARITY, Polarity
from turnkeeper.dialogue.understanding.intents import AskedQuestion

MAX_OPTIONS = 50
"""Options of one question, because nobody reads more, and an SMS holds fewer."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a text answers.

    Attributes:
        kind: `affirmative`, `negative`, `choice` or `text`.
        remainder: What was said besides, as written, to be understood on its own; empty: the answer is the message.
        option: The chosen option as it was shown; only for `choice`.
        index: Its place, counted from 0; only for `choice`.
        text: The answer's words on one line, of a long message the first 2,000 characters; only for `text`.
        is_insistent: The remainder is set off by "but", "except" or the like: an answer with a condition.
    """

    kind: Literal["affirmative", "negative", "choice", "text"]
    remainder: str = ""
    option: str = ""
    index: int | None = None
    text: str = ""
    is_insistent: bool = False


_QUALIFIERS = frozenset("but except only just however though although if unless apart besides with without".split())
"""Words that set off what is said besides an answer."""

_BESIDES = frozenset("and also then plus so because cause cuz coz since as or oh".split())

_DETERMINING = frozenset({"good", "great", "fine", "right", "perfect", "nice", "super", "lovely", "cool"})
"""Answers that are adjectives as well: a noun right after one makes it part of the sentence ("good food")."""

_DIRECT = frozenset(
    """
    yes yep yeah yea yeh yup ya yah sure absolutely definitely certainly surely correct agreed nope nah nay thanks you
    please good great perfect fine lovely it that ahead me
    """.split()
)
"""Last words of answers after which more may follow with nothing between ("yes swap the salmon")."""

_SENTENCE_OPENERS = key_set(
    """
    i ill id we well you your he she they it that this there do not please let make keep leave just thanks thank sorry
    actually cancel change because
    """
)
"""Words with which a sentence begins, so that a "no" before them stands for itself."""

_WEAK = frozenset("ok okay k kk alright go works deal done pass true nice good great right fine cool super".split())
"""Answers that open sentences about anything ("ok so what now"): with more behind them they need a comma or a "but"."""

_AUXILIARIES = frozenset("am are is do does did have has will would can not".split())
"""Last words of short answers ("I do", "it is", "we are not") that are sentences as soon as more follows."""

_WHOLE_ONLY = frozenset({"please", "pls"})
"""Answers only when nothing follows: "please, skip monday" is a request."""


_LONGEST = max(len(phrase) for phrase in POLARITY)
_SPELLER = Speller(word for phrase in POLARITY for word in phrase)


def read_answer(text: str, question: AskedQuestion) -> Answer | None:
    """Read a text as the answer to a pending question.

    Args:
        text: What the person wrote, any length.
        question: What was asked. A `text` question takes any words, so try intents first.

    Returns:
        None if the text does not answer: "maybe", "not sure", two options at once, both yes and no.
    """
    return answer_in(tokenize(text), question)


def answer_in(tokens: Tokens, question: AskedQuestion) -> Answer | None:
    """Do what `read_answer` does, for a text that was cut into words already."""
    match question.kind:
        case "yes_no":
            return _read_yes_no(tokens)
        case "choice":
            return _read_choice(tokens, question.options)
        case "text":
            answer = " ".join(tokens.source.split())
            return Answer(kind="text", text=answer) if tokens.words else None


def _read_yes_no(tokens: Tokens) -> Answer | None:
    """Read answer phrases from the beginning on; what is left must be set off from them."""
    said = _spelt([word.key for word in tokens.words])
    polite = courtesies(said)
    place = _first_telling(said, polite)
    polarity: Polarity | None = None
    last_phrase: tuple[str, ...] = ()
    while place < len(said):
        phrase = _answer_at(said, place)
        if phrase is not None and _is_cut_short(tokens, said, place + len(phrase), phrase):
            phrase = None
        if phrase is not None and POLARITY[phrase] == (polarity or POLARITY[phrase]):
            polarity = POLARITY[phrase]
            last_phrase = phrase
            place += len(phrase)
        elif polarity is not None and (either := _longest_at(said, place, EITHER)):
            place += len(either)
        elif phrase is None and (polite[place] or tokens.words[place].is_symbol):
            place += 1
        else:
            break
    if polarity is None or place == len(said):
        return None if polarity is None else Answer(kind=polarity)
    return _with_remainder(tokens, said, polarity, last_phrase, place)


def _is_cut_short(tokens: Tokens, said: Sequence[str], end: int, phrase: tuple[str, ...]) -> bool:
    """Tell whether an answer such as "I do" goes on as a sentence ("I do not like fish", "it is monday")."""
    if len(phrase) == 1 or phrase[-1] not in _AUXILIARIES or end == len(said):
        return False
    return tokens.words[end].pause is Break.NONE and said[end] not in _QUALIFIERS | _BESIDES


def _with_remainder(
    tokens: Tokens, said: Sequence[str], polarity: Polarity, phrase: tuple[str, ...], place: int
) -> Answer | None:
    """Return an answer with more behind it, if the more is set off: by a pause, a "but", or a sentence of its own."""
    rest = place
    is_insistent = said[place] in _QUALIFIERS
    is_set_off = is_insistent or tokens.words[place].pause is not Break.NONE
    if phrase[0] in _WHOLE_ONLY or not (is_set_off or _may_go_on(phrase, said[place])):
        return None
    while rest < len(said) and said[rest] in {*_BESIDES, "but", "however", "though"}:
        rest += 1
    if rest == len(said):
        return Answer(kind=polarity)
    opposite = _answer_at(said, rest)
    if opposite is not None and _is_cut_short(tokens, said, rest + len(opposite), opposite):
        opposite = None
    if opposite is not None and POLARITY[opposite] != polarity:
        is_only_that = rest + len(opposite) == len(said)
        if is_only_that or not is_set_off:
            return None
    remainder = tokens.rest(rest)
    return Answer(kind=polarity, remainder=remainder, is_insistent=is_insistent)


def _may_go_on(phrase: tuple[str, ...], following: str) -> bool:
    """Tell whether an answer stands for itself although its sentence goes on without a pause."""
    if len(phrase) == 1 and (phrase[0] in _WEAK or phrase[0] in _DETERMINING):
        return False
    if following in _BESIDES:
        return True
    if phrase == ("no",):
        return following in _SENTENCE_OPENERS
    return phrase[-1] in _DIRECT or not phrase[-1].isalnum()


def _first_telling(said: Sequence[str], polite: Sequence[bool]) -> int:
    """Return the first place that is an answer or no courtesy: "hey, I think yes" begins at "yes"."""
    for place in range(len(said)):
        if _answer_at(said, place) is not None and not (_is_weak((said[place],)) and _has_more(said, polite, place)):
            return place
        if not polite[place]:
            return place
    return 0


def _has_more(said: Sequence[str], polite: Sequence[bool], place: int) -> bool:
    """Tell whether a real answer follows the courtesies from `place` on: "ok no" is no, "well yes" is yes."""
    while place < len(said) and polite[place]:
        place += 1
    phrase = _answer_at(said, place) if place < len(said) else None
    return phrase is not None and not _is_weak(phrase)


def _answer_at(said: Sequence[str], place: int) -> tuple[str, ...] | None:
    """Return the longest answer phrase that begins at a place."""
    return _longest_at(said, place, POLARITY)


def _longest_at(said: Sequence[str], place: int, phrases: Collection[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Return the longest of some phrases that begins at a place."""
    for length in range(min(_LONGEST, len(said) - place), 0, -1):
        phrase = tuple(said[place : place + length])
        if phrase in phrases:
            return phrase
    return None


def _is_weak(phrase: tuple[str, ...]) -> bool:
    return len(phrase) == 1 and phrase[0] in _WEAK


def _spelt(said: Sequence[str]) -> list[str]:
    """Return the keys with misspelt and stretched answer words put right; correct words stay, plurals too."""
    return [key if key in EVERYDAY else (_SPELLER.readings(key) or (key,))[0] for key in said]


def _read_choice(tokens: Tokens, options: tuple[str, ...]) -> Answer | None:
    """Choose by the option's own words first, since "4" is more likely "4 people" than the fourth option."""
    index = closest_option(tokens.source, options)
    if index is None:
        index = numbered_option([word.key for word in tokens.words], len(options))
    if index is None and len(options) == 2:  # noqa: PLR2004 - "yep" to "Yes / No"
        index = _by_polarity(tokens, options)
    if index is None:
        return None
    return Answer(kind="choice", option=options[index], index=index)


def _by_polarity(tokens: Tokens, options: Sequence[str]) -> int | None:
    """Return which of two options a yes or no names, if one of them says yes and the other no."""
    answer = _read_yes_no(tokens)
    kinds = [found.kind if found is not None else None for found in map(_read_yes_no, map(tokenize, options))]
    if answer is None or answer.remainder or kinds[0] == kinds[1] or answer.kind not in kinds:
        return None
    return kinds.index(answer.kind)
