"""What a message means, from its words, the status of the dialogue and the pending question.

`Matcher.match` never raises on any text and always gives the same answer for the same input. Its confidence is a
score and no probability: compare it with the thresholds here, not with another classifier's.
"""

from collections.abc import Collection, Sequence

from turnkeeper.dialogue.language.courtesy import JOINERS, REASONS
from turnkeeper.dialogue.language.tokens import Tokens, tokenize
from turnkeeper.dialogue.language.utterance import Utterance, listen
from turnkeeper.dialogue.understanding.answers import Answer, answer_in
from turnkeeper.dialogue.understanding.intents import AMBIGUOUS, ANSWER, UNKNOWN, AskedQuestion, Intent, Match
from turnkeeper.dialogue.understanding.ranking import Ranking
from turnkeeper.dialogue.understanding.scoring import Candidate
from turnkeeper.dialogue.understanding.slots import SlotValue
from turnkeeper.errors import InvalidFlowError

CONFIDENT = 0.6
"""Confidence from which an intent is acted upon. Below it at least half of the full words were not understood, and a
clarifying question costs one message where a wrong turn costs an undo and the person's trust."""

GUESS = 0.3
"""Confidence from which an intent is worth a "Did you mean …?": one understood word among three or four."""

MARGIN = 0.05
"""Two intents nearer than this are told apart by chance: one typo costs 0.03, one little word about as much."""

EARLIER_WISH = 0.8
"""Score from which a clause before the best one is a wish of its own and goes first: less is talk that leads up to
it."""

MAX_WISHES = 8
"""Wishes of one message that are put in order, because each one costs another look at the text before it."""

MAX_GUESSES = 3
"""Guesses of one clarifying question, because a longer list is a menu."""


