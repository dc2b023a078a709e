"""How well a phrase that was found explains an utterance: a score from 0 to 1 whose every part has a reason.

A phrase is judged by how much of its clause and of the whole message it explains. That is why no phrase needs to list
the greetings, reasons and thanks that people wrap around it, and why one known word in a long sentence proves nothing.
"""

from collections.abc import Mapping

import msgspec

from turnkeeper.dialogue.language.courtesy import THANKING
from turnkeeper.dialogue.language.options import NEGATORS
from turnkeeper.dialogue.language.tokens import Break
from turnkeeper.dialogue.language.utterance import Utterance
from turnkeeper.dialogue.understanding.alignment import Alignment
from turnkeeper.dialogue.understanding.slots import SlotValue

WHOLE = 0.95
"""Share of a message's weight from which a phrase is the whole message; nothing but a trace may be left over."""

STRONG_EVIDENCE = 1.5
"""Evidence from which a phrase may stand inside other talk: "swap … for …" is no accident, "plan" may be one."""

STRONG_BASE, STRONG_CLAUSE, STRONG_MESSAGE = 0.25, 0.55, 0.2
"""Of a strong phrase: what it is worth at all, and for the share of its clause and of the message that it explains.
It passes when it explains half of its clause."""

WEAK_CLAUSE, WEAK_MESSAGE = 0.55, 0.45
"""Of a weak one: it passes as a clause of its own in a message that it explains a little of, or as most of one."""

TYPO_FACTOR = 0.97
"""Because an exact phrase must win over the same phrase misspelt, and nothing else should lose by a typo."""

STRAY_TYPO_FACTOR = 0.85
"""For a misspelt single word inside other talk: it may as well be a word that nobody listed."""

NEGATED_LIMIT = 0.45
"""Highest score of a phrase under a "not": worth a question ("don't skip monday"), never worth acting."""

QUESTION_FACTOR = 0.55
"""For a phrase inside a question or a condition that is none of its own words ("did you skip monday?", "if I skip …"):
the strongest phrase stays below the threshold for acting."""

FIRST_BONUS = 0.05
"""For a phrase at the beginning: people say what they want before they say why."""

PARTIAL_LIMIT = 0.97
"""Highest score of a phrase that is not the whole message, so that one that is goes first."""

FREE_WORDS = 4
"""Full words in free slots that are no reason for doubt; the longest usual dish names have six."""

WORDY_PENALTY = 0.08
"""For each further one, when a single word is all that holds the phrase: "no" before ten words is a sentence."""

RANK_BY_EVIDENCE = 0.01
"""Breaks ties between phrases that both are the whole message: the one that says more with its own words."""

_ASKING_FIRST = frozenset("what when why how who where which did does is are was should has am".split())
_ASKING_FOR = (["what"], ["what", "is"], ["what", "are"])
"""Before a phrase of several words these ask for the thing itself ("what is the status of my order")."""

