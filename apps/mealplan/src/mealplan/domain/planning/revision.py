"""What a change does to a week: the dinners it touches are cooked anew, the others stay where they are.

A dinner that must change stays the same dish with another food in it if it can; only then is another dish taken.
"""

from collections.abc import Iterable, Sequence

import msgspec

from mealplan.domain.cart import Cart
from mealplan.domain.items import Ambiguous, Found, find_item
from mealplan.domain.modifications import Modification
from mealplan.domain.planning.candidates import Candidate, add_others, candidates, spend
from mealplan.domain.planning.kitchen import Kitchen, Terms
from mealplan.domain.planning.supplies import Supply, pantry_key
from mealplan.domain.planning.week import Week, score
from mealplan.domain.preferences import Preferences, Weekday
from mealplan.domain.words import join, sentence

_SAME_DISH = 8.0  # outweighs all that two dinners can have in common otherwise
_SAME_FOOD = 1.0


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A week between two changes.

    Attributes:
        week: The dinners, extras and seasonings included.
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
        touched = [day for day, one in draft.week.items() if one.keys & gone]
        if not touched:
            draft = _note(draft, f"No dinner used {old}, so nothing was swapped.")
        draft = msgspec.structs.replace(draft, terms=terms)
        for day in touched:
            draft = self._swap_day(draft, day, gone=gone, wanted=allowed, new=new)
        return draft

    def _swap_day(self, draft: Draft, day: Weekday, *, gone: frozenset[str], wanted: frozenset[str], new: str) -> Draft:
        asked = msgspec.structs.replace(draft.terms, wanted=wanted)
        before = draft.week[day]
        if not before.required_keys & gone:  # an extra for an extra
            used = spend(one for other, one in draft.week.items() if other != day)
            after = add_others(before.without(gone), kitchen=self.kitchen, terms=asked, used=used, only=wanted)
            if after.keys & wanted:
                return _put(draft, day, after)
        overdrawn = msgspec.structs.replace(asked, may_overdraw=True)
        if changed := self._replace(draft, day, asked) or self._replace(draft, day, overdrawn):
            return changed
        if changed := self._without_goals()._replace(draft, day, overdrawn):
            return _note(changed, f"{day.capitalize()} misses your goals for protein or time because of {new}.")
        draft = _note(draft, f"I found no dinner with {new} for {day.capitalize()}.")
        return self._replace(draft, day, draft.terms) or _drop(draft, day)

    def _without_goals(self) -> "Reviser":
        """Return a copy without goals: a food asked for by name counts more than those, and a diet more than both."""
        relaxed = msgspec.structs.replace(self.kitchen, min_protein_g=0, max_minutes=None)
        return msgspec.structs.replace(self, kitchen=relaxed)

    def _remove(self, draft: Draft, *, item: str) -> Draft:
        gone = self._with_twins(self._keys(item))
        touched = [day for day, one in draft.week.items() if one.keys & gone]
        terms = msgspec.structs.replace(draft.terms, banned=draft.terms.banned | gone)
        draft = msgspec.structs.replace(draft, terms=terms)
        for day in touched:
            before = draft.week[day]
            if before.required_keys & gone:
                draft = self._replace(draft, day, terms) or _drop(draft, day)
            else:
                draft = _put(draft, day, before.without(gone))
        return draft

    def _replace(self, draft: Draft, day: Weekday, terms: Terms) -> Draft | None:
        """Cook another dinner on a day: the nearest to what stood there, and different from all others.

        When nothing can be cooked beside the others as they are, they give back what they can do without.
        """
        before = draft.week[day]
        rest = {other: one for other, one in draft.week.items() if other != day}
        for others in (rest, {other: one.without_extras() for other, one in rest.items()}):
            best = self._nearest(before, list(others.values()), terms)
            if best is not None:
                used = spend(others.values())
                full = add_others(best, kitchen=self.kitchen, terms=terms, used=used)
                week = {**draft.week, **others, day: full}
                return msgspec.structs.replace(draft, week=week)
        return None

    def _nearest(self, before: Candidate, others: Sequence[Candidate], terms: Terms) -> Candidate | None:
        dishes = {one.dish.id for one in others}
        possible = [one for one in candidates(self.kitchen, terms, spend(others)) if one.dish.id not in dishes]

        def rank(one: Candidate) -> float:
            alike = _SAME_DISH * (one.dish.id == before.dish.id) + _SAME_FOOD * len(one.keys & before.keys)
            return alike + score(one, others, preferences=self.preferences, kitchen=self.kitchen)

        return max(possible, key=rank, default=None)

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


def _put(draft: Draft, day: Weekday, candidate: Candidate) -> Draft:
    return msgspec.structs.replace(draft, week={**draft.week, day: candidate})


def _drop(draft: Draft, day: Weekday) -> Draft:
    return msgspec.structs.replace(draft, week={other: one for other, one in draft.week.items() if other != day})


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