class Matcher:
    """The built-in classifier: phrases, typos and little grammar. Build it once; it holds no state between messages."""

    def __init__(self, intents: Sequence[Intent]) -> None:
        """Compile all phrases.

        Raises:
            InvalidFlowError: A name is declared twice, or a phrase is malformed.
        """
        self.intents = {intent.name: intent for intent in intents}
        if len(self.intents) < len(intents):
            names = [intent.name for intent in intents]
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidFlowError(f"intent {twice!r} is declared twice; give it all its phrases in one place")
        self._ranking = Ranking(intents)

    def match(
        self,
        text: str,
        *,
        status: str | None = None,
        expecting: AskedQuestion | None = None,
        today: str | None = None,
        only: Collection[str] | None = None,
    ) -> Match:
        """Tell what a message means. Any text will do; only its first 2,000 characters are looked at.

        Args:
            text: What the person wrote.
            status: Where the dialogue stands; intents declared for it go first. None: all are equal.
            expecting: The pending question. A bare answer word is its answer even if an intent has the same phrase; a
                phrase that is the whole message is that intent even if it begins like an answer.
            today: The weekday's lower-case name, so that "today" and "tomorrow" are days in slots.
            only: Names of the intents to consider; None: all.
        """
        tokens = tokenize(text)
        answer = None if expecting is None else answer_in(tokens, expecting)
        if answer is not None and answer.kind != "text" and not answer.remainder:
            return _answered(answer, tokens)
        utterance = listen(tokens, self._ranking.speller, today=today)
        ranked = self._rank(utterance, status, only)
        best = ranked[0] if ranked else None
        is_wish = best is not None and best.is_whole and best.score >= CONFIDENT and not best.is_out_of_place
        is_condition = answer is not None and answer.is_insistent
        if expecting is not None and (is_condition or not is_wish):
            answer = answer or self._refusal(tokens.source, expecting, status, only)
            if answer is not None:
                return _answered(answer, tokens)
        return self._judge(utterance, ranked, status, only)

    async def classify(
        self, text: str, *, status: str | None, question: AskedQuestion | None, candidates: Sequence[Intent]
    ) -> Match:
        """See `Classifier.classify`. Candidates that this matcher was not built with are not considered."""
        names = {intent.name for intent in candidates}
        return self.match(text, status=status, expecting=question, only=names)

    def samples(self, match: Match) -> tuple[str, ...]:
        """Return how a clarifying question may name a match's guesses, in their order."""
        return tuple(self.intents[name].sample for name in match.guesses if name in self.intents)

    def _rank(self, utterance: Utterance, status: str | None, only: Collection[str] | None) -> list[Candidate]:
        candidates = self._ranking.candidates(utterance, status)
        return candidates if only is None else [one for one in candidates if one.intent in only]

    def _refusal(
        self, text: str, question: AskedQuestion, status: str | None, only: Collection[str] | None
    ) -> Answer | None:
        """Read "no skip monday": a no without a comma, when the rest is an intent and the whole is none."""
        first, _, rest = text.strip().partition(" ")
        if question.kind != "yes_no" or first.casefold() != "no":
            return None
        whole = self.match(text, status=status, only=only)
        if whole.is_clear and whole.remainder and whole.matched_text.casefold().startswith("no "):
            return None  # "no fish, no pork" are two wishes, and the first begins with this very word
        found = self.match(rest, status=status, only=only)
        return Answer(kind="negative", remainder=rest.strip()) if found.is_clear else None

    def _judge(
        self, utterance: Utterance, ranked: Sequence[Candidate], status: str | None, only: Collection[str] | None
    ) -> Match:
        """Decide between an intent, a question back, and nothing."""
        likely = [one for one in ranked if one.score >= GUESS]
        if not likely or likely[0].score < CONFIDENT:
            return Match(
                intent=UNKNOWN,
                confidence=likely[0].score if likely else 0.0,
                slots=dict(likely[0].slots) if likely else {},
                runner_up=likely[1].intent if len(likely) > 1 else None,
                guesses=tuple(one.intent for one in likely[:MAX_GUESSES]),
            )
        best, *others = likely
        rival = next((one for one in others if one.rivals(best, margin=MARGIN)), None)
        if rival is not None:
            return Match(
                intent=AMBIGUOUS,
                confidence=best.score,
                matched_text=utterance.tokens.text(best.first, best.last),
                runner_up=rival.intent,
                guesses=(best.intent, rival.intent),
            )
        return self._with_other_wishes(utterance, best, others, status, only)

    def _with_other_wishes(
        self,
        utterance: Utterance,
        best: Candidate,
        others: Sequence[Candidate],
        status: str | None,
        only: Collection[str] | None,
    ) -> Match:
        """Return the first of the wishes in a message, and the rest of the text if there is another one in it."""
        tokens = utterance.tokens
        first = best
        for _ in range(MAX_WISHES):
            if first.is_whole or utterance.weight_between(0, first.clause_first) < 1:
                break
            earlier = self._wish(tokens.text(0, first.clause_first), utterance.today, status, only)
            if earlier is None or earlier.score < EARLIER_WISH:
                break
            first = earlier
        rest = ""
        if not first.is_whole or first is not best:
            rest = _next_wish(tokens.rest(first.clause_last))
            wish = self._wish(rest, utterance.today, status, only) if first is best else None
            if first is best and (wish is None or (wish.intent, wish.slots) == (first.intent, first.slots)):
                rest = ""
        rivals = [one.intent for one in (best, *others) if one.intent != first.intent]
        return Match(
            intent=first.intent,
            confidence=first.score,
            slots=dict(first.slots),
            matched_text=tokens.text(first.first, first.last),
            remainder=rest,
            runner_up=rivals[0] if rivals else None,
        )

    def _wish(self, text: str, today: str | None, status: str | None, only: Collection[str] | None) -> Candidate | None:
        """Return what a part of a message wants, None if it wants nothing."""
        part = listen(tokenize(text), self._ranking.speller, today=today)
        ranked = self._rank(part, status, only) if part.weight >= 1 else []
        return ranked[0] if ranked and ranked[0].score >= CONFIDENT else None


def _answered(answer: Answer, tokens: Tokens) -> Match:
    """Put an answer into a match."""
    slots: dict[str, SlotValue] = {}
    if answer.kind == "choice" and answer.index is not None:
        slots = {"option": answer.option, "number": answer.index + 1}
    elif answer.kind == "text":
        slots = {"text": answer.text}
    return Match(
        intent=ANSWER if answer.kind == "text" else answer.kind,
        confidence=1.0,
        slots=slots,
        matched_text="" if answer.remainder else tokens.rest(0),
        remainder=answer.remainder,
    )


def _next_wish(text: str) -> str:
    """Return a text without the words that join it to what was before; nothing if they make it a reason."""
    tokens = tokenize(text)
    place = 0
    while place < len(tokens.words) and tokens.words[place].key in JOINERS:
        if tokens.words[place].key in REASONS:
            return ""
        place += 1
    return tokens.rest(place)
