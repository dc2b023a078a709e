"""The catalogue of dinners that the planner chooses from.

Its order is the last word between two equally good dinners, so a new dinner belongs at the end of its list.
"""

import functools
from collections.abc import Mapping

from mealplan.domain.catalogue.dish import Cuisine, Dish, Part, Role, Technique
from mealplan.domain.catalogue.meat_dinners import MEAT_DINNERS
from mealplan.domain.catalogue.plant_dinners import PLANT_DINNERS
from mealplan.domain.catalogue.poultry_dinners import POULTRY_DINNERS
from mealplan.domain.catalogue.seafood_dinners import SEAFOOD_DINNERS

__all__ = ["DISHES", "MAINS", "Cuisine", "Dish", "Part", "Role", "Technique", "dishes_by_id"]

DISHES: tuple[Dish, ...] = (*SEAFOOD_DINNERS, *POULTRY_DINNERS, *MEAT_DINNERS, *PLANT_DINNERS)


# Foods that can carry a dinner at all.
MAINS: frozenset[str] = frozenset(food for dish in DISHES for food in dish.mains)


@functools.cache
def dishes_by_id() -> Mapping[str, Dish]:
    """Return the catalogue by id."""
    return {dish.id: dish for dish in DISHES}
