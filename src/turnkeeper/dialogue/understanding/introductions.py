"""Does somebody say who they are? "This is Ana", "Ana here", "my name is José".

Only a whole message counts, and only in the forms with which people introduce themselves. "I'm hungry", "this is great"
and "it's Monday" have the same form, so a name is a word that is capitalised or no English everyday word, and in the
forms that mostly carry adjectives ("I'm …", "it's …") it must be capitalised.
"""

import unicodedata
from collections.abc import Sequence

import msgspec

from turnkeeper.dialogue.language.spelling import is_everyday
from turnkeeper.dialogue.language.tokens import Break, Tokens, Word, tokenize

MAX_NAME_CHARACTERS = 40
"""Characters of a name, because it becomes part of a key."""

MAX_NAME_WORDS = 2
"""Words of a name: with three, sentences begin to look like names."""


class Introduction(msgspec.Struct, frozen=True):
    """Who speaks.

    Attributes:
        name: As it is shown: "Ana", "Mary-Ann", "José Luis".
        slug: For ids: lower-case letters, digits and hyphens, Latin letters without accents: "ana", "jose-luis", "ана".
    """

    name: str
    slug: str


_STRONG = ("this is", "my name is", "the name is", "name is", "call me", "you can call me")
_WEAK = ("it is", "i am")
_ENDINGS = ("here", "speaking", "again", "texting", "calling", "writing", "now", "btw", "by the way", "here again")
_GREETINGS = frozenset(
    "hi hey hello hiya heya yo ok okay and so oh well good morning evening afternoon actually there".split()
)

_RELATIVES = frozenset("mom mum mommy mummy mama dad daddy papa grandma grandpa granny nana nan".split())
"""Everyday words by which one person of a household is known, in either case."""

_NAMES_TOO = frozenset(
    """
    amber angel april art ash august autumn basil bill brook brooke carol chance charity chase christian christmas
    clay cliff coral daisy dale dawn dean drew eden faith fern forest frank gene glen grace grant guy hazel heath
    heather holly hope hunter iris ivy jack jade jasmine jean jewel joy june lane laurel lily mark mason may mercy
    miles nick olive opal parker pat patience pearl penny peter piper poppy rain ray reed rich rob robin rose ruby
    rusty sage sandy scott skip sky stone sue summer sunny tanner taylor trip victor violet wade will willow worth
    """.split()
)
"""Everyday words that are given names as well: names when they are capitalised."""

_ADJECTIVE_ENDINGS = tuple("ing ful less ous ish able ible ical some ness ment tion tastic licious est".split())
_LONGEST_SHORT_NAME = 5
"""Letters up to which a lower-case word with such an ending may be a name after all ("irish" is in the word list)."""

_PLAIN_LATIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})


def introduction(text: str) -> Introduction | None:
    """Return who introduces themselves with a text, None if it says anything else, or anything besides.

    The same name gives the same slug however it is cased or accented ("José", "jose").
    """
    tokens = tokenize(text)
    words = [word for word in tokens.words if not word.is_symbol]
    if "?" in tokens.tail or any(word.pause is Break.SENTENCE for word in words[2:]):
        return None
    said = [word.key for word in words]
    start = _after_greetings(said)
    form = _form_at(said, start)
    ending = _ending_of(said)
    if ending == len(said) or (not form and not ending) or (not form and start and not _is_greeted(words, start)):
        return None
    first, last = start + len(form.split()), len(said) - ending
    name = words[first:last]
    is_shouted = tokens.source.isupper()
    needs_capital = form in _WEAK and not ending
    if not _is_name(tokens, name, needs_capital=needs_capital, is_shouted=is_shouted):
        return None
    return _introduce(tokens.source[name[0].start : name[-1].end])


def _after_greetings(said: Sequence[str]) -> int:
    place = 0
    while place < len(said) and said[place] in _GREETINGS:
        place += 1
    return place


def _is_greeted(words: Sequence[Word], start: int) -> bool:
    """Tell whether something of the message is left behind the greeting ("hi there", "good morning here" are none)."""
    return start < len(words)


def _form_at(said: Sequence[str], start: int) -> str:
    """Return the longest form of introduction that begins at a place, empty if none does."""
    for form in sorted((*_STRONG, *_WEAK), key=len, reverse=True):
        keys = form.split()
        if list(said[start : start + len(keys)]) == keys:
            return form
    return ""


def _ending_of(said: Sequence[str]) -> int:
    """Return how many words the end of an introduction takes ("… here", "… speaking"), 0 if there is none."""
    for ending in sorted(_ENDINGS, key=len, reverse=True):
        keys = ending.split()
        if list(said[-len(keys) :]) == keys:
            return len(keys)
    return 0


def _is_name(tokens: Tokens, words: Sequence[Word], *, needs_capital: bool, is_shouted: bool) -> bool:
    """Tell whether words are one person's name."""
    parts = [words[0]] if words else []
    for word in words[1:]:
        if word.gap not in {" ", "-", ". "}:
            return False
        if word.gap != "-":
            parts.append(word)
    if not parts or len(parts) > MAX_NAME_WORDS or words[-1].end - words[0].start > MAX_NAME_CHARACTERS:
        return False
    written = [tokens.source[word.start : word.end] for word in words]
    return all(
        _is_name_word(word.key, text, needs_capital=needs_capital, is_shouted=is_shouted)
        for word, text in zip(words, written, strict=True)
    )


def _is_name_word(key: str, written: str, *, needs_capital: bool, is_shouted: bool) -> bool:
    """Tell whether one word may be a name as it is written; a script without capitals counts as capitalised."""
    if not written[0].isalpha() or any(char.isdigit() for char in written) or (len(written) == 1 and written.isascii()):
        return False
    if key in _RELATIVES:
        return not needs_capital or written[0].isupper()
    is_capital = not written[0].islower() and not is_shouted
    if is_capital and key in _NAMES_TOO:
        return True
    if is_everyday(key):
        return False
    if is_capital:
        return True
    return not needs_capital and not (len(key) > _LONGEST_SHORT_NAME and key.endswith(_ADJECTIVE_ENDINGS))


def _introduce(written: str) -> Introduction:
    name = " ".join(written.split())
    if name.islower() or (name.isupper() and len(name) > 1):
        name = "".join(
            char.upper() if place == 0 or name[place - 1] in " -'\u2019" else char.lower()
            for place, char in enumerate(name)
        )
    return Introduction(name, slug(name))


def slug(name: str) -> str:
    """Return a name as it stands in ids: lower-case letters, digits and single hyphens; Latin letters lose accents."""
    plain: list[str] = []
    for char in unicodedata.normalize("NFKC", name).casefold().translate(_PLAIN_LATIN):
        base = unicodedata.normalize("NFD", char)[0]
        char = base if base.isascii() else char  # noqa: PLW2901 - an accent on a Latin letter is dropped, no other mark
        if char.isalnum() or unicodedata.category(char)[0] == "M":
            plain.append(char)
        elif char in " -\u2010\u2011" and plain and plain[-1] != "-":
            plain.append("-")
    return "".join(plain).strip("-")
