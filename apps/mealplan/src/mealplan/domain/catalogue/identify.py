"""Which food is an item of the shop? Read from its name alone.

The longest known name wins, and of two equally long ones the last, because English puts the thing itself at the end:
"Crab Stuffed Mushrooms" are mushrooms. They still contain crab: every food in the name adds to `Identified.contains`.
"""

import functools
import re
from typing import NamedTuple

from mealplan.domain.catalogue.ingredients import INGREDIENTS, Ingredient, Mark
from mealplan.domain.words import find_run, singular, tokens

# A dish, a drink or a sweet made from the food that its name begins with; the planner leaves those alone.
_READY_MADE = frozenset(
    singular(word)
    for word in (
        "ale bar beer bouquet bowl brownie burger burrito butter cake candle candy cereal chips chowder cider cookies "
        "crackers croissant curry dip dressing dumplings enchiladas granola gravy gyoza ice jam jelly jerky juice "
        "kit kombucha lasagna leather lemonade marinade marmalade meatballs muffins nuggets pickle pickled pie pizza "
        "popcorn potstickers pudding quiche ravioli relish roll salad sandwich sauce scones smoothie soda soup spread "
        "sticks sushi tamales tart tea tofurky tortellini water wine wontons"
    ).split()
)
# Preparations that bring in what the name does not say.
_PREPARED: dict[str, frozenset[Mark]] = {
    "breaded": frozenset({"gluten", "egg", "dairy"}),
    "battered": frozenset({"gluten", "egg", "dairy"}),
    "crusted": frozenset({"gluten", "nuts"}),
    "stuffed": frozenset({"gluten", "dairy"}),
    "marinated": frozenset({"soy", "gluten"}),
    "teriyaki": frozenset({"soy", "gluten"}),
    "glazed": frozenset({"soy", "gluten", "honey"}),
    "cheese": frozenset({"dairy"}),
    "cheesy": frozenset({"dairy"}),
    "creamy": frozenset({"dairy"}),
    "buttered": frozenset({"dairy"}),
}
_PLANT_MADE = frozenset({"vegan", "plant", "plantbased", "meatless", "vegetarian", "veggie", "beyond", "impossible"})
_ANIMAL: frozenset[Mark] = frozenset({"meat", "fish", "shellfish", "egg", "dairy"})
# The thing itself stands before these: "Salmon with Lemon", "Penne (no egg)", "Kale, 1 bunch".
_REST = re.compile(r"\s(?:with|in|and|&|for|from|w/)\s|[,(/]", re.IGNORECASE)


class Identified(NamedTuple):
    """A food found in a name: the food, the name that people read ("cod"), and all that the item contains."""

    ingredient: Ingredient
    label: str
    contains: frozenset[Mark]


class _Hit(NamedTuple):
    ingredient: Ingredient
    words: tuple[str, ...]
    label: str
    start: int


@functools.cache
def _vocabulary() -> tuple[tuple[tuple[str, ...], str, Ingredient], ...]:
    names = [(tokens(word), word, food) for food in INGREDIENTS.values() for word in food.words]
    return tuple(sorted(names, key=lambda name: -len(name[0])))


@functools.cache
def food_words() -> frozenset[str]:
    """Return every single word of a known food, so that "beef" is never taken for a misspelt "beet"."""
    return frozenset(word for words, _, _ in _vocabulary() for word in words)


def _hits(words: tuple[str, ...]) -> list[_Hit]:
    found: list[_Hit] = []
    taken: set[int] = set()
    for name, label, food in _vocabulary():
        start = find_run(name, words)
        end = start + len(name)
        places = set(range(start, end))
        is_absent = words[end : end + 1] == ("free",)  # "egg free mayonnaise" is no egg
        if start >= 0 and not is_absent and not places & taken:
            taken |= places
            found.append(_Hit(food, name, label, start))
    return found


@functools.lru_cache(maxsize=4096)  # a shop has a few hundred names; each plan asks for all of a cart's
def identify(name: str) -> Identified | None:
    """Find the food that an item is.

    Returns:
        None when the name holds no known food, or is a ready-made dish, a drink, or meat made from plants (about which
        we know too little to promise a diet).
    """
    whole = tokens(name)
    thing = tokens(_REST.split(name, maxsplit=1)[0])
    hits = _hits(thing)
    if not hits:
        return None
    best = max(hits, key=lambda hit: (len(hit.words), hit.start))
    if (_READY_MADE & set(thing)) - set(best.words):
        return None
    contains = set(best.ingredient.contains)
    for hit in _hits(whole):
        contains |= hit.ingredient.contains
    if _PLANT_MADE & set(whole) and _ANIMAL & contains:
        return None
    for word in whole:
        contains |= _PREPARED.get(word, frozenset())
    label = best.label if best.ingredient.is_generic else best.ingredient.id
    return Identified(best.ingredient, label, frozenset(contains))
