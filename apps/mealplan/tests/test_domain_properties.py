"""What holds for every cart, every household and every list of changes."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mealplan.domain.analysis import Analysis
from mealplan.domain.cart import Cart, CartItem
from mealplan.domain.catalogue.identify import identify
from mealplan.domain.catalogue.ingredients import INGREDIENTS, PANTRY
from mealplan.domain.modifications import Details, Modification, read_swap
from mealplan.domain.planner import make_plan
from mealplan.domain.planning.supplies import weigh
from mealplan.domain.preferences import WEEK, Preferences, Restriction
from mealplan.domain.recipes import recipes_text
from mealplan.domain.samples import SAMPLE_NAMES, load_sample

NOW = datetime(2025, 6, 5, 12, tzinfo=UTC)
SOLD = [item for name in SAMPLE_NAMES for item in load_sample(name).items]
MORE = [
    CartItem(name=name, quantity=1, unit="lb")
    for name in (
        "Gulf Shrimp", "Sirloin Steak", "Ground Lamb", "Tempeh", "Halloumi", "Smoked Salmon", "Breaded Cod",
        "Crab Stuffed Mushrooms", "Seitan", "Mussels", "Bacon", "Duck Breast", "Gluten-Free Penne", "Udon Noodles",
        "Basil Pesto", "Kimchi", "Raw Honey", "Walnuts", "Tahini", "Black Beans", "Ricotta", "Mozzarella",
        "Edamame", "Carrot Cake", "Beeswax Candle", "Chicken Bone Broth",
    )
]  # fmt: skip
# Words that must not stand in the name of anything that is eaten, found by looking at the names, not at the tables.
MEAT = ("chicken", "pork", "beef", "lamb", "sausage", "bacon", "duck", "steak", "broth")
FISH = ("salmon", "cod", "trout", "crab", "shrimp", "mussel")
FORBIDDEN_WORDS: dict[Restriction, tuple[str, ...]] = {
    "vegetarian": (*MEAT, *FISH, "pesto", "mozzarella"),
    "vegan": (*MEAT, *FISH, "egg ", "eggs", "feta", "cheddar", "paneer", "yogurt", "honey", "halloumi", "pesto"),
    "pescatarian": MEAT,
    "gluten-free": ("sourdough", "udon", "seitan", "breaded", "couscous", "soy sauce", "breadcrumbs", "stuffed"),
    "dairy-free": ("feta", "cheddar", "paneer", "yogurt", "halloumi", "ricotta", "mozzarella", "pesto"),
    "egg-free": ("egg ", "eggs"),
    "nut-free": ("walnut", "pesto"),
    "shellfish-free": ("shrimp", "crab", "mussel"),
    "fish-free": ("salmon", "cod", "trout"),
    "soy-free": ("tofu", "tempeh", "edamame", "soy sauce", "tamari"),
    "sesame-free": ("tahini", "sesame"),
    "pork-free": ("pork", "bacon", "italian sausage"),
    "red-meat-free": ("pork", "beef", "lamb", "steak", "bacon", "italian sausage"),
}

carts = st.lists(
    st.builds(
        lambda item, factor: CartItem(
            name=item.name, quantity=item.quantity * factor, unit=item.unit, kind=item.kind, contents=item.contents
        ),
        st.sampled_from([*SOLD, *MORE]),
        st.sampled_from([0.0, 0.5, 1.0, 1.0, 3.0]),
    ),
    max_size=24,
).map(lambda items: Cart(items=tuple(items), delivery_date=date(2025, 6, 8), read_at=NOW))
households = st.builds(
    Preferences,
    household=st.integers(1, 6),
    restrictions=st.lists(st.sampled_from(sorted(FORBIDDEN_WORDS)), max_size=2, unique=True).map(tuple),
    goals=st.sampled_from([(), ("30 g protein or more",), ("eat greener",)]),
    cuisines=st.sampled_from([(), ("italian",), ("thai", "indian")]),
    dislikes=st.sampled_from([(), ("mushrooms",), ("fish", "garlic")]),
    max_minutes=st.sampled_from([None, None, 30]),
)
names = st.one_of(
    st.sampled_from([item.name for item in (*SOLD, *MORE)]),
    st.sampled_from(["salmon", "greens", "mushrooms", "chickpeas", "rice", "garlic", "the fish", "", "lobster"]),
    st.text(max_size=12),
)
changes = st.lists(
    st.one_of(
        st.builds(lambda old, new: ("swap", Details(old=old, new=new)), names, names),
        st.builds(lambda item: ("remove", Details(item=item)), names),
        st.builds(
            lambda days: ("skip", Details(days=tuple(days))), st.lists(st.sampled_from(WEEK), max_size=3, unique=True)
        ),
        st.builds(lambda diet: ("diet", Details(restriction=diet)), st.sampled_from(sorted(FORBIDDEN_WORDS))),
    ).map(lambda pair: Modification(type=pair[0], details=pair[1], timestamp=NOW)),
    max_size=4,
)


def all_restrictions(preferences: Preferences, modifications: list[Modification]) -> set[Restriction]:
    """Return the diets in force."""
    asked = (change.details.restriction for change in modifications)
    return {*preferences.restrictions, *(diet for diet in asked if diet is not None)}


def eaten(plan: Analysis) -> list[str]:
    """Return the names of all that is eaten, as they stand in the cart or the pantry."""
    return [portion.item.lower() + " " for dinner in plan.dinners for portion in dinner.portions]


@given(cart=carts, preferences=households, modifications=changes)
def test_a_plan_is_possible_allowed_and_the_same_every_time(
    cart: Cart, preferences: Preferences, modifications: list[Modification]
) -> None:
    """Only what is there, nothing that is forbidden, no repetition, all people fed, and always the same answer."""
    plan = make_plan(cart, preferences, modifications)

    bought = {item.name for item in cart.every_item()}
    for dinner in plan.dinners:
        assert set(dinner.from_cart) <= bought
        assert set(dinner.from_pantry) <= set(PANTRY)
        assert dinner.from_cart
        assert dinner.servings == preferences.household
        if not any(change.type == "swap" for change in modifications):  # a wish by name counts more than a goal
            assert dinner.protein_g >= preferences.min_protein_g
            assert preferences.max_minutes is None or dinner.minutes <= preferences.max_minutes
    for restriction in all_restrictions(preferences, modifications):
        for name in eaten(plan):
            assert not any(word in name for word in FORBIDDEN_WORDS[restriction]), (restriction, name)
    for disliked in preferences.dislikes:
        foods = {INGREDIENTS[portion.food].family for dinner in plan.dinners for portion in dinner.portions}
        assert disliked not in foods
    days = [dinner.day for dinner in plan.dinners]
    assert days == [day for day in WEEK if day in days]
    assert set(days) & set(plan.skipped_days) == set()
    assert len({dinner.dish for dinner in plan.dinners}) == len(plan.dinners)
    assert len(plan.dinners) == 5 - len(set(plan.skipped_days) & set(WEEK[:5])) or plan.explanation
    assert make_plan(cart, preferences, list(modifications)) == plan


@given(cart=carts, preferences=households)
def test_an_unchanged_plan_never_uses_more_than_there_is(cart: Cart, preferences: Preferences) -> None:
    """Grams are counted over the whole week and over lines of the same name."""
    plan = make_plan(cart, preferences)

    there: dict[str, float] = {}
    for item in cart.every_item():
        found = identify(item.name)
        if found is not None:
            there[item.name] = there.get(item.name, 0.0) + weigh(item, found.ingredient)
    for name in {name for dinner in plan.dinners for name in dinner.from_cart}:
        portions = [portion for dinner in plan.dinners for portion in dinner.portions if portion.item == name]
        assert sum(portion.grams for portion in portions) <= there[name] + len(portions)


@given(cart=carts, preferences=households, modifications=changes)
def test_a_plan_can_be_read_and_cooked(cart: Cart, preferences: Preferences, modifications: list[Modification]) -> None:
    """Texts are never empty, never broken, and of the size of a message."""
    plan = make_plan(cart, preferences, modifications)

    text = plan.to_text()
    assert text
    assert "{" not in "".join(recipes_text(plan))
    assert all(len(dinner.to_text()) <= 120 for dinner in plan.dinners)
    assert all(len(message) <= 459 for message in recipes_text(plan))


@given(cart=carts, preferences=households, item=names)
def test_what_was_removed_last_is_in_no_dinner(cart: Cart, preferences: Preferences, item: str) -> None:
    """By its exact name in the cart, whatever else is there."""
    bought = [one.name for one in cart.every_item()]
    item = item if item in bought or not bought else bought[0]
    change = Modification(type="remove", details=Details(item=item), timestamp=NOW)

    plan = make_plan(cart, preferences, [change])

    assert not plan.uses(item)


@given(cart=carts, preferences=households, data=st.data())
def test_an_accepted_swap_is_carried_out(cart: Cart, preferences: Preferences, data: st.DataObject) -> None:
    """The old item is in no dinner; the new one is in one, or the notes say on which day that was not possible."""
    bought = [item.name for item in cart.every_item()]
    old = data.draw(st.sampled_from(bought or ["salmon"]))
    new = data.draw(names)
    before = make_plan(cart, preferences)
    change = read_swap(cart, preferences, old=old, new=new, timestamp=NOW, plan=before)
    assert isinstance(change, Modification) or change.text

    if isinstance(change, Modification):
        after = make_plan(cart, preferences, [change])
        assert not after.uses(change.details.old)
        assert after.uses(change.details.new) or "I found no dinner with" in " ".join(after.notes)


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_every_sample_gives_the_same_plan_on_every_reading(name: str) -> None:
    """The time of reading is no ingredient."""
    sample = load_sample(name)
    first = Cart(items=sample.items, delivery_date=date(2025, 6, 8), read_at=NOW)
    later = Cart(items=sample.items, delivery_date=date(2025, 6, 8), read_at=datetime(2026, 1, 1, tzinfo=UTC))

    assert make_plan(first, sample.preferences) == make_plan(later, sample.preferences)
