"""Fills the steps of a recipe with the foods of a dinner.

The same food goes different ways: tomatoes are cooked in a pasta and raw in a salad, potatoes are roasted with the rest
on a sheet pan and boiled by themselves for a stew.
"""

from collections.abc import Sequence

from mealplan.domain.analysis import Dinner, Portion
from mealplan.domain.catalogue.cooking import find_method
from mealplan.domain.catalogue.ingredients import INGREDIENTS, Ingredient
from mealplan.domain.catalogue.techniques import BASES, MODES, STEPS
from mealplan.domain.words import join, sentence

_POT_TECHNIQUES = frozenset({"curry", "shakshuka"})  # their spices go into the pot and not on the main
_WARM_TECHNIQUES = frozenset(
    {"pasta", "skillet", "frittata", "stir-fry", "curry", "soup", "stew", "braise", "noodles", "fried rice"}
)
_OVEN_TECHNIQUES = frozenset({"sheet pan", "bake"})
_PASTA = frozenset({"pasta", "fresh pasta", "gluten-free pasta"})
_IN_THE_POT = frozenset({"potatoes", "sweet potatoes", "rice", "farro", "quinoa", *_PASTA})
_BINDERS = frozenset({"breadcrumbs", "cornstarch"})
_MINUTES = {"firm": 8, "aromatic": 5, "tender": 4, "fruit": 3, "leafy": 3}  # in a hot pan, cut small


def write_steps(dinner: Dinner) -> tuple[str, ...]:
    """Write the steps of a dinner, four to eight; they name its foods and no others."""
    words = _Foods(dinner).words()
    words["prepare"] = words["prepare"].format_map(words)
    words["cook"] = words["cook"].format_map(words)
    words["cook_in_pan"] = words["cook_in_pan"].format_map(words)
    written = (text.format_map(words) for need, text in STEPS[dinner.technique] if not need or words[need])
    return tuple(sentence(" ".join(step.split())) for step in written if step.strip())


