"""Recipes: for every dinner and every food that fits into it."""

from datetime import UTC, datetime

import pytest

from mealplan.domain.analysis import Dinner, Portion
from mealplan.domain.catalogue.dish import Dish
from mealplan.domain.catalogue.ingredients import INGREDIENTS
from mealplan.domain.dishes import DISHES
from mealplan.domain.modifications import Details, Modification
from mealplan.domain.planner import make_plan
from mealplan.domain.planning.amounts import write_amount
from mealplan.domain.recipes import MESSAGE_CHARS, recipes_text, write_recipe
from mealplan.domain.samples import sample_cart, sample_preferences

NOW = datetime(2025, 6, 5, 12, tzinfo=UTC)
# The characters of the default alphabet of text messages that we use; another one makes the message cost twice.
GSM = set("\n !\"#%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def serve(dish: Dish, choice: int, *, with_extras: bool) -> Dinner:
    """Fill the places of a dish with their n-th foods, as a plan would."""
    portions: list[Portion] = []
    for part in sorted(dish.parts, key=lambda part: part.role != "main"):
        if not part.is_required and not with_extras:
            continue
        turned = part.any_of[choice % len(part.any_of) :] + part.any_of[: choice % len(part.any_of)]
        food = next((food for food in turned if food not in {portion.food for portion in portions}), None)
        if food is not None:
            grams = INGREDIENTS[food].serving_g * part.share * 2
            text = write_amount(INGREDIENTS[food], food, grams)
            portions.append(
                Portion(item=food, food=food, label=food, role=part.role, grams=round(grams), text=text, source="cart")
            )
    return Dinner(
        day="monday", dish=dish.id, name=dish.id, minutes=dish.minutes, protein_g=30, servings=2,
        cuisine=dish.cuisine, technique=dish.technique, portions=tuple(portions),
    )  # fmt: skip


@pytest.mark.parametrize("with_extras", [True, False])
@pytest.mark.parametrize("dish", DISHES, ids=lambda dish: dish.id)
def test_a_recipe_is_complete_whatever_fills_the_dish(dish: Dish, *, with_extras: bool) -> None:
    """Four to eight steps that name every food of the dinner, with nothing left open."""
    for choice in range(max(len(part.any_of) for part in dish.parts)):
        recipe = write_recipe(dinner := serve(dish, choice, with_extras=with_extras))

        steps = " ".join(recipe.steps)
        missing = [p.label for p in dinner.portions if p.label.lower().removesuffix("s") not in steps.lower()]
        assert 4 <= len(recipe.steps) <= 8, recipe.steps
        assert missing == [], steps
        assert "{" not in steps
        assert all(step[0].isupper() and step.endswith(".") for step in recipe.steps)
        assert set(recipe.to_text()) <= GSM


def test_recipes_differ_by_technique() -> None:
    """A soup is not seared."""
    first = {dish.technique: write_recipe(serve(dish, 0, with_extras=True)).steps for dish in DISHES}

    assert len(set(first.values())) == len(first)


def test_poultry_and_ground_meat_are_cooked_through() -> None:
    """The safe temperature stands in every such recipe."""
    for dish in DISHES:
        for choice, food in enumerate(dish.mains):
            steps = " ".join(write_recipe(serve(dish, choice, with_extras=False)).steps)
            kind = INGREDIENTS[food]
            if kind.family == "poultry" and kind.texture in {"fillet", "piece"}:
                assert "165 F" in steps, (dish.id, food)
            elif kind.texture == "ground":
                assert "160 F" in steps or "165 F" in steps, (dish.id, food)


def test_amounts_are_for_the_whole_table() -> None:
    """A recipe for five says what five need."""
    plan = make_plan(sample_cart("+1555", read_at=NOW), sample_preferences("+1555"))

    recipe = write_recipe(plan.dinners[0])

    assert recipe.servings == 5
    assert recipe.ingredients[0] == "1 3/4 lb cod"
    assert "serves 5" in recipe.to_text()


def test_a_removed_food_is_in_no_recipe() -> None:
    """Not in the list, not in the steps."""
    cart, household = sample_cart("+1000", read_at=NOW), sample_preferences("+1000")
    removals = [
        Modification(type="remove", details=Details(item=item), timestamp=NOW)
        for item in ("garlic", "lemons", "soy sauce", "kale", "olive oil")
    ]

    text = "\n".join(recipes_text(make_plan(cart, household, removals))).lower()

    assert text
    for word in ("garlic", "lemon", "soy sauce", "kale", "olive oil"):
        assert word not in text


def test_a_recipe_says_how_to_keep_food() -> None:
    """What is left, and what waits for its day."""
    plan = make_plan(sample_cart("+1000", read_at=NOW), sample_preferences("+1000"))

    for dinner in plan.dinners:
        storage = write_recipe(dinner).storage
        assert "fridge" in storage
        assert storage.startswith(dinner.tip)


@pytest.mark.parametrize("phone", ["+1222", "+1404", "+1555", "+1000"])
@pytest.mark.parametrize("limit", [MESSAGE_CHARS, 160, 40, 1])
def test_recipes_are_sent_in_messages_of_limited_size(phone: str, limit: int) -> None:
    """In the order of the week, each with its day, and no word is lost."""
    plan = make_plan(sample_cart(phone, read_at=NOW), sample_preferences(phone))

    messages = recipes_text(plan, limit=limit)

    whole = " ".join(" ".join(messages).split())
    assert max(len(message) for message in messages) <= max(limit, 40)
    assert [message[:3] for message in messages] == sorted(
        (message[:3] for message in messages), key=["Mon", "Tue", "Wed", "Thu", "Fri"].index
    )
    for dinner in plan.dinners:
        for word in write_recipe(dinner).steps[-1].split():
            assert word in whole


def test_a_plan_without_dinners_has_no_recipes() -> None:
    """And no empty message."""
    plan = make_plan(sample_cart("+1000", read_at=NOW), sample_preferences("+1000"), (), ("monday",))
    none = make_plan(
        sample_cart("+1000", read_at=NOW),
        sample_preferences("+1000"),
        (),
        ("monday", "tuesday", "wednesday", "thursday", "friday"),
    )

    assert len(recipes_text(plan, limit=2000)) == 4
    assert recipes_text(none) == ()
