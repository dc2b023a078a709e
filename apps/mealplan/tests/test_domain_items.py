"""What a person calls an item, and which one is meant."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mealplan.domain.cart import Cart, CartItem
from mealplan.domain.items import Ambiguous, Found, NotInCart, find_item, is_meant
from mealplan.domain.samples import sample_cart

READ_AT = datetime(2025, 6, 5, 12, tzinfo=UTC)


def cart_of(*names: str) -> Cart:
    """Make a cart with one of each."""
    return Cart(items=tuple(CartItem(name=name) for name in names), delivery_date=date(2025, 6, 8), read_at=READ_AT)


@pytest.mark.parametrize(
    ("spoken", "name"),
    [
        ("salmon", "Wild Salmon Fillet"),
        ("WILD SALMON FILLET", "Wild Salmon Fillet"),
        ("the fish", "Wild Salmon Fillet"),
        ("salmon fillets", "Wild Salmon Fillet"),
        ("salmn", "Wild Salmon Fillet"),
        ("chicken", "Boneless Chicken Thighs"),
        ("chicken thigh", "Boneless Chicken Thighs"),
        ("chiken", "Boneless Chicken Thighs"),
        ("pork", "Heritage Pork Chops"),
        ("mushrooms", "Shiitake Mushrooms"),
        ("mushroom", "Shiitake Mushrooms"),
        ("shitake", "Shiitake Mushrooms"),
        ("the shitake mushroms", "Shiitake Mushrooms"),
        ("aubergine", "Globe Eggplant"),
        ("eggs", "Pasture-Raised Eggs"),
        ("potatoe", "Fingerling Potatoes"),
        ("tomato", "Cherry Tomatoes"),
        ("kael", "Lacinato Kale"),
        ("the veggie box", "Small Veggie Box"),
        ("chard", "Rainbow Chard"),
        ("brocolli", "Broccoli"),
        ("swiss chard", "Rainbow Chard"),
    ],
)
def test_an_item_is_found_by_what_people_call_it(spoken: str, name: str) -> None:
    """Partial names, plurals, synonyms, groups of one and misspellings lead to the item, in boxes too."""
    cart = sample_cart("+15550001234", read_at=READ_AT)

    found = find_item(spoken, cart)

    assert isinstance(found, Found)
    assert found.item.name == name


@pytest.mark.parametrize(
    ("spoken", "name"),
    [
        ("ham", "Champignons"),
        ("corn", "Black Peppercorns"),
        ("egg", "Globe Eggplant"),
        ("nut", "Butternut Squash"),
        ("pea", "Peaches"),
        ("beef", "Red Beets"),
        ("cod", "Avocados"),
        ("olives", "Extra Virgin Olive Oil"),
        ("chicken breast", "Boneless Chicken Thighs"),
        ("grapes", "Yellow Peaches"),
    ],
)
def test_a_word_inside_another_word_or_another_food_is_no_match(spoken: str, name: str) -> None:
    """Words are compared whole, and the name of a food is never corrected to another food."""
    found = find_item(spoken, cart_of(name))

    assert isinstance(found, NotInCart)


@pytest.mark.parametrize(
    ("spoken", "cart", "names"),
    [
        ("mushrooms", ("Shiitake Mushrooms", "Maitake", "Kale"), {"Shiitake Mushrooms", "Maitake"}),
        ("the greens", ("Lacinato Kale", "Rainbow Chard", "Green Beans"), {"Lacinato Kale", "Rainbow Chard"}),
        ("chicken", ("Chicken Thighs", "Chicken Breast", "Chicken Broth"), {"Chicken Thighs", "Chicken Breast"}),
        ("kale and salmon", ("Lacinato Kale", "Wild Salmon", "Eggs"), {"Lacinato Kale", "Wild Salmon"}),
    ],
)
def test_several_fitting_items_are_all_offered(spoken: str, cart: tuple[str, ...], names: set[str]) -> None:
    """What fits is listed; broth is no chicken while there is chicken, and green beans are no greens."""
    found = find_item(spoken, cart_of(*cart))

    assert isinstance(found, Ambiguous)
    assert {option.name for option in found.options} == names


@pytest.mark.parametrize(
    ("spoken", "cart", "name"),
    [
        ("potatoes", ("Sweet Potatoes", "Yukon Gold Potatoes"), "Yukon Gold Potatoes"),
        ("salmon", ("Smoked Salmon", "Wild Salmon Fillet"), "Wild Salmon Fillet"),
        ("onions", ("Green Onions", "Yellow Onions"), "Yellow Onions"),
        ("kale", ("Kale", "Lacinato Kale"), "Kale"),
    ],
)
def test_the_thing_itself_is_preferred_to_a_kind_of_it(spoken: str, cart: tuple[str, ...], name: str) -> None:
    """A plain word means the plain food when both are there."""
    found = find_item(spoken, cart_of(*cart))

    assert isinstance(found, Found)
    assert found.item.name == name


def test_a_missing_item_is_answered_with_what_is_there_instead() -> None:
    """The answer names what is like it first."""
    cart = cart_of("Lacinato Kale", "Chicken Thighs", "Wild Salmon Fillet")

    found = find_item("lobster", cart)

    assert isinstance(found, NotInCart)
    assert found.to_text() == "There's no lobster in your cart. You have chicken thighs, salmon and kale."


def test_suggestions_begin_with_the_same_family() -> None:
    """Somebody who asks for chard sees greens first."""
    found = find_item("chard", cart_of("Chicken Thighs", "Carrots", "Lacinato Kale"))

    assert isinstance(found, NotInCart)
    assert [item.name for item in found.suggestions] == ["Lacinato Kale", "Carrots", "Chicken Thighs"]


@pytest.mark.parametrize(("spoken", "pantry"), [("garlic", "garlic"), ("the rice", "rice"), ("garbanzos", "chickpeas")])
def test_a_pantry_food_is_recognised_although_it_is_not_in_the_cart(spoken: str, pantry: str) -> None:
    """The pantry is named, so that a swap to it can be accepted."""
    found = find_item(spoken, cart_of("Wild Salmon Fillet"))

    assert isinstance(found, NotInCart)
    assert found.pantry == pantry


@pytest.mark.parametrize("spoken", ["", "   ", "the", "some please", "?!"])
def test_a_spoken_nothing_is_asked_back(spoken: str) -> None:
    """Fillers alone name nothing."""
    found = find_item(spoken, cart_of("Wild Salmon Fillet"))

    assert isinstance(found, NotInCart)
    assert found.to_text() == "Which item do you mean? You have salmon."


def test_an_empty_cart_is_called_empty() -> None:
    """There is nothing to suggest then."""
    found = find_item("eggs", cart_of())

    assert isinstance(found, NotInCart)
    assert found.to_text() == "There are no eggs in your cart. It is empty so far."


def test_a_question_between_items_names_them() -> None:
    """The person can answer with one of the names."""
    found = find_item("mushrooms", cart_of("Shiitake Mushrooms", "Cremini Mushrooms"))

    assert isinstance(found, Ambiguous)
    assert found.to_text() == "Which one do you mean: Shiitake Mushrooms or Cremini Mushrooms?"


@pytest.mark.parametrize(
    ("word", "name", "expected"),
    [
        ("mushrooms", "Maitake", True),
        ("fish", "Pacific Cod", True),
        ("olives", "olive oil", False),
        ("tomatoes", "canned tomatoes", True),
        ("ham", "Champignons", False),
    ],
)
def test_a_dislike_covers_the_kinds_of_a_food_and_no_other_food(word: str, name: str, *, expected: bool) -> None:
    """The same words decide what a household does not want to see."""
    assert is_meant(word, name) is expected


@given(spoken=st.text(max_size=200), phone=st.sampled_from(["+1222", "+1404", "+1555", "+1000"]))
def test_any_text_gets_an_answer_of_one_message(spoken: str, phone: str) -> None:
    """Whatever was written, the answer is a match, a question or a help, and short."""
    found = find_item(spoken, sample_cart(phone, read_at=READ_AT))

    assert isinstance(found, Found) or 0 < len(found.to_text()) <= 306
