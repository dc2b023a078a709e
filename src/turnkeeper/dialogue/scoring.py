"""How well each intent fits an utterance: a score from 0 to 1 whose every part has a reason.

A phrase is judged by how much of the clause and of the whole message it explains. That is why no phrase needs to list
the greetings, reasons and thanks that people wrap around it, and why one known word in a long sentence proves nothing.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from turnkeeper.dialogue.intents import Intent
from turnkeeper.dialogue.language.options import NEGATORS
from turnkeeper.dialogue.language.spelling import Speller
from turnkeeper.dialogue.language.tokens import Break, keys
from turnkeeper.dialogue.language.utterance import Utterance, listen
from turnkeeper.dialogue.phrases import Aligner, Alignment, Phrase, compile_phrase
from turnkeeper.dialogue.slots import SlotValue

WHOLE = 0.95
"""Share of a message's weight from which a phrase is the whole message; one little word may be left over."""

STRONG_EVIDENCE = 1.5
"""Evidence from which a phrase may stand inside other talk: "swap … for …" is no accident, "plan" may be one."""

TYPO_FACTOR = 0.97
"""Because an exact phrase must win over the same phrase misspelt, and nothing else should lose by a typo."""

STRAY_TYPO_FACTOR = 0.85
"""For a misspelt single word inside other talk: it may as well be a word that nobody listed."""

NEGATED_LIMIT = 0.45
"""Highest score of a phrase under a "not": worth a question ("don't skip monday"), never worth acting."""

QUESTION_FACTOR = 0.55
"""For a phrase inside a question or a condition that it does not itself contain ("did you skip monday?", "if I skip …"):
the strongest phrase stays below the threshold for acting."""

OUT_OF_PLACE_FACTOR = 0.85
"""For an intent that is not declared for the status: any expected intent that fits goes first, but one that fits
perfectly is still understood, so that the person hears why it is not possible now."""

FIRST_BONUS = 0.05
"""For a phrase at the beginning: people say what they want before they say why."""

PARTIAL_LIMIT = 0.97
"""Highest score of a phrase that is not the whole message, so that one that is goes first."""

FREE_WORDS = 4
"""Full words in free slots that are no reason for doubt; the longest usual dish names have six."""

WORDY_PENALTY = 0.08
"""For each further one, when a single word is all that holds the phrase: "no" before ten words is a sentence."""

KEYWORD_SCORE = 0.5
KEYWORD_SHARE = 0.4
KEYWORD_BONUS = 0.1
KEYWORD_LIMIT = 0.9
"""A keyword alone in a message is as good as a weak phrase, in a long message a guess; a second one helps."""

EXAMPLE_SCORE = 0.92
EXAMPLE_LEAST = 0.5
"""Examples count by the share of full words in common (Dice), from one half on; below that they are coincidence."""

RANK_BY_EVIDENCE = 0.01
"""Breaks ties between phrases that both are the whole message: the one that says more with its own words."""

