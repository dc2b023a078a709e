"""The steps of a recipe, one list for each technique.

A step is written when everything that stands in front of it is in the dinner, so a recipe never names what the person
has removed. `recipes.py` fills the braces.
"""

from collections.abc import Mapping
from types import MappingProxyType

from mealplan.domain.catalogue.cooking import Mode
from mealplan.domain.catalogue.dish import Technique

Step = tuple[str, str]

MODES: Mapping[Technique, Mode] = MappingProxyType({
    "sear": "sear", "sheet pan": "roast", "stir-fry": "pieces", "fried rice": "pieces", "noodles": "pieces",
    "curry": "simmer", "soup": "simmer", "stew": "simmer", "braise": "simmer", "tacos": "pieces", "pasta": "pieces",
    "bowl": "pieces", "salad": "sear", "frittata": "pieces", "shakshuka": "pieces", "patties": "patties",
    "skillet": "pieces", "stuffed": "pieces", "bake": "roast",
})  # fmt: skip

# How each base is cooked when it is cooked by itself.
BASES: Mapping[str, str] = MappingProxyType({
    "rice": "Rinse the {base}; simmer, covered, in twice as much salted water until tender (white 18 min, brown 40).",
    "quinoa": "Simmer the {base}, covered, in twice its volume of salted water for 15 minutes; fluff with a fork.",
    "farro": "Simmer the {base} in plenty of salted water until tender, 20 to 30 minutes; drain.",
    "couscous": "Pour the same volume of boiling water over the {base}, cover for 5 minutes and fluff with a fork.",
    "pasta": "Cook the {base} in plenty of salted water until just tender; keep a cup of the water.",
    "fresh pasta": "Cook the {base} in plenty of salted water for 2 to 3 minutes; keep a cup of the water.",
    "gluten-free pasta": "Cook the {base} in plenty of salted water until just tender; keep a cup of the water.",
    "rice noodles": "Soak the {base} in very hot water until tender, about 8 minutes; drain.",
    "ramen noodles": "Cook the {base} in boiling water until just tender; rinse with cold water.",
    "polenta": "Whisk the {base} into four times as much simmering salted water; stir over low heat for 20 minutes.",
    "corn tortillas": "Warm the {base} in a dry pan, 30 seconds a side; wrap in a cloth.",
    "flour tortillas": "Warm the {base} in a dry pan, 30 seconds a side; wrap in a cloth.",
    "bread": "Slice and toast the {base}.",
    "potatoes": "Cut the {base} into chunks and boil in salted water until tender, about 15 minutes; drain.",
    "sweet potatoes": "Cut the {base} into chunks and boil in salted water until tender, about 12 minutes; drain.",
})  # fmt: skip

_FINISH = "{finish} {top}"
_POT_VEGETABLES = ("vegetables", "Add the {vegetables}, cut small, and cook for 5 minutes, stirring.")
_POT_AROMATICS = ("aromatics", "Heat the {oil} in a heavy pot. Soften the {aromatics}, chopped, for 5 minutes.")

