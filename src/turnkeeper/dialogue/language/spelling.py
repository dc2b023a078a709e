"""Which declared word a typed word may stand for: itself, its plural, itself stretched, or itself misspelt.

The danger is not the typo that is missed but the correct word that is bent: "plant" and "plane" are one letter from
"plan", "sunday" two from "monday", "remote" one from "remove". So a typo must pass three gates:

1. The typed word is no English everyday word, no inflection of one, and no declared word.
2. It begins with the same letter, or with the first two letters swapped. People rarely miss the first letter, and most
   look-alikes ("skip", "ship"; "swap", "snap") differ there or close to it.
3. It is near enough for the declared word's length: up to three letters exact; four letters only what a thumb does (two
   neighbours swapped, a letter doubled or not, a neighbouring key hit instead or too); five letters one edit; more
   letters two edits, up to seven letters at most one of them a wrong letter ("resize" is not "recipe"). A swap of
   neighbours counts as one, and so do all vowels left out ("cnfrm").
"""

from collections.abc import Iterable

from rapidfuzz.distance import OSA

from turnkeeper.dialogue.language.everyday_words import EVERYDAY
from turnkeeper.dialogue.language.tokens import unstretched

EXACT_LENGTH = 3
"""Letters up to which a word must be typed exactly: "no", "now" and "new" are one edit apart."""

THUMB_LENGTH = 4
"""Letters at which only slips of the thumb count: nearly every edit of a four-letter word is another word."""

ONE_EDIT_LENGTH = 5
"""Letters up to which one edit is tolerated; longer words tolerate two."""

MAX_EDITS = 2
"""Edits that any word tolerates: with three, half of the words of a message would look like some command."""

MAX_STRANGE_LETTERS = 2
"""See `SAME_LETTERS_LENGTH`: one wrong letter, or two missing or extra ones."""

SAME_LETTERS_LENGTH = 7
"""Letters up to which two edits must leave the letters nearly the same: two wrong ones of six are a third of it."""

LONGEST_WORD = 24
"""Letters of a word that can be a typo, because no everyday word is longer and comparing costs the product of both."""

_ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
_KEYS = {char: (column + shift, row) for row, (chars, shift) in enumerate(_ROWS) for column, char in enumerate(chars)}
_NEAR_KEYS = frozenset(
    first + second
    for first, (x1, y1) in _KEYS.items()
    for second, (x2, y2) in _KEYS.items()
    if first != second and abs(x1 - x2) <= 1 and abs(y1 - y2) <= 1
)
"""Pairs of letters that lie side by side on a QWERTY keyboard."""

_VOWELS = frozenset("aeiou")
_ENDINGS = ("ing", "est", "ed", "er", "ly", "en", "es", "s", "y")
_ENDINGS_AFTER_E = ("d", "r", "n", "st")


def is_everyday(word: str) -> bool:
    """Tell whether a key is a correctly written English everyday word, plain or inflected ("slipped", "baking")."""
    return word in EVERYDAY or _is_inflected(word, EVERYDAY)


