"""Which item of the cart does a person mean? "Salmon" is the Wild Salmon Fillet, "the greens" may be three things.

Words are compared whole. A misspelt word is only corrected to a word of this cart, and never when it is itself the name
of a food: "beef" stays beef although "beets" is one letter away.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec
from rapidfuzz.distance import OSA

from mealplan.domain.cart import Cart, CartItem
from mealplan.domain.catalogue.identify import Identified, food_words, identify
from mealplan.domain.catalogue.ingredients import PANTRY, PROTEIN_FAMILIES, VEGETABLE_FAMILIES, Family
from mealplan.domain.words import MAX_SPOKEN_CHARS, join, one_of, tokens

MAX_OPTIONS = 5  # names in one question; more do not fit a text message
_MAX_SUGGESTIONS = 4
_MAX_ECHO_CHARS = 40  # of what the person wrote, when we repeat it
_FUZZY_FROM = 4  # letters; below that one wrong letter makes another word ("ham", "yam")
_FUZZY_TWO_FROM = 8  # letters; long words may have two mistakes ("brocolli")
_KINDS = ("protein", "vegetable", "other")  # the order in which we say what is there
_AND = re.compile(r"\s+(?:and|or)\s+|\s*[&,+]\s*", re.IGNORECASE)
_FILLERS = frozenset(
    "the a an my our all any of some please that this those these both fresh organic item stuff".split()
)

# What people call whole groups, in the singular, as families or single foods.
_GROUPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "fish": frozenset({"fish"}),
        "seafood": frozenset({"fish", "shellfish"}),
        "shellfish": frozenset({"shellfish"}),
        "meat": frozenset({"poultry", "pork", "beef", "lamb"}),
        "poultry": frozenset({"poultry"}),
        "pork": frozenset({"pork"}),
        "beef": frozenset({"beef"}),
        "lamb": frozenset({"lamb"}),
        "protein": frozenset(PROTEIN_FAMILIES),
        "greens": frozenset({"greens"}),
        "leafy greens": frozenset({"greens"}),
        "salad": frozenset({"lettuce", "arugula", "mixed greens"}),
        "mushroom": frozenset({"mushroom"}),
        "squash": frozenset({"squash"}),
        "root vegetable": frozenset({"root"}),
        "root": frozenset({"root"}),
        "vegetable": frozenset(VEGETABLE_FAMILIES),
        "veggy": frozenset(VEGETABLE_FAMILIES),  # what "veggies" becomes in the singular
        "veggie": frozenset(VEGETABLE_FAMILIES),
        "veg": frozenset(VEGETABLE_FAMILIES),
        "fruit": frozenset({"fruit"}),
        "bean": frozenset({"legume"}),
        "cheese": frozenset({"cheese"}),
        "dairy": frozenset({"dairy", "cheese"}),
        "herb": frozenset({"herb"}),
        "nut": frozenset({"nut"}),
        "grain": frozenset({"grain"}),
        "pasta": frozenset({"pasta", "fresh pasta", "gluten-free pasta"}),
        "noodle": frozenset({"rice noodles", "ramen noodles"}),
        "bread": frozenset({"bread"}),
    }
)


class Found(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Exactly one item is meant."""

    item: CartItem


