"""Why are there fewer dinners than days? Finds out by asking what would have given one more."""

from collections.abc import Sequence

import msgspec

from mealplan.domain.dishes import MAINS
from mealplan.domain.planning.candidates import spend
from mealplan.domain.planning.kitchen import Kitchen, Terms
from mealplan.domain.planning.supplies import Supply
from mealplan.domain.planning.week import Week, choose
from mealplan.domain.preferences import Preferences, Weekday

# Half a portion left over is no reason to say that there is enough of it.
_ENOUGH = 0.8


def explain(week: Week, days: Sequence[Weekday], *, kitchen: Kitchen, preferences: Preferences, terms: Terms) -> str:
    """Write one or two sentences for a plan with too few dinners; empty when every day has one."""
    if not days:
        return "Every day is skipped, so there is no dinner to plan."
    number = len(week)
    if number >= len(days):
        return ""
    bought = [supply for supply in kitchen.supplies if supply.source == "cart" and supply.key not in terms.banned]
    if not bought:
        return "There is nothing in your cart that I can cook with. Add a protein and some vegetables."
    limit = _find_limit(number, len(days), kitchen=kitchen, preferences=preferences, terms=terms)
    if limit:
        dinners = f"Only {number} {_dinners(number)}" if number else "No dinner"
        return f"{dinners} from your cart {limit}. Relax that, or add to your cart, for more."
    missing = _find_missing(week, bought, kitchen=kitchen, preferences=preferences)
    if not number:
        return f"Your cart does not make a dinner yet; {missing}."
    return f"Your cart has enough for {number} {_dinners(number)}; {missing} for more."


def _dinners(number: int) -> str:
    return "dinner" if number == 1 else "dinners"


def _find_limit(number: int, days: int, *, kitchen: Kitchen, preferences: Preferences, terms: Terms) -> str:
    """Name the household's own limit, if more dinners were possible without it."""
    is_one = number <= 1

    def gives_more(looser: Kitchen) -> bool:
        return len(choose(days, kitchen=looser, preferences=preferences, terms=terms)) > number

    if kitchen.min_protein_g and gives_more(msgspec.structs.replace(kitchen, min_protein_g=0)):
        return f"{'has' if is_one else 'have'} {kitchen.min_protein_g} g of protein a serving"
    if kitchen.max_minutes is not None and gives_more(msgspec.structs.replace(kitchen, max_minutes=None)):
        return f"{'is' if is_one else 'are'} ready in {kitchen.max_minutes} minutes"
    return ""


def _find_missing(week: Week, bought: Sequence[Supply], *, kitchen: Kitchen, preferences: Preferences) -> str:
    used = spend(week.values())
    is_main_left = any(
        supply.grams - used.get(supply.key, 0.0) >= _ENOUGH * supply.ingredient.serving_g * kitchen.people
        for supply in bought
        if supply.ingredient.id in MAINS
    )
    if is_main_left:
        return "add some greens or vegetables"
    if "vegan" in preferences.restrictions:
        return "add tofu, beans or lentils"
    if "vegetarian" in preferences.restrictions:
        return "add eggs, tofu or beans"
    return "add a protein"