class Speller:
    """A vocabulary that reads words. Build it once, it is only read afterwards, from any number of threads."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self.words = frozenset(vocabulary)
        self._near: dict[tuple[str, int], list[str]] = {}
        self._skeletons: dict[str, list[str]] = {}
        for word in sorted(self.words):
            if len(word) <= EXACT_LENGTH:
                continue
            for start in {word[0], word[1]}:
                for length in range(len(word) - MAX_EDITS, len(word) + MAX_EDITS + 1):
                    self._near.setdefault((start, length), []).append(word)
            self._skeletons.setdefault(without_vowels(word), []).append(word)

    def readings(self, key: str) -> tuple[str, ...]:
        """Return the words of the vocabulary that a typed key may stand for, the nearest first.

        Args:
            key: As `Word.key`. One that is in the vocabulary stands for itself only.
        """
        if key in self.words:
            return (key,)
        if len(key) < EXACT_LENGTH or len(key) > LONGEST_WORD:
            return ()
        if key in EVERYDAY:
            return self._other_number(key)
        for shorter in unstretched(key):
            if shorter in self.words:
                return (shorter,)
            if shorter in EVERYDAY:
                return ()
        return self._other_number(key) or self._misspelt(key)

    def _other_number(self, key: str) -> tuple[str, ...]:
        """Return the same noun in the other number: "recipes" for "recipe"."""
        if key.endswith("s") and len(key) > THUMB_LENGTH and key[:-1] in self.words:
            return (key[:-1],)
        if len(key) >= THUMB_LENGTH and key + "s" in self.words:
            return (key + "s",)
        return ()

    def _misspelt(self, key: str) -> tuple[str, ...]:
        """Return the words that are one slip away, the nearest first, then by the alphabet."""
        if key in self._skeletons:
            return tuple(self._skeletons[key])
        near = [(distance, word) for word in self._near.get((key[0], len(key)), ()) if (distance := slip(key, word))]
        if not near or _is_inflected(key, EVERYDAY) or _is_inflected(key, self.words):
            return ()
        nearest = min(distance for distance, _ in near)
        return tuple(word for distance, word in near if distance == nearest)


def slip(typed: str, declared: str) -> int:
    """Return how many edits lie between a typed and a declared key, 0 when they are equal or too far apart."""
    length = len(declared)
    if length <= EXACT_LENGTH or typed == declared:
        return 0
    if typed[0] != declared[0] and typed[:2] != declared[1::-1]:
        return 0
    if length == THUMB_LENGTH:
        return 1 if _is_thumb_slip(typed, declared) else 0
    limit = 1 if length <= ONE_EDIT_LENGTH else MAX_EDITS
    distance = OSA.distance(typed, declared, score_cutoff=limit)
    if distance > limit:
        return 0
    if distance > 1 and length <= SAME_LETTERS_LENGTH and _strange_letters(typed, declared) > MAX_STRANGE_LETTERS:
        return 0
    return distance


def without_vowels(word: str) -> str:
    """Return how a hurried thumb abbreviates a word: "cnfrm"."""
    return "".join(char for char in word if char not in _VOWELS)


def _strange_letters(typed: str, declared: str) -> int:
    """Return how many letters only one of the two has; a wrong letter counts twice, a missing or extra one once."""
    rest = list(declared)
    extra = 0
    for char in typed:
        if char in rest:
            rest.remove(char)
        else:
            extra += 1
    return extra + len(rest)


def _is_thumb_slip(typed: str, declared: str) -> bool:
    """Tell whether a four-letter word was mistyped by one movement of the thumb."""
    if len(typed) == len(declared):
        wrong = [place for place, char in enumerate(declared) if typed[place] != char]
        if len(wrong) == 1:
            return typed[wrong[0]] + declared[wrong[0]] in _NEAR_KEYS
        first, last = wrong[0], wrong[-1]
        is_swap = typed[first] == declared[last] and typed[last] == declared[first]
        return is_swap and len(wrong) == MAX_EDITS and last == first + 1
    if len(typed) == len(declared) + 1:
        return any(
            typed[:place] + typed[place + 1 :] == declared and _is_extra(typed, place) for place in range(1, len(typed))
        )
    return any(
        declared[:place] + declared[place + 1 :] == typed and declared[place] == declared[place - 1]
        for place in range(1, len(declared))
    )


def _is_extra(typed: str, place: int) -> bool:
    """Tell whether the letter repeats the one before it or came from a key beside one of its neighbours."""
    char = typed[place]
    around = typed[place - 1] + typed[place + 1 : place + 2]
    return char == typed[place - 1] or any(char + other in _NEAR_KEYS for other in around)


def _is_inflected(word: str, known: frozenset[str]) -> bool:
    """Tell whether a word is a known one with an English ending: "skipped", "baking", "easier", "plans"."""
    for ending in _ENDINGS:
        if not word.endswith(ending) or len(word) - len(ending) < EXACT_LENGTH:
            continue
        stem = word[: -len(ending)]
        if stem in known or stem + "e" in known:
            return True
        if stem[-1] == stem[-2] and stem[:-1] in known:
            return True
        if stem[-1] == "i" and stem[:-1] + "y" in known:
            return True
    return any(word.endswith("e" + ending) and word[: -len(ending)] in known for ending in _ENDINGS_AFTER_E)
