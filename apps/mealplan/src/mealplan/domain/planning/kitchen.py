"""What a household may cook with, and which dishes that fits at all.

A `Kitchen` is the same for a whole plan; what the dinners use up is counted beside it.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from mealplan.domain.catalogue.dish import Dish, Part
from mealplan.domain.dishes import DISHES
from mealplan.domain.items import is_meant
from mealplan.domain.planning.supplies import Supply
from mealplan.domain.preferences import Preferences


class Kitchen(msgspec.Struct, frozen=True, kw_only=True):
    """What may be cooked with, and for whom.

    Attributes:
        supplies: The allowed supplies, those of the cart first.
        fitting: What fits the places of a dish, by its id, in the order of its parts and of their preference. Only
            dishes whose required places can be filled at all.
        people: Servings of every dinner.
        min_protein_g: What each serving must reach; 0 for no goal.
        max_minutes: The longest a dinner may take; None for no limit.
        liked: Keys that the household likes to see.
    """

    supplies: tuple[Supply, ...]
    fitting: Mapping[str, tuple[tuple[Supply, ...], ...]]
    people: int
    min_protein_g: int
    max_minutes: int | None
    liked: frozenset[str]

    def places(self, dish: Dish) -> Iterable[tuple[Part, tuple[Supply, ...]]]:
        """Go through the places of a dish with what fits them."""
        return zip(dish.parts, self.fitting.get(dish.id, ()), strict=False)

    def mains(self, dish: Dish) -> tuple[Supply, ...]:
        """Return what could carry a dish."""
        return next((fitting for part, fitting in self.places(dish) if part.role == "main"), ())


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a change asks for beyond the kitchen.

    Attributes:
        banned: Keys that no dinner may use any more.
        wanted: The dinner must use one of these.
        invited: Pantry foods that may carry a dinner, because the person asked for them.
        may_overdraw: A wanted food counts as enough, however little is left.
    """

    banned: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()
    invited: frozenset[str] = frozenset()
    may_overdraw: bool = False


def open_kitchen(supplies: Iterable[Supply], preferences: Preferences) -> Kitchen:
    """Prepare for cooking with these supplies, less what the household must not or will not eat."""
    forbidden = preferences.forbidden()
    allowed: list[Supply] = []
    liked: set[str] = set()
    for supply in supplies:
        name = supply.key if supply.source == "cart" else supply.label
        if supply.contains & forbidden or any(is_meant(word, name) for word in preferences.dislikes):
            continue
        allowed.append(supply)
        if any(is_meant(word, name) for word in preferences.likes):
            liked.add(supply.key)
    return Kitchen(
        supplies=tuple(allowed),
        fitting=_fit_dishes(allowed),
        people=preferences.household,
        min_protein_g=preferences.min_protein_g,
        max_minutes=preferences.max_minutes,
        liked=frozenset(liked),
    )


def _fit_dishes(supplies: Sequence[Supply]) -> dict[str, tuple[tuple[Supply, ...], ...]]:
    """List what fits the places of each dish; a dish with a required place that nothing fits is left out."""
    shelves: dict[str, list[Supply]] = {}
    for supply in supplies:
        shelves.setdefault(supply.ingredient.id, []).append(supply)
    fitting: dict[str, tuple[tuple[Supply, ...], ...]] = {}
    for dish in DISHES:
        places = tuple(tuple(supply for food in part.any_of for supply in shelves.get(food, ())) for part in dish.parts)
        if all(place or not part.is_required for part, place in zip(dish.parts, places, strict=True)):
            fitting[dish.id] = places
    return fitting
