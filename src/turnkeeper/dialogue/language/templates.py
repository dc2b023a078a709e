r"""Phrases as an author writes them: `swap [the] {old} (for|with) {new}`.

Words must appear as whole words; `{slot}` takes several words; `[words]` may be missing; `(a|b c)` is one of several.
Brackets nest. A template is unfolded into plain variants once, when it is declared, so that matching never backtracks.
"""

import msgspec

from turnkeeper.dialogue.language.everyday_words import EVERYDAY
from turnkeeper.dialogue.language.tokens import keys
from turnkeeper.errors import InvalidFlowError

MAX_TEMPLATE_CHARACTERS = 200
"""Because a phrase of more than an SMS is no phrase."""

MAX_VARIANTS = 256
"""Plain variants of one template, because every one is compiled; eight optional words already make so many."""

JOINED_LENGTH = 6
"""Letters from which a phrase of two words is also understood in one ("startover"): shorter ones look like other words."""


class Slot(msgspec.Struct, frozen=True):
    """The place of a slot in a variant."""

    name: str


Piece = str | Slot
"""A word's key, or a slot."""

Variant = tuple[Piece, ...]


def unfold(template: str) -> tuple[Variant, ...]:
    """Return all plain variants of a template, each once, the order of writing kept.

    Raises:
        InvalidFlowError: A bracket is open, a slot has no name, there is nothing to match, or a limit is exceeded.
    """
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        raise InvalidFlowError(f"{template[:40]!r}… is longer than {MAX_TEMPLATE_CHARACTERS} characters; shorten it")
    variants = dict.fromkeys(variant for variant in _Parser(template).parse() if variant)
    for variant in variants:
        _check(template, variant)
    if not variants:
        raise InvalidFlowError(f"{template!r} has no word to match; write at least one outside of [brackets]")
    return (*variants, *(joined for variant in variants for joined in _joined(variant) if joined not in variants))


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
    if any(isinstance(one, Slot) and isinstance(two, Slot) for one, two in zip(variant, variant[1:], strict=False)):
        raise InvalidFlowError(f"{template!r} has two slots side by side; put a word between them")


def _joined(variant: Variant) -> tuple[Variant, ...]:
    """Return a two-word phrase written as one, unless that is another word."""
    words = words_of(variant)
    if len(words) != 2 or len(variant) != 2:  # noqa: PLR2004
        return ()
    joined = "".join(words)
    return ((joined,),) if len(joined) >= JOINED_LENGTH and joined not in EVERYDAY else ()


class _Parser:
    """Reads one template, from left to right."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._place = 0

    def parse(self) -> list[Variant]:
        variants = self._sequence("")
        if self._place < len(self._template):
            raise self._error(f"{self._template[self._place]!r} closes nothing")
        return variants

    def _sequence(self, closing: str) -> list[Variant]:
        """Read up to a closing bracket, a bar or the end."""
        variants: list[Variant] = [()]
        while self._place < len(self._template) and self._template[self._place] not in "|)]}":
            char = self._template[self._place]
            if char == "{":
                parts: list[Variant] = [(self._slot(),)]
            elif char in "([":
                parts = self._group(closing=")" if char == "(" else "]")
            else:
                parts = [self._words()]
            variants = [before + part for before in variants for part in parts]
            if len(variants) > MAX_VARIANTS:
                raise self._error(f"it has more than {MAX_VARIANTS} variants; split it into several phrases")
        if self._template[self._place : self._place + 1] == "|" and not closing:
            raise self._error("'|' stands outside of (round brackets)")
        return variants

    def _group(self, *, closing: str) -> list[Variant]:
        """Read what stands in round or square brackets; square ones may be missing."""
        opened = self._place
        found: list[Variant] = [()] if closing == "]" else []
        while True:
            self._place += 1
            found.extend(self._sequence(closing))
            char = self._template[self._place : self._place + 1]
            if char != "|":
                break
        if char != closing:
            raise self._error(f"the bracket at {opened} is never closed; write {closing!r}")
        self._place += 1
        return list(dict.fromkeys(found))

    def _slot(self) -> Slot:
        end = self._template.find("}", self._place)
        name = self._template[self._place + 1 : end] if end > 0 else ""
        if not name.isidentifier():
            raise self._error(f"the slot at {self._place} has no plain name; write {{name}}")
        self._place = end + 1
        return Slot(name)

    def _words(self) -> Variant:
        start = self._place
        while self._place < len(self._template) and self._template[self._place] not in "{}[]()|":
            self._place += 1
        return keys(self._template[start : self._place])

    def _error(self, reason: str) -> InvalidFlowError:
        return InvalidFlowError(f"phrase {self._template!r}: {reason}")
