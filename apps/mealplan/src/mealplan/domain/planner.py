"""Makes the plan of a week: from the cart, what the household eats, and what they changed.

The same arguments give the same plan, on every machine and at every time. So a plan is never edited: it is made again
with one modification more, or one less for an undo.
"""

from collections.abc import Iterable, Sequence

import msgspec

from mealplan.domain.analysis import Analysis, Dinner, Portion, SwapIdea
from mealplan.domain.cart import Cart
from mealplan.domain.modifications import MAX_MODIFICATIONS, Modification
from mealplan.domain.planning.amounts import write_amount
from mealplan.domain.planning.candidates import Pick, candidates, cook, spend
from mealplan.domain.planning.explanation import explain
from mealplan.domain.planning.kitchen import Kitchen, Terms, open_kitchen
from mealplan.domain.planning.revision import Draft, Reviser, note_shortages
from mealplan.domain.planning.supplies import read_supplies
from mealplan.domain.planning.week import Week, choose, complete, fill_days
from mealplan.domain.preferences import WEEK, Preferences, Weekday

# What a fish or a bag of greens may wait beyond its days is not ours to promise; meat and fish can be frozen.
_FREEZABLE = frozenset({"fish", "shellfish", "poultry", "pork", "beef", "lamb"})


def make_plan(
    cart: Cart,
    preferences: Preferences,
    modifications: Sequence[Modification] = (),
    skipped_days: Iterable[Weekday] = (),
) -> Analysis:
    """Plan the dinners of a week.

    Takes a few ten milliseconds of computing and waits for nothing.

    Args:
        cart: What there is to cook with, besides the pantry.
        preferences: Who eats, what, and on which days.
        modifications: What was changed, in the order in which it was asked for. A swap that no longer makes sense (the
            item left the cart) changes nothing and is mentioned in the notes.
        skipped_days: Days without a dinner, beside those of the skip modifications.

    Returns:
        One dinner for each day that is left, or fewer with an explanation. No dinner breaks a restriction, comes twice,
        or uses what is neither in the cart nor in the pantry.

    Raises:
        ValueError: There are more than `MAX_MODIFICATIONS`.
    """
    if len(modifications) > MAX_MODIFICATIONS:
        raise ValueError(f"a plan takes at most {MAX_MODIFICATIONS} modifications, these are {len(modifications)}")
    preferences = _with_diets(preferences, modifications)
    skipped = _all_skipped(skipped_days, modifications)
    days = tuple(day for day in WEEK if day in preferences.dinner_days and day not in skipped)
    supplies = read_supplies(cart)
    kitchen = open_kitchen(supplies, preferences)
    chosen = choose(len(days), kitchen=kitchen, preferences=preferences, terms=Terms())
    week = complete(fill_days(chosen, days), kitchen=kitchen, terms=Terms())
    reviser = Reviser(cart=cart, supplies=supplies, kitchen=kitchen, preferences=preferences)
    draft = reviser.revise(Draft(week=week), modifications)
    week = draft.week
    eaten = frozenset(key for one in week.values() for key in one.keys)
    return Analysis(
        dinners=tuple(_write_dinner(day, week, kitchen=kitchen, terms=draft.terms) for day in week),
        servings=preferences.household,
        delivery_date=cart.delivery_date,
        skipped_days=tuple(day for day in WEEK if day in skipped),
        explanation=explain(week, days, kitchen=kitchen, preferences=preferences, terms=draft.terms),
        notes=(*draft.notes, *note_shortages(week)),
        unused=tuple(dict.fromkeys(item.name for item in cart.every_item() if item.name not in eaten)),
    )


def _with_diets(preferences: Preferences, modifications: Iterable[Modification]) -> Preferences:
    asked = [one.details.restriction for one in modifications if one.type == "diet"]
    diets = dict.fromkeys((*preferences.restrictions, *(diet for diet in asked if diet is not None)))
    return msgspec.structs.replace(preferences, restrictions=tuple(diets))


def _all_skipped(days: Iterable[Weekday], modifications: Iterable[Modification]) -> frozenset[Weekday]:
    return frozenset(days).union(*(one.details.days for one in modifications if one.type == "skip"))


def _write_dinner(day: Weekday, week: Week, *, kitchen: Kitchen, terms: Terms) -> Dinner:
    candidate = week[day]
    return Dinner(
        day=day,
        dish=candidate.dish.id,
        name=candidate.name,
        minutes=candidate.dish.minutes,
        protein_g=candidate.protein_g,
        servings=candidate.people,
        cuisine=candidate.dish.cuisine,
        technique=candidate.dish.technique,
        portions=tuple(_write_portion(pick) for pick in candidate.picks),
        swap_idea=_find_swap(day, week, kitchen=kitchen, terms=terms),
        tip=_keep_until(day, week),
    )


def _write_portion(pick: Pick) -> Portion:
    supply = pick.supply
    return Portion(
        item=supply.key if supply.source == "cart" else supply.label,
        food=supply.ingredient.id,
        label=supply.label,
        role=pick.part.role,
        grams=round(pick.grams),
        text=write_amount(supply.ingredient, supply.label, pick.grams),
        source=supply.source,
    )


def _find_swap(day: Weekday, week: Week, *, kitchen: Kitchen, terms: Terms) -> SwapIdea | None:
    """Find another main: one for the same dish if there is one, of the cart before the pantry."""
    candidate = week[day]
    others = [one for other, one in week.items() if other != day]
    used = spend(others)
    served = {one.main.key for one in others}
    same = [
        supply
        for supply in kitchen.mains(candidate.dish)
        if cook(candidate.dish, supply, kitchen=kitchen, terms=terms, used=used)
    ]
    dishes = {one.dish.id for one in others}
    another = (one.main for one in candidates(kitchen, terms, used) if one.dish.id not in dishes)
    different = [supply for supply in (*same, *another) if supply.label != candidate.main.label]
    best = min(different, key=lambda supply: (supply.source == "pantry", supply.key in served), default=None)
    return SwapIdea(old=candidate.main.label, new=best.label, source=best.source) if best else None


def _keep_until(day: Weekday, week: Week) -> str:
    main = week[day].main
    wait = WEEK.index(day) - WEEK.index(min(week, key=WEEK.index))
    if main.source == "pantry" or main.ingredient.family not in _FREEZABLE or wait <= main.ingredient.keeps_days:
        return ""
    return f"Freeze the {main.label} on delivery day and move it to the fridge the night before."
