"""Swap, remove, skip and diets: what is accepted, and that the plan honours it."""

from datetime import UTC, datetime
from typing import Literal

import pytest

from mealplan.domain.analysis import Analysis
from mealplan.domain.cart import Cart, CartItem
from mealplan.domain.catalogue.ingredients import INGREDIENTS
from mealplan.domain.modifications import (
    Details,
    Modification,
    Refusal,
    read_note,
    read_removal,
    read_skip,
    read_swap,
)
from mealplan.domain.planner import make_plan
from mealplan.domain.preferences import WEEK, Preferences
from mealplan.domain.samples import sample_cart, sample_preferences

NOW = datetime(2025, 6, 5, 12, tzinfo=UTC)
CART = sample_cart("+15551234567", read_at=NOW)
HOUSEHOLD = sample_preferences("+15551234567")
PLAN = make_plan(CART, HOUSEHOLD)


def accepted(answer: Modification | Refusal) -> Modification:
    """Return the modification, or fail with the refusal's text."""
    assert isinstance(answer, Modification), answer
    return answer


def refused(answer: Modification | Refusal) -> Refusal:
    """Return the refusal, or fail with the modification."""
    assert isinstance(answer, Refusal), answer
    return answer


def swap(old: str, new: str, plan: Analysis | None = PLAN) -> Modification | Refusal:
    """Ask for a swap in the default plan."""
    return read_swap(CART, HOUSEHOLD, old=old, new=new, timestamp=NOW, plan=plan)


def cart_of(*lines: tuple[str, float, str]) -> Cart:
    """Make a cart from names, quantities and units."""
    items = tuple(CartItem(name=name, quantity=quantity, unit=unit) for name, quantity, unit in lines)
    return Cart(items=items, delivery_date=CART.delivery_date, read_at=NOW)


def foods(plan: Analysis) -> set[str]:
    """Return the ids of all foods of a plan."""
    return {portion.food for dinner in plan.dinners for portion in dinner.portions}


def test_a_swapped_ingredient_is_gone_and_the_new_one_is_there() -> None:
    """The words "swap salmon for chicken" change the salmon's day to chicken and leaves the other days as they were."""
    change = accepted(swap("salmon", "chicken"))

    plan = make_plan(CART, HOUSEHOLD, [change])

    monday = plan.dinner_on("monday")
    assert monday is not None
    assert not plan.uses("Wild Salmon Fillet")
    assert monday.main.item == "Boneless Chicken Thighs"
    assert [dinner.name for dinner in plan.dinners[1:]] == [dinner.name for dinner in PLAN.dinners[1:]]


def test_a_swap_carries_the_names_of_the_cart() -> None:
    """The list of modifications is read by people and by later plans."""
    change = accepted(swap("salmn", "the pork"))

    assert change.type == "swap"
    assert change.details == Details(old="Wild Salmon Fillet", new="Heritage Pork Chops")
    assert change.timestamp == NOW
    assert change.to_text() == "Salmon out, pork chops in"


def test_a_vegetable_is_swapped_inside_its_dinner() -> None:
    """The dish stays, the greens change."""
    plan = make_plan(CART, HOUSEHOLD, [accepted(swap("kale", "spinach"))])

    monday = plan.dinner_on("monday")
    assert monday is not None
    assert monday.name == "Seared salmon with garlicky spinach"
    assert not plan.uses("Lacinato Kale")


def test_a_side_vegetable_is_swapped_beside_its_dinner() -> None:
    """What the dinner is named after stays."""
    cart = cart_of(
        ("Wild Salmon", 1, "lb"), ("Kale", 1, "bunch"), ("Globe Eggplant", 1, "each"), ("Zucchini", 1, "each")
    )
    before = make_plan(cart, Preferences(dinner_days=("monday",)))
    change = read_swap(cart, Preferences(), old="eggplant", new="zucchini", timestamp=NOW, plan=before)

    plan = make_plan(cart, Preferences(dinner_days=("monday",)), [accepted(change)])

    assert [dinner.name for dinner in plan.dinners] == [dinner.name for dinner in before.dinners]
    assert (plan.uses("Globe Eggplant"), plan.uses("Zucchini")) == (False, True)


