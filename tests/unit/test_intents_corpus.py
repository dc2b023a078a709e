"""What people text is understood as they meant it."""

from collections import Counter

import pytest

from tests.unit.intent_corpus import CORPUS, MEAL_PLANNER, Line
from turnkeeper.dialogue.understanding.matching import Matcher

MATCHER = Matcher(MEAL_PLANNER)

LEAST_LINES = 150
"""Below so many messages the corpus would prove little."""


def _name(line: Line) -> str:
    return f"{line.intent}: {line.text[:60]!r}{' (asked)' if line.question else ''}"


@pytest.mark.parametrize("line", CORPUS, ids=_name)
def test_a_message_is_understood_as_meant(line: Line) -> None:
    """Intent, slots and remainder are those of the corpus."""
    match = MATCHER.match(line.text, status=line.status, expecting=line.question, today="monday")

    assert (match.intent, match.remainder) == (line.intent, line.remainder)
    assert match.slots == line.slots or not match.is_clear


def test_the_corpus_covers_every_intent() -> None:
    """No declared intent goes unmeasured, and refusals are measured as well."""
    counts = Counter(line.intent for line in CORPUS)

    assert len(CORPUS) >= LEAST_LINES
    assert {intent.name for intent in MEAL_PLANNER} <= set(counts)
    assert min(counts["unknown"], counts["affirmative"], counts["negative"]) >= 20


@pytest.mark.parametrize("line", [line for line in CORPUS if line.question is None], ids=_name)
def test_shouting_changes_no_meaning(line: Line) -> None:
    """Capitals, trailing white space and punctuation are how people type, not what they mean."""
    plain = MATCHER.match(line.text, status=line.status, today="monday")

    loud = MATCHER.match(f"  {line.text.upper()}  ", status=line.status, today="monday")

    assert (loud.intent, sorted(loud.slots)) == (plain.intent, sorted(plain.slots))
