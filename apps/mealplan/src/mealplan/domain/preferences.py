"""What a household eats, and how much of it.

Restrictions and dislikes are promises: a plan that breaks one is wrong. Everything else only makes one dinner more
welcome than another, except `max_minutes` and a protein goal, which a dinner meets or does not.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from mealplan.domain.catalogue.ingredients import Mark
from mealplan.domain.words import tokens

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEK: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Restriction = Literal[
    "vegetarian", "vegan", "pescatarian", "gluten-free", "dairy-free", "egg-free", "nut-free", "shellfish-free",
    "fish-free", "soy-free", "sesame-free", "pork-free", "red-meat-free",
]  # fmt: skip

MAX_HOUSEHOLD = 12  # people; a larger group is an event, and one cart does not feed it
HIGH_PROTEIN_G = 30  # a serving; what "high protein" means when a goal names no number

_FORBIDDEN: Mapping[Restriction, frozenset[Mark]] = MappingProxyType(
    {
        # Rennet comes from calves: parmesan is no vegetarian food.
        "vegetarian": frozenset[Mark]({"meat", "fish", "shellfish", "rennet"}),
        "vegan": frozenset[Mark]({"meat", "fish", "shellfish", "rennet", "egg", "dairy", "honey"}),
        "pescatarian": frozenset[Mark]({"meat"}),
        "gluten-free": frozenset[Mark]({"gluten"}),
        "dairy-free": frozenset[Mark]({"dairy"}),
        "egg-free": frozenset[Mark]({"egg"}),
        "nut-free": frozenset[Mark]({"nuts"}),
        "shellfish-free": frozenset[Mark]({"shellfish"}),
        "fish-free": frozenset[Mark]({"fish"}),
        "soy-free": frozenset[Mark]({"soy"}),
        "sesame-free": frozenset[Mark]({"sesame"}),
        "pork-free": frozenset[Mark]({"pork"}),
        "red-meat-free": frozenset[Mark]({"red meat"}),
    }
)
# What people write, word by word in the singular; "gluten" alone is understood as "no gluten".
_SPOKEN: Mapping[str, Restriction] = MappingProxyType({
    "vegetarian": "vegetarian", "veggie": "vegetarian", "meatless": "vegetarian", "vegan": "vegan",
    "pescatarian": "pescatarian", "pescetarian": "pescatarian", "celiac": "gluten-free", "coeliac": "gluten-free",
    "gluten": "gluten-free", "wheat": "gluten-free", "dairy": "dairy-free", "lactose": "dairy-free",
    "nut": "nut-free", "shellfish": "shellfish-free", "soy": "soy-free", "soya": "soy-free", "sesame": "sesame-free",
    "halal": "pork-free",
})  # fmt: skip
_AVOIDED: Mapping[str, Restriction] = MappingProxyType({
    "meat": "vegetarian", "egg": "egg-free", "fish": "fish-free", "pork": "pork-free", "red meat": "red-meat-free",
})  # fmt: skip
_AVOIDING = frozenset({"no", "free", "without", "avoid", "allergic", "allergy", "intolerant", "not", "dont", "never"})
_GRAMS = re.compile(r"(\d{1,3})\s*(?:g|grams?)\b", re.IGNORECASE)


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What the planner knows about a household.

    Attributes:
        household: People at the table, 1 to `MAX_HOUSEHOLD`; every dinner is made for all of them.
        restrictions: Diets and allergies.
        goals: In the household's words; "30 g protein" and "high protein" count, others are kept for people to read.
        cuisines: Kitchens they like, such as "mediterranean".
        likes: Foods they like.
        dislikes: Foods they do not want to see at all.
        max_minutes: The longest a dinner may take; None for no limit.
        signals: What was learnt, from -1 to 1, by "dish:<id>", "cuisine:<name>" or "ingredient:<id>".
        dinner_days: The days on which they cook.
    """

    household: int = 2
    restrictions: tuple[Restriction, ...] = ()
    goals: tuple[str, ...] = ()
    cuisines: tuple[str, ...] = ()
    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()
    max_minutes: int | None = None
    signals: dict[str, float] = {}
    dinner_days: tuple[Weekday, ...] = WEEK[:5]

    def __post_init__(self) -> None:
        """Refuse a table that nobody can lay.

        Raises:
            ValueError: The household is empty or larger than `MAX_HOUSEHOLD`.
        """
        if not 1 <= self.household <= MAX_HOUSEHOLD:
            raise ValueError(f"a household has 1 to {MAX_HOUSEHOLD} people, not {self.household}")

    @property
    def min_protein_g(self) -> int:
        """Grams of protein that every serving must reach; 0 when no goal asks for protein."""
        asked = [goal for goal in self.goals if "protein" in tokens(goal)]
        numbers = [int(number) for goal in asked for number in _GRAMS.findall(goal)]
        return max(numbers, default=HIGH_PROTEIN_G if asked else 0)

    def forbidden(self) -> frozenset[Mark]:
        """Return all that no dinner may contain."""
        return frozenset(mark for restriction in self.restrictions for mark in _FORBIDDEN[restriction])


def read_restriction(text: str) -> Restriction | None:
    """Understand a diet or an allergy: "vegan please", "no gluten", "allergic to nuts", "red meat free".

    Returns:
        None when the text names none. Ask then; do not guess, an allergy is at stake.
    """
    words = tokens(text)
    for word in words:
        if word in _SPOKEN:
            return _SPOKEN[word]
    if _AVOIDING & set(words):
        spoken = f" {' '.join(words)} "
        for food in sorted(_AVOIDED, key=len, reverse=True):
            if f" {food} " in spoken:
                return _AVOIDED[food]
    return None


def read_weekday(text: str) -> Weekday | None:
    """Understand a day by its name or its first letters: "Mon", "weds", "thurs", "Friday".

    Returns:
        None when it is no day, or when fewer than two letters leave the choice open ("t").
    """
    word = text.strip().strip(".").casefold()
    short = {"weds": "wednesday", "thurs": "thursday", "tues": "tuesday", "thur": "thursday"}.get(word, word)
    is_plural = short.endswith("days")
    if len(short) < 2:  # noqa: PLR2004 -- "t" is Tuesday or Thursday, "s" Saturday or Sunday
        return None
    return next((day for day in WEEK if day.startswith(short[:-1] if is_plural else short)), None)
