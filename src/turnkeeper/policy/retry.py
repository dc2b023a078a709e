"""How long to wait before trying again. Pure: the caller brings the random number."""

from datetime import timedelta


def backoff_ms(*, attempt: int, first: timedelta, factor: float, longest: timedelta, chance: float) -> int:
    """Return `first * factor ** (attempt - 1)`, at most `longest`, with half of it left to chance.

    Args:
        attempt: The attempt that failed, from 1.
        first: Wait after the first attempt.
        factor: Growth per attempt.
        longest: Limit.
        chance: A number from 0 to 1; spreads repeats of many so that they do not arrive together.
    """
    try:
        whole = min(first.total_seconds() * factor ** (attempt - 1), longest.total_seconds())
    except OverflowError:  # larger than any float
        whole = longest.total_seconds()
    return max(1, int(whole * 1000 * (0.5 + chance / 2)))