_ASKING_BEFORE_PRONOUN = frozenset({"do", "have", "were"})
_ASKING_ANYWHERE = frozenset("how why if whether when unless did wondering".split())
_PRONOUNS = frozenset({"i", "we", "you", "they", "he", "she", "it"})
_CONDITIONS = frozenset({"if", "unless", "whether"})
_NO_MEANS_NOT = frozenset({"need", "reason", "point", "longer"})
"""Words behind a "no" that make it a "not" ("no need to skip monday"); else it answers ("no skip monday")."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One intent's fit.

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
    evidence: float
    slots: Mapping[str, SlotValue] = {}
    is_whole: bool = False
    is_out_of_place: bool = False

    @property
    def rank(self) -> float:
        """What candidates are sorted by."""
        return self.score + RANK_BY_EVIDENCE * self.evidence

    def rivals(self, best: "Candidate", *, margin: float) -> bool:
        """Tell whether it reads the same words as another intent and is not clearly worse."""
        is_apart = self.clause_last <= best.clause_first or self.clause_first >= best.clause_last
        return not is_apart and self.score > best.score - margin and self.evidence >= best.evidence


def judge(alignment: Alignment, utterance: Utterance) -> Candidate:
    """Return how well a phrase fits at one place where it stands."""
    phrase = alignment.phrase
    clause_first, clause_last = _clause_range(utterance, alignment.first, alignment.last)
    places = frozenset((*alignment.literals, *alignment.taken))
    is_negated = is_under_negation(utterance, alignment.first, places, since=clause_first)
    is_asked = _is_asked(alignment, utterance, clause_first) or _is_conditional(utterance, alignment.first)
    in_clause, in_message = _shares(alignment, utterance, places, clause_first, clause_last)
    is_whole = in_message >= WHOLE and not is_negated and not is_asked
    score = _explained(alignment, in_clause, in_message, is_whole=is_whole)
    if not is_whole:
        is_first = utterance.weight_between(0, alignment.first) == 0
        score = min(score + (FIRST_BONUS if is_first else 0.0), PARTIAL_LIMIT)
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
        evidence=phrase.evidence,
        slots=alignment.slots,
        is_whole=is_whole,
    )


def is_under_negation(utterance: Utterance, first: int, matched: frozenset[int], *, since: int = 0) -> bool:
    """Tell whether a "not" that is none of the matched words stands between `since` and `first`."""
    words = utterance.words
    for place in range(since, first):
        if place in matched or utterance.courteous[place] or words[place].key not in NEGATORS:
            continue
        if words[place].key != "no" or words[place + 1].key in _NO_MEANS_NOT:
            return True
    return False


def _shares(
    alignment: Alignment, utterance: Utterance, places: frozenset[int], clause_first: int, clause_last: int
) -> tuple[float, float]:
    """Return which shares of its clauses and of the message a phrase explains, by weight."""
    own = sum(utterance.weights[place] for place in places)
    in_slots = sum(utterance.weights[place] for place in alignment.taken)
    matched = len(alignment.literals) + max(float(len(alignment.slots)), in_slots)
    rest_of_clause = utterance.weight_between(clause_first, clause_last) - own
    return matched / (matched + rest_of_clause), matched / (matched + utterance.weight - own)


def _explained(alignment: Alignment, in_clause: float, in_message: float, *, is_whole: bool) -> float:
    """Return the score for what a phrase explains, less what its typos and free words cost."""
    is_strong = alignment.phrase.evidence >= STRONG_EVIDENCE
    if is_strong:
        score = STRONG_BASE + STRONG_CLAUSE * in_clause + STRONG_MESSAGE * in_message
    else:
        score = WEAK_CLAUSE * in_clause + WEAK_MESSAGE * in_message
        score -= WORDY_PENALTY * max(0, alignment.open_words - FREE_WORDS)
    score *= TYPO_FACTOR**alignment.typos
    return score if is_whole or is_strong or not alignment.typos else score * STRAY_TYPO_FACTOR


def _clause_range(utterance: Utterance, first: int, last: int) -> tuple[int, int]:
    """Return where the clauses begin and end in which some words stand."""
    clauses = utterance.clauses
    while first > 0 and clauses[first - 1] == clauses[first]:
        first -= 1
    while last < len(clauses) and clauses[last] == clauses[last - 1]:
        last += 1
    return first, last


def _is_asked(alignment: Alignment, utterance: Utterance, clause_first: int) -> bool:
    """Tell whether a phrase is asked about, made a condition or thanked for instead of being wished for."""
    words = utterance.words
    opening: list[str] = []
    for place in range(clause_first, alignment.first):
        key = words[place].key
        if key == "for" and place > 0 and utterance.courteous[place - 1] and words[place - 1].key in THANKING:
            return True
        if utterance.is_idle(place):
            continue
        is_asking = key in _ASKING_FIRST or (key in _ASKING_BEFORE_PRONOUN and words[place + 1].key in _PRONOUNS)
        if key in _ASKING_ANYWHERE or (not opening and is_asking and key != "what"):
            return True
        opening.append(key)
    asks_for_it = alignment.phrase.evidence >= STRONG_EVIDENCE and opening in _ASKING_FOR
    return opening[:1] == ["what"] and not asks_for_it


def _is_conditional(utterance: Utterance, first: int) -> bool:
    """Tell whether the sentence that a phrase stands in begins with a condition ("if I confirm, can I change it?")."""
    opening = first
    while opening > 0 and utterance.words[opening].pause is not Break.SENTENCE:
        opening -= 1
    while opening < first and utterance.courteous[opening]:
        opening += 1
    return opening < first and utterance.words[opening].key in _CONDITIONS
