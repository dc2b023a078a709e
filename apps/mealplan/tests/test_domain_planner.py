"""The plan of a week from a cart."""

from datetime import UTC, date, datetime

import pytest

from mealplan.domain.analysis import MAX_LINE_CHARS, list_changes
from mealplan.domain.cart import Cart, CartItem
from mealplan.domain.catalogue.ingredients import INGREDIENTS
from mealplan.domain.modifications import MAX_MODIFICATIONS, Details, Modification, read_swap
from mealplan.domain.planner import make_plan
from mealplan.domain.preferences import MAX_HOUSEHOLD, WEEK, Preferences, read_restriction, read_weekday
from mealplan.domain.samples import sample_cart, sample_preferences

READ_AT = datetime(2025, 6, 5, 12, tzinfo=UTC)
DEFAULT = sample_cart("+15551234567", read_at=READ_AT)
HOUSEHOLD = sample_preferences("+15551234567")


def cart_of(*lines: tuple[str, float, str]) -> Cart:
    """Make a cart from names, quantities and units."""
    items = tuple(CartItem(name=name, quantity=quantity, unit=unit) for name, quantity, unit in lines)
    return Cart(items=items, delivery_date=date(2025, 6, 8), read_at=READ_AT)


def test_the_default_cart_gives_five_different_dinners_from_monday_to_friday() -> None:
    """A full cart fills the week, with a swap idea for every dinner."""
    plan = make_plan(DEFAULT, HOUSEHOLD)

    assert [dinner.day for dinner in plan.dinners] == list(WEEK[:5])
    assert len({dinner.dish for dinner in plan.dinners}) == 5
    assert all(dinner.swap_idea is not None for dinner in plan.dinners)
    assert plan.explanation == ""


def test_the_default_plan_uses_what_the_examples_change() -> None:
    """The words "swap salmon", "remove the eggplant" and "no mushrooms" all have something to change."""
    plan = make_plan(DEFAULT, HOUSEHOLD)

    for item in ("Wild Salmon Fillet", "Lacinato Kale", "Globe Eggplant", "Shiitake Mushrooms"):
        assert plan.uses(item), item


def test_proteins_are_spread_over_the_week() -> None:
    """With five proteins in the cart no dinner repeats one."""
    plan = make_plan(DEFAULT, HOUSEHOLD)

    assert len({dinner.main.food for dinner in plan.dinners}) == 5


def test_a_favourite_does_not_take_over_the_week() -> None:
    """Salmon may be learnt to be liked and there may be plenty of it: it is one dinner of five."""
    plenty = Cart(
        items=(*DEFAULT.items, CartItem(name="Wild Salmon Fillet", quantity=4, unit="lb")),
        delivery_date=DEFAULT.delivery_date,
        read_at=READ_AT,
    )

    plan = make_plan(plenty, Preferences(signals={"ingredient:salmon": 0.8}))

    assert [dinner.main.food for dinner in plan.dinners].count("salmon") == 1


def test_for_a_single_dinner_the_food_that_spoils_is_chosen() -> None:
    """Eggs can wait for next week, shrimp cannot."""
    cart = cart_of(("Eggs", 1, "dozen"), ("Gulf Shrimp", 1, "lb"), ("Bell Peppers", 2, "each"), ("Spinach", 1, "bunch"))

    plan = make_plan(cart, Preferences(dinner_days=("monday",)))

    assert [dinner.main.food for dinner in plan.dinners] == ["shrimp"]


def test_what_spoils_is_eaten_first() -> None:
    """Fish comes on the first day, and mains follow in the order in which they keep."""
    plan = make_plan(DEFAULT, HOUSEHOLD)
    keeps = [INGREDIENTS[dinner.main.food].keeps_days for dinner in plan.dinners]

    assert plan.dinners[0].main.food == "salmon"
    assert keeps == sorted(keeps)


def test_a_protein_goal_is_reached_by_every_serving() -> None:
    """30 g or more where the goal says so."""
    goal = make_plan(DEFAULT, Preferences(goals=("30 g protein or more",)))
    higher = make_plan(DEFAULT, Preferences(goals=("at least 40g protein per meal",)))

    assert len(goal.dinners) == 5
    assert min(dinner.protein_g for dinner in goal.dinners) >= 30
    assert min(dinner.protein_g for dinner in higher.dinners) >= 40


