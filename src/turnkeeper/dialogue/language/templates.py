r"""Phrases as an author writes them: `swap [the] {old} (for|with) {new}`.

Words must appear as whole words; `{slot}` takes several words; `[words]` may be missing; `(a|b c)` is one of several.
Brackets nest, and without a space they belong to the word before them: `recipe[s]`. A template is unfolded into plain
variants once, when it is declared, so that matching never backtracks.
"""

from functools import lru_cache
from itertools import pairwise

import msgspec

from turnkeeper.dialogue.language.everyday_words import EVERYDAY
from turnkeeper.dialogue.language.tokens import keys
from turnkeeper.errors import InvalidFlowError

MAX_TEMPLATE_CHARACTERS = 200
"""Because a phrase of more than an SMS is no phrase."""

MAX_VARIANTS = 1_000
"""Plain variants of one template, because every one is compiled; ten optional words already make so many."""

CACHED_TEMPLATES = 1_024
"""Templates whose variants are kept: they are read once to check an intent and once to compile it."""

JOINED_LENGTH = 6
"""Letters from which a phrase of two words is also understood in one ("startover"); shorter ones are other words."""


class Slot(msgspec.Struct, frozen=True):
    """The place of a slot in a variant."""

    name: str


Piece = str | Slot
"""A word's key, or a slot."""

Variant = tuple[Piece, ...]


@lru_cache(maxsize=CACHED_TEMPLATES)
def unfold(template: str) -> tuple[Variant, ...]:
    """Return all plain variants of a template, each once, the order of writing kept.

    Raises:
        InvalidFlowError: A bracket is open, a slot has no name, there is nothing to match, or a limit is exceeded.
    """
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        raise InvalidFlowError(f"{template[:40]!r}… is longer than {MAX_TEMPLATE_CHARACTERS} characters; shorten it")
    texts = _Parser(template).parse()
    variants = dict.fromkeys(variant for variant in (_pieces(template, text) for text in texts) if variant)
    for variant in variants:
        _check(template, variant)
    if not variants:
        raise InvalidFlowError(f"{template!r} has no word to match; write at least one outside of [brackets]")
    return (*variants, *(joined for variant in variants for joined in _joined(variant) if joined not in variants))


def plain_text(template: str) -> str:
    """Return a template as a person may read it: optional words left out, the first alternatives, slots as "…"."""
    first, *others = next((text for text in _Parser(template).parse() if text.strip()), "").split("{")
    return " ".join((first + "".join(f"…{other.partition('}')[2]}" for other in others)).split())


def words_of(variant: Variant) -> tuple[str, ...]:
    """Return the literal words of a variant."""
    return tuple(piece for piece in variant if isinstance(piece, str))


def slots_of(variant: Variant) -> tuple[str, ...]:
    """Return the names of a variant's slots."""
    return tuple(piece.name for piece in variant if isinstance(piece, Slot))


def _check(template: str, variant: Variant) -> None:
    """Refuse a variant that could match anything or whose slots have no border between them."""
    if not words_of(variant):
        raise InvalidFlowError(f"{template!r} can be a slot alone, which matches anything; put a word beside it")
    names = slots_of(variant)
    if len(set(names)) < len(names):
        raise InvalidFlowError(f"{template!r} has a slot twice; give each its own name")
    if any(isinstance(one, Slot) and isinstance(two, Slot) for one, two in pairwise(variant)):
        raise InvalidFlowError(f"{template!r} has two slots side by side; put a word between them")


def _joined(variant: Variant) -> tuple[Variant, ...]:
    """Return a two-word phrase written as one, unless that is another word."""
    words = words_of(variant)
    if len(words) != 2 or len(variant) != 2:  # noqa: PLR2004
        return ()
    joined = "".join(words)
    return ((joined,),) if len(joined) >= JOINED_LENGTH and joined not in EVERYDAY else ()


class _Parser:
    """Unfolds the brackets of one template into plain texts, from left to right. Slots stay as they are written."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._place = 0

    def parse(self) -> list[str]:
        texts = self._sequence()
        if self._place < len(self._template):
            raise self._error(f"{self._template[self._place]!r} at {self._place} stands outside of brackets")
        return texts

    def _sequence(self) -> list[str]:
        """Read up to a bar, a closing bracket or the end."""
        texts = [""]
        while self._place < len(self._template) and self._template[self._place] not in "|)]":
            char = self._template[self._place]
            if char in "([":
                parts = self._group(closing=")" if char == "(" else "]")
            else:
                parts = [char]
                self._place += 1
            texts = [before + part for before in texts for part in parts]
            if len(texts) > MAX_VARIANTS:
                raise self._error(f"it has more than {MAX_VARIANTS} variants; split it into several phrases")
        return texts

    def _group(self, *, closing: str) -> list[str]:
        """Read what stands in round or square brackets; square ones may be missing."""
        opened = self._place
        found = [""] if closing == "]" else []
        char = "|"
        while char == "|":
            self._place += 1
            found.extend(self._sequence())
            char = self._template[self._place : self._place + 1]
        if char != closing:
            raise self._error(f"the bracket at {opened} is never closed; write {closing!r}")
        self._place += 1
        return list(dict.fromkeys(found))

    def _error(self, reason: str) -> InvalidFlowError:
        return InvalidFlowError(f"phrase {self._template!r}: {reason}")


def _pieces(template: str, text: str) -> Variant:
    """Cut a plain text into words and slots."""
    pieces: list[Piece] = []
    for place, part in enumerate(text.split("{")):
        name, brace, words = part.partition("}") if place else ("", "", part)
        if place and not (brace and name.isidentifier()):
            raise InvalidFlowError(f"phrase {template!r}: a slot has no plain name; write {{name}}")
        if "}" in words:
            raise InvalidFlowError(f"phrase {template!r}: a '}}' closes nothing; write {{name}}")
        if place:
            pieces.append(Slot(name))
        pieces.extend(keys(words))
    return tuple(pieces)
