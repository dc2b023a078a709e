"""Durations that read like speech: `hours(2)`. Each is a plain `timedelta`, so a day is always 24 hours."""

from datetime import timedelta


def seconds(count: float, /) -> timedelta:
    """Return that many seconds."""
    return timedelta(seconds=count)


def minutes(count: float, /) -> timedelta:
    """Return that many minutes."""
    return timedelta(minutes=count)


def hours(count: float, /) -> timedelta:
    """Return that many hours."""
    return timedelta(hours=count)


def days(count: float, /) -> timedelta:
    """Return that many times 24 hours; a day with a change of the clocks is no exception."""
    return timedelta(days=count)
