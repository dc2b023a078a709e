"""What the kitchen can draw on: the foods of the cart, by weight, and the pantry.

Two lines of the cart with the same name are one supply. A pantry supply has the key "pantry:<food>" and never runs out.
"""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from mealplan.domain.cart import Cart, CartItem
from mealplan.domain.catalogue.identify import Identified, identify
from mealplan.domain.catalogue.ingredients import INGREDIENTS, PANTRY, Ingredient, Mark
from mealplan.domain.words import MAX_SPOKEN_CHARS

_GRAMS = {
    "g": 1.0, "gram": 1.0, "kg": 1000.0, "lb": 453.6, "lbs": 453.6, "pound": 453.6, "oz": 28.35, "ounce": 28.35,
    "pint": 300.0,  # of berries, mushrooms or small tomatoes, which are sold by volume
    "quart": 600.0,
}  # fmt: skip
_DOZEN = 12
_SMALL_BAG_G = 450.0  # "1 bag" of something sold by the piece, such as carrots
_PIECE_G = 300  # what weighs less a piece comes several to a bag
_SIZE_IN_NAME = re.compile(r"(\d+(?:\.\d+)?)(?:/(\d+))?\s*(lbs?|pounds?|oz|ounces?|kg|g)\b", re.IGNORECASE)
# More than any household eats in a week; keeps the sums finite whatever a page says.
_MOST_G = 100_000.0


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """One food that can be cooked with.

    Attributes:
        key: Name of the item in the cart, or "pantry:<food>".
        ingredient: The food.
        label: Its short name for people.
        contains: Allergens and the like, from the food and from the item's name.
        grams: How much there is.
        source: Where it is.
    """

    key: str
    ingredient: Ingredient
    label: str
    contains: frozenset[Mark]
    grams: float
    source: Literal["cart", "pantry"]


def pantry_key(food: str) -> str:
    """Return the key of a pantry food."""
    return f"pantry:{food}"


def weigh(item: CartItem, food: Ingredient) -> float:
    """Estimate the grams of an item: from its unit, else from a size in its name, else from the usual piece."""
    quantity = min(max(item.quantity, 0.0), _MOST_G)
    unit = item.unit.strip().casefold().rstrip(".")
    known = _GRAMS.get(unit) or _GRAMS.get(unit.removesuffix("s"))
    if known:
        return min(quantity * known, _MOST_G)
    if size := _SIZE_IN_NAME.search(item.name[:MAX_SPOKEN_CHARS]):
        number, divisor, weight = size.groups()
        known = _GRAMS.get(weight.casefold()) or _GRAMS[weight.casefold().removesuffix("s")]
        return min(quantity * known * float(number) / (float(divisor or 1) or 1), _MOST_G)
    if unit == "dozen":
        quantity *= _DOZEN
    piece = float(food.each_g)
    if unit == "bag" and piece < _PIECE_G:
        piece = max(piece, _SMALL_BAG_G if food.measure == "whole" else piece)
    return min(quantity * piece, _MOST_G)


def read_supplies(cart: Cart) -> tuple[Supply, ...]:
    """List all that can be cooked with: the cart's foods in the shop's order, then the pantry.

    Items that we do not know, and items of which none came, are left out.
    """
    weights: dict[str, float] = {}
    known: dict[str, Identified] = {}
    for item in cart.every_item():
        found = identify(item.name)
        if found is not None and (grams := weigh(item, found.ingredient)) > 0:
            weights[item.name] = weights.get(item.name, 0.0) + grams
            known[item.name] = found
    bought = (
        Supply(
            key=name,
            ingredient=found.ingredient,
            label=found.label,
            contains=found.contains,
            grams=weights[name],
            source="cart",
        )
        for name, found in known.items()
    )
    return (*bought, *_pantry())


def _pantry() -> Iterable[Supply]:
    for food in PANTRY:
        ingredient = INGREDIENTS[food]
        yield Supply(
            key=pantry_key(food),
            ingredient=ingredient,
            label=food,
            contains=ingredient.contains,
            grams=_MOST_G,
            source="pantry",
        )
