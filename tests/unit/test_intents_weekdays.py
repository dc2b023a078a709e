"""Weekdays as people text them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkeeper.dialogue.language.weekdays import WEEKDAYS, day_after, weekdays


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("monday", "monday"),
        ("Mon.", "monday"),
        ("mondays", "monday"),
        ("monday's", "monday"),
        ("mondya", "monday"),
        ("wensday", "wednesday"),
        ("wednsday", "wednesday"),
        ("weds", "wednesday"),
        ("thurs", "thursday"),
        ("thrusday", "thursday"),
        ("tues", "tuesday"),
        ("satuday", "saturday"),
        ("monday and weds", "monday wednesday"),
        ("mon, tue & thurs", "monday tuesday thursday"),
        ("mon tue wed", "monday tuesday wednesday"),
        ("mon/tue", "monday tuesday"),
        ("mon + tue", "monday tuesday"),
        ("both saturday and sunday", "saturday sunday"),
        ("on Monday, and on Friday", "monday friday"),
        ("monday night and tuesday evening", "monday tuesday"),
        ("dinner on friday", "friday"),
        ("thursday, monday", "thursday monday"),
        ("fri, fri and friday", "friday"),
        ("mon-wed", "monday tuesday wednesday"),
        ("mon \u2013 wed", "monday tuesday wednesday"),
        ("monday to thursday", "monday tuesday wednesday thursday"),
        ("friday through monday", "friday saturday sunday monday"),
        ("monday to monday", "monday"),
        ("mon, wed-fri", "monday wednesday thursday friday"),
        ("the weekend", "saturday sunday"),
        ("weekdays", "monday tuesday wednesday thursday friday"),
        ("weekdays except friday", "monday tuesday wednesday thursday"),
        ("every day but sunday", "monday tuesday wednesday thursday friday saturday"),
        ("the weekend and monday", "saturday sunday monday"),
    ],
)
def test_a_list_of_days_is_read(text: str, days: str) -> None:
    """Lower-case names, each once, in the order said."""
    assert weekdays(text) == tuple(days.split())


@pytest.mark.parametrize(
    "text", ["", "sundae", "month", "some day", "today", "tomorrow", "monday. tuesday", "monday pizza", "mon or tue"]
)
def test_anything_else_is_no_list_of_days(text: str) -> None:
    """A list of days and nothing else; relative days need to know today."""
    assert weekdays(text) == ()


@pytest.mark.parametrize("today", WEEKDAYS)
def test_relative_days_follow_today(today: str) -> None:
    """Tomorrow is the day after today, over the week's end too."""
    assert weekdays("today and tomorrow", today=today) == (today, day_after(today))


def test_an_unknown_day_has_no_day_after() -> None:
    """A caller that passes "Monday" is told what is accepted."""
    with pytest.raises(ValueError, match="'Monday' is no weekday; use one of: monday"):
        day_after("Monday")


@given(st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True), st.sampled_from([", ", " and ", " & ", "/", " "]))
def test_any_list_of_names_is_read_back(days: list[str], joint: str) -> None:
    """Whatever joins them."""
    assert weekdays(joint.join(days)) == tuple(days)
