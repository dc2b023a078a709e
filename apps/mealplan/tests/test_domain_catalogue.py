"""The tables: every food and every dinner in them is usable."""

import string

import pytest

from mealplan.domain.cart import CartItem
from mealplan.domain.catalogue.dish import Dish
from mealplan.domain.catalogue.identify import identify
from mealplan.domain.catalogue.ingredients import INGREDIENTS, PANTRY, PROTEIN_FAMILIES
from mealplan.domain.catalogue.techniques import BASES, STEPS
from mealplan.domain.dishes import DISHES, MAINS, dishes_by_id
from mealplan.domain.planning.amounts import write_amount
from mealplan.domain.planning.supplies import weigh


def test_there_are_many_dinners_of_many_kitchens() -> None:
    """A varied week needs a varied catalogue."""
    assert len(DISHES) >= 40
    assert len({dish.cuisine for dish in DISHES}) >= 10
    assert len({dish.technique for dish in DISHES}) >= 15


def test_a_dinner_has_an_id_and_a_name_of_its_own() -> None:
    """Taste is learnt by id, and two dinners of the same name look like a repetition."""
    assert len(dishes_by_id()) == len(DISHES)
    assert len({(dish.name, dish.cuisine) for dish in DISHES}) == len(DISHES)


@pytest.mark.parametrize("dish", DISHES, ids=lambda dish: dish.id)
def test_a_dinner_names_only_foods_of_the_table_and_places_it_has(dish: Dish) -> None:
    """A misspelt food would silently never be found."""
    roles = [part.role for part in dish.parts]
    braces = {field for _, field, _, _ in string.Formatter().parse(dish.name) if field}

    assert {food for part in dish.parts for food in part.any_of} <= set(INGREDIENTS)
    assert roles.count("main") == 1
    assert roles.count("base") == 1
    assert {name.removesuffix("_one") for name in braces} <= set(roles)
    assert all(part.is_required for part in dish.parts if part.role in {"main", "greens", "veg", "base"})
    assert 15 <= dish.minutes <= 90
    assert dish.technique in STEPS


def test_every_base_can_be_cooked() -> None:
    """The steps look the base up by its id."""
    bases = {food for dish in DISHES for part in dish.parts if part.role == "base" for food in part.any_of}

    assert bases <= set(BASES)


def test_every_protein_and_vegetable_of_the_table_has_a_dinner() -> None:
    """What a shop sells for dinner can be planned; a swap to it never ends in "I found no dinner"."""
    placed = {food for dish in DISHES for part in dish.parts for food in part.any_of}
    wanted = {food.id for food in INGREDIENTS.values() if food.texture in {"leafy", "firm", "tender", "fresh", "base"}}
    # Bacon is a seasoning: nobody eats enough of it to call it the protein of a dinner.
    proteins = {food.id for food in INGREDIENTS.values() if food.family in PROTEIN_FAMILIES} - {"bacon"}

    assert wanted - placed == set()
    assert proteins - MAINS == set()


def test_the_pantry_holds_no_fresh_meat_fish_or_eggs() -> None:
    """A dinner is made from what was bought; the pantry only helps."""
    families = {INGREDIENTS[food].family for food in PANTRY}

    assert families & {"fish", "shellfish", "poultry", "pork", "beef", "lamb", "egg", "greens"} == set()


def test_protein_and_portions_are_believable() -> None:
    """No food has more protein than dried meat has, and a serving of a main has 9 to 45 grams."""
    for food in INGREDIENTS.values():
        assert 0 <= food.protein <= 40, food.id
    for main in MAINS:
        food = INGREDIENTS[main]
        assert 9 <= food.protein * food.serving_g / 100 <= 45, food.id


