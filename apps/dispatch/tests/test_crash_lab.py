"""The way of one order from the shop to the door, attacked at every step: nobody in the chats could tell.

`pytest apps/dispatch/tests/test_crash_lab.py --crash-lab` tries all of it.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from apps.dispatch.tests.orders import arrival, marketplace
from dispatch.flow import flow
from turnkeeper import Kind
from turnkeeper.testing import CrashLabReport, Said

ORDER = "smoothr_123"


def clicked(action: str, **data: Any) -> Said:
    """Return a click of Ana's."""
    return Said(text=action, kind=Kind.ACTION, person=ORDER, data={"query": f"q-{action}", "by": "Ana", **data})


DAY = (
    Said(
        text="order",
        kind=Kind.ACTION,
        person=ORDER,
        data=msgspec.json.decode(arrival("smoothr", marketplace()).message.data),
    ),
    clicked("ask", what="HB", time="asap", version=0),
    clicked("confirm", what="HB", time="17:10", version=1),
    clicked("take", version=0),
    clicked("delivered", version=1),
    clicked("undelivered", version=1),
)


@pytest.mark.timeout(1800)  # with --crash-lab it takes minutes, without it seconds
def test_no_crash_shows_on_the_way_of_an_order(crash_lab: Callable[..., CrashLabReport]) -> None:
    """Killed, doubled, late, out of order, without answers: the same order, the same chats, nothing twice."""
    report = crash_lab(flow, script=DAY, channel="telegram")

    assert len(report.tried) >= min(report.planned, 40)
    assert report.failures == ()
