"""Any classifier can be plugged in, and none is trusted blindly."""

import math
from collections.abc import Sequence

import pytest

from tests.unit.intent_corpus import MEAL_PLANNER, YES_NO, Asked
from turnkeeper.dialogue.understanding.intents import (
    AskedQuestion,
    Classifier,
    Intent,
    Match,
    check_match,
)
from turnkeeper.dialogue.understanding.matching import Matcher
from turnkeeper.errors import InvalidMatchError

pytestmark = pytest.mark.anyio

HELP, PLAN = Intent("help", phrases=("help",)), Intent("plan", phrases=("plan",))


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio."""
    return "asyncio"


class Parrot:
    """A classifier that always answers the same."""

    def __init__(self, match: Match) -> None:
        self._match = match

    async def classify(
        self, text: str, *, status: str | None, question: AskedQuestion | None, candidates: Sequence[Intent]
    ) -> Match:
        """Return the match it was made with."""
        assert text
        assert status
        assert question is None
        assert candidates
        return self._match


async def test_the_matcher_is_a_classifier() -> None:
    """The built-in one is asked in the same way as any other."""
    classifier: Classifier = Matcher(MEAL_PLANNER)

    match = await classifier.classify("skip monday", status="analysis_sent", question=None, candidates=MEAL_PLANNER)
    answer = await classifier.classify("yep", status="analysis_sent", question=YES_NO, candidates=MEAL_PLANNER)

    assert (match.intent, answer.intent) == ("skip", "affirmative")


async def test_the_matcher_names_only_candidates() -> None:
    """What may not be named is not considered."""
    match = await Matcher([HELP, PLAN]).classify("help", status=None, question=None, candidates=[PLAN])

    assert match.intent == "unknown"


async def test_a_possible_answer_is_passed_on() -> None:
    """Checking changes nothing about a good answer."""
    classifier: Classifier = Parrot(Match(intent="help", confidence=0.7))

    match = await classifier.classify("hm", status="idle", question=None, candidates=[HELP])

    assert check_match(match, candidates=[HELP], question=None) is match


@pytest.mark.parametrize(
    ("match", "reason"),
    [
        (Match(intent="order_pizza", confidence=0.9), "must name one of: .*help"),
        (Match(intent="help", confidence=1.2), "between 0 and 1"),
        (Match(intent="help", confidence=-0.1), "between 0 and 1"),
        (Match(intent="help", confidence=math.nan), "between 0 and 1"),
        (Match(intent="affirmative", confidence=1.0), "no pending question"),
        (Match(intent="unknown", confidence=0.1, guesses=("order_pizza",)), "'order_pizza', which is no candidate"),
    ],
)
def test_an_impossible_answer_is_an_error(match: Match, reason: str) -> None:
    """The error carries what was answered, so that the log shows what the model made up."""
    with pytest.raises(InvalidMatchError, match=reason) as refusal:
        check_match(match, candidates=[HELP, PLAN], question=None)

    assert refusal.value.intent == match.intent


@pytest.mark.parametrize(
    ("kind", "possible", "impossible"),
    [("yes_no", "negative", "choice"), ("choice", "choice", "answer"), ("text", "answer", "affirmative")],
)
def test_a_question_takes_only_its_own_answers(kind: str, possible: str, impossible: str) -> None:
    """A choice is not answered by yes, nor free words by a choice."""
    question = Asked("q", kind, ("a", "b") if kind == "choice" else ())  # type: ignore[arg-type]

    check_match(Match(intent=possible, confidence=1.0), candidates=[HELP], question=question)

    with pytest.raises(InvalidMatchError, match="no pending question takes"):
        check_match(Match(intent=impossible, confidence=1.0), candidates=[HELP], question=question)
