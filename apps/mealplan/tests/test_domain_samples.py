"""The shipped carts: which phone number has which, and what is in them."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from mealplan.domain.analysis import Analysis
from mealplan.domain.cart import MAX_LINES, Cart, CartItem
from mealplan.domain.items import Found, find_item
from mealplan.domain.planner import make_plan
from mealplan.domain.preferences import Preferences
from mealplan.domain.samples import SAMPLE_NAMES, choose_sample, load_sample, sample_cart, sample_preferences

READ_AT = datetime(2025, 6, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("phone", "name"),
    [
        ("+15551234567", "household-of-two"),
        ("+15550000222", "vegetarian"),
        ("+1 (555) 000-0555", "family-of-five"),
        ("+15550000404", "nearly-empty"),
        ("", "household-of-two"),
    ],
)
def test_the_phone_number_decides_the_sample(phone: str, name: str) -> None:
    """The same number always has the same cart."""
    assert choose_sample(phone) == name


@pytest.mark.parametrize("spoken", ["salmon", "chicken", "pork", "kale", "spinach", "eggplant", "mushrooms"])
def test_the_default_cart_has_what_the_examples_speak_of(spoken: str) -> None:
    """Every example of the documentation works with it."""
    found = find_item(spoken, sample_cart("+15551234567", read_at=READ_AT))

    assert isinstance(found, Found)


@pytest.mark.parametrize("phone", ["+1222", "+1404", "+1555", "+1000"])
def test_the_box_arrives_on_the_sunday_after(phone: str) -> None:
    """So that the week's dinners start on Monday; read on a Sunday, it is the next one."""
    for days in range(7):
        read_at = READ_AT + timedelta(days=days)
        cart = sample_cart(phone, read_at=read_at)

        assert cart.delivery_date.strftime("%A") == "Sunday"
        assert 1 <= (cart.delivery_date - read_at.date()).days <= 7


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_a_sample_is_complete(name: str) -> None:
    """Lines have names and prices, and boxes have contents."""
    sample = load_sample(name)

    assert sample.customer
    assert all(item.name and item.price_cents > 0 and item.quantity > 0 for item in sample.items)
    assert all(bool(item.contents) == (item.kind != "item") for item in sample.items)


def test_an_unknown_sample_is_refused_with_the_names_that_exist() -> None:
    """The text says what can be chosen."""
    with pytest.raises(ValueError, match="vegetarian"):
        load_sample("gluttony")


@pytest.mark.parametrize("phone", ["+1222", "+1404", "+1555", "+1000"])
def test_cart_preferences_and_plan_survive_json(phone: str) -> None:
    """They are stored between turns and must come back equal."""
    cart, preferences = sample_cart(phone, read_at=READ_AT), sample_preferences(phone)
    plan = make_plan(cart, preferences)

    assert msgspec.json.decode(msgspec.json.encode(cart), type=Cart) == cart
    assert msgspec.json.decode(msgspec.json.encode(preferences), type=Preferences) == preferences
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Analysis) == plan


def test_a_cart_lists_what_comes_and_how_much_of_it() -> None:
    """Two boxes hold twice as much, and what the shop could not fill is not there."""
    kale, eggs = CartItem(name="Kale", quantity=3, unit="bunch"), CartItem(name="Eggs", quantity=0, unit="dozen")
    box = CartItem(name="Veggie Box", quantity=2, kind="fixed_box", contents=(kale, eggs))
    none = CartItem(name="Fruit Box", quantity=0, kind="fixed_box", contents=(CartItem(name="Apples"),))

    cart = Cart(items=(eggs, box, none), delivery_date=date(2025, 6, 8), read_at=READ_AT)

    assert [(item.name, item.quantity) for item in cart.every_item()] == [("Kale", 6)]
    assert list(cart.boxes()) == [box]


def test_a_naive_reading_time_is_taken_as_utc() -> None:
    """A stored cart of another program may have one."""
    naive = READ_AT.replace(tzinfo=None)

    cart = Cart(items=(), delivery_date=date(2025, 6, 8), read_at=naive)

    assert cart.read_at == READ_AT


def test_a_cart_without_an_end_is_refused() -> None:
    """A page with that many lines was read wrongly."""
    items = tuple(CartItem(name=f"Kale {number}") for number in range(MAX_LINES + 1))

    with pytest.raises(ValueError, match=str(MAX_LINES)):
        Cart(items=items, delivery_date=date(2025, 6, 8), read_at=READ_AT)