def test_a_swap_that_no_dinner_can_take_up_is_said() -> None:
    """Bananas are in the cart and in no dinner; the salmon is gone as asked."""
    cart = cart_of(("Wild Salmon", 1, "lb"), ("Chicken Thighs", 1, "lb"), ("Kale", 1, "bunch"), ("Bananas", 4, "each"))
    before = make_plan(cart, Preferences())
    change = accepted(read_swap(cart, Preferences(), old="salmon", new="bananas", timestamp=NOW, plan=before))

    plan = make_plan(cart, Preferences(), [change])

    assert not plan.uses("Wild Salmon")
    assert plan.notes == ("I found no dinner with Bananas for Monday.",)


def test_a_swap_to_something_that_is_no_food_is_refused() -> None:
    """It is in the cart, and still no dinner."""
    cart = cart_of(("Wild Salmon", 1, "lb"), ("Beeswax Candle", 1, "each"))

    answer = refused(read_swap(cart, Preferences(), old="salmon", new="candle", timestamp=NOW))

    assert answer.text == "I have no dinner that uses Beeswax Candle. You have salmon."


@pytest.mark.parametrize(
    ("details", "kind", "text"),
    [
        (Details(item="Globe Eggplant"), "remove", "No eggplant"),
        (Details(restriction="gluten-free"), "diet", "Gluten-free"),
    ],
)
def test_a_modification_says_what_it_changes(details: Details, kind: Literal["remove", "diet"], text: str) -> None:
    """Short enough to begin an answer with."""
    assert Modification(type=kind, details=details, timestamp=NOW).to_text() == text


def test_taking_a_modification_off_the_list_is_its_undo() -> None:
    """The plan without it is the plan before it."""
    first, second = accepted(swap("salmon", "chicken")), accepted(read_removal(CART, item="kale", timestamp=NOW))

    changed = make_plan(CART, HOUSEHOLD, [first, second])

    assert changed != make_plan(CART, HOUSEHOLD, [first])
    assert make_plan(CART, HOUSEHOLD, []) == PLAN


def test_a_later_swap_can_bring_back_what_an_earlier_one_took() -> None:
    """Changes count in their order."""
    changes = [accepted(swap("salmon", "chicken")), accepted(swap("chicken", "salmon", plan=None))]

    plan = make_plan(CART, HOUSEHOLD, changes)

    assert plan.uses("Wild Salmon Fillet")
    assert not plan.uses("Boneless Chicken Thighs")


def test_a_swap_to_what_is_not_in_the_cart_is_refused_with_what_is() -> None:
    """The answer helps: it names what could be taken instead."""
    answer = refused(swap("salmon", "lobster"))

    assert answer.text == "There's no lobster in your cart. You have salmon, chicken thighs, pork chops and eggs."


def test_a_swap_to_a_pantry_food_is_accepted() -> None:
    """Canned beans are counted on in every kitchen."""
    change = accepted(swap("salmon", "chickpeas"))

    plan = make_plan(CART, HOUSEHOLD, [change])

    assert not plan.uses("Wild Salmon Fillet")
    assert plan.uses("chickpeas")


def test_an_unclear_new_item_is_asked_about() -> None:
    """The options are names that can be answered with, and the refusal says which word was unclear."""
    answer = refused(swap("salmon", "greens"))

    assert answer.unclear == "new"
    assert answer.options == ("Lacinato Kale", "Bloomsdale Spinach", "Rainbow Chard")
    assert answer.text.startswith("Which one do you mean: ")


def test_the_plan_decides_between_several_old_items() -> None:
    """Of all that is called fruit only the lemons are in a dinner."""
    in_plan = {name for dinner in PLAN.dinners for name in dinner.from_cart}
    assert {"Meyer Lemons", "Fuji Apples", "Navel Oranges"} & in_plan == {"Meyer Lemons"}

    change = accepted(swap("fruit", "Fuji Apples"))

    assert change.details.old == "Meyer Lemons"


