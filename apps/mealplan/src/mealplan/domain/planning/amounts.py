"""How much is that in a kitchen? Turns grams into what a cook measures: ounces, pieces, cups, spoons.

Rounded to what can be measured, so a recipe's amounts differ a little from the grams that are counted.
"""

import math

from mealplan.domain.catalogue.ingredients import Ingredient
from mealplan.domain.words import one_of

_OUNCES_PER_POUND = 16
_LARGE_PIECE_G = 150  # from this weight on half a piece makes sense
_FRACTIONS = {0: "", 1: "1/4", 2: "1/2", 3: "3/4"}
_TABLESPOONS_PER_CUP = 16
_TEASPOONS_PER_TABLESPOON = 3
_FEW = 2  # spoons; more are counted by halves only


def write_amount(food: Ingredient, label: str, grams: float) -> str:
    """Write an amount of a food as a recipe does: "12 oz salmon", "1/2 bunch kale", "3 eggs", "1 1/2 cups rice"."""
    count = grams / food.measure_g
    match food.measure:
        case "oz":
            return f"{_ounces(count)} {label}"
        case "whole":
            amount = _round(count, 0.5) if food.each_g >= _LARGE_PIECE_G else _pieces(count)
            return f"{_fraction(amount)} {label if amount > 1 else one_of(label)}"
        case "bunch" | "head" | "can":
            amount = _round(count, 0.5)
            return f"{_fraction(amount)} {_plural(food.measure, amount)} {label.removeprefix('canned ')}"
        case "clove" | "handful" | "sprig" | "ear":
            amount = _pieces(count)
            return f"{_fraction(amount)} {_plural(food.measure, amount)} {label}"
        case _:
            return f"{_spoons(food.measure, count)} {label}"


def _ounces(count: float) -> str:
    ounces = max(1, round(count))
    if ounces < _OUNCES_PER_POUND:
        return f"{ounces} oz"
    return f"{_fraction(_round(count / _OUNCES_PER_POUND, 0.25))} lb"


def _pieces(count: float) -> float:
    return max(1.0, float(math.ceil(count - 0.25)))  # a quarter of a carrot is not worth another carrot


def _spoons(measure: str, count: float) -> str:
    """Use the larger measure where that is what people take: 3 tsp are 1 tbsp, 4 tbsp are 1/4 cup."""
    if measure == "tsp" and round(count) >= _TEASPOONS_PER_TABLESPOON:
        measure, count = "tbsp", count / _TEASPOONS_PER_TABLESPOON
    elif measure == "tbsp" and count < 1:
        measure, count = "tsp", count * _TEASPOONS_PER_TABLESPOON
    if measure == "tbsp" and count >= _TABLESPOONS_PER_CUP / 4:
        measure, count = "cup", count / _TABLESPOONS_PER_CUP
    if measure == "cup":
        amount = _round(count, 0.25)
        return f"{_fraction(amount)} {_plural(measure, amount)}"
    return f"{_fraction(_round(count, 0.25 if count < 1 else 0.5 if count < _FEW else 1))} {measure}"


def _round(count: float, step: float) -> float:
    """Round to a step, and never to nothing."""
    return max(1, round(count / step)) * step


def _fraction(amount: float) -> str:
    whole, quarters = divmod(round(amount * 4), 4)
    return " ".join(part for part in (str(whole) if whole else "", _FRACTIONS[quarters]) if part)


def _plural(measure: str, amount: float) -> str:
    if amount <= 1:
        return measure
    return f"{measure}es" if measure == "bunch" else f"{measure}s"