_ASKING_FIRST = frozenset("what when why how who where which did does do is are was should has have am".split())
_ASKING_ANYWHERE = frozenset("how why if whether when unless did wondering".split())
_CONDITIONS = frozenset({"if", "unless", "whether"})


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One intent's best fit.

    Attributes:
        first: Place of its first matched word; `last` is the place after its last one.
        clause_first: Where the clauses begin that it stands in; `clause_last` is the place after them.
        is_whole: It is the whole message, neither negated nor asked about.
        is_out_of_place: Its intent is not declared for the status.
        evidence: See `Phrase.evidence`.
    """

    intent: str
    score: float
    first: int
    last: int
    clause_first: int
    clause_last: int
    slots: Mapping[str, SlotValue]
    is_whole: bool
    is_out_of_place: bool
    evidence: float

    @property
    def rank(self) -> float:
        """What candidates are sorted by."""
        return self.score + RANK_BY_EVIDENCE * self.evidence

    def rivals(self, best: "Candidate", *, margin: float) -> bool:
        """Tell whether it reads the same words as another intent and is not clearly worse."""
        is_apart = self.clause_last <= best.clause_first or self.clause_first >= best.clause_last
        return not is_apart and self.score > best.score - margin and self.evidence >= best.evidence


class _Example(msgspec.Struct, frozen=True):
    intent: str
    words: frozenset[str]


class Scorer:
    """All phrases, keywords and examples of a flow, ready to be compared."""

    def __init__(self, intents: Sequence[Intent]) -> None:
        self._intents = {intent.name: intent for intent in intents}
        self._order = {intent.name: place for place, intent in enumerate(intents)}
        self._phrases = [compile_phrase(intent, variant) for intent in intents for _, variant in intent.variants()]
        self._keywords = [(intent.name, keys(keyword)[0]) for intent in intents for keyword in intent.keywords]
        vocabulary = {word for phrase in self._phrases for word in phrase.words}
        vocabulary.update(word for _, word in self._keywords)
        self._examples = list(_examples(intents))
        vocabulary.update(word for example in self._examples for word in example.words)
        self.speller = Speller(vocabulary)
        self._aligner = Aligner(self._phrases)
        self._by_anchor = _by_rarest_word(self._phrases)

    def candidates(self, utterance: Utterance, status: str | None) -> list[Candidate]:
        """Return the best fit of every intent that fits at all, the best first; ties by place, then by declaration."""
        best: dict[str, Candidate] = {}
        for candidate in self._fits(utterance, status):
            known = best.get(candidate.intent)
            if known is None or candidate.rank > known.rank:
                best[candidate.intent] = candidate
        return sorted(best.values(), key=lambda one: (-one.rank, one.first, self._order[one.intent]))

    def _fits(self, utterance: Utterance, status: str | None) -> Iterator[Candidate]:
        total = utterance.weight
        for word in sorted(utterance.present):
            for phrase in self._by_anchor.get(word, ()):
                if phrase.words <= utterance.present:
                    for alignment in self._aligner.alignments(phrase, utterance):
                        yield self._placed(_scored(alignment, utterance, total), status)
        for candidate in (*self._by_keywords(utterance, total), *self._by_examples(utterance)):
            yield self._placed(candidate, status)

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

    def _by_keywords(self, utterance: Utterance, total: float) -> Iterator[Candidate]:
        hits: dict[str, dict[str, int]] = {}
        for intent, word in self._keywords:
            if word in utterance.present:
                place = next(place for place, found in enumerate(utterance.readings) if word in found)
                hits.setdefault(intent, {})[word] = place
        for intent, places in hits.items():
            first, last = min(places.values()), max(places.values()) + 1
            matched = sum(max(utterance.weights[place], 1.0) for place in set(places.values()))
            rest = total - sum(utterance.weights[place] for place in set(places.values()))
            score = KEYWORD_SCORE + KEYWORD_SHARE * matched / (matched + rest) + KEYWORD_BONUS * (len(places) - 1)
            if _is_negated(utterance, first, frozenset(places.values())):
                score = min(score, NEGATED_LIMIT)
            yield _whole_message(utterance, intent, min(KEYWORD_LIMIT, score), first, last)

    def _by_examples(self, utterance: Utterance) -> Iterator[Candidate]:
        heard = _full_words(utterance)
        if not heard:
            return
        for example in self._examples:
            common = len(heard & example.words)
            share = 2 * common / (len(heard) + len(example.words))
            if common and share >= EXAMPLE_LEAST and (heard & NEGATORS) == (example.words & NEGATORS):
                yield _whole_message(utterance, example.intent, EXAMPLE_SCORE * share, 0, len(utterance.words))


def _scored(alignment: Alignment, utterance: Utterance, total: float) -> Candidate:
    """Judge one place where a phrase stands."""
    phrase = alignment.phrase
    clause_first, clause_last = _clause_range(utterance, alignment.first, alignment.last)
    matched_places = frozenset((*alignment.literals, *alignment.taken))
    own = sum(utterance.weights[place] for place in matched_places)
    matched = len(alignment.literals) + max(
        float(len(phrase.kinds)), sum(utterance.weights[place] for place in alignment.taken)
    )
    in_clause = matched / (matched + utterance.weight_between(clause_first, clause_last) - own)
    in_message = matched / (matched + total - own)
    is_strong = phrase.evidence >= STRONG_EVIDENCE
    is_negated = _is_negated(utterance, alignment.first, matched_places, since=clause_first)
    is_asked = _is_asked(utterance, clause_first, alignment.first) or _is_conditional(utterance, alignment.first)
    is_whole = in_message >= WHOLE and not is_negated and not is_asked
    score = 0.25 + 0.55 * in_clause + 0.2 * in_message if is_strong else 0.55 * in_clause + 0.45 * in_message
    if not is_whole:
        is_first = utterance.weight_between(0, alignment.first) == 0
        score = min(score + (FIRST_BONUS if is_first else 0.0), PARTIAL_LIMIT)
    score *= TYPO_FACTOR**alignment.typos
    if alignment.typos and not (is_whole or is_strong):
        score *= STRAY_TYPO_FACTOR
    if not is_strong:
        score -= WORDY_PENALTY * max(0, alignment.open_words - FREE_WORDS)
    if is_asked:
        score *= QUESTION_FACTOR
    if is_negated:
        score = min(score, NEGATED_LIMIT)
    return Candidate(
        intent=phrase.intent,
        score=max(0.0, min(1.0, score)),
        first=alignment.first,
        last=alignment.last,
        clause_first=clause_first,
        clause_last=clause_last,
        slots=alignment.slots,
        is_whole=is_whole,
        is_out_of_place=False,
        evidence=phrase.evidence,
    )


def _whole_message(utterance: Utterance, intent: str, score: float, first: int, last: int) -> Candidate:
    """Return a fit by words that may stand anywhere; it vouches for no place, so it is never the whole message."""
    return Candidate(
        intent=intent,
        score=score,
        first=first,
        last=last,
        clause_first=0,
        clause_last=len(utterance.words),
        slots={},
        is_whole=False,
        is_out_of_place=False,
        evidence=0.5,
    )


def _clause_range(utterance: Utterance, first: int, last: int) -> tuple[int, int]:
    """Return where the clauses begin and end in which some words stand."""
    clauses = utterance.clauses
    while first > 0 and clauses[first - 1] == clauses[first]:
        first -= 1
    while last < len(clauses) and clauses[last] == clauses[last - 1]:
        last += 1
    return first, last


def _is_negated(utterance: Utterance, first: int, matched: frozenset[int], *, since: int = 0) -> bool:
    """Tell whether a "not" that the phrase does not contain stands before it in its clause."""
    words = utterance.words
    for place in range(since, first):
        if place in matched or utterance.courteous[place]:
            continue
        key = words[place].key
        if key in NEGATORS and (key != "no" or words[place + 1].key in {"need", "reason", "point", "longer"}):
            return True
    return False


def _is_asked(utterance: Utterance, clause_first: int, first: int) -> bool:
    """Tell whether a phrase is asked about or made a condition instead of being wished for."""
    is_opening = True
    for place in range(clause_first, first):
        if utterance.courteous[place]:
            continue
        key = utterance.words[place].key
        if key in _ASKING_ANYWHERE or (is_opening and key in _ASKING_FIRST):
            return True
        is_opening = False
    return False


def _is_conditional(utterance: Utterance, first: int) -> bool:
    """Tell whether the sentence that a phrase stands in begins with a condition ("if I confirm, can I change it?")."""
    opening = first
    while opening > 0 and utterance.words[opening].pause is not Break.SENTENCE:
        opening -= 1
    while opening < first and utterance.courteous[opening]:
        opening += 1
    return opening < first and utterance.words[opening].key in _CONDITIONS


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
            words = _full_words(listen(example, nothing))
            if words:
                yield _Example(intent.name, words)


def _by_rarest_word(phrases: Sequence[Phrase]) -> dict[str, list[Phrase]]:
    """Index each phrase by the word of it that the fewest phrases have, so that most are never looked at."""
    counts: dict[str, int] = {}
    for phrase in phrases:
        for word in phrase.words:
            counts[word] = counts.get(word, 0) + 1
    index: dict[str, list[Phrase]] = {}
    for phrase in phrases:
        anchor = min(sorted(phrase.words), key=lambda word: counts[word])
        index.setdefault(anchor, []).append(phrase)
    return index