def test_what_no_dinner_uses_cannot_be_swapped_or_removed() -> None:
    """The answer says what the plan has."""
    swapped = refused(swap("oranges", "chicken"))
    removed = refused(read_removal(CART, item="oranges", timestamp=NOW, plan=PLAN))

    assert swapped.text == "No dinner uses oranges. The plan has salmon, chicken thighs, pork chops, tofu and eggs."
    assert removed.text == "No dinner uses oranges, so there is nothing to remove."


def test_a_swap_against_the_diet_is_refused() -> None:
    """Nobody slips meat into a vegetarian's plan by mistake."""
    cart = sample_cart("+1222", read_at=NOW)
    vegetarian = sample_preferences("+1222")
    fish = sample_cart("+15551234567", read_at=NOW)

    assert isinstance(read_swap(cart, vegetarian, old="tofu", new="paneer", timestamp=NOW), Modification)
    answer = refused(read_swap(fish, vegetarian, old="tofu", new="salmon", timestamp=NOW))

    assert answer.text == "Salmon does not go with vegetarian. You have eggs and tofu."


def test_a_swap_to_a_disliked_food_is_refused() -> None:
    """The offer leaves it out as well."""
    picky = Preferences(dislikes=("pork",))

    answer = refused(read_swap(CART, picky, old="salmon", new="pork chops", timestamp=NOW))

    assert answer.text == "You told me to leave out pork chops. You have salmon, chicken thighs, eggs and tofu."


def test_swapping_a_thing_for_itself_is_asked_back() -> None:
    """A slip of the tongue changes nothing."""
    assert refused(swap("salmon", "the fish")).text == "That is already salmon. What would you like instead?"


def test_a_whole_box_is_no_swap() -> None:
    """It is not clear what would replace what."""
    assert "whole box" in refused(swap("salmon", "veggie box")).text


def test_a_removed_item_is_in_no_dinner() -> None:
    """After "remove the eggplant" none is left, and there are still five dinners."""
    change = accepted(read_removal(CART, item="the eggplant", timestamp=NOW, plan=PLAN))

    plan = make_plan(CART, HOUSEHOLD, [change])

    assert PLAN.uses("Globe Eggplant")
    assert not plan.uses("Globe Eggplant")
    assert len(plan.dinners) == 5


def test_removing_by_a_common_word_removes_every_kind() -> None:
    """The words "no mushrooms please" mean the cremini and the maitake."""
    cart, household = sample_cart("+1222", read_at=NOW), sample_preferences("+1222")
    before = make_plan(cart, household)
    change = accepted(read_note(cart, text="no mushrooms please", timestamp=NOW, plan=before))

    plan = make_plan(cart, household, [change])

    assert change.type == "remove"
    assert "mushrooms" in foods(before)
    assert "mushrooms" not in foods(plan)


def test_removing_several_named_things_removes_each() -> None:
    """The words "the kale and salmon" are one change."""
    change = accepted(read_removal(CART, item="the kale and salmon", timestamp=NOW, plan=PLAN))

    plan = make_plan(CART, HOUSEHOLD, [change])

    assert not plan.uses("Lacinato Kale")
    assert not plan.uses("Wild Salmon Fillet")


def test_removing_a_pantry_food_leaves_no_trace_in_names() -> None:
    """Without garlic there is no "garlicky kale"."""
    change = accepted(read_removal(CART, item="garlic", timestamp=NOW, plan=PLAN))

    plan = make_plan(CART, HOUSEHOLD, [change])

    assert "garlic" not in foods(plan)
    assert not any("garlic" in dinner.name.lower() for dinner in plan.dinners)


def test_removing_an_item_removes_the_pantrys_own_as_well() -> None:
    """After "no rice" nobody wants the rice of the cupboard."""
    cart = cart_of(("Wild Salmon", 1, "lb"), ("Jasmine Rice", 1, "lb"), ("Kale", 1, "bunch"), ("Potatoes", 2, "lb"))
    before = make_plan(cart, Preferences(likes=("rice",)))

    plan = make_plan(
        cart,
        Preferences(likes=("rice",)),
        [accepted(read_removal(cart, item="rice", timestamp=NOW, plan=before))],
    )

    assert "rice" in foods(before)
    assert len(plan.dinners) == 1
    assert "rice" not in foods(plan)


