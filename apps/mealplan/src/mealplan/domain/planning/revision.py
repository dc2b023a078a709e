"""What a change does to a week: the dinners it touches are cooked anew, the others stay where they are.

A dinner that must change stays the same dish with another food in it if it can; only then is another dish taken.
"""

from collections.abc import Iterable

import msgspec

from mealplan.domain.cart import Cart
from mealplan.domain.items import Ambiguous, Found, find_item
from mealplan.domain.modifications import Modification
from mealplan.domain.planning.candidates import Candidate, Kitchen, Terms, candidates, spend
from mealplan.domain.planning.supplies import Supply, pantry_key
from mealplan.domain.planning.week import Week, complete, score
from mealplan.domain.preferences import Preferences, Weekday
from mealplan.domain.words import join, sentence

_SAME_DISH = 8.0  # outweighs all that two dinners can have in common otherwise
_SAME_FOOD = 1.0


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A week between two changes.

    Attributes:
        week: The dinners, with their required places only.
        terms: What earlier changes ask of all that follow.
        notes: What could not be done as asked.
    """

    week: Week
    terms: Terms = Terms()
    notes: tuple[str, ...] = ()


class Reviser(msgspec.Struct, frozen=True, kw_only=True):
    """Applies swaps and removals to a draft; holds what all of them look at."""

    cart: Cart
    supplies: tuple[Supply, ...]
    kitchen: Kitchen
    preferences: Preferences

    def revise(self, draft: Draft, modifications: Iterable[Modification]) -> Draft:
        """Apply the changes in their order."""
        for modification in modifications:
            details = modification.details
            if modification.type == "swap":
                draft = self._swap(draft, old=details.old, new=details.new)
            elif modification.type == "remove":
                draft = self._remove(draft, item=details.item)
        return draft

    def _swap(self, draft: Draft, *, old: str, new: str) -> Draft:
        wanted = self._keys(new)
        allowed = wanted & self._kitchen_keys()
        if not allowed:
            return _note(draft, f"{self._why_not(new, wanted)}, so I left {old} as it was.")
        gone = self._with_twins(self._keys(old)) - allowed
        terms = msgspec.structs.replace(
            draft.terms, banned=(draft.terms.banned | gone) - allowed, invited=draft.terms.invited | allowed
        )
        touched = self._days_with(draft, gone)
        if not touched:
            draft = _note(draft, f"No dinner used {old}, so nothing was swapped.")
        draft = msgspec.structs.replace(draft, terms=terms)
        for day in touched:
            draft = self._swap_day(draft, day, wanted=allowed, new=new)
        return draft

    def _swap_day(self, draft: Draft, day: Weekday, *, wanted: frozenset[str], new: str) -> Draft:
        asked = msgspec.structs.replace(draft.terms, wanted=wanted)
        best = self._replace(draft, day, asked)
        if best is None:
            best = self._replace(draft, day, msgspec.structs.replace(asked, may_overdraw=True))
        if best is None:
            draft = _note(draft, f"I found no dinner with {new} for {day.capitalize()}.")
            best = self._replace(draft, day, draft.terms)
        return _put(draft, day, best)

    def _remove(self, draft: Draft, *, item: str) -> Draft:
        gone = self._with_twins(self._keys(item))
        touched = self._days_with(draft, gone)
        terms = msgspec.structs.replace(draft.terms, banned=draft.terms.banned | gone)
        draft = msgspec.structs.replace(draft, terms=terms)
        for day in touched:
            if draft.week[day].keys & gone:  # else it only was an extra, which the ban keeps out
                draft = _put(draft, day, self._replace(draft, day, terms))
        return draft

    def _replace(self, draft: Draft, day: Weekday, terms: Terms) -> Candidate | None:
        """Find the dinner for a day that is nearest to what stood there and different from all others."""
        others = [one for other, one in draft.week.items() if other != day]
        dishes = {one.dish.id for one in others}
        before = draft.week[day]
        possible = [one for one in candidates(self.kitchen, terms, spend(others)) if one.dish.id not in dishes]

        def rank(one: Candidate) -> float:
            alike = _SAME_DISH * (one.dish.id == before.dish.id) + _SAME_FOOD * len(one.keys & before.keys)
            return alike + score(one, others, preferences=self.preferences, kitchen=self.kitchen)

        return max(possible, key=rank, default=None)

    def _days_with(self, draft: Draft, keys: frozenset[str]) -> list[Weekday]:
        full = complete(draft.week, kitchen=self.kitchen, terms=draft.terms)
        return [day for day, candidate in full.items() if candidate.keys & keys]

    def _keys(self, text: str) -> frozenset[str]:
        """Find what is meant by a name of the cart, a pantry food, or a word for several items."""
        found = find_item(text, self.cart)
        if isinstance(found, Found):
            items = [found.item]
        elif isinstance(found, Ambiguous):
            items = list(found.options)
        else:
            return frozenset({pantry_key(found.pantry)}) if found.pantry else frozenset()
        return frozenset(one.name for item in items for one in (item.contents or (item,)))

    def _with_twins(self, keys: frozenset[str]) -> frozenset[str]:
        """Add the pantry's own supply of the same foods: "no onions" means those as well."""
        foods = {supply.ingredient.id for supply in self.supplies if supply.key in keys}
        return keys | {pantry_key(food) for food in foods}

    def _why_not(self, new: str, wanted: frozenset[str]) -> str:
        if not wanted:
            return f"{sentence(new)} is not in this week's cart"
        if wanted & {supply.key for supply in self.supplies}:
            return f"{sentence(new)} is not something you eat"
        return f"I have no dinner with {new}"

    def _kitchen_keys(self) -> frozenset[str]:
        return frozenset(supply.key for supply in self.kitchen.supplies)


def _note(draft: Draft, text: str) -> Draft:
    return msgspec.structs.replace(draft, notes=(*draft.notes, text))


def _put(draft: Draft, day: Weekday, candidate: Candidate | None) -> Draft:
    if candidate is not None:
        return msgspec.structs.replace(draft, week={**draft.week, day: candidate})
    week = {other: one for other, one in draft.week.items() if other != day}
    text = f"Without that there is not enough left for a dinner on {day.capitalize()}."
    return _note(msgspec.structs.replace(draft, week=week), text)


# Within a twentieth nobody at the table notices.
_SHORT_FROM = 1.05


def note_shortages(week: Week) -> tuple[str, ...]:
    """Say which items are planned with clearly more than the cart has; only a swap can lead to that."""
    used = spend(week.values())
    supplies = {pick.supply.key: pick.supply for one in week.values() for pick in one.picks}
    short = [
        supply.label
        for key, supply in supplies.items()
        if supply.source == "cart" and used[key] > supply.grams * _SHORT_FROM
    ]
    return (
        (f"That takes more {join(short)} than your cart has; add some, or make the portions smaller.",) if short else ()
    )