@pytest.mark.parametrize(
    ("name", "food", "label"),
    [
        ("Wild Salmon Fillet, 1 lb", "salmon", "salmon"),
        ("Lacinato Kale", "kale", "kale"),
        ("Shiitake Mushrooms", "mushrooms", "shiitake mushrooms"),
        ("Pacific Cod Fillet", "white fish", "cod"),
        ("Sweet Potatoes", "sweet potatoes", "sweet potatoes"),
        ("Chicken Broth", "meat stock", "chicken broth"),
        ("Chicken Apple Sausage", "chicken sausage", "chicken sausage"),
        ("Butter Lettuce", "lettuce", "butter lettuce"),
        ("Almond Milk", "plant milk", "almond milk"),
        ("Black Peppercorns", "black pepper", "peppercorns"),
        ("Crab Stuffed Mushrooms", "mushrooms", "mushrooms"),
        ("Salmon with Lemon and Dill", "salmon", "salmon"),
    ],
)
def test_a_shop_name_is_recognised_as_its_food(name: str, food: str, label: str) -> None:
    """The longest name wins, and what comes after "with" is a side matter."""
    found = identify(name)

    assert found is not None
    assert (found.ingredient.id, found.label) == (food, label)


@pytest.mark.parametrize(
    "name",
    ["Carrot Cake", "Apple Juice", "Potato Chips", "Egg-Free Mayo", "Plant-Based Chicken", "Beeswax Candle", "", "???"],
)
def test_ready_made_and_unknown_things_are_left_alone(name: str) -> None:
    """We plan with foods that we know, and promise no diet about others."""
    assert identify(name) is None


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("Breaded Cod", "gluten"),
        ("Crab Stuffed Mushrooms", "shellfish"),
        ("Almond Crusted Trout", "nuts"),
        ("Teriyaki Chicken Thighs", "soy"),
        ("Bacon Wrapped Asparagus", "pork"),
        ("Salmon with Dill Butter", "dairy"),
    ],
)
def test_what_else_is_in_a_name_counts_as_contained(name: str, mark: str) -> None:
    """An allergy is not decided by the main word alone."""
    found = identify(name)

    assert found is not None
    assert mark in found.contains


@pytest.mark.parametrize(
    ("item", "grams"),
    [
        (CartItem(name="Wild Salmon Fillet", quantity=1, unit="lb"), 454),
        (CartItem(name="Wild Salmon Fillet, 1.5 lb", quantity=2, unit="each"), 1361),
        (CartItem(name="Wild Salmon Fillet, 1/2 lb"), 227),
        (CartItem(name="Eggs", quantity=1, unit="dozen"), 600),
        (CartItem(name="Carrots", quantity=1, unit="bag"), 450),
        (CartItem(name="Lacinato Kale", quantity=2, unit="bunch"), 400),
        (CartItem(name="Cherry Tomatoes", quantity=1, unit="Pint"), 300),
        (CartItem(name="Tofu", quantity=0, unit="each"), 0),
        (CartItem(name="Tofu", quantity=-3, unit="lb"), 0),
    ],
)
def test_an_item_is_weighed_by_unit_size_or_piece(item: CartItem, grams: int) -> None:
    """The shop's unit comes first, then a size in the name, then what such a thing usually weighs."""
    found = identify(item.name)

    assert found is not None
    assert round(weigh(item, found.ingredient)) == grams


@pytest.mark.parametrize(
    ("food", "grams", "text"),
    [
        ("salmon", 340, "12 oz salmon"),
        ("salmon", 850, "1 3/4 lb salmon"),
        ("kale", 160, "1 bunch kale"),
        ("kale", 400, "2 bunches kale"),
        ("carrots", 70, "1 carrot"),
        ("carrots", 160, "3 carrots"),
        ("eggs", 300, "6 eggs"),
        ("rice", 130, "3/4 cup rice"),
        ("garlic", 8, "2 cloves garlic"),
        ("canned tomatoes", 260, "1/2 can tomatoes"),
        ("olive oil", 20, "1 1/2 tbsp olive oil"),
        ("cumin", 2.4, "1 tsp cumin"),
        ("cumin", 6, "1 tbsp cumin"),
        ("stock", 360, "1 1/2 cups stock"),
    ],
)
def test_amounts_are_written_in_kitchen_measures(food: str, grams: float, text: str) -> None:
    """A cook measures cups and pieces, not grams."""
    written = write_amount(INGREDIENTS[food], food, grams)

    assert written == text
