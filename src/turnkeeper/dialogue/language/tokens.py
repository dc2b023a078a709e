"""A message cut into words, in linear time and without a regular expression that could run away.

Two texts of one message: `source` is what the person wrote, cleaned of what nobody sees; `Word.key` is what is compared
(NFKC, case-folded, contractions spoken out: "Don't", "dont" and "do not" are the same two words). A slot shows the
source, never the key.
"""

import enum
import re
import unicodedata

import msgspec

MAX_CONSIDERED_CHARACTERS = 2_000
"""Characters of a message that are looked at, because the longest SMS that providers accept has 1,600."""

ABBREVIATIONS = {"u": "you", "ur": "your", "r": "are", "w": "with"}
"""Texting habits that typo tolerance cannot reach. Not "y" and "n", which are answers, nor "c", "k" and digits, which
stand for too many words."""

_S_MEANS_IS = frozenset("it he she that what who how where when there here name everything everybody".split())
"""Words whose "'s" is short for "is"; with any other word it is a possessive and stays ("Mom's" is "moms")."""

_ENDINGS = {"re": "are", "ll": "will", "ve": "have", "d": "would", "m": "am"}
_NEGATED = {
    "ca": "can",
    "wo": "will",
    "sha": "shall",
    "ai": "is",
    **{word: word for word in "do does did is are was were has have had could would should must need".split()},
}
"""What stands before "n't"."""

_WITHOUT_APOSTROPHE: dict[str, tuple[str, ...]] = {
    **{f"{word}nt": (full, "not") for word, full in _NEGATED.items() if word not in {"ca", "sha"}},
    **{f"{word}s": (word, "is") for word in ("it", "that", "what", "who", "how", "where", "there", "here")},
    "cant": ("can", "not"),
    "cannot": ("can", "not"),
    "im": ("i", "am"),
    "ive": ("i", "have"),
    "weve": ("we", "have"),
    "youre": ("you", "are"),
    "youve": ("you", "have"),
    "theyre": ("they", "are"),
    "lets": ("let", "us"),
    "gonna": ("going", "to"),
    "wanna": ("want", "to"),
    "gotta": ("got", "to"),
    "lemme": ("let", "me"),
    "gimme": ("give", "me"),
}
"""Contractions that are clear without their apostrophe. Not here, since they are words: ill, id, well, were, wed."""

APOSTROPHES = "'\u2018\u2019\u02bc\u00b4\u0060\u2032"
_APOSTROPHE_SIGNS = {ord(char): "'" for char in APOSTROPHES}
_NO_APOSTROPHES = dict.fromkeys(map(ord, APOSTROPHES), None)
SENTENCE_ENDS = frozenset(".!?;\u2026\u3002\uff01\uff1f\u061f\u0964")
CLAUSE_ENDS = frozenset(",:()[]\u2013\u2014\n\u3001\uff0c")

_CONTROLS = {code: None for code in (*range(32), 127) if chr(code) not in "\t\n\v\f\r"}
_NEW_LINES = {ord(char): "\n" for char in "\v\f\r\x85\u2028\u2029"}
_NOT_ASCII = {**_NEW_LINES, 0x02BC: "\u2019"}
"""The modifier apostrophe counts as a letter; it is written for the other one."""

_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
"""Three and more of one letter; a back-reference to a single character, so linear."""

_WORD = re.compile(rf"[^\W_]+(?:[{APOSTROPHES}][^\W\d_]+)*")
"""Letters and digits, apostrophes between letters; the alternatives begin differently, so linear."""

SKIN_TONES = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")


