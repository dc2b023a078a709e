"""How item names and spoken words are brought to one form before they are compared.

Everything is compared word by word, never letter by letter: "ham" is not in "champignons" and "corn" is not in
"peppercorn". "Greens" stays plural, because "green" in "green beans" is another word.
"""

import re
import unicodedata
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+")
_SIZE = re.compile(r"\b\d+(?:[./]\d+)?\s*(?:lbs?|pounds?|oz|ounces?|kg|g|ct|count|pack|pk)\b", re.IGNORECASE)
_IRREGULAR = {"greens": "greens", "leaves": "leaf", "loaves": "loaf", "halves": "half"}
# Words of this length and shorter ("peas" has four) are too short to lose an ending safely ("gas", "as").
_SHORTEST_PLURAL = 4
# A text message is at most 1,600 characters and a name far less; what is longer is cut, so that matching stays cheap.
MAX_SPOKEN_CHARS = 120


def singular(word: str) -> str:
    """Return the singular of a lower-case word; a word that is not a plural comes back as it is."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < _SHORTEST_PLURAL or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("oes", "ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1]


def tokens(text: str) -> tuple[str, ...]:
    """Split a text into comparable words: lower case, without accents, sizes and punctuation, in the singular.

    Only the first `MAX_SPOKEN_CHARS` characters count.
    """
    plain = unicodedata.normalize("NFKD", text[:MAX_SPOKEN_CHARS].casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = plain.replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "")
    return tuple(singular(word) for word in _WORD.findall(_SIZE.sub(" ", plain)))


def find_run(needle: Sequence[str], haystack: Sequence[str]) -> int:
    """Return where the words of `needle` stand side by side in `haystack` (the last such place), or -1."""
    width = len(needle)
    for start in range(len(haystack) - width, -1, -1):
        if tuple(haystack[start : start + width]) == tuple(needle):
            return start
    return -1


def join(names: Sequence[str], *, last: str = "and") -> str:
    """Write a list as people do: "kale", "kale and rice", "kale, rice and salmon"."""
    if not names:
        return ""
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def one_of(name: str) -> str:
    """Return the singular of a name of several words: "cherry tomato" for "cherry tomatoes"."""
    *before, last = name.split(" ")
    return " ".join((*before, singular(last)))


def sentence(text: str) -> str:
    """Return the text with a capital first letter and the rest untouched."""
    return text[:1].upper() + text[1:]
