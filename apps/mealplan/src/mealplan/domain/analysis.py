"""The plan of a week, as the person gets it.

Everything in it is decided: names, days, amounts. It holds no clock and no reference to the cart, so a stored plan
reads the same a month later.
"""

from datetime import date
from typing import Literal

import msgspec

from mealplan.domain.catalogue.dish import Cuisine, Role, Technique
from mealplan.domain.preferences import Weekday
from mealplan.domain.words import join

MAX_LINE_CHARS = 120  # of a line in a text message; longer ones wrap three times on a small phone


class Portion(msgspec.Struct, frozen=True, kw_only=True):
    """One food of a dinner, for the whole table.

    Attributes:
        item: Name of the item in the cart, or of the pantry food.
        food: Id of the ingredient.
        label: Its short name for people.
        role: Its place in the dinner.
        grams: How much, as bought.
        text: The line of the recipe: "12 oz salmon".
        source: Where it is.
    """

    item: str
    food: str
    label: str
    role: Role
    grams: int
    text: str
    source: Literal["cart", "pantry"]


class SwapIdea(msgspec.Struct, frozen=True, kw_only=True):
    """What could replace the main of a dinner; both names are understood by "swap old for new"."""

    old: str
    new: str
    source: Literal["cart", "pantry"]

    def to_text(self) -> str:
        """Say it shortly: "pork chops for salmon"."""
        return f"{self.new} for {self.old}" + (" (pantry)" if self.source == "pantry" else "")


class Dinner(msgspec.Struct, frozen=True, kw_only=True):
    """One dinner of the week.

    Attributes:
        day: When.
        dish: Id in the catalogue.
        name: What the person reads.
        minutes: From the fridge to the table.
        protein_g: Of one serving, rounded down.
        servings: People it feeds.
        cuisine: Its kitchen.
        technique: How it is cooked.
        portions: Its foods; the main one is first.
        swap_idea: What could replace the main; None when nothing fits.
        tip: How to keep the main until that day; empty when it keeps by itself.
    """

    day: Weekday
    dish: str
    name: str
    minutes: int
    protein_g: int
    servings: int
    cuisine: Cuisine
    technique: Technique
    portions: tuple[Portion, ...]
    swap_idea: SwapIdea | None = None
    tip: str = ""

    @property
    def main(self) -> Portion:
        """Return what carries the dinner."""
        return self.portions[0]

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the words under which taste is learnt: cuisine and technique."""
        return (self.cuisine, self.technique)

    @property
    def from_cart(self) -> tuple[str, ...]:
        """Return the names of the cart's items in it."""
        return tuple(portion.item for portion in self.portions if portion.source == "cart")

    @property
    def from_pantry(self) -> tuple[str, ...]:
        """Return the pantry foods in it."""
        return tuple(portion.item for portion in self.portions if portion.source == "pantry")

    def to_text(self) -> str:
        """Write its line: "Mon: Seared salmon with garlicky kale, 25 min, 38 g protein"."""
        return f"{self.day[:3].capitalize()}: {self.name}, {self.minutes} min, {self.protein_g} g protein"


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """The dinners that a cart gives, and what there is to say about them.

    Attributes:
        dinners: In the order of the week.
        servings: People each dinner feeds.
        delivery_date: Of the cart it was made from.
        skipped_days: Days without a dinner at the person's wish.
        explanation: Why there are fewer dinners than days; empty when there are enough.
        notes: What could not be done as asked, and what is short.
        unused: Names of the cart's items that no dinner uses.
    """

    dinners: tuple[Dinner, ...]
    servings: int
    delivery_date: date
    skipped_days: tuple[Weekday, ...] = ()
    explanation: str = ""
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def dinner_on(self, day: str) -> Dinner | None:
        """Return the dinner of a day."""
        return next((dinner for dinner in self.dinners if dinner.day == day), None)

    def uses(self, item: str) -> bool:
        """Say whether a dinner uses an item, by its name in the cart or its pantry name."""
        return any(portion.item == item for dinner in self.dinners for portion in dinner.portions)

    def to_text(self) -> str:
        """Write the plan for a text message: a heading, a line for each dinner, ideas and notes.

        Lines have at most `MAX_LINE_CHARS` characters, notes apart.
        """
        lines: list[str] = []
        if self.dinners:
            count = "1 dinner" if len(self.dinners) == 1 else f"{len(self.dinners)} dinners"
            lines.append(f"{count} for {self.servings} from your cart:")
        lines += [dinner.to_text() for dinner in self.dinners]
        if idea := next((dinner.swap_idea for dinner in self.dinners if dinner.swap_idea), None):
            lines.append(f"Swap idea: {idea.to_text()}.")
        lines += self.notes
        if self.explanation:
            lines.append(self.explanation)
        return "\n".join(lines)


def list_changes(before: Analysis, after: Analysis) -> tuple[str, ...]:
    """Say day by day what is different: "Mon: Seared chicken with kale (was: Seared salmon with kale)".

    Returns:
        One line a day that changed, in the order of the week; empty when nothing did.
    """
    lines: list[str] = []
    old = {dinner.day: dinner for dinner in before.dinners}
    for dinner in after.dinners:
        was = old.pop(dinner.day, None)
        if was is None:
            lines.append(dinner.to_text())
        elif was.name != dinner.name:
            lines.append(f"{dinner.day[:3].capitalize()}: {dinner.name} (was: {was.name})")
        elif set(was.from_cart) != set(dinner.from_cart):
            now = join([portion.label for portion in dinner.portions if portion.source == "cart"])
            lines.append(f"{dinner.day[:3].capitalize()}: {dinner.name}, now with {now}")
    gone = join([day[:3].capitalize() for day in old])
    return (*lines, f"No dinner any more: {gone}") if gone else tuple(lines)