def test_a_changed_dinner_is_never_one_that_stands_on_another_day() -> None:
    """When only the same dish is left, the day stays empty."""
    cart = cart_of(("Gulf Shrimp", 2, "lb"), ("Ground Pork", 1, "lb"), ("Spinach", 1, "bunch"), ("Corn", 6, "each"))
    hasty = Preferences(max_minutes=20)
    before = make_plan(cart, hasty)

    plan = make_plan(cart, hasty, [accepted(read_removal(cart, item="pork", timestamp=NOW))])

    assert {dinner.dish for dinner in before.dinners} == {"garlic-shrimp-skillet", "ginger-pork-with-greens"}
    assert [dinner.dish for dinner in plan.dinners] == ["garlic-shrimp-skillet"]


def test_other_dinners_give_back_what_they_can_do_without() -> None:
    """A vegetable beside the potatoes on Monday is not worth a missing dinner on Tuesday."""
    cart = cart_of(
        ("Eggs", 1, "dozen"), ("Pork Chops", 1, "lb"), ("Zucchini", 1, "each"), ("Green Beans", 1, "lb"),
        ("Spinach", 1, "bunch"), ("Bell Peppers", 1, "each"),
    )  # fmt: skip

    plan = make_plan(cart, Preferences(), [accepted(read_removal(cart, item="green beans", timestamp=NOW))])

    assert len(plan.dinners) == 3


def test_removing_a_box_removes_what_is_in_it() -> None:
    """The box itself is no food."""
    change = accepted(read_removal(CART, item="the veggie box", timestamp=NOW, plan=PLAN))

    plan = make_plan(CART, HOUSEHOLD, [change])

    contents = next(item for item in CART.items if item.name == "Small Veggie Box").contents
    assert not any(plan.uses(item.name) for item in contents)


def test_removing_what_is_not_in_the_cart_is_refused() -> None:
    """With what is there."""
    assert refused(read_removal(CART, item="lobster", timestamp=NOW)).text.startswith("There's no lobster")


def test_removing_all_proteins_leaves_an_honest_plan() -> None:
    """Nothing is invented to fill the week."""
    names = ("salmon", "chicken", "pork", "eggs", "tofu")
    changes = [accepted(read_removal(CART, item=name, timestamp=NOW)) for name in names]

    plan = make_plan(CART, HOUSEHOLD, changes)

    assert plan.dinners == ()
    assert plan.explanation == "Your cart does not make a dinner yet; add a protein."


def test_skipped_days_have_no_dinner() -> None:
    """Short names are understood; the answer is in the order of the week."""
    change = accepted(read_skip(["weds", "Monday"], preferences=HOUSEHOLD, timestamp=NOW))

    plan = make_plan(CART, HOUSEHOLD, [change])

    assert change.details.days == ("monday", "wednesday")
    assert change.to_text() == "No dinner on Monday and Wednesday"
    assert plan.dinner_on("monday") is None
    assert plan.dinner_on("wednesday") is None
    assert len(plan.dinners) == 3


@pytest.mark.parametrize(
    ("days", "skipped", "text"),
    [
        (["saturday"], (), "There is no dinner on Saturday to skip."),
        (["monday"], ("monday",), "There is no dinner on Monday to skip."),
        (["blursday"], (), 'I do not know the day "blursday". Write it like "skip Monday".'),
        ([], (), 'Which day shall I skip? Write it like "skip Monday".'),
    ],
)
def test_a_day_that_cannot_be_skipped_is_explained(days: list[str], skipped: tuple[str, ...], text: str) -> None:
    """Days without a dinner, days already skipped, and no days at all."""
    answer = refused(read_skip(days, preferences=HOUSEHOLD, timestamp=NOW, skipped=skipped))

    assert answer.text == text


