"""Sample carts for trying the planner without a shop: the phone number decides which one a person has.

Numbers that end in 222, 404 or 555 have a cart of their own, all others have the one of a household of two. The carts
are fixed; only the delivery day follows the day on which they are read.
"""

import functools
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from importlib import resources
from types import MappingProxyType

import msgspec

from mealplan.domain.cart import Cart, CartItem
from mealplan.domain.preferences import Preferences

DEFAULT_SAMPLE = "household-of-two"
# The last three digits of the phone number; all else is `DEFAULT_SAMPLE`.
SAMPLE_BY_ENDING: Mapping[str, str] = MappingProxyType(
    {"222": "vegetarian", "404": "nearly-empty", "555": "family-of-five"}
)
SAMPLE_NAMES: tuple[str, ...] = (DEFAULT_SAMPLE, *SAMPLE_BY_ENDING.values())
_SUNDAY = 6
_DAYS = 7


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One shipped cart: who it belongs to and what is in it."""

    customer: str
    preferences: Preferences
    items: tuple[CartItem, ...]


def choose_sample(phone: str) -> str:
    """Return the name of the sample that belongs to a phone number; characters that are no digits do not count."""
    digits = "".join(letter for letter in phone if letter.isdigit())
    return SAMPLE_BY_ENDING.get(digits[-3:], DEFAULT_SAMPLE)


@functools.cache
def load_sample(name: str) -> Sample:
    """Read a sample that ships with the package; it is read once in a process.

    Raises:
        ValueError: There is no sample of that name.
    """
    if name not in SAMPLE_NAMES:
        raise ValueError(f"there is no sample cart {name!r}, choose one of {', '.join(SAMPLE_NAMES)}")
    file = resources.files("mealplan.domain") / "sample_carts" / f"{name}.json"
    return msgspec.json.decode(file.read_bytes(), type=Sample)


def sample_cart(phone: str, *, read_at: datetime) -> Cart:
    """Return the cart of a phone number as the shop would show it.

    Args:
        phone: E.164.
        read_at: Now, aware; the box arrives on the Sunday after it, so that the dinners start on Monday.
    """
    sample = load_sample(choose_sample(phone))
    return Cart(
        items=sample.items, delivery_date=_next_sunday(read_at.date()), customer=sample.customer, read_at=read_at
    )


def sample_preferences(phone: str) -> Preferences:
    """Return what the household of a phone number eats."""
    return load_sample(choose_sample(phone)).preferences


def _next_sunday(day: date) -> date:
    return day + timedelta(days=(_SUNDAY - day.weekday() - 1) % _DAYS + 1)
