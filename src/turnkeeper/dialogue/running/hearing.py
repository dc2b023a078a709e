"""What words mean to this flow: the built-in matcher, or the flow's own classifier with the matcher behind it.

A classifier may fail (a model that is down); then the matcher answers, the failure is logged, and no message is lost.
"""

import logging
from collections.abc import Collection
from typing import Any

from turnkeeper.dialogue.plan import FlowPlan
from turnkeeper.dialogue.thread import Question
from turnkeeper.dialogue.understanding.answers import read_answer
from turnkeeper.dialogue.understanding.intents import AFFIRMATIVE, ANSWER, CHOICE, NEGATIVE, Match, check_match
from turnkeeper.dialogue.understanding.matching import Matcher

logger = logging.getLogger(__name__)

ANSWERS = frozenset({AFFIRMATIVE, NEGATIVE, CHOICE, ANSWER})
"""Intents that answer a pending question."""

_ANYTHING = Question(name="anything", text="")


class Hearing:
    """Understands the messages of one flow. Holds no state between messages."""

    def __init__(self, plan: FlowPlan[Any]) -> None:
        """Compile the phrases."""
        self._intents = plan.intents
        self._classifier = plan.classifier
        self._matcher = Matcher(plan.intents)

    @property
    def has_classifier(self) -> bool:
        """Whether the flow understands by a classifier of its own."""
        return self._classifier is not None

    async def understand(self, text: str, *, status: str, question: Question | None) -> tuple[Match, str]:
        """Return what a text means, and why the flow's classifier did not say so (empty: it did, or there is none)."""
        if self._classifier is None or (question is not None and question.is_own):
            return self._matcher.match(text, status=status, expecting=question), ""
        try:
            match = await self._classifier.classify(text, status=status, question=question, candidates=self._intents)
            return check_match(match, candidates=self._intents, question=question), ""
        except Exception as exc:  # noqa: BLE001 - whatever a model's client raises: the person still gets an answer
            reason = f"{type(exc).__name__}: {exc}"
            logger.warning("classifier_failed", extra={"reason": reason})
            return self._matcher.match(text, status=status, expecting=question), reason

    def among(self, text: str, intents: Collection[str], *, question: Question | None = None) -> Match:
        """Return which of a few intents a text means, as far as the built-in matcher knows."""
        return self._matcher.match(text, only=intents, expecting=question)

    def label(self, intent: str) -> str:
        """Return how a clarifying question names an intent."""
        declared = self._matcher.intents.get(intent)
        sample = "" if declared is None else declared.sample
        return intent.replace("_", " ") if not sample or "{" in sample else sample


def agrees(text: str) -> bool:
    """Tell whether a text is a plain yes, whatever was asked."""
    return _polarity(text) == AFFIRMATIVE


def denies(text: str) -> bool:
    """Tell whether a text is a plain no, whatever was asked."""
    return _polarity(text) == NEGATIVE


def _polarity(text: str) -> str:
    answer = read_answer(text, _ANYTHING)
    return "" if answer is None or answer.remainder else answer.kind
