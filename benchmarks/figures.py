"""Turns samples into figures: medians with quartiles, and ratios taken pair by pair."""

import statistics
from collections.abc import Sequence


def summary(samples: Sequence[float], digits: int = 1) -> dict[str, float]:
    """Return median and quartiles."""
    low, middle, high = statistics.quantiles(samples, n=4) if len(samples) > 1 else (samples[0],) * 3
    return {"q1": round(low, digits), "median": round(middle, digits), "q3": round(high, digits)}


def ratios(numerator: Sequence[float], denominator: Sequence[float]) -> dict[str, float]:
    """Return the ratio of samples that were taken in the same round."""
    return summary([a / b for a, b in zip(numerator, denominator, strict=True)], 2)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the sample below which that share of all lies."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
