"""Which dinners could be cooked right now? Fills the places of a dish with what is left in the kitchen.

What is left counts by weight: a pound of salmon is one dinner for two, and none for five. Restrictions and dislikes
are already gone from a `Kitchen`, so nothing that is filled from it can break one.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from mealplan.domain.catalogue.dish import Dish, Part
from mealplan.domain.dishes import DISHES
from mealplan.domain.planning.kitchen import Kitchen, Terms
from mealplan.domain.planning.supplies import Supply
from mealplan.domain.words import one_of, sentence

# A dinner may be a little short of the usual portion of its main or base, and clearly short of a vegetable.
_ENOUGH = {"main": 0.8, "base": 0.8}
_ENOUGH_OTHER = 0.5
# Larger portions of the main, tried when a serving misses the protein goal; beyond half as much again it is a feast.
_PORTIONS = (1.0, 1.25, 1.5)
_KEEPS_WELL = 8  # days; vegetables that keep longer wait until those that do not are used

Used = Mapping[str, float]


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """A place of a dish, and what fills it with how many grams for the whole table."""

    part: Part
    supply: Supply
    grams: float


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A dish with its places filled.

    Attributes:
        dish: The dish.
        picks: The filled places; the main one is first.
        people: How many it feeds.
    """

    dish: Dish
    picks: tuple[Pick, ...]
    people: int

    @property
    def main(self) -> Supply:
        """Return what carries the dinner."""
        return self.picks[0].supply

    @property
    def keys(self) -> frozenset[str]:
        """Return the keys of all supplies in it."""
        return frozenset(pick.supply.key for pick in self.picks)

    @property
    def required_keys(self) -> frozenset[str]:
        """Return the keys of the supplies without which it would be another dinner."""
        return frozenset(pick.supply.key for pick in self.picks if pick.part.is_required)

    def without(self, keys: frozenset[str]) -> "Candidate":
        """Return the dinner without these supplies, which must not be required ones."""
        return msgspec.structs.replace(self, picks=tuple(pick for pick in self.picks if pick.supply.key not in keys))

    def without_extras(self) -> "Candidate":
        """Return the dinner with its required places only."""
        return msgspec.structs.replace(self, picks=tuple(pick for pick in self.picks if pick.part.is_required))

    @property
    def protein_g(self) -> int:
        """Return the grams of protein of one serving, rounded down."""
        return int(sum(pick.grams * pick.supply.ingredient.protein / 100 for pick in self.picks) / self.people)

    @property
    def name(self) -> str:
        """Return the dinner's name with the places filled in."""
        places: dict[str, str] = {}
        for pick in self.picks:
            places.setdefault(pick.part.role, pick.supply.label)
        places["veg_one"] = one_of(places.get("veg", ""))
        places["main_one"] = one_of(places["main"])
        return sentence(self.dish.name.format_map(places))


def candidates(kitchen: Kitchen, terms: Terms, used: Used) -> Iterator[Candidate]:
    """Go through every dinner that can be cooked with what is left, in the catalogue's order."""
    for dish in DISHES:
        if kitchen.max_minutes is not None and dish.minutes > kitchen.max_minutes:
            continue
        for supply in kitchen.mains(dish):
            if supply.source == "cart" or supply.key in terms.invited:
                candidate = cook(dish, supply, kitchen=kitchen, terms=terms, used=used)
                if candidate is not None:
                    yield candidate


def cook(dish: Dish, main: Supply, *, kitchen: Kitchen, terms: Terms, used: Used) -> Candidate | None:
    """Fill the required places of a dish, and one more if only that takes the wanted food.

    Returns:
        None when a place stays empty, the wanted food has no place, or the protein goal is out of reach.
    """
    filling = _Filling(kitchen=kitchen, terms=terms, used=used)
    picks = filling.fill_required(dish, main)
    if picks is None:
        return None
    if terms.wanted and not any(pick.supply.key in terms.wanted for pick in picks):
        wanted = filling.fill_others(dish, picks, only=terms.wanted)
        if not wanted:
            return None
        picks.extend(wanted)
    return filling.reach_protein(Candidate(dish=dish, picks=tuple(picks), people=kitchen.people))


