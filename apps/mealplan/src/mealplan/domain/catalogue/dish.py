"""How a dinner of the catalogue is written down.

A dinner names places, not fixed foods: "a fillet, some cooked greens, potatoes or rice". The first food of a place is
the most usual one, and a place takes what the cart has. So a swap mostly stays the same dinner with another food in it.
"""

from typing import Literal

import msgspec

Role = Literal["main", "greens", "veg", "base", "extra", "season"]
Technique = Literal[
    "sear", "sheet pan", "stir-fry", "fried rice", "noodles", "curry", "soup", "stew", "braise", "tacos", "pasta",
    "bowl", "salad", "frittata", "shakshuka", "patties", "skillet", "stuffed", "bake",
]  # fmt: skip
Cuisine = Literal[
    "american", "chinese", "french", "german", "greek", "indian", "italian", "japanese", "korean", "mediterranean",
    "mexican", "middle eastern", "moroccan", "thai",
]  # fmt: skip


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One place in a dinner.

    Attributes:
        role: What the place is for; the names of dinners and recipes speak of it.
        any_of: Ids of the foods that fit, the most usual first.
        share: How much of a food's usual portion goes in.
        is_required: Without it there is no such dinner.
    """

    role: Role
    any_of: tuple[str, ...]
    share: float = 1.0
    is_required: bool = True


class Dish(msgspec.Struct, frozen=True, kw_only=True):
    """One dinner.

    Attributes:
        id: Stable name; preferences are learnt under it.
        name: With the places in braces: "Seared {main} with garlicky {greens}"; "{veg_one}" and "{main_one}" are the
            singular.
        cuisine: Its kitchen.
        technique: How it is cooked; decides the steps of the recipe.
        minutes: From the fridge to the table, for an ordinary cook.
        parts: Its places; exactly one is the main one.
    """

    id: str
    name: str
    cuisine: Cuisine
    technique: Technique
    minutes: int
    parts: tuple[Part, ...]

    @property
    def mains(self) -> tuple[str, ...]:
        """Return the foods that can carry the dinner, the most usual first."""
        return next(part.any_of for part in self.parts if part.role == "main")


def main(*any_of: str, share: float = 1.0) -> Part:
    """Make the place of what carries the dinner."""
    return Part(role="main", any_of=any_of, share=share)


def greens(*any_of: str, share: float = 1.0) -> Part:
    """Make a required place of leaves."""
    return Part(role="greens", any_of=any_of, share=share)


def veg(*any_of: str, share: float = 1.0) -> Part:
    """Make a required place of a vegetable."""
    return Part(role="veg", any_of=any_of, share=share)


def base(*any_of: str, share: float = 1.0) -> Part:
    """Make a required place of rice, pasta, potatoes and the like."""
    return Part(role="base", any_of=any_of, share=share)


def extra(*any_of: str, share: float = 0.7) -> Part:
    """Make a place that is filled when the cart has something for it, with less than a full portion."""
    return Part(role="extra", any_of=any_of, share=share, is_required=False)


def season(text: str) -> tuple[Part, ...]:
    """Make the seasonings from a list: "garlic!, lemons, soy sauce/tamari".

    A slash gives the second best; "!" marks what the dinner's name promises, without which it is another dinner.
    """
    choices = [choice.strip() for choice in text.split(",")]
    return tuple(
        Part(role="season", any_of=tuple(choice.removesuffix("!").split("/")), is_required=choice.endswith("!"))
        for choice in choices
    )


FISH = ("salmon", "trout", "white fish")
CHICKEN = ("chicken breast", "chicken thighs")
BIRDS = (*CHICKEN, "turkey breast", "duck breast")
CHOPS = ("pork chops", "pork tenderloin", "lamb chops")
GROUND = ("ground beef", "ground turkey", "ground pork", "ground chicken", "ground lamb")
SAUSAGES = ("sausage", "chicken sausage")
SHELLS = ("shrimp", "scallops", "crab", "lobster")
SOY = ("tofu", "tempeh", "seitan")
BEANS = ("chickpeas", "white beans", "black beans")
COOKED_GREENS = ("kale", "chard", "spinach", "collards", "mustard greens", "bok choy", "cabbage")
SALAD_GREENS = ("lettuce", "mixed greens", "arugula", "spinach")
ASIAN_GREENS = ("bok choy", "spinach", "cabbage", "kale", "chard", "mustard greens")
ROOTS = ("carrots", "parsnips", "turnips", "beets")
QUICK_VEG = ("bell peppers", "broccoli", "snap peas", "green beans", "asparagus", "mushrooms", "zucchini")
ROAST_VEG = (
    "broccoli", "cauliflower", "brussels sprouts", "carrots", "winter squash", "eggplant", "fennel", "green beans",
    "asparagus", "beets", "bell peppers", "zucchini", "parsnips", "turnips",
)  # fmt: skip
SUMMER_VEG = ("zucchini", "eggplant", "bell peppers", "tomatoes", "cherry tomatoes")
RAW_VEG = ("cucumber", "tomatoes", "cherry tomatoes", "carrots", "radishes", "avocados")
# What goes into a pan, a pot or the oven beside the vegetable that a dinner is named after, so that the cart gets used.
MORE_VEG = (
    "eggplant", "bell peppers", "zucchini", "mushrooms", "broccoli", "green beans", "snap peas", "cherry tomatoes",
    "tomatoes", "carrots", "cauliflower", "winter squash", "okra", "peas", "corn",
)  # fmt: skip
FRESH_HERBS = ("parsley", "cilantro", "basil", "dill", "mint")
PASTA = ("pasta", "fresh pasta", "gluten-free pasta")
