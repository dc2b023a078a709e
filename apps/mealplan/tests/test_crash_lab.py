"""The meal planner's main conversation, attacked at every step: nobody who talks to it could tell.

`pytest apps/mealplan/tests/test_crash_lab.py --crash-lab` tries all of it.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from mealplan.flow import flow
from turnkeeper.testing import CrashLabReport

CONVERSATION = (
    "plan",
    "swap salmon for chicken",
    "skip friday",
    "undo",
    "what is the weather",
    "yes",
    timedelta(days=6),  # the recipes go out on the day before the box arrives
    "recipes",
)


@pytest.mark.timeout(1800)  # with --crash-lab it takes minutes, without it seconds
def test_no_crash_shows_in_the_main_conversation(crash_lab: Callable[..., CrashLabReport]) -> None:
    """Killed, doubled, late, out of order, without answers: the same plan, the same texts, nothing twice."""
    report = crash_lab(flow, script=CONVERSATION)

    assert report.tried
    assert report.failures == ()
