"""One message as it is compared with phrases: its words, what each may stand for, what each weighs, where clauses end.

Everything here is computed once per message and shared by all phrases.
"""

from collections.abc import Sequence

import msgspec

from turnkeeper.dialogue.language.courtesy import (
    ARTICLES,
    DETERMINERS,
    JOINERS,
    LIGHT,
    LIGHT_WEIGHT,
    THANKING,
    courtesies,
)
from turnkeeper.dialogue.language.spelling import Speller
from turnkeeper.dialogue.language.tokens import Break, Tokens, Word


class Utterance(msgspec.Struct, frozen=True, kw_only=True):
    """A message, word by word; all sequences have one entry per word.

    Attributes:
        readings: Words of the vocabulary that the word may stand for; its own key only if that is one. Determiners all
            read as "the".
        courteous: Whether the word belongs to a greeting, a politeness or the beginning of a request.
        weights: How much it counts when it is not matched: 0 for courtesies, articles, emoji and a word said twice in a
            row, 1 for a full word.
        clauses: Number of the clause that it stands in, counted from 0.
        present: Every word of the vocabulary that stands anywhere in the message.
        today: The weekday's lower-case name, None if unknown.
    """

    tokens: Tokens
    readings: tuple[tuple[str, ...], ...]
    courteous: Sequence[bool]
    weights: tuple[float, ...]
    clauses: tuple[int, ...]
    present: frozenset[str]
    today: str | None

    @property
    def words(self) -> tuple[Word, ...]:
        """The words as they were cut."""
        return self.tokens.words

    @property
    def weight(self) -> float:
        """The weight of all words together."""
        return sum(self.weights)

    def weight_between(self, first: int, last: int) -> float:
        """Return the weight of words `first` up to, not including, `last`."""
        return sum(self.weights[first:last])

    def is_idle(self, place: int) -> bool:
        """Tell whether a word may be stepped over inside a phrase: a courtesy or an article."""
        return self.courteous[place] or self.words[place].key in ARTICLES


def listen(tokens: Tokens, speller: Speller, *, today: str | None = None) -> Utterance:
    """Prepare a message for matching; one without words gives an utterance without words."""
    keys = [word.key for word in tokens.words]
    read = {key: speller.readings("the" if key in DETERMINERS else key) for key in dict.fromkeys(keys)}
    courteous = courtesies(keys)
    _thank(tokens.words, courteous)
    return Utterance(
        tokens=tokens,
        readings=tuple(read[key] for key in keys),
        courteous=courteous,
        weights=tuple(
            0.0 if polite or (place and keys[place - 1] == word.key) else _weight(word)
            for place, (word, polite) in enumerate(zip(tokens.words, courteous, strict=True))
        ),
        clauses=tuple(_clauses(tokens.words)),
        present=frozenset(reading for readings in read.values() for reading in readings),
        today=today,
    )


def _thank(words: Sequence[Word], courteous: list[bool]) -> None:
    """Mark what a thank-you is for as courteous too, up to the next pause ("thanks for all the help")."""
    for place, word in enumerate(words):
        if word.key == "for" and place and courteous[place - 1] and words[place - 1].key in THANKING:
            end = place
            while end < len(words) and words[end].pause is Break.NONE and words[end].key not in JOINERS:
                courteous[end] = True
                end += 1


def _weight(word: Word) -> float:
    if word.is_symbol or word.key in ARTICLES or word.key in JOINERS:
        return 0.0
    return LIGHT_WEIGHT if word.key in LIGHT else 1.0


def _clauses(words: Sequence[Word]) -> list[int]:
    """Number the clauses: a pause or a joining word begins a new one."""
    numbers: list[int] = []
    clause = 0
    for place, word in enumerate(words):
        if place and (word.pause is not Break.NONE or word.key in JOINERS):
            clause += 1
        numbers.append(clause)
    return numbers