def test_skips_of_both_kinds_add_up() -> None:
    """The list of skipped days and the modifications say the same thing."""
    change = accepted(read_skip(["friday"], preferences=HOUSEHOLD, timestamp=NOW))

    plan = make_plan(CART, HOUSEHOLD, [change], ["monday"])

    assert plan.skipped_days == ("monday", "friday")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("no mushrooms please", "remove"),
        ("without the kale", "remove"),
        ("no soy sauce please", "remove"),
        ("gluten free please", "diet"),
        ("no dairy", "diet"),
        ("no eggs please", "diet"),
        ("make it vegetarian", "diet"),
    ],
)
def test_a_note_is_a_removal_or_a_diet(text: str, kind: str) -> None:
    """What may be an allergy is taken as one."""
    assert accepted(read_note(CART, text=text, timestamp=NOW)).type == kind


def test_a_diet_holds_for_the_whole_plan() -> None:
    """Also for what the pantry adds."""
    change = accepted(read_note(CART, text="gluten free please", timestamp=NOW))

    plan = make_plan(CART, HOUSEHOLD, [change])

    assert plan.dinners
    assert not any("gluten" in INGREDIENTS[food].contains for food in foods(plan))


def test_a_note_about_nothing_known_is_refused() -> None:
    """With a question."""
    assert refused(read_note(CART, text="no please", timestamp=NOW)).text.startswith("Which item do you mean?")


def test_a_swap_whose_item_left_the_cart_changes_nothing_and_is_mentioned() -> None:
    """A cart can be read again between the wish and the plan."""
    change = Modification(type="swap", details=Details(old="Wild Salmon Fillet", new="Spot Prawns"), timestamp=NOW)

    plan = make_plan(CART, HOUSEHOLD, [change])

    assert [dinner.name for dinner in plan.dinners] == [dinner.name for dinner in PLAN.dinners]
    assert plan.notes == ("Spot Prawns is not in this week's cart, so I left Wild Salmon Fillet as it was.",)
    assert plan.notes[0] in plan.to_text()


def test_a_forbidden_swap_in_an_old_list_is_not_carried_out() -> None:
    """A diet that came later wins."""
    change = Modification(
        type="swap", details=Details(old="Organic Firm Tofu", new="Wild Salmon Fillet"), timestamp=NOW
    )

    plan = make_plan(CART, Preferences(restrictions=("vegetarian",)), [change])

    assert not plan.uses("Wild Salmon Fillet")
    assert "is not something you eat" in plan.notes[0]


def test_a_swap_for_more_than_there_is_is_done_and_said() -> None:
    """The wish counts; the shortage is the person's to solve."""
    changes = [accepted(swap(old, "salmon")) for old in ("chicken", "pork", "tofu")]

    plan = make_plan(CART, HOUSEHOLD, changes)

    assert sum(dinner.main.food == "salmon" for dinner in plan.dinners) == 4
    assert plan.notes == ("That takes more salmon than your cart has; add some, or make the portions smaller.",)


@pytest.mark.parametrize("day", WEEK[:5])
def test_each_main_can_be_swapped_for_each_other_one(day: str) -> None:
    """Every pair of mains of the default cart works, on every day."""
    dinner = PLAN.dinner_on(day)
    assert dinner is not None
    for other in ("salmon", "chicken thighs", "pork chops", "eggs", "tofu"):
        if other != dinner.main.label:
            plan = make_plan(CART, HOUSEHOLD, [accepted(swap(dinner.main.label, other))])

            changed = plan.dinner_on(day)
            assert not plan.uses(dinner.main.item)
            assert changed is not None
            assert other in {portion.label for portion in changed.portions}


def test_a_swap_by_name_counts_more_than_a_goal_and_says_so() -> None:
    """The person gets the beans that they asked for, and hears what that costs them."""
    strict = Preferences(goals=("40 g protein",))
    plan = make_plan(CART, strict)
    change = accepted(read_swap(CART, strict, old="salmon", new="chickpeas", timestamp=NOW, plan=plan))

    changed = make_plan(CART, strict, [change])

    assert changed.uses("chickpeas")
    assert changed.notes == ("Monday misses your goals for protein or time because of chickpeas.",)


def test_a_naive_timestamp_is_taken_as_utc() -> None:
    """Imported lists may have them."""
    change = Modification(type="remove", details=Details(item="kale"), timestamp=NOW.replace(tzinfo=None))

    assert change.timestamp == NOW
