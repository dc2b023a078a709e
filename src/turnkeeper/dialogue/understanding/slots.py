"""What a slot of a phrase may hold: free words, weekdays, a number, one of a few things.

`Text` is open: anything fits, so where it ends is a guess (the sentence's end, a "because", the next wish). The others
are closed: they read as far as they understand and vouch for the phrase, since "skip" before a weekday is no accident.
"""

import msgspec

from turnkeeper.dialogue.language.options import closest_option
from turnkeeper.dialogue.language.tokens import Break
from turnkeeper.dialogue.language.utterance import Utterance
from turnkeeper.dialogue.language.weekdays import read_days
from turnkeeper.errors import InvalidFlowError

MAX_TEXT_WORDS = 10
"""Words that a free slot takes by default, because the longest dish names on menus have eight or nine."""

SlotValue = str | int | tuple[str, ...]
"""What a slot holds: text, a number, or several names."""

_NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
}
_MAX_DIGITS = 9
"""Digits that are read as a number: more are a phone number or a mistake."""


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """Free words, as they were written, without articles and politeness around them.

    Attributes:
        max_words: More words than these are no value but a sentence; the phrase does not match then.
    """

    max_words: int = MAX_TEXT_WORDS

    def __post_init__(self) -> None:
        if self.max_words < 1:
            raise InvalidFlowError(f"Text(max_words={self.max_words}) holds nothing; use 1 or more")


class Weekdays(msgspec.Struct, frozen=True, kw_only=True):
    """One or more weekdays; the value is a tuple of lower-case English names, each once, in the order said."""


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A whole number in digits, or in words up to twenty.

    Attributes:
        least: A smaller number does not match.
        most: A larger number does not match.
    """

    least: int = 0
    most: int = 10**_MAX_DIGITS - 1

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise InvalidFlowError(f"Number(least={self.least}, most={self.most}) holds nothing; swap the two")


class OneOf(msgspec.Struct, frozen=True):
    """One of a few things, typos tolerated; the value is the option as it was declared."""

    options: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise InvalidFlowError("OneOf(()) holds nothing; name the options")


SlotKind = Text | Weekdays | Number | OneOf
"""Everything that a slot can be declared as."""


class SlotReading(msgspec.Struct, frozen=True, kw_only=True):
    """A value that was read, and the place after its last word."""

    value: SlotValue
    end: int


def read_closed(
    kind: SlotKind, utterance: Utterance, *, first: int, last: int, is_refused: bool = False
) -> SlotReading | None:
    """Read a closed slot from word `first` on, at most up to word `last`; None if its value does not stand there.

    Args:
        kind: What the slot holds.
        utterance: The message.
        first: Where to begin.
        last: Where to stop.
        is_refused: The phrase itself says "no" or "not", see `read_days`.
    """
    words = utterance.words
    while first < last and utterance.is_idle(first):
        first += 1
    if first >= last:
        return None
    match kind:
        case Weekdays():
            found = read_days(words, first=first, last=last, today=utterance.today, is_refused=is_refused)
            return None if found is None else SlotReading(value=found.days, end=found.end)
        case Number():
            return _read_number(kind, utterance, first)
        case OneOf():
            return _read_option(kind, utterance, first, last)
        case Text():
            return None


def _read_number(kind: Number, utterance: Utterance, place: int) -> SlotReading | None:
    key = utterance.words[place].key
    number = _NUMBER_WORDS.get(key, -1)
    if key.isascii() and key.isdigit() and len(key) <= _MAX_DIGITS:
        number = int(key)
    if number < 0 or not kind.least <= number <= kind.most:
        return None
    return SlotReading(value=number, end=place + 1)


def _read_option(kind: OneOf, utterance: Utterance, first: int, last: int) -> SlotReading | None:
    """Read the longest run of words that names exactly one option."""
    longest = max(len(option.split()) for option in kind.options)
    for end in range(min(last, first + longest), first, -1):
        if any(word.pause is Break.SENTENCE for word in utterance.words[first + 1 : end]):
            continue
        index = closest_option(utterance.tokens.text(first, end), kind.options)
        if index is not None:
            return SlotReading(value=kind.options[index], end=end)
    return None
