"""Which intents an utterance brings to mind, the best first: by phrases, and failing these by keywords and examples.

Most phrases are never looked at: each is filed under its rarest word, and only those whose words are all in the message
are aligned.
"""

from collections.abc import Iterator, Sequence

import msgspec

from turnkeeper.dialogue.language.courtesy import LIGHT
from turnkeeper.dialogue.language.options import NEGATORS
from turnkeeper.dialogue.language.spelling import Speller
from turnkeeper.dialogue.language.tokens import keys, tokenize
from turnkeeper.dialogue.language.utterance import Utterance, listen
from turnkeeper.dialogue.understanding.alignment import SHORTEST_HEAD, Aligner
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.dialogue.understanding.phrases import Phrase, compile_phrase
from turnkeeper.dialogue.understanding.scoring import NEGATED_LIMIT, Candidate, is_under_negation, judge

OUT_OF_PLACE_FACTOR = 0.85
"""For an intent that is not declared for the status: any expected intent that fits goes first, but one that fits
perfectly is still understood, so that the person hears why it is not possible now."""

KEYWORD_SCORE, KEYWORD_SHARE, KEYWORD_BONUS, KEYWORD_LIMIT = 0.5, 0.4, 0.1, 0.9
"""For a keyword anywhere, for the share of the message that it is, for each further one, and at most: alone it is as
good as a weak phrase, in a long message a guess."""

EXAMPLE_SCORE, EXAMPLE_LEAST = 0.92, 0.5
"""Examples count by the share of full words in common (Dice), from one half on; below that they are coincidence."""

BEGUN_SCORE, GUESS_SCORE = 0.4, 0.3
"""For the first word of a phrase whose slots are missing, at the beginning of a message and elsewhere: both below the
threshold for acting."""

HINT_EVIDENCE = 0.5
"""Of everything but phrases: less than any phrase has, so that a phrase that fits as well goes first."""


class _Example(msgspec.Struct, frozen=True):
    """An example as the set of its full words."""

    intent: str
    words: frozenset[str]


class Ranking:
    """All phrases, keywords and examples of a flow, ready to be compared. Only read after it was made."""

    def __init__(self, intents: Sequence[Intent]) -> None:
        self._intents = {intent.name: intent for intent in intents}
        self._order = {intent.name: place for place, intent in enumerate(intents)}
        phrases = [compile_phrase(intent, variant) for intent in intents for _, variant in intent.variants()]
        compiled = list({phrase.shape: phrase for phrase in phrases}.values())
        self._keywords = [(intent.name, keys(keyword)[0]) for intent in intents for keyword in intent.keywords]
        self._examples = list(_examples(intents))
        self._aligner = Aligner(compiled)
        self._by_anchor = _by_rarest_word(compiled)
        self._heads = _heads(compiled)
        self.speller = Speller(
            {
                *(word for phrase in compiled for word in phrase.words),
                *(word for _, word in self._keywords),
                *(word for example in self._examples for word in example.words),
            }
        )

    def candidates(self, utterance: Utterance, status: str | None) -> list[Candidate]:
        """Return the best fit of every intent that fits at all, the best first; ties by place, then by declaration."""
        best: dict[str, Candidate] = {}
        for found in self._fits(utterance):
            candidate = self._placed(found, status)
            known = best.get(candidate.intent)
            if known is None or candidate.rank > known.rank:
                best[candidate.intent] = candidate
        return sorted(best.values(), key=lambda one: (-one.rank, one.first, self._order[one.intent]))

    def _fits(self, utterance: Utterance) -> Iterator[Candidate]:
        for word in sorted(utterance.present):  # sorted, so that equal fits come in the same order in every process
            for phrase in self._by_anchor.get(word, ()):
                if phrase.words <= utterance.present:
                    for alignment in self._aligner.alignments(phrase, utterance):
                        yield judge(alignment, utterance)
        yield from self._by_keywords(utterance)
        yield from self._by_examples(utterance)
        yield from self._by_head(utterance)

    def _placed(self, candidate: Candidate, status: str | None) -> Candidate:
        """Weigh a fit by its intent's weight and by the status."""
        intent = self._intents[candidate.intent]
        is_expected = intent.is_expected(status)
        if is_expected and intent.weight == 1.0:
            return candidate
        factor = intent.weight * (1.0 if is_expected else OUT_OF_PLACE_FACTOR)
        return msgspec.structs.replace(
            candidate, score=min(1.0, candidate.score * factor), is_out_of_place=not is_expected
        )

    def _by_keywords(self, utterance: Utterance) -> Iterator[Candidate]:
        hits: dict[str, set[int]] = {}
        for intent, word in self._keywords:
            if word in utterance.present:
                hits.setdefault(intent, set()).add(_place_of(utterance, word))
        for intent, places in hits.items():
            matched = sum(max(utterance.weights[place], 1.0) for place in places)
            rest = utterance.weight - sum(utterance.weights[place] for place in places)
            score = KEYWORD_SCORE + KEYWORD_SHARE * matched / (matched + rest) + KEYWORD_BONUS * (len(places) - 1)
            if is_under_negation(utterance, min(places), frozenset(places)):
                score = min(score, NEGATED_LIMIT)
            yield _hint(utterance, intent, min(KEYWORD_LIMIT, score), min(places), max(places) + 1)

    def _by_head(self, utterance: Utterance) -> Iterator[Candidate]:
        """Yield intents whose phrase was begun and not finished ("swap the salmon"): worth a question, no more."""
        for word in sorted(utterance.present):
            for intent in self._heads.get(word, ()):
                place = _place_of(utterance, word)
                score = BEGUN_SCORE if utterance.weight_between(0, place) == 0 else GUESS_SCORE
                yield _hint(utterance, intent, score, place, place + 1)

    def _by_examples(self, utterance: Utterance) -> Iterator[Candidate]:
        heard = _full_words(utterance) if self._examples else frozenset()
        for example in self._examples:
            share = 2 * len(heard & example.words) / (len(heard) + len(example.words))
            if share >= EXAMPLE_LEAST and (heard & NEGATORS) == (example.words & NEGATORS):
                yield _hint(utterance, example.intent, EXAMPLE_SCORE * share, 0, len(utterance.words))


