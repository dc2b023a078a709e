"""Writes the recipe of a dinner: amounts for the whole table, the steps, and how to keep what is left.

A recipe is made from the plan alone; it names each food of the dinner and none that is not in it (salt, pepper, water
and a little oil apart).
"""

from collections.abc import Iterable

import msgspec

from mealplan.domain.analysis import Analysis, Dinner
from mealplan.domain.catalogue.ingredients import INGREDIENTS
from mealplan.domain.preferences import Weekday
from mealplan.domain.steps import write_steps

# Three parts of a joined text message, 153 characters each. Carriers join more, but some phones show them out of order.
MESSAGE_CHARS = 459
_MIN_MESSAGE_CHARS = 40


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How to cook one dinner.

    Attributes:
        day: When.
        name: The dinner's name.
        servings: People it feeds.
        minutes: From the fridge to the table.
        protein_g: Of one serving.
        ingredients: Lines such as "12 oz salmon", the cart's foods first.
        steps: Four to eight sentences or pairs of them, in order.
        storage: How to keep the main until then, and what is left afterwards.
    """

    day: Weekday
    name: str
    servings: int
    minutes: int
    protein_g: int
    ingredients: tuple[str, ...]
    steps: tuple[str, ...]
    storage: str

    def to_text(self) -> str:
        """Write the recipe, one line for the heading, the ingredients, each step, and the storage."""
        heading = f"{self.day.capitalize()}: {self.name} ({self.minutes} min, serves {self.servings}"
        lines = [f"{heading}, {self.protein_g} g protein each)", f"You need: {', '.join(self.ingredients)}."]
        lines += [f"{number}. {step}" for number, step in enumerate(self.steps, start=1)]
        return "\n".join((*lines, f"Keep: {self.storage}"))


def write_recipe(dinner: Dinner) -> Recipe:
    """Write the recipe of a dinner."""
    bought = [portion.text for portion in dinner.portions if portion.source == "cart"]
    pantry = [portion.text for portion in dinner.portions if portion.source == "pantry"]
    return Recipe(
        day=dinner.day,
        name=dinner.name,
        servings=dinner.servings,
        minutes=dinner.minutes,
        protein_g=dinner.protein_g,
        ingredients=(*bought, *pantry),
        steps=write_steps(dinner),
        storage=f"{dinner.tip} {_keep_leftovers(dinner)}".strip(),
    )


def recipes_text(plan: Analysis, *, limit: int = MESSAGE_CHARS) -> tuple[str, ...]:
    """Write all recipes of a plan as text messages, in the order of the week.

    Args:
        plan: The plan.
        limit: Characters of one message, at least 40. A recipe starts a message of its own; it is divided between lines
            (a line that is too long, between words), and its further messages begin with the day and a number.
    """
    size = max(limit, _MIN_MESSAGE_CHARS)
    return tuple(part for dinner in plan.dinners for part in _divide(write_recipe(dinner), size))


def _divide(recipe: Recipe, limit: int) -> list[str]:
    text = recipe.to_text()
    if len(text) <= limit:
        return [text]
    mark = f"{recipe.day[:3].capitalize()} (99/99) "
    room = limit - len(mark)
    parts = [""]
    for line in text.split("\n"):
        for piece in _break(line, room):
            if parts[-1] and len(parts[-1]) + 1 + len(piece) > room:
                parts.append("")
            parts[-1] = f"{parts[-1]}\n{piece}" if parts[-1] else piece
    day = recipe.day[:3].capitalize()
    return [f"{day} ({number}/{len(parts)}) {part}" for number, part in enumerate(parts, start=1)]


def _break(line: str, room: int) -> Iterable[str]:
    while len(line) > room:
        cut = line.rfind(" ", 1, room + 1)
        cut = cut if cut > 0 else room
        yield line[:cut]
        line = line[cut:].lstrip()
    yield line


def _keep_leftovers(dinner: Dinner) -> str:
    family = INGREDIENTS[dinner.main.food].family
    days = 2 if family in {"fish", "shellfish"} else 3
    if dinner.technique == "salad":
        return f"Leftovers keep {days} days in the fridge; keep the dressing apart."
    if dinner.technique in {"soup", "stew", "curry", "braise"} and family not in {"fish", "shellfish", "egg"}:
        return f"Leftovers keep {days} days in the fridge or 3 months in the freezer."
    return f"Leftovers keep {days} days in the fridge in a closed box."
