"""Durations read like speech and are nothing but durations."""

from datetime import timedelta

from turnkeeper.policy.durations import days, hours, minutes, seconds


def test_durations_are_plain_timedeltas() -> None:
    """Whatever takes a duration takes these."""
    assert seconds(90) == minutes(1.5) == timedelta(seconds=90)


def test_a_day_is_always_24_hours() -> None:
    """A change of the clocks makes no retention an hour longer."""
    assert days(1) == hours(24)