STEPS: Mapping[Technique, tuple[Step, ...]] = MappingProxyType(
    {
        "sear": (
            ("", "{start}"),
            ("", "{prepare}"),
            ("", "Heat the {oil} in a wide pan over medium-high heat. {cook} Set aside on a plate."),
            ("aromatics", "Stir the {aromatics}, chopped, in the same pan for 1 minute."),
            ("in_order", "Cook {in_order} in the pan, adding a splash of water when it gets dry."),
            ("mix", "Stir in the {mix} with a splash of water and let it bubble for a minute."),
            ("raw", "Cut the {raw} into bite-size pieces and salt lightly."),
            ("", f"Serve the {{main}} with everything from the pan and the {{base}}. {_FINISH}"),
        ),
        "sheet pan": (
            ("", "Heat the oven to 425 F and brush a sheet pan with some of the {oil}. {grain_start}"),
            ("", "{prepare}"),
            (
                "roots",
                "Cut the {roots} into 1-inch pieces, toss with the rest of the oil and salt, and roast for 15 minutes.",
            ),
            ("marinade", "Rub the {main} with the {marinade}, chopped fine."),
            ("quick", "Add the {quick}, cut to bite size."),
            ("", "{cook}"),
            ("soft", "Mix in the {soft} for the last 3 minutes."),
            ("", f"Serve with the {{base}}. {_FINISH}"),
        ),
        "stir-fry": (
            ("", "{start}"),
            ("mix", "Stir the {mix} together with 3 tablespoons of water for the sauce."),
            ("", "{prepare}"),
            ("", "Heat the {oil} in a wok or wide pan until very hot. {cook} Take out of the pan."),
            ("aromatics", "Stir-fry the {aromatics}, chopped, for 30 seconds."),
            ("in_order", "Stir-fry {in_order}."),
            ("", f"Put the {{main}} back with any sauce, toss for a minute and serve with the {{base}}. {_FINISH}"),
        ),
        "fried rice": (
            ("", "{start} Spread on a plate to cool; rice of the day before is even better."),
            ("", "{prepare}"),
            ("", "Heat half of the {oil} in a wok or wide pan. {cook} Take out of the pan."),
            ("in_order", "Heat the rest of the oil. Stir-fry {in_order}."),
            ("aromatics", "Stir in the {aromatics}, chopped, for 30 seconds."),
            ("", "Add the {base}, press flat and leave for 2 minutes to crisp; toss and repeat."),
            ("", f"Put the {{main}} back{{with_mix}} and toss well. {_FINISH}"),
        ),
        "noodles": (
            ("", "{start}"),
            ("mix", "Stir the {mix} together with 2 tablespoons of water for the sauce."),
            ("", "{prepare}"),
            ("", "Heat the {oil} in a wide pan. {cook}"),
            ("aromatics", "Add the {aromatics}, chopped, and stir for 30 seconds."),
            ("in_order", "Add and cook {in_order}."),
            ("", "Toss in the {base} with any sauce for a minute."),
            ("serve", f"{{fresh_on_top}} {_FINISH}"),
        ),
        "curry": (
            ("", "{start}"),
            ("", "{prepare}"),
            _POT_AROMATICS,
            ("", "Stir in {pot_seasoning} for a minute."),
            _POT_VEGETABLES,
            ("", "Pour in {liquid_or_water} and bring to a simmer. {cook}"),
            ("leafy", "Stir in the {leafy} until wilted, 3 minutes."),
            ("", f"Taste for salt and serve with the {{base}}. {_FINISH}"),
        ),
        "soup": (
            ("own_pot", "{start}"),
            ("", "{prepare}"),
            _POT_AROMATICS,
            _POT_VEGETABLES,
            ("", "Pour in {liquid_or_water}{with_mix} and enough water to cover; bring to a simmer. {cook}"),
            ("in_pot", "Add the {in_pot} and simmer until tender."),
            ("leafy", "Add the {leafy}, torn, for the last 4 minutes."),
            ("", f"Taste for salt and ladle into bowls{{over_base}}. {_FINISH}"),
        ),
        "stew": (
            ("", "{start}"),
            ("", "{prepare}"),
            _POT_AROMATICS,
            _POT_VEGETABLES,
            ("", "Add {liquid_or_water} and simmer for 10 minutes. {cook}"),
            ("leafy", "Stir in the {leafy} until wilted, 3 minutes."),
            ("", f"Taste for salt and serve with the {{base}}. {_FINISH}"),
        ),
        "braise": (
            ("", "{prepare}"),
            _POT_AROMATICS,
            _POT_VEGETABLES,
            ("", "Pour in {liquid_or_water} and bring to a simmer. {cook}"),
            ("", "{start}"),
            ("leafy", "Stir the {leafy} into the pot until wilted, 3 minutes."),
            ("", f"Taste for salt and serve over the {{base}}. {_FINISH}"),
        ),
        "tacos": (
            ("slaw", "Slice the {slaw} finely, salt, and dress with {dressing_or_oil}."),
            ("", "{prepare}"),
            ("pan", "Heat half of the {oil} in a wide pan and cook {pan}; take out."),
            ("", "Heat {rest_of_oil} in the pan. {cook}"),
            ("", "{start}"),
            ("", f"Fill the {{base}} with all of it. {_FINISH}"),
        ),
        "pasta": (
            ("", "{prepare}"),
            ("", "Heat the {oil} in a wide pan. {cook}"),
            ("aromatics", "Stir in the {aromatics}, chopped, for a minute."),
            ("in_order", "Add and cook {in_order}."),
            ("liquid", "Pour in the {liquid} and simmer for 15 minutes."),
            ("", "{start}"),
            ("", "{toss}"),
            ("serve", f"{_FINISH}"),
        ),
        "bowl": (
            ("", "{start}"),
            ("", "{prepare}"),
            ("", "Heat the {oil} in a wide pan. {cook} Take out of the pan."),
            ("in_order", "Cook {in_order} in the same pan with a splash of water."),
            ("dressing", "Stir the {dressing} together for the sauce."),
            ("raw", "Cut the {raw} into thin slices."),
            ("", "Divide the {base} among bowls and arrange everything on it; spoon the sauce over. {top}"),
        ),
        "salad": (
            ("", "{start}"),
            ("dressing", "Whisk the {dressing} with the {oil} into a dressing; salt lightly."),
            ("in_order", "Blanch or steam {in_order}; let cool a little."),
            ("", "{prepare}"),
            ("", "{cook_in_pan}"),
            ("", "Toss {salad} with the {base} and most of the dressing."),
            ("", "Lay the {main} on top and add the rest of the dressing. {top}"),
        ),
        "frittata": (
            ("", "Heat the oven to 375 F. {start}"),
            ("", "Beat the {main} with {seasoning}."),
            ("", "Heat the {oil} in an ovenproof pan. Cook {in_order}."),
            ("aromatics", "Stir in the {aromatics}, chopped, for a minute."),
            ("raw", "Scatter in the {raw}, cut small."),
            ("", "Pour in the {main}, cook for 3 minutes without stirring, then bake for 10 to 12 minutes, until set."),
            ("", f"Cut into wedges and serve with the {{base}}. {_FINISH}"),
        ),
        "shakshuka": (
            ("", "{start}"),
            _POT_AROMATICS,
            ("all_vegetables", "Add the {all_vegetables}, cut small, and cook for 8 minutes."),
            ("", "Stir in {pot_seasoning}, then {liquid_or_water}; simmer for 10 minutes, until thick."),
            ("", "Break the {main} into hollows in the sauce; cover and cook for 5 to 7 minutes, until set."),
            ("", f"Serve from the pan with the {{base}}. {_FINISH}"),
        ),
        "patties": (
            ("", "{start_early}"),
            ("", "{prepare}"),
            ("", "Heat the {oil} in a wide pan over medium heat. {cook} Keep warm."),
            ("in_order", "Cook {in_order} in the same pan."),
            ("", "{start_late}"),
            ("liquid", "Pour in the {liquid}, simmer for 10 minutes and turn everything in it."),
            ("raw", "Cut the {raw} into bite-size pieces and salt lightly."),
            ("", f"Serve with the {{base}}. {_FINISH}"),
        ),
        "skillet": (
            ("", "{start}"),
            ("", "{prepare}"),
            ("", "Heat the {oil} in a large skillet. {cook}"),
            ("aromatics", "Add the {aromatics}, chopped, for a minute."),
            ("in_order", "Add and cook {in_order}."),
            ("liquid", "Loosen with the {liquid} and simmer for 5 minutes."),
            ("", f"{{fresh_on_top}} Serve with the {{base}}. {_FINISH}"),
        ),
        "stuffed": (
            ("", "Heat the oven to 400 F. {start}"),
            ("", "Halve and hollow the {shell}; brush with some of the {oil} and bake cut side down for 15 minutes."),
            ("", "{prepare}"),
            ("", "Heat the rest of the {oil} in a pan. {cook}"),
            ("aromatics", "Stir in the {aromatics}, chopped, and cook for 4 minutes."),
            ("filling", "Add the {filling}, chopped, and cook for 3 minutes."),
            ("", "Mix with the {base}{with_liquid} and spoon into the halves."),
            ("", f"Bake for another 15 to 20 minutes. {_FINISH}"),
        ),
        "bake": (
            ("", "Heat the oven to 400 F and brush a baking dish with some of the {oil}. {start_early}"),
            ("", "{prepare}"),
            ("roots", "Slice the {roots}, toss with the rest of the oil and salt, and bake for 15 minutes."),
            ("added", "Add the {added}."),
            ("", "{cook} {scatter}"),
            ("soft", "Fold in the {soft} for the last 3 minutes."),
            ("", "{start_late}"),
            ("", f"Serve with the {{base}}. {_FINISH}"),
        ),
    }
)
