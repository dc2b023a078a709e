"""A phrase as it is matched: words in a row, then a slot, then words again.

Made once per variant when a flow is declared. Articles are dropped on the way ("undo the last one" is also said "undo
last one"), except before a slot, where they are what tells "hold the onions" from "hold on".
"""

from collections.abc import Mapping

import msgspec

from turnkeeper.dialogue.language.courtesy import ARTICLES, DETERMINERS, LIGHT
from turnkeeper.dialogue.language.templates import Piece, Slot, Variant, slots_of
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.dialogue.understanding.slots import SlotKind, Text

ANY_DETERMINER = "the"
"""How utterances read "the", "a", "my" and their like."""

LIGHT_EVIDENCE = 0.5
"""What a little word says for a phrase: "for" behind "swap" is half as telling as "swap"."""


class Step(msgspec.Struct, frozen=True):
    """Words in a row, and the slot behind them, if any."""

    run: tuple[str, ...]
    slot: str | None


class Phrase(msgspec.Struct, frozen=True, kw_only=True):
    """One plain variant of an intent's phrase.

    Attributes:
        lead: The slot that it begins with, None if it begins with a word.
        evidence: How much its words say: 1 for a full word or a closed slot, a half for a little word.
    """

    intent: str
    lead: str | None
    steps: tuple[Step, ...]
    kinds: Mapping[str, SlotKind]
    words: frozenset[str]
    evidence: float

    @property
    def shape(self) -> tuple[str, str | None, tuple[Step, ...]]:
        """What makes two phrases the same."""
        return self.intent, self.lead, self.steps

    @property
    def head(self) -> str:
        """Its first word."""
        return self.steps[0].run[0]

    @property
    def is_plain(self) -> bool:
        """Whether it has no slot."""
        return not self.kinds


def compile_phrase(intent: Intent, variant: Variant) -> Phrase:
    """Prepare one variant of an intent's phrase."""
    lead: str | None = None
    steps: list[Step] = []
    run: list[str] = []
    for piece in _without_articles(variant):
        if isinstance(piece, str):
            run.append(piece)
        elif run:
            steps.append(Step(tuple(run), piece.name))
            run = []
        else:
            lead = piece.name
    if run:
        steps.append(Step(tuple(run), None))
    words = [word for step in steps for word in step.run]
    kinds = {slot: intent.kind_of(slot) for slot in slots_of(variant)}
    closed = sum(not isinstance(kind, Text) for kind in kinds.values())
    return Phrase(
        intent=intent.name,
        lead=lead,
        steps=tuple(steps),
        kinds=kinds,
        words=frozenset(words),
        evidence=closed + sum(LIGHT_EVIDENCE if word in LIGHT or word in ARTICLES else 1.0 for word in words),
    )


def _without_articles(variant: Variant) -> Variant:
    """Drop articles that say nothing; those before a slot read as any."""
    kept: list[Piece] = []
    for piece, following in zip(variant, (*variant[1:], ""), strict=True):
        if not isinstance(piece, str) or piece not in DETERMINERS:
            kept.append(piece)
        elif isinstance(following, Slot):
            kept.append(ANY_DETERMINER)
    if any(isinstance(piece, str) for piece in kept):
        return tuple(kept)
    return tuple(ANY_DETERMINER if isinstance(piece, str) else piece for piece in variant)
