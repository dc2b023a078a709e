"""What a person says to take something back: "oops", "actually, make it chicken", "wait".

Some words say it whatever follows ("oops, …"). Others open any sentence ("wait until Tuesday"): they count alone, or
before words that are a wish of their own; whether they are is for the caller to find out.
"""

import msgspec

from turnkeeper.dialogue.language.courtesy import courtesies
from turnkeeper.dialogue.language.tokens import Break, Tokens, keys, tokenize

_PLAIN = """
oops|oops sorry|oopsie|oopsies|oopsy|woops|whoops|whoopsie|my bad|my mistake|my fault|undo|undo it|undo that
undo this|undo please|scratch that|strike that|take that back|take it back|i take that back|i take it back|take back
revert|revert that|revert it|wrong one|that was wrong|that was a mistake|i made a mistake|made a mistake|i meant|i mean
sorry i meant|i didnt mean that|i did not mean that|didnt mean that|not what i meant|thats not what i meant|forget that
forget i said that
"""
"""Say by themselves that something was wrong."""

_OPENING = """
actually|wait|wait wait|wait a minute|wait a sec|wait a second|hold on|hang on|on second thought|on second thoughts
"""
"""Say it, but open other sentences as well."""

_FILLERS = frozenset({"no", "nope", "oh", "ah", "hey", "ok", "okay", "um", "uh", "hmm", "sorry", "please", "well"})
"""Stand between or before such words without a meaning of their own: "oh no wait"."""

_LINKS = frozenset({"and", "then", "but", "so"})


def _table(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(keys(phrase) for phrase in text.replace("\n", "|").split("|") if phrase)


_PLAIN_PHRASES = _table(_PLAIN)
_OPENING_PHRASES = _table(_OPENING)
_FIRST = frozenset(phrase[0] for phrase in _PLAIN_PHRASES | _OPENING_PHRASES) | _FILLERS
_LONGEST = max(len(phrase) for phrase in _PLAIN_PHRASES | _OPENING_PHRASES)


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A text that begins by taking something back.

    Attributes:
        rest: What is said behind it, as written; empty: nothing.
        is_plain: It says so whatever follows. Otherwise it counts only if `rest` is empty or makes sense by itself.
    """

    rest: str
    is_plain: bool


def read_correction(text: str) -> Correction | None:
    """Return the correction that a text begins with, None if it begins with none. Any text will do."""
    tokens = tokenize(text)
    said = [word.key for word in tokens.words]
    if not said or (said[0] not in _FIRST and not courtesies(said)[0]):
        return None
    place, is_found, is_plain = 0, False, False
    while place < len(said):
        length = _length_at(said, place, _PLAIN_PHRASES)
        if length:
            is_found = is_plain = True
        else:
            length = _length_at(said, place, _OPENING_PHRASES)
            is_found = is_found or length > 0
        if not length and not _is_filler(tokens, said, place, is_found=is_found):
            break
        place += length or 1
    if not is_found:
        return None
    while place < len(said) and said[place] in _LINKS:
        place += 1
    rest = tokens.text(place, len(said)) + (tokens.tail.rstrip() if place < len(said) else "")
    return Correction(rest=rest, is_plain=is_plain)


def _length_at(said: list[str], place: int, phrases: frozenset[tuple[str, ...]]) -> int:
    for length in range(min(_LONGEST, len(said) - place), 0, -1):
        if tuple(said[place : place + length]) in phrases:
            return length
    return 0


def _is_filler(tokens: Tokens, said: list[str], place: int, *, is_found: bool) -> bool:
    """Tell whether a word may be passed by. Behind a correction "no" begins the rest ("actually, no mushrooms")."""
    if tokens.words[place].is_symbol:
        return True
    if said[place] not in _FILLERS:
        return False
    if not is_found:
        return True
    follows = place + 1 < len(said) and tokens.words[place + 1].pause is Break.NONE
    return not follows