def _hint(utterance: Utterance, intent: str, score: float, first: int, last: int) -> Candidate:
    """Return a fit by words that may stand anywhere: it speaks for the message, and is never the whole of it."""
    return Candidate(
        intent=intent,
        score=score,
        first=first,
        last=last,
        clause_first=0,
        clause_last=len(utterance.words),
        evidence=HINT_EVIDENCE,
    )


def _place_of(utterance: Utterance, word: str) -> int:
    """Return where a word of the vocabulary stands first; it must be there."""
    return next(place for place, readings in enumerate(utterance.readings) if word in readings)


def _full_words(utterance: Utterance) -> frozenset[str]:
    """Return the words that tell something, spelt as in the vocabulary where they are in it."""
    return frozenset(
        (utterance.readings[place] or (word.key,))[0]
        for place, word in enumerate(utterance.words)
        if utterance.weights[place] == 1
    )


def _examples(intents: Sequence[Intent]) -> Iterator[_Example]:
    """Return the examples as sets of full words; one without any tells nothing and is left out."""
    nothing = Speller(())
    for intent in intents:
        for example in intent.examples:
            words = _full_words(listen(tokenize(example), nothing))
            if words:
                yield _Example(intent.name, words)


def _heads(phrases: Sequence[Phrase]) -> dict[str, tuple[str, ...]]:
    """Return the intents that a word alone brings to mind: full words with which phrases with slots begin."""
    heads: dict[str, tuple[str, ...]] = {}
    for phrase in phrases:
        is_telling = len(phrase.head) >= SHORTEST_HEAD and phrase.head not in LIGHT
        if is_telling and phrase.lead is None and not phrase.is_plain:
            heads[phrase.head] = tuple(dict.fromkeys((*heads.get(phrase.head, ()), phrase.intent)))
    return heads


def _by_rarest_word(phrases: Sequence[Phrase]) -> dict[str, list[Phrase]]:
    """File each phrase under the word of it that the fewest phrases have."""
    counts: dict[str, int] = {}
    for phrase in phrases:
        for word in phrase.words:
            counts[word] = counts.get(word, 0) + 1
    index: dict[str, list[Phrase]] = {}
    for phrase in phrases:
        anchor = min(sorted(phrase.words), key=lambda word: counts[word])
        index.setdefault(anchor, []).append(phrase)
    return index