class _Foods:
    """The foods of a dinner, sorted by what the kitchen does with them."""

    def __init__(self, dinner: Dinner) -> None:
        self._dinner = dinner
        self._technique = dinner.technique
        self._main = dinner.main
        self._base = next((portion for portion in dinner.portions if portion.role == "base"), None)
        self._groups: dict[str, list[str]] = {}
        for portion in dinner.portions[1:]:
            if portion is not self._base:
                self._groups.setdefault(self._group_of(portion), []).append(portion.label)

    def words(self) -> dict[str, str]:
        """Return what the braces of the steps stand for; an empty text is what the dinner does not have."""
        method = find_method(_food(self._main), MODES[self._technique])
        oil = join(self._of("fat")) or "oil"
        return {
            "main": self._main.label,
            "prepare": method.prepare,
            "cook": method.cook,
            "cook_in_pan": self._cook_in_pan(method.cook, oil),
            "oil": oil,
            "rest_of_oil": f"the rest of the {oil}"
            if self._groups.keys() & {"firm", "aromatic", "tender"}
            else f"the {oil}",
            **self._seasonings(),
            **self._vegetables(),
            **self._bases(),
        }

    def _of(self, *groups: str) -> list[str]:
        return [label for group in groups for label in self._groups.get(group, ())]

    def _group_of(self, portion: Portion) -> str:
        food = _food(portion)
        if food.id in _BINDERS and self._technique in {"patties", "bake"}:
            return "binder"
        if food.id in {"tomatoes", "cherry tomatoes"} and self._technique in {*_WARM_TECHNIQUES, *_OVEN_TECHNIQUES}:
            return "tender"
        if food.id in {"onions", "shallots"} and self._technique in _OVEN_TECHNIQUES:
            return "tender"
        if food.texture == "base":
            return "firm"  # sweet potatoes in a curry are a vegetable
        if food.id == "salsa":
            return "topping"
        return food.texture

    def _seasonings(self) -> dict[str, str]:
        spices, sour = self._of("spice"), self._of("acid")
        in_mix = [label for label in sour if label == "vinegar" and self._of("sauce")]
        mix = [*self._of("sauce"), *in_mix]
        squeezed = [label for label in sour if label not in in_mix]
        is_dressed = self._technique in {"bowl", "salad"}
        dressing = [*mix, *(_juice(label) for label in squeezed), *self._of("aromatic")]
        on_top = [*self._of("herb", "topping"), *(self._loose() if self._technique == "tacos" else ())]
        in_pot = self._technique in _POT_TECHNIQUES
        return {
            "seasoning": join(["salt", "pepper", *([] if in_pot else spices)]),
            "pot_seasoning": join([f"the {label}" for label in spices]) or "some salt and pepper",
            "aromatics": join(self._of("aromatic")),
            "mix": join(mix),
            "with_mix": f" with the {join(mix)}" if mix else "",
            "marinade": join([*mix, *self._of("aromatic")]),
            "binding": join([*self._of("binder"), *mix, *self._of("aromatic")]) or "a spoon of water",
            "scatter": f"Scatter the {join(self._of('binder'))} over it for the last 10 minutes."
            if self._of("binder")
            else "",
            "dressing": join(dressing),
            "dressing_or_oil": _sour(squeezed) or "a little oil",
            "finish": "" if is_dressed or not squeezed else f"Finish with {_sour(squeezed)}.",
            "top": f"Top with the {join(on_top)}." if on_top else "",
            "serve": join([*squeezed, *on_top, *self._of("fresh")]),
            "liquid": join(self._of("liquid")),
            "liquid_or_water": f"the {join(self._of('liquid'))}" if self._of("liquid") else "a cup of water",
            "with_liquid": f" and the {join(self._of('liquid'))}" if self._of("liquid") else "",
            "added": join(self._of("tender", "fruit", "liquid", "sauce", "aromatic")),
        }

    def _vegetables(self) -> dict[str, str]:
        roots = [*self._of("firm"), *([self._base.label] if self._base and _is_root(self._base) else [])]
        first = next((portion.label for portion in self._dinner.portions if portion.role == "veg"), "")
        cooked = self._of("firm", "tender", "leafy", "fresh")
        raw = join(self._of("fresh"))
        leaves = [*self._of("leafy"), *(label for label in self._of("fresh") if label not in self._loose())]
        return {
            "in_order": self._in_order(raw_leaves=self._technique == "salad"),
            "vegetables": join(self._of("firm", "tender", "fresh")),
            "all_vegetables": join(cooked),
            "leafy": join(self._of("leafy")),
            "raw": raw,
            "with_raw": f" and the {raw}" if raw else "",
            "fresh_on_top": f"Add the {raw}, cut small." if raw else "",
            "salad": f"the {join(self._of('leafy', 'fresh', 'fruit'))}"
            if self._of("leafy", "fresh", "fruit")
            else "the vegetables",
            "slaw": join(leaves),
            "pan": _timed({kind: self._of(kind) for kind in ("firm", "aromatic", "tender")}),
            "roots": join(roots),
            "quick": join(self._of("tender", "fruit")),
            "soft": join(self._of("leafy", "fresh")),
            "shell": first,
            "filling": join([label for label in cooked if label != first]),
        }

    def _bases(self) -> dict[str, str]:
        base, label = self._base, self._base.label if self._base else "bread"
        start = BASES[base.food].format(base=label) if base else ""
        is_root = base is not None and _is_root(base)
        is_pasta = base is not None and base.food in _PASTA
        in_pot = base is not None and base.food in _IN_THE_POT
        over = f" with the {label}" if base is not None and base.food == "bread" else f" over the {label}"
        toss = f"Spoon the sauce{{with_raw}} over the {label}."
        if is_pasta:
            toss = f"Toss the {label} with the sauce{{with_raw}} and a few spoons of its water."
        raw = join(self._of("fresh"))
        return {
            "base": label,
            "start": start,
            "start_early": "" if is_pasta or (is_root and self._technique in _OVEN_TECHNIQUES) else start,
            "start_late": start if is_pasta else "",
            "grain_start": "" if is_root else start,
            "own_pot": "" if in_pot else start,
            "in_pot": label if in_pot else "",
            "over_base": "" if in_pot else over,
            "toss": toss.format(with_raw=f" and the {raw}" if raw else ""),
        }

    def _loose(self) -> list[str]:
        """Return the raw vegetables that are no leaves."""
        portions = (portion for portion in self._dinner.portions[1:] if _food(portion).texture == "fresh")
        loose = [portion.label for portion in portions if _food(portion).family != "greens"]
        return [label for label in loose if label in self._of("fresh")]

    def _in_order(self, *, raw_leaves: bool) -> str:
        kinds = ("firm", "tender") if raw_leaves else ("firm", "tender", "fruit", "leafy")
        return _timed({kind: self._of(kind) for kind in kinds})

    def _cook_in_pan(self, cook: str, oil: str) -> str:
        texture = _food(self._main).texture
        if texture == "egg":
            return cook
        return f"Heat a little {oil} in a pan. {cook}{' Slice.' if texture == 'fillet' else ''}"


def _food(portion: Portion) -> Ingredient:
    return INGREDIENTS[portion.food]


def _is_root(portion: Portion) -> bool:
    return portion.food in {"potatoes", "sweet potatoes"}


def _timed(kinds: dict[str, list[str]]) -> str:
    """Write what goes into a pan in its order: "the carrots for 8 minutes, then the kale for 2 minutes"."""
    steps = [f"the {join(labels)} for {_MINUTES[kind]} minutes" for kind, labels in kinds.items() if labels]
    return ", then ".join(steps)


def _juice(label: str) -> str:
    return label if label.endswith("vinegar") else f"{label.removesuffix('s')} juice"


def _sour(labels: Sequence[str]) -> str:
    return join(
        [
            f"a splash of {label}" if label.endswith("vinegar") else f"a squeeze of {label.removesuffix('s')}"
            for label in labels
        ]
    )