def test_protein_of_a_dinner_is_the_sum_of_its_foods() -> None:
    """The number that people read can be checked against the amounts."""
    plan = make_plan(DEFAULT, HOUSEHOLD)

    for dinner in plan.dinners:
        total = sum(portion.grams * INGREDIENTS[portion.food].protein / 100 for portion in dinner.portions)
        assert abs(dinner.protein_g - total / dinner.servings) <= 1.5


def test_a_larger_household_gets_larger_amounts() -> None:
    """Twice the people eat twice the salmon."""
    cart = cart_of(("Wild Salmon Fillet", 3, "lb"), ("Kale", 4, "bunch"))
    two = make_plan(cart, Preferences(household=2)).dinners[0]
    four = make_plan(cart, Preferences(household=4)).dinners[0]

    assert (two.servings, four.servings) == (2, 4)
    assert four.main.grams == 2 * two.main.grams


def test_a_pound_of_salmon_is_no_dinner_for_five() -> None:
    """Amounts count, not only names."""
    plan = make_plan(cart_of(("Wild Salmon Fillet", 1, "lb"), ("Kale", 4, "bunch")), Preferences(household=5))

    assert plan.dinners == ()
    assert plan.explanation == "Your cart does not make a dinner yet; add a protein."


def test_too_few_proteins_give_fewer_dinners_and_say_so() -> None:
    """The text says how many, and what would help."""
    cart = cart_of(
        ("Wild Salmon Fillet", 12, "oz"),
        ("Chicken Thighs", 12, "oz"),
        ("Eggs", 6, "each"),
        ("Kale", 3, "bunch"),
        ("Spinach", 2, "bunch"),
        ("Zucchini", 3, "each"),
        ("Bell Peppers", 4, "each"),
    )

    plan = make_plan(cart, Preferences())

    assert len(plan.dinners) == 3
    assert plan.explanation == "Your cart has enough for 3 dinners; add a protein for more."


@pytest.mark.parametrize(
    ("restriction", "text"),
    [
        ("vegetarian", "Your cart does not make a dinner yet; add eggs, tofu or beans."),
        ("vegan", "Your cart does not make a dinner yet; add tofu, beans or lentils."),
    ],
)
def test_the_advice_fits_the_diet(restriction: str, text: str) -> None:
    """Nobody tells a vegan to buy eggs."""
    known = read_restriction(restriction)
    assert known is not None

    plan = make_plan(cart_of(("Chicken Thighs", 2, "lb"), ("Kale", 3, "bunch")), Preferences(restrictions=(known,)))

    assert plan.explanation == text


def test_a_tight_cart_is_shared_out_among_as_many_dinners_as_possible() -> None:
    """The best dinner first would take all the greens; three plain dinners beat two fine ones."""
    cart = cart_of(("Eggs", 1, "dozen"), ("Ground Beef", 1, "lb"), ("Spinach", 1, "bunch"), ("Zucchini", 1, "each"))

    plan = make_plan(cart, Preferences())

    assert len(plan.dinners) == 3


def test_too_few_vegetables_are_named_as_what_is_missing() -> None:
    """There is enough meat, so the advice is not to buy more of it."""
    plan = make_plan(cart_of(("Wild Salmon Fillet", 4, "lb"), ("Kale", 1, "bunch")), Preferences())

    assert len(plan.dinners) == 1
    assert plan.explanation == "Your cart has enough for 1 dinner; add some greens or vegetables for more."


def test_a_limit_of_the_household_is_named_when_it_is_the_reason() -> None:
    """Minutes and protein goals are the household's own, so they can change them."""
    fast = make_plan(DEFAULT, Preferences(max_minutes=20))
    strong = make_plan(DEFAULT, Preferences(goals=("120 g protein",)))

    assert all(dinner.minutes <= 20 for dinner in fast.dinners)
    assert "20 minutes" in fast.explanation
    assert strong.dinners == ()
    assert strong.explanation.startswith("No dinner from your cart has 120 g of protein a serving.")


def test_an_empty_cart_is_explained() -> None:
    """There is nothing wrong, there is just nothing there."""
    plan = make_plan(cart_of(), Preferences())

    assert plan.to_text() == "There is nothing in your cart that I can cook with. Add a protein and some vegetables."


