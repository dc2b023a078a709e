"""What the command line says of times and truths is said as people do."""

from datetime import UTC, datetime, timedelta

import pytest

from turnkeeper.cli.showing import distance, in_words

NOW = datetime(2026, 5, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(), "now"),
        (timedelta(milliseconds=-900), "now"),
        (timedelta(seconds=-1), "1 second ago"),
        (timedelta(seconds=-90), "90 seconds ago"),
        (timedelta(minutes=-3), "3 minutes ago"),
        (timedelta(minutes=-119), "119 minutes ago"),
        (timedelta(hours=2), "in 2 hours"),
        (timedelta(hours=47), "in 47 hours"),
        (timedelta(days=30), "in 30 days"),
    ],
)
def test_a_duration_is_told_in_words(duration: timedelta, words: str) -> None:
    """In the unit in which a person would say it, and to which side it lies."""
    assert distance(duration) == words


@pytest.mark.parametrize(
    ("value", "words"), [(True, "yes"), (False, "no"), (None, "-"), ("", "-"), (0, "0"), ("idle", "idle")]
)
def test_a_fact_is_told_in_words(value: object, words: str) -> None:
    """No `False` and no `None`; zero is a number."""
    assert in_words(value, NOW) == words


def test_a_time_can_be_copied_anywhere() -> None:
    """It carries its distance from UTC, and how long ago it was."""
    told = in_words(NOW - timedelta(minutes=5), NOW)

    moment, _, ago = told.partition(" (")
    assert datetime.fromisoformat(moment) == NOW - timedelta(minutes=5)
    assert ago == "5 minutes ago)"
