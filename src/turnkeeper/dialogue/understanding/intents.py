"""An intent: what a person may want, declared by the phrases that say it; and what a classifier makes of a message.

A phrase is a template (`swap {old} (for|with) {new}`, see `language.templates`), not a regular expression. Everything
is checked when it is declared; a wrong phrase never waits for its first message.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from turnkeeper.dialogue.language.templates import Variant, plain_text, slots_of, unfold
from turnkeeper.dialogue.language.tokens import keys
from turnkeeper.dialogue.understanding.slots import SlotKind, SlotValue, Text
from turnkeeper.errors import InvalidFlowError, InvalidMatchError

UNKNOWN = "unknown"
AMBIGUOUS = "ambiguous"
AFFIRMATIVE = "affirmative"
NEGATIVE = "negative"
CHOICE = "choice"
ANSWER = "answer"

RESERVED_NAMES = frozenset({UNKNOWN, AMBIGUOUS, AFFIRMATIVE, NEGATIVE, CHOICE, ANSWER})
"""Names that a match gives by itself: no intent is declared under them."""

MAX_PHRASES = 200
"""Phrases, keywords or examples of one intent, because each is compiled and more belong to a language model."""

MAX_WEIGHT = 2.0
"""Because a weight above it would make a half-matched phrase certain."""

_EVERYWHERE = "*"


class Intent(msgspec.Struct, frozen=True):
    """One thing that a person may want.

    Attributes:
        name: Lower-case identifier, unique in its flow.
        phrases: Templates. A whole message that is one of them is certain; one that contains it is likely.
        keywords: Single words that hint at it wherever they stand, in questions too.
        examples: Whole sentences; a message that shares most of their full words is likely. For classifiers as well.
        weight: Multiplies its confidence, above 0 and at most 2.0.
        when: Statuses in which it is expected; None or `("*",)`: in all. Elsewhere it is still understood when said
            clearly, so that the flow can say why it is not possible now, but every expected intent goes first.
        slots: What the phrases' slots hold; one that is not named here is `Text()`.
        label: How a clarifying question names it ("swap a dish"); empty: its first example or phrase.
    """

    name: str
    phrases: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    weight: float = 1.0
    when: tuple[str, ...] | None = None
    slots: Mapping[str, SlotKind] = {}
    label: str = ""

    def __post_init__(self) -> None:
        self._check_name()
        self._check_lists()
        if not 0 < self.weight <= MAX_WEIGHT:
            raise self._error(f"weight is {self.weight}; use more than 0 and at most {MAX_WEIGHT}")
        used = {slot for _, variant in self.variants() for slot in slots_of(variant)}
        if unused := sorted(set(self.slots) - used):
            raise self._error(f"no phrase has the slot {unused[0]!r}; write {{{unused[0]}}} in one or drop it")
        for keyword in self.keywords:
            if len(keys(keyword)) != 1:
                raise self._error(f"keyword {keyword!r} is not one word; make it a phrase")

    def variants(self) -> tuple[tuple[str, Variant], ...]:
        """Return every phrase with each of its plain variants.

        Raises:
            InvalidFlowError: A phrase is malformed.
        """
        try:
            return tuple((phrase, variant) for phrase in self.phrases for variant in unfold(phrase))
        except InvalidFlowError as error:
            raise self._error(str(error)) from error

    def kind_of(self, slot: str) -> SlotKind:
        """Return what a slot holds."""
        return self.slots.get(slot, Text())

    def is_expected(self, status: str | None) -> bool:
        """Tell whether it is declared for a status; without a status every intent is."""
        return status is None or self.when is None or status in self.when or _EVERYWHERE in self.when

    @property
    def sample(self) -> str:
        """How a clarifying question names it: "Did you mean: swap … for …?"."""
        if self.label:
            return self.label
        return self.examples[0] if self.examples else plain_text((*self.phrases, *self.keywords)[0])

    def _check_name(self) -> None:
        if not self.name.isidentifier() or self.name != self.name.casefold():
            raise self._error("its name is no lower-case identifier, such as start_over")
        if self.name in RESERVED_NAMES:
            raise self._error("this name is given by the matcher itself; handle it, but declare no phrases for it")

    def _check_lists(self) -> None:
        for field in ("phrases", "keywords", "examples", "when"):
            value = getattr(self, field)
            if isinstance(value, str):
                raise self._error(f"{field} is one text; write {field}=({value!r},) with the comma")
            if value is not None and len(value) > MAX_PHRASES:
                raise self._error(f"{field} has {len(value)} entries, {MAX_PHRASES} are allowed; split the intent")
        if not (self.phrases or self.keywords or self.examples):
            raise self._error("nothing says it; give phrases, keywords or examples")

    def _error(self, reason: str) -> InvalidFlowError:
        return InvalidFlowError(f"intent {self.name!r}: {reason}")


QuestionKind = Literal["yes_no", "choice", "text"]
"""How a question wants to be answered: yes or no, one of its options, or any words."""


class AskedQuestion(Protocol):
    """A question that waits for its answer, whatever else its owner keeps with it."""

    @property
    def name(self) -> str:
        """What handlers and the log know it by."""
        ...

    @property
    def kind(self) -> QuestionKind:
        """Which answers it takes."""
        ...

    @property
    def options(self) -> tuple[str, ...]:
        """What can be chosen, as it was shown, in order; only for `choice`."""
        ...


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """What a message means.

    Attributes:
        intent: A declared name, or `affirmative`, `negative`, `choice` (slots `option`, `number`), `answer` (slot
            `text`) to a pending question, or `unknown`, or `ambiguous`.
        confidence: From 0 to 1; of an unknown or ambiguous message that of its best guess.
        slots: Values by name, free text as it was written; of an unknown message those of its best guess, in case the
            person says "yes, that".
        matched_text: The part of the message that says it, as written.
        remainder: What else was said and must not be lost: behind an answer anything ("yes but swap the salmon"),
            behind an intent only what is another wish ("confirm, and skip monday"). Match it again after this one.
        runner_up: The next best intent, None if nothing else came to mind.
        guesses: Names for a clarifying question, the best first: two for `ambiguous`, up to three for `unknown`.
    """

    intent: str
    confidence: float
    slots: dict[str, SlotValue] = {}
    matched_text: str = ""
    remainder: str = ""
    runner_up: str | None = None
    guesses: tuple[str, ...] = ()

    @property
    def is_clear(self) -> bool:
        """Whether it says what the person wants; otherwise ask."""
        return self.intent not in {UNKNOWN, AMBIGUOUS}


class Classifier(Protocol):
    """Anything that tells what a message means, for example a language model. Check its answer: `check_match`."""

    async def classify(
        self, text: str, *, status: str | None, question: AskedQuestion | None, candidates: Sequence[Intent]
    ) -> Match:
        """Tell what a message means.

        Args:
            text: What the person wrote.
            status: Where the dialogue stands.
            question: The pending question, if any; then `affirmative`, `negative`, `choice` or `answer` are possible.
            candidates: The only intents that may be named.
        """
        ...


def check_match(match: Match, *, candidates: Sequence[Intent], question: AskedQuestion | None) -> Match:
    """Return a classifier's answer if it is possible.

    Raises:
        InvalidMatchError: It names an intent that is no candidate, answers a question that is not pending, or its
            confidence is outside 0 to 1.
    """
    names = {intent.name for intent in candidates}
    reason = ""
    if not 0.0 <= match.confidence <= 1.0:
        reason = "confidence must lie between 0 and 1"
    elif match.intent not in names | RESERVED_NAMES:
        reason = f"it must name one of: {', '.join(sorted(names | RESERVED_NAMES))}"
    elif match.intent in RESERVED_NAMES - {UNKNOWN, AMBIGUOUS} and match.intent not in _answers_to(question):
        reason = "no pending question takes this answer"
    elif unknown := [name for name in match.guesses if name not in names]:
        reason = f"it guesses {unknown[0]!r}, which is no candidate"
    if reason:
        raise InvalidMatchError(intent=match.intent, confidence=match.confidence, reason=reason)
    return match


def _answers_to(question: AskedQuestion | None) -> frozenset[str]:
    """Return the names that an answer to a question may have."""
    if question is None:
        return frozenset()
    return {
        "yes_no": frozenset({AFFIRMATIVE, NEGATIVE}),
        "choice": frozenset({CHOICE}),
        "text": frozenset({ANSWER}),
    }[question.kind]