def test_skipped_days_have_no_dinner_and_the_best_dinners_stay() -> None:
    """The fish is not thrown away because Monday is."""
    plan = make_plan(DEFAULT, HOUSEHOLD, (), ("monday", "wednesday"))

    assert [dinner.day for dinner in plan.dinners] == ["tuesday", "thursday", "friday"]
    assert plan.dinners[0].main.food == "salmon"
    assert plan.skipped_days == ("monday", "wednesday")
    assert plan.explanation == ""


def test_skipping_all_days_is_a_clear_message() -> None:
    """No dinners, and no word about the cart."""
    plan = make_plan(DEFAULT, HOUSEHOLD, (), WEEK)

    assert plan.to_text() == "Every day is skipped, so there is no dinner to plan."


def test_a_household_may_cook_on_other_days() -> None:
    """Weekends are for some."""
    plan = make_plan(DEFAULT, Preferences(dinner_days=("sunday", "saturday")))

    assert [dinner.day for dinner in plan.dinners] == ["saturday", "sunday"]


def test_dislikes_never_appear_and_likes_come_first() -> None:
    """A dislike is a promise, a like is a wish."""
    without = make_plan(DEFAULT, Preferences(dislikes=("mushrooms", "fish", "garlic")))
    plain = make_plan(DEFAULT, Preferences())
    liking = make_plan(DEFAULT, Preferences(likes=("apples",)))

    foods = {portion.food for dinner in without.dinners for portion in dinner.portions}
    assert foods & {"mushrooms", "salmon", "garlic"} == set()
    assert not plain.uses("Fuji Apples")
    assert liking.uses("Fuji Apples")


def test_liked_cuisines_and_learnt_signals_change_the_choice() -> None:
    """The next plan shows what was learnt."""
    plain = make_plan(DEFAULT, Preferences())
    indian = make_plan(DEFAULT, Preferences(cuisines=("Indian",)))
    learnt = make_plan(DEFAULT, Preferences(signals={"cuisine:indian": 0.8}))
    bored = make_plan(DEFAULT, Preferences(signals={f"dish:{plain.dinners[0].dish}": -1.0}))

    assert sum(dinner.cuisine == "indian" for dinner in indian.dinners) > sum(
        dinner.cuisine == "indian" for dinner in plain.dinners
    )
    assert any(dinner.cuisine == "indian" for dinner in learnt.dinners)
    assert plain.dinners[0].dish not in {dinner.dish for dinner in bored.dinners}


def test_a_swap_idea_is_understood_by_a_swap() -> None:
    """What we suggest must work when it is said."""
    plan = make_plan(DEFAULT, HOUSEHOLD)

    for dinner in plan.dinners:
        idea = dinner.swap_idea
        assert idea is not None
        change = read_swap(DEFAULT, HOUSEHOLD, old=idea.old, new=idea.new, timestamp=READ_AT, plan=plan)
        assert isinstance(change, Modification)
        assert change.details.old == dinner.main.item


def test_meat_that_waits_too_long_gets_a_tip_to_freeze_it() -> None:
    """Fish on Friday was in the freezer."""
    plan = make_plan(
        cart_of(("Wild Salmon Fillet", 4, "lb"), ("Kale", 6, "bunch"), ("Zucchini", 6, "each")), Preferences()
    )
    tips = {dinner.day: dinner.tip for dinner in plan.dinners}

    assert tips["monday"] == ""
    assert tips["friday"] == "Freeze the salmon on delivery day and move it to the fridge the night before."


def test_the_text_has_a_line_for_each_dinner() -> None:
    """It is read on a phone."""
    text = make_plan(DEFAULT, HOUSEHOLD).to_text()

    lines = text.split("\n")
    assert lines[0] == "5 dinners for 2 from your cart:"
    assert [line[:4] for line in lines[1:6]] == ["Mon:", "Tue:", "Wed:", "Thu:", "Fri:"]
    assert all("min" in line and "g protein" in line for line in lines[1:6])
    assert lines[6].startswith("Swap idea: ")
    assert max(len(line) for line in lines) <= MAX_LINE_CHARS


