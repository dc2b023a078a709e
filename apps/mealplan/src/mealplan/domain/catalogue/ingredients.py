"""The ingredients that the planner knows: protein, portions, how long they keep, and what they contain.

Protein and weights are approximate. Protein is grams per 100 g as bought (raw, beans drained, grains dry), rounded from
USDA FoodData Central (SR Legacy and Foundation Foods); portions follow the usual ones of American cookbooks, which is
6 oz of fish and 5 to 6 oz of meat a person. `contains` errs on the careful side: a food that often holds gluten is
marked as if it always did.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from mealplan.domain.catalogue.foods import FOODS

Family = Literal[
    "fish", "shellfish", "poultry", "pork", "beef", "lamb", "egg", "soy", "wheat protein", "legume", "cheese",
    "greens", "mushroom", "vegetable", "squash", "root", "allium", "herb", "fruit", "grain", "dairy", "nut", "flavour",
]  # fmt: skip
Texture = Literal[
    "fillet", "piece", "ground", "sausage", "shell", "block", "bean", "egg",
    "leafy", "firm", "tender", "fresh", "base", "herb", "fruit",
    "aromatic", "spice", "acid", "sauce", "liquid", "topping", "fat",
]  # fmt: skip
Mark = Literal[
    "meat",
    "red meat",
    "pork",
    "fish",
    "shellfish",
    "egg",
    "dairy",
    "rennet",
    "gluten",
    "nuts",
    "soy",
    "sesame",
    "honey",
]

# What every member of a family contains; a row adds what is its own.
_FAMILY_MARKS: Mapping[str, frozenset[Mark]] = {
    "fish": frozenset({"fish"}),
    "shellfish": frozenset({"shellfish"}),
    "poultry": frozenset({"meat"}),
    "pork": frozenset({"meat", "red meat", "pork"}),
    "beef": frozenset({"meat", "red meat"}),
    "lamb": frozenset({"meat", "red meat"}),
    "egg": frozenset({"egg"}),
    "soy": frozenset({"soy"}),
    "wheat protein": frozenset({"gluten"}),
    "cheese": frozenset({"dairy"}),
    "dairy": frozenset({"dairy"}),
    "nut": frozenset({"nuts"}),
}
# Families that can carry a dinner; they come first when we say what is in the cart.
PROTEIN_FAMILIES: frozenset[Family] = frozenset(
    {"fish", "shellfish", "poultry", "pork", "beef", "lamb", "egg", "soy", "wheat protein", "legume"}
)
VEGETABLE_FAMILIES: frozenset[Family] = frozenset({"greens", "mushroom", "vegetable", "squash", "root", "allium"})


class Ingredient(msgspec.Struct, frozen=True, kw_only=True):
    """One food.

    Attributes:
        id: The short name that people read, such as "chicken thighs".
        family: What it is ("the fish", "greens").
        texture: How the kitchen treats it; decides the step of a recipe in which it appears.
        protein: Grams per 100 g as bought.
        serving_g: Grams for one person when it is a full part of a dinner.
        each_g: Grams of one piece, bunch, head, block or can.
        measure: How a recipe counts it: "oz", "whole", "bunch", "head", or a kitchen measure such as "cup".
        measure_g: Grams of one such measure.
        keeps_days: Days in the fridge (or cupboard) after delivery.
        contains: Allergens, and what diets ask about.
        words: The names under which a shop sells it or a person asks for it.
        is_generic: The name found in the cart ("cod") is better than the id ("white fish").
    """

    id: str
    family: Family
    texture: Texture
    protein: float
    serving_g: float
    each_g: int
    measure: str
    measure_g: float
    keeps_days: int
    contains: frozenset[Mark]
    words: tuple[str, ...]
    is_generic: bool = False


def _read_row(row: str) -> Ingredient:
    cells = [cell.strip() for cell in row.split("|")]
    name, family, texture, protein, serving, each, measure, keeps, contains, words = cells
    unit, _, unit_g = measure.partition("/")
    marks = {mark.strip() for mark in contains.split(",") if mark.strip()} | _FAMILY_MARKS.get(family, frozenset())
    facts = {
        "id": name.removeprefix("~"),
        "family": family,
        "texture": texture,
        "protein": float(protein),
        "serving_g": float(serving),
        "each_g": int(each),
        "measure": unit,
        "measure_g": float(unit_g or {"oz": 28.35}.get(unit, float(each))),
        "keeps_days": int(keeps),
        "contains": marks,
        "words": (name.removeprefix("~"), *(word.strip() for word in words.split(",") if word.strip())),
        "is_generic": name.startswith("~"),
    }
    return msgspec.convert(facts, Ingredient)


INGREDIENTS: Mapping[str, Ingredient] = MappingProxyType(
    {food.id: food for food in (_read_row(row) for row in FOODS.splitlines() if row.strip() and row[0] != "#")}
)

# What we count on in every kitchen. Nothing fresh but onions, garlic, ginger and lemons; the canned beans are offered
# for a swap and never chosen unasked, because a dinner is made from what the person bought.
PANTRY: tuple[str, ...] = (
    "olive oil", "neutral oil", "sesame oil", "garlic", "onions", "ginger", "lemons", "vinegar", "soy sauce", "tamari",
    "mustard", "honey", "sugar", "stock", "canned tomatoes", "coconut milk", "rice", "pasta", "gluten-free pasta",
    "rice noodles", "corn tortillas", "cornstarch", "breadcrumbs", "cumin", "smoked paprika", "curry powder",
    "chili flakes", "chili powder", "oregano", "thyme", "cinnamon", "turmeric", "chickpeas", "black beans",
    "white beans", "lentils",
)  # fmt: skip