class Ambiguous(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Several items fit what was said; for "no mushrooms please" all of them are meant, for a swap we must ask."""

    spoken: str
    options: tuple[CartItem, ...]

    def to_text(self) -> str:
        """Ask which one; names `MAX_OPTIONS` at most."""
        return f"Which one do you mean: {join([item.name for item in self.options[:MAX_OPTIONS]], last='or')}?"


class NotInCart(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing in the cart fits.

    Attributes:
        spoken: What the person asked for.
        suggestions: What the cart has instead, the most similar first.
        pantry: The pantry food that was meant, if it is one; it can be used although it is not in the cart.
    """

    spoken: str
    suggestions: tuple[CartItem, ...]
    pantry: str | None = None

    def to_text(self) -> str:
        """Say that it is not there and what is."""
        have = join([short_name(item) for item in self.suggestions])
        if not self.spoken:
            return f"Which item do you mean? You have {have}." if have else "Your cart is empty."
        there_is = "There are" if one_of(self.spoken) != self.spoken else "There's"
        return f"{there_is} no {self.spoken} in your cart. {f'You have {have}.' if have else 'It is empty so far.'}"


class _Entry(msgspec.Struct, frozen=True):
    item: CartItem
    words: frozenset[str]
    food: Identified | None


def short_name(item: CartItem) -> str:
    """Return the name that people use for an item: "salmon" for "Wild Salmon Fillet"."""
    found = identify(item.name)
    return found.label if found else item.name.lower()


def is_meant(spoken: str, name: str) -> bool:
    """Say whether an item of this name is among what was said: by its words, its group, or another word for it."""
    words = tuple(word for word in tokens(spoken) if word not in _FILLERS)
    if not words:
        return False
    food = identify(name)
    return _has_words(words, tokens(name), food) or _is_in_group(words, food) or _is_same_food(words, food)


def find_item(spoken: str, cart: Cart) -> Found | Ambiguous | NotInCart:
    """Find the item that a person names, among the single items, the boxes, and what is in the boxes.

    Args:
        spoken: The item in the person's words ("the salmn", "chard"), without the rest of the sentence.
        cart: Where to look.

    Returns:
        `Found`, `Ambiguous` with all that fit, or `NotInCart` with what could be meant instead. Several names in one
        ("kale and spinach") are `Ambiguous` when all of them are there, else `NotInCart` for the first that is not.
    """
    spoken = spoken[:MAX_SPOKEN_CHARS]
    entries = _entries(cart)
    whole = _find_one(spoken, entries)
    parts = [part for part in _AND.split(spoken) if part.strip()]
    if len(parts) <= 1 or not isinstance(whole, NotInCart):
        return whole
    options: dict[str, CartItem] = {}
    for part in parts:
        found = _find_one(part, entries)
        if isinstance(found, NotInCart):
            return found
        options.update({item.name: item for item in ([found.item] if isinstance(found, Found) else found.options)})
    if len(options) == 1:
        return Found(item=next(iter(options.values())))
    return Ambiguous(spoken=_echo(spoken), options=tuple(options.values()))


def _find_one(spoken: str, entries: tuple[_Entry, ...]) -> Found | Ambiguous | NotInCart:
    exact = spoken.strip().casefold()
    for entry in entries:
        if entry.item.name.casefold() == exact:
            return Found(item=entry.item)
    words = tuple(word for word in tokens(spoken) if word not in _FILLERS)
    fitting = _fitting(words, entries) or _fitting(_correct(words, entries), entries)
    if len(fitting) == 1:
        return Found(item=fitting[0].item)
    echo = _echo(spoken)
    if fitting:
        return Ambiguous(spoken=echo, options=tuple(entry.item for entry in fitting))
    return NotInCart(spoken=echo, suggestions=_suggest(words, entries), pantry=_find_in_pantry(words))


def _entries(cart: Cart) -> tuple[_Entry, ...]:
    by_name = {item.name: item for item in (*cart.boxes(), *cart.every_item())}
    return tuple(_Entry(item, frozenset(tokens(name)), identify(name)) for name, item in by_name.items())


def _fitting(words: tuple[str, ...], entries: Iterable[_Entry]) -> list[_Entry]:
    if not words:
        return []
    fitting = [
        entry for entry in entries if _has_words(words, entry.words, entry.food) or _is_in_group(words, entry.food)
    ]
    if not fitting:
        fitting = [entry for entry in entries if _is_same_food(words, entry.food)]
    # "Chicken" is not the chicken broth, and "salmon" not the smoked one, while the thing itself is there.
    real = [entry for entry in fitting if entry.food is None or entry.food.ingredient.family != "flavour"]
    named = [entry for entry in real if entry.words == set(words)]
    labelled = [entry for entry in real if entry.food and tokens(entry.food.label) == words]
    for narrower in (named, labelled):
        if len(narrower) == 1:
            return narrower
    return real or fitting


def _has_words(words: tuple[str, ...], name: Iterable[str], food: Identified | None) -> bool:
    if food is not None and food.ingredient.texture == "fat" and words != tokens(food.label):
        return False  # olive oil is no olive
    return set(words) <= set(name)


def _is_in_group(words: tuple[str, ...], food: Identified | None) -> bool:
    group = _GROUPS.get(" ".join(words))
    return group is not None and food is not None and bool({food.ingredient.family, food.ingredient.id} & group)


def _is_same_food(words: tuple[str, ...], food: Identified | None) -> bool:
    meant = identify(" ".join(words)) if "and" not in words else None
    return meant is not None and food is not None and meant.label == food.label


def _correct(words: tuple[str, ...], entries: Iterable[_Entry]) -> tuple[str, ...]:
    """Replace misspelt words by the nearest word of the cart; a word without a near one stays."""
    labels = {word for entry in entries if entry.food for word in tokens(entry.food.label)}
    known = sorted(labels.union(*(entry.words for entry in entries)))
    return tuple(word if word in food_words() or word in _GROUPS else _nearest(word, known) for word in words)


def _nearest(word: str, known: Iterable[str]) -> str:
    limit = 2 if len(word) >= _FUZZY_TWO_FROM else 1
    near = (
        (OSA.distance(word, other, score_cutoff=limit), other)
        for other in known
        if min(len(word), len(other)) >= _FUZZY_FROM and _begins_alike(word, other)
    )
    return min(((distance, other) for distance, other in near if distance <= limit), default=(0, word))[1]


def _begins_alike(one: str, other: str) -> bool:
    return one[0] == other[0] or {one[0], other[0]} == {"c", "k"}  # "cale" and "kollards" are heard, not read


def _find_in_pantry(words: tuple[str, ...]) -> str | None:
    exact = next((food for food in PANTRY if tokens(food) == words), None)
    return exact or next((food for food in PANTRY if words and _is_same_food(words, identify(food))), None)


def _suggest(words: tuple[str, ...], entries: Iterable[_Entry]) -> tuple[CartItem, ...]:
    """Take what is most like the food that was meant: its family, then its kind, then what can carry a dinner."""
    meant = identify(" ".join(words))
    family = meant.ingredient.family if meant else None
    kind = _kind(family) if meant else "protein"

    def rank(entry: _Entry) -> int:
        other = entry.food.ingredient.family if entry.food else None
        if other is not None and other == family:
            return 0
        return 1 + _KINDS.index(_kind(other)) + (0 if _kind(other) == kind else len(_KINDS))

    single = [entry for entry in entries if entry.item.kind == "item"]
    return tuple(entry.item for entry in sorted(single, key=rank)[:_MAX_SUGGESTIONS])


def _kind(family: Family | None) -> str:
    if family is None:
        return "other"
    if family in PROTEIN_FAMILIES:
        return "protein"
    return "vegetable" if family in VEGETABLE_FAMILIES else "other"


def _echo(spoken: str) -> str:
    kept = [word for word in spoken.lower().split() if tokens(word) and not set(tokens(word)) <= _FILLERS]
    return " ".join(kept)[:_MAX_ECHO_CHARS].strip(" .,!?")