class Break(enum.IntEnum):
    """What stands between a word and the one before it."""

    NONE = 0
    """White space, quotes, hyphens."""

    CLAUSE = 1
    """A comma, colon, bracket, dash or new line."""

    SENTENCE = 2
    """The end of a sentence."""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One word, number or emoji.

    Attributes:
        key: What is compared.
        start: First character in `Tokens.source`; both words of a contraction have the span of the whole.
        end: The one after its last character.
        gap: What stands between it and the word before, as written.
        pause: How strongly `gap` separates.
        is_symbol: An emoji or another pictured sign.
    """

    key: str
    start: int
    end: int
    gap: str
    pause: Break
    is_symbol: bool = False


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """A message as words. `tail` is what follows the last one."""

    source: str
    words: tuple[Word, ...]
    tail: str = ""

    def text(self, first: int, last: int) -> str:
        """Return what was written from word `first` up to, not including, word `last`, on one line."""
        if first >= last:
            return ""
        return " ".join(self.source[self.words[first].start : self.words[last - 1].end].split())

    def rest(self, first: int) -> str:
        """Return what was written from word `first` to the end, with its punctuation, on one line."""
        return " ".join(self.source[self.words[first].start :].split()) if first < len(self.words) else ""


def clean(text: str) -> str:
    """Return what a person sees of a text: NFKC, no control or invisible characters or skin tones, cut to the limit."""
    text = text[:MAX_CONSIDERED_CHARACTERS]
    if text.isascii():
        return text.translate(_CONTROLS).translate(_NEW_LINES)
    text = unicodedata.normalize("NFKC", text.translate(_NOT_ASCII))[:MAX_CONSIDERED_CHARACTERS]
    return "".join(char for char in text if _is_visible(char))


def tokenize(text: str) -> Tokens:
    """Cut a text into words. Any string will do; what has no word in it gives no words."""
    source = clean(text)
    words: list[Word] = []
    position, gap_start, length = 0, 0, len(source)
    while position < length:
        char = source[position]
        end = position + 1
        is_symbol = False
        if char.isalnum():
            end = _word_end(source, position)
            spoken = spoken_words(source[position:end])
        elif _is_ampersand(source, position):
            spoken = ("and",)
        elif not char.isascii() and unicodedata.category(char) == "So":
            spoken, is_symbol = (char,), True
        else:
            position = end
            continue
        gap = source[gap_start:position]
        pause = _pause(gap, char)
        for key in spoken:
            words.append(Word(key=key, start=position, end=end, gap=gap, pause=pause, is_symbol=is_symbol))
            gap, pause = "", Break.NONE
        position = gap_start = end
    return Tokens(source=source, words=tuple(words), tail=source[gap_start:])


def keys(text: str) -> tuple[str, ...]:
    """Return the keys of a text's words."""
    return tuple(word.key for word in tokenize(text).words)


def key_set(text: str) -> frozenset[str]:
    """Return the keys of a text's words, each once: a list of words as the rest of the code compares them."""
    return frozenset(keys(text))


def spoken_words(text: str) -> tuple[str, ...]:
    """Return the keys of one written word: two for a contraction, one for any other."""
    key = text.casefold()
    if not key.isascii():
        key = unicodedata.normalize("NFKC", key)
    if not key.isalnum():
        stem, _, ending = key.translate(_APOSTROPHE_SIGNS).rpartition("'")
        if ending == "t" and stem.endswith("n") and stem[:-1] in _NEGATED:
            return _NEGATED[stem[:-1]], "not"
        if ending in _ENDINGS and "'" not in stem:
            return ABBREVIATIONS.get(stem, stem), _ENDINGS[ending]
        if ending == "s" and stem in _S_MEANS_IS:
            return stem, "is"
        if stem == "let":
            return "let", "us"
        key = key.translate(_NO_APOSTROPHES)
    return _WITHOUT_APOSTROPHE.get(key) or (ABBREVIATIONS.get(key, key),)


def unstretched(key: str) -> tuple[str, ...]:
    """Return what a stretched word may stand for ("nooo": "noo", "no"), nothing for any other word."""
    if _STRETCHED.search(key) is None:
        return ()
    return _STRETCHED.sub(r"\1\1", key), _STRETCHED.sub(r"\1", key)


def _is_visible(char: str) -> bool:
    """Tell whether a character is kept: no controls, formats, lone surrogates, variation selectors, skin tones."""
    if char.isascii():
        return ord(char) not in _CONTROLS
    category = unicodedata.category(char)
    if category in {"Cc", "Cf", "Cs", "Me"} or char in SKIN_TONES:
        return False
    return not "\ufe00" <= char <= "\ufe0f"


def _word_end(source: str, position: int) -> int:
    """Return where the word ends that begins at a position; marks belong to the letter before them."""
    length = len(source)
    while (found := _WORD.match(source, position)) is not None:
        position = found.end()
        while position < length and not source[position].isascii() and unicodedata.category(source[position])[0] == "M":
            position += 1
    return position


def _is_ampersand(source: str, position: int) -> bool:
    """Tell whether the character says "and": "&", or a "+" that is no sign of a number."""
    if source[position] == "&":
        return True
    return source[position] == "+" and not source[position + 1 : position + 2].isdigit()


def _pause(gap: str, following: str) -> Break:
    """Return how strongly a gap separates. A full stop inside a number or a name ("2.5", "v1.2") does not."""
    if gap in {"", " "}:
        return Break.NONE
    if gap == "." and following.isdigit():
        return Break.NONE
    if not SENTENCE_ENDS.isdisjoint(gap):
        return Break.SENTENCE
    if not CLAUSE_ENDS.isdisjoint(gap) or " - " in gap or "--" in gap:
        return Break.CLAUSE
    return Break.NONE