def add_others(
    candidate: Candidate, *, kitchen: Kitchen, terms: Terms, used: Used, only: frozenset[str] | None = None
) -> Candidate:
    """Fill the places that a dinner can do without (extras and seasonings), from what the other dinners leave.

    With `only`, nothing but these keys is added.
    """
    filling = _Filling(kitchen=kitchen, terms=terms, used=used)
    more = filling.fill_others(candidate.dish, candidate.picks, only=only)
    return msgspec.structs.replace(candidate, picks=(*candidate.picks, *more))


def spend(chosen: Iterable[Candidate]) -> dict[str, float]:
    """Add up the grams that these dinners take of each supply."""
    used: dict[str, float] = {}
    for candidate in chosen:
        for pick in candidate.picks:
            used[pick.supply.key] = used.get(pick.supply.key, 0.0) + pick.grams
    return used


class _Filling(msgspec.Struct, frozen=True, kw_only=True):
    """Fills places under given terms, after other dinners have used their share."""

    kitchen: Kitchen
    terms: Terms
    used: Used

    def fill_required(self, dish: Dish, main: Supply) -> list[Pick] | None:
        picks: list[Pick] = []
        taken: set[str] = set()
        for part, fitting in sorted(self.kitchen.places(dish), key=lambda place: place[0].role != "main"):
            if not part.is_required:
                continue
            pick = self._first((main,) if part.role == "main" else self._order(part, fitting), part, taken)
            if pick is None:
                return None
            picks.append(pick)
            taken.add(pick.supply.ingredient.id)
        return picks

    def fill_others(self, dish: Dish, picks: Sequence[Pick], *, only: frozenset[str] | None = None) -> list[Pick]:
        taken = {pick.supply.ingredient.id for pick in picks}
        filled = [pick.part for pick in picks]
        more: list[Pick] = []
        for part, fitting in self.kitchen.places(dish):
            if part.is_required or part in filled:
                continue
            allowed = [supply for supply in self._order(part, fitting) if only is None or supply.key in only]
            pick = self._first(allowed, part, taken)
            if pick is not None:
                more.append(pick)
                taken.add(pick.supply.ingredient.id)
        return more

    def reach_protein(self, candidate: Candidate) -> Candidate | None:
        """Enlarge the portion of the main, as far as there is more of it, until a serving meets the goal."""
        first, *others = candidate.picks
        may_buy_more = self.terms.may_overdraw and first.supply.key in self.terms.wanted
        most = math.inf if may_buy_more else max(first.grams, self._left(first.supply))
        for portion in _PORTIONS:
            grams = min(first.grams * portion, most)
            larger = msgspec.structs.replace(first, grams=grams)
            enlarged = msgspec.structs.replace(candidate, picks=(larger, *others))
            if enlarged.protein_g >= self.kitchen.min_protein_g:
                return enlarged
        return None

    def _left(self, supply: Supply) -> float:
        return supply.grams - (self.used.get(supply.key, 0.0) if supply.source == "cart" else 0.0)

    def _first(self, supplies: Iterable[Supply], part: Part, taken: set[str]) -> Pick | None:
        """Take the first of which enough is left; no food fills two places of a dinner."""
        for supply in supplies:
            if supply.key in self.terms.banned or supply.ingredient.id in taken:
                continue
            need = supply.ingredient.serving_g * part.share * self.kitchen.people
            left = self._left(supply)
            if self.terms.may_overdraw and supply.key in self.terms.wanted:
                left = need
            if left >= _ENOUGH.get(part.role, _ENOUGH_OTHER) * need:
                return Pick(part=part, supply=supply, grams=min(need, left))
        return None

    def _order(self, part: Part, fitting: tuple[Supply, ...]) -> Sequence[Supply]:
        """Sort what fits a place: wanted, liked, then by the kind of place."""
        if part.role == "season" or len(fitting) <= 1:
            return fitting

        def rank(supply: Supply) -> tuple[bool, ...]:
            first = (supply.key not in self.terms.wanted, supply.key not in self.kitchen.liked)
            if part.role == "base":  # what was bought comes before the pantry's
                return (*first, supply.source == "pantry")
            return (*first, supply.key in self.used, supply.ingredient.keeps_days >= _KEEPS_WELL)

        return sorted(fitting, key=rank)
