"""How the main of a dinner is prepared and cooked, for each way of cooking.

Inner temperatures are the safe minimum ones of the USDA: fish, whole cuts of pork, beef and lamb 145 F, ground meat
160 F, poultry 165 F. Recipes write "F" without the degree sign, which would double the price of a text message.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from mealplan.domain.catalogue.ingredients import Ingredient

Mode = Literal["sear", "pieces", "roast", "simmer", "patties"]


class Method(NamedTuple):
    """A sentence for the board and one for the stove; both name the food in braces."""

    prepare: str
    cook: str


_DRY = "Pat the {main} dry and season with {seasoning}."
_BITE = "Cut the {main} into bite-size pieces and season with {seasoning}."
_DRAIN = "Drain and rinse the {main}."
_MASH = "Mash the {main} with the {binding}; season with {seasoning} and shape into patties."
_FRY_PATTIES = "Fry them for 4 minutes a side, until crisp and brown."

_METHODS: Mapping[str, Mapping[Mode, Method]] = MappingProxyType(
    {
        "fish": {
            "sear": Method(_DRY, "Cook the {main} for 3 to 4 minutes a side, until just flaking (145 F inside)."),
            "pieces": Method(_BITE, "Fry the {main} for 4 to 5 minutes, turning once, until just flaking."),
            "roast": Method(
                _DRY, "Lay the {main} on top and bake for 12 to 15 minutes, until just flaking (145 F inside)."
            ),
            "simmer": Method(
                "Cut the {main} into large chunks and season with {seasoning}.",
                "Slip in the {main} and simmer gently for 6 minutes, until just flaking.",
            ),
            "patties": Method(
                "Chop the {main} finely, mix with the {binding}, season with {seasoning} and shape into patties.",
                "Fry them for 3 to 4 minutes a side, until golden and cooked through (145 F inside).",
            ),
        },
        "shell": {
            "sear": Method(_DRY, "Cook the {main} for 2 minutes a side, until firm."),
            "pieces": Method(_DRY, "Fry the {main} for 3 to 4 minutes, until firm."),
            "simmer": Method(
                "Season the {main} with {seasoning}.", "Slip in the {main} and simmer for 4 minutes, until firm."
            ),
            "patties": Method(
                "Pick over the {main}, mix with the {binding}, season with {seasoning} and shape into patties.",
                "Fry them for 3 to 4 minutes a side, until golden.",
            ),
        },
        "mussels": {
            "simmer": Method(
                "Scrub the {main} and throw out any that stay open. Keep {seasoning} at hand.",
                "Add the {main}, cover and steam for 5 minutes; throw out any that stay closed.",
            ),
        },
        "poultry": {
            "sear": Method(_DRY, "Cook the {main} for 6 to 7 minutes a side, until cooked through (165 F inside)."),
            "pieces": Method(
                _BITE, "Fry the {main} for 7 to 8 minutes, until brown and cooked through (165 F inside)."
            ),
            "roast": Method(
                _DRY, "Lay the {main} on top and bake for 25 to 30 minutes, until cooked through (165 F inside)."
            ),
            "simmer": Method(
                _BITE, "Add the {main} and simmer for 15 to 20 minutes, until cooked through (165 F inside)."
            ),
        },
        "whole bird": {
            "roast": Method(
                "Cut the {main} into 8 pieces, pat dry and season with {seasoning}.",
                "Lay the {main} on top and bake for 40 to 45 minutes, until cooked through (165 F inside).",
            ),
            "simmer": Method(
                "Cut the {main} into 8 pieces and season with {seasoning}.",
                "Add the {main} and simmer for 30 to 35 minutes, until cooked through (165 F inside).",
            ),
        },
        "red meat": {
            "sear": Method(_DRY, "Cook the {main} for 4 to 5 minutes a side (145 F inside), then rest for 3 minutes."),
            "pieces": Method(
                "Slice the {main} thinly across the grain and season with {seasoning}.",
                "Fry the {main} for 4 to 5 minutes over high heat, until browned.",
            ),
            "roast": Method(
                _DRY, "Lay the {main} on top and bake for 20 to 25 minutes (145 F inside), then rest for 3 minutes."
            ),
            "simmer": Method(
                "Slice the {main} thinly across the grain and season with {seasoning}.",
                "Add the {main} and simmer for 8 minutes, until just cooked.",
            ),
        },
        "slow meat": {
            "pieces": Method(
                "Cut the {main} into thin strips and season with {seasoning}.",
                "Fry the {main} for 12 to 15 minutes, until brown and crisp at the edges.",
            ),
            "roast": Method(_BITE, "Lay the {main} on top and bake for 45 to 50 minutes, until tender."),
            "simmer": Method(
                _BITE, "Add the {main}, cover and simmer over low heat until tender, 30 to 75 minutes by the cut."
            ),
        },
        "ground": {
            "pieces": Method(
                "Season the {main} with {seasoning}.",
                "Brown the {main} for 7 to 8 minutes, breaking up the lumps, until cooked through (160 F).",
            ),
            "simmer": Method(
                "Season the {main} with {seasoning}.",
                "Crumble in the {main} and simmer for 20 minutes, until cooked through (160 F).",
            ),
            "patties": Method(
                "Mix the {main} with the {binding}; season with {seasoning} and roll into walnut-size pieces.",
                "Fry them for 8 to 10 minutes, turning now and then, until cooked through (165 F inside).",
            ),
        },
        "sausage": {
            "sear": Method(
                "Prick the {main} and have {seasoning} ready.",
                "Fry the {main} for 12 to 14 minutes, turning, until cooked through (165 F inside).",
            ),
            "pieces": Method(
                "Slice the {main} and have {seasoning} ready.",
                "Fry the {main} for 8 to 10 minutes, until brown and cooked through.",
            ),
            "roast": Method(
                "Prick the {main} and have {seasoning} ready.",
                "Lay the {main} on top and bake for 25 minutes, until brown and cooked through.",
            ),
            "simmer": Method(
                "Slice the {main} and have {seasoning} ready.",
                "Add the {main} and simmer for 15 minutes, until cooked through.",
            ),
        },
        "block": {
            "sear": Method(
                "Pat the {main} dry, cut into thick slices and season with {seasoning}.",
                "Cook the {main} for 4 minutes a side, until golden.",
            ),
            "pieces": Method(
                "Pat the {main} dry, cut into cubes and season with {seasoning}.",
                "Fry the {main} for 7 to 8 minutes, until golden on all sides.",
            ),
            "roast": Method(
                "Pat the {main} dry, cut into cubes and season with {seasoning}.",
                "Add the {main} and roast for 20 to 25 minutes, until golden.",
            ),
            "simmer": Method(
                "Pat the {main} dry, cut into cubes and season with {seasoning}.",
                "Add the {main} and simmer for 8 minutes.",
            ),
        },
        "bean": {
            "sear": Method(_DRAIN, "Warm the {main} with {seasoning} for 4 minutes."),
            "pieces": Method(_DRAIN, "Fry the {main} with {seasoning} for 5 to 6 minutes, until crisp at the edges."),
            "roast": Method(_DRAIN, "Add the {main} with {seasoning} and bake for 20 minutes."),
            "simmer": Method(_DRAIN, "Add the {main} with {seasoning} and simmer for 12 to 15 minutes."),
            "patties": Method(f"{_DRAIN} {_MASH}", _FRY_PATTIES),
        },
        "lentils": {
            "pieces": Method(
                "Boil the {main} in plenty of water until tender, 20 to 25 minutes; drain.",
                "Fry the {main} with {seasoning} for 3 minutes.",
            ),
            "roast": Method(
                "Boil the {main} in plenty of water until tender, 20 to 25 minutes; drain.",
                "Add the {main} with {seasoning} and bake for 20 minutes.",
            ),
            "simmer": Method(
                "Rinse the {main}.",
                "Add the {main}, {seasoning} and three times as much water; simmer for 25 minutes, until tender.",
            ),
            "patties": Method(
                f"Boil the {{main}} in plenty of water until tender, 20 to 25 minutes; drain well. {_MASH}",
                _FRY_PATTIES,
            ),
        },
        "egg": {
            "sear": Method(
                "Boil the {main} for 8 minutes, cool under cold water and peel.",
                "Halve the {main} and sprinkle with {seasoning}.",
            ),
            "pieces": Method(
                "Beat the {main} with {seasoning}.", "Pour in the {main} and stir for 2 to 3 minutes, until set."
            ),
            "simmer": Method(
                "Boil the {main} for 8 minutes, cool under cold water, peel and halve. Sprinkle with {seasoning}.",
                "Lay in the {main} and warm for 3 minutes.",
            ),
        },
        "soft": {
            "pieces": Method(
                "Cut the {main} into small pieces; have {seasoning} ready.", "Warm the {main} for 3 to 4 minutes."
            ),
            "roast": Method(
                "Slice or crumble the {main}; have {seasoning} ready.",
                "Layer the {main} on top and bake for 20 to 25 minutes, until bubbling.",
            ),
            "simmer": Method(
                "Cut the {main} into small pieces; have {seasoning} ready.", "Add the {main} and simmer for 5 minutes."
            ),
        },
    }
)

_ROW_BY_TEXTURE: Mapping[str, str] = MappingProxyType({
    "shell": "shell", "ground": "ground", "sausage": "sausage", "block": "block", "bean": "bean", "egg": "egg",
    "piece": "slow meat", "topping": "soft", "tender": "soft",
})  # fmt: skip
_ROW_BY_FOOD: Mapping[str, str] = MappingProxyType(
    {"mussels": "mussels", "whole chicken": "whole bird", "lentils": "lentils"}
)


def find_method(food: Ingredient, mode: Mode) -> Method:
    """Find how a food is cooked in a given way; a way that does not exist for it becomes the nearest one."""
    row = _ROW_BY_FOOD.get(food.id) or _ROW_BY_TEXTURE.get(food.texture)
    if row is None:
        row = {"fish": "fish", "poultry": "poultry"}.get(food.family, "red meat")
    methods = _METHODS[row]
    return methods.get(mode) or methods.get("pieces") or methods["simmer"]