def test_the_nearly_empty_cart_is_planned_as_far_as_it_goes() -> None:
    """One trout is one dinner."""
    plan = make_plan(sample_cart("+1404", read_at=READ_AT), sample_preferences("+1404"))

    assert len(plan.dinners) == 1
    assert plan.to_text().startswith("1 dinner for 2 from your cart:")
    assert plan.explanation == "Your cart has enough for 1 dinner; add a protein for more."


def test_unknown_items_are_listed_as_unused() -> None:
    """The person sees that they were not forgotten."""
    plan = make_plan(cart_of(("Beeswax Candle", 1, "each"), ("Wild Salmon", 1, "lb"), ("Kale", 1, "bunch")), HOUSEHOLD)

    assert plan.unused == ("Beeswax Candle",)


def test_changes_between_two_plans_are_told_day_by_day() -> None:
    """Nothing is said about days that stay."""
    before = make_plan(DEFAULT, HOUSEHOLD)
    change = Modification(
        type="swap", details=Details(old="Wild Salmon Fillet", new="Boneless Chicken Thighs"), timestamp=READ_AT
    )
    after = make_plan(DEFAULT, HOUSEHOLD, [change])
    skipped = make_plan(DEFAULT, HOUSEHOLD, (), ("friday",))

    assert list_changes(before, before) == ()
    assert list_changes(before, after) == (
        "Mon: Seared chicken thighs with garlicky kale (was: Seared salmon with garlicky kale)",
    )
    assert list_changes(before, skipped)[-1] == "No dinner any more: Fri"


def test_a_day_that_comes_back_and_a_vegetable_that_changes_are_told() -> None:
    """Also when the dinner's name stays the same."""
    before = make_plan(DEFAULT, HOUSEHOLD, (), ("friday",))
    without = Modification(type="remove", details=Details(item="Globe Eggplant"), timestamp=READ_AT)
    after = make_plan(DEFAULT, HOUSEHOLD)

    assert list_changes(before, after)[-1] == after.dinners[-1].to_text()
    assert list_changes(after, make_plan(DEFAULT, HOUSEHOLD, [without]))[0] == (
        "Mon: Seared salmon with garlicky kale, now with salmon, kale, potatoes, cherry tomatoes and lemons"
    )


def test_a_list_of_changes_without_an_end_is_refused() -> None:
    """Put a limit on everything."""
    change = Modification(type="remove", details=Details(item="kale"), timestamp=READ_AT)

    with pytest.raises(ValueError, match=str(MAX_MODIFICATIONS)):
        make_plan(DEFAULT, HOUSEHOLD, [change] * (MAX_MODIFICATIONS + 1))


@pytest.mark.parametrize("household", [0, -1, MAX_HOUSEHOLD + 1])
def test_an_impossible_household_is_refused(household: int) -> None:
    """A wrong number must not scale a week of food."""
    with pytest.raises(ValueError, match=str(household)):
        Preferences(household=household)


@pytest.mark.parametrize(
    ("text", "restriction"),
    [
        ("vegetarian", "vegetarian"),
        ("we are Vegan", "vegan"),
        ("allergic to nuts", "nut-free"),
        ("gluten free please", "gluten-free"),
        ("coeliac", "gluten-free"),
        ("no dairy", "dairy-free"),
        ("no red meat", "red-meat-free"),
        ("no meat", "vegetarian"),
        ("shellfish allergy", "shellfish-free"),
        ("no eggs please", "egg-free"),
        ("I love fish", None),
        ("butternut", None),
        ("no mushrooms", None),
        ("", None),
    ],
)
def test_diets_are_understood_or_asked_about(text: str, restriction: str | None) -> None:
    """An unclear allergy is never guessed."""
    assert read_restriction(text) == restriction


@pytest.mark.parametrize(
    ("text", "day"),
    [("Mon", "monday"), ("weds", "wednesday"), ("thurs.", "thursday"), ("FRIDAY", "friday"), ("tuesdays", "tuesday"),
     ("t", None), ("", None), ("blursday", None)],
)  # fmt: skip
def test_weekdays_are_understood_by_their_first_letters(text: str, day: str | None) -> None:
    """One letter leaves the choice open and is not guessed."""
    assert read_weekday(text) == day
