"""What people text is understood as they meant it."""

import pytest

from tests.unit.intent_corpus import CORPUS, MEAL_PLANNER, Line
from turnkeeper.dialogue.matching import Matcher

MATCHER = Matcher(MEAL_PLANNER)


@pytest.mark.parametrize(
    "line", CORPUS, ids=lambda line: f"{line.intent}: {line.text[:60]!r} {'asked' if line.question else ''}"
)
def test_a_message_is_understood_as_meant(line: Line) -> None:
    """Intent, slots and remainder are those of the corpus."""
    match = MATCHER.match(line.text, status=line.status, expecting=line.question, today="monday")

    assert (match.intent, match.slots, match.remainder) == (line.intent, line.slots, line.remainder)
