"""What a person changes in a plan, checked against the cart before it is accepted.

A plan is always made from scratch with the whole list of modifications, in the order of the list; taking one off the
list is its undo. Nothing here changes a plan by itself.
"""

import functools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from mealplan.domain.analysis import Analysis
from mealplan.domain.cart import Cart, CartItem
from mealplan.domain.catalogue.identify import identify
from mealplan.domain.dishes import MAINS
from mealplan.domain.items import Ambiguous, Found, NotInCart, find_item, is_meant, short_name
from mealplan.domain.preferences import WEEK, Preferences, Restriction, Weekday, read_restriction, read_weekday
from mealplan.domain.words import join, sentence, tokens

ModificationType = Literal["swap", "remove", "skip", "diet"]
# A week has five dinners; a list longer than this is a loop somewhere, not a person.
MAX_MODIFICATIONS = 100
_MAX_OFFERS = 4  # names in a text message
_NOTE_WORDS = frozenset(
    ["no", "not", "without", "please", "hold", "skip", "remove", "avoid", "drop", "leave", "out", "any", "more"]
)


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is changed; only the fields of the type are set.

    Attributes:
        old: Of a swap: the item's name in the cart, or a pantry food.
        new: Of a swap: the same.
        item: Of a removal: the same, or the person's word for several items ("mushrooms").
        days: Of a skip.
        restriction: Of a diet.
    """

    old: str = ""
    new: str = ""
    item: str = ""
    days: tuple[Weekday, ...] = ()
    restriction: Restriction | None = None


class Modification(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted change, with the time at which it was asked for; a naive time is taken as UTC."""

    type: ModificationType
    details: Details
    timestamp: datetime

    def __post_init__(self) -> None:
        """Make the time aware."""
        if self.timestamp.tzinfo is None:
            msgspec.structs.force_setattr(self, "timestamp", self.timestamp.replace(tzinfo=UTC))

    def to_text(self) -> str:
        """Say what changes, to acknowledge it: "Salmon out, chicken thighs in"."""
        if self.type == "swap":
            return f"{sentence(_short(self.details.old))} out, {_short(self.details.new)} in"
        if self.type == "remove":
            return f"No {_short(self.details.item)}"
        if self.type == "skip":
            return f"No dinner on {join([day.capitalize() for day in self.details.days])}"
        return sentence(self.details.restriction or "")


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A change that cannot be made, with a text that says what can.

    Attributes:
        text: The answer to the person.
        options: Names of the items to choose from, when the text asks which one is meant.
        unclear: Which of the names that were given the text asks about; empty when it asks nothing.
    """

    text: str
    options: tuple[str, ...] = ()
    unclear: Literal["", "old", "new"] = ""


def read_swap(
    cart: Cart,
    preferences: Preferences,
    *,
    old: str,
    new: str,
    timestamp: datetime,
    plan: Analysis | None = None,
) -> Modification | Refusal:
    """Check "swap `old` for `new`": both must be in the cart or in the pantry, and the household must eat `new`.

    Args:
        cart: This week's cart.
        preferences: With the restrictions and dislikes in force.
        old: In the person's words.
        new: In the person's words.
        timestamp: When it was asked for, aware.
        plan: The present plan, if there is one; what none of its dinners uses cannot be swapped, and it decides
            between several items that fit `old`.
    """
    gone = _resolve(old, cart, name="old", used=_used(plan))
    if isinstance(gone, Refusal):
        return gone
    if plan is not None and gone not in _used(plan):
        return Refusal(text=f"No dinner uses {_short(gone)}. The plan has {_mains(plan)}.")
    come = _resolve(new, cart, name="new")
    if isinstance(come, Refusal):
        return come
    if come == gone:
        return Refusal(text=f"That is already {_short(come)}. What would you like instead?")
    food = identify(come)
    if food is None:
        return Refusal(text=f"I have no dinner that uses {come}. {_offer(cart)}")
    if any(is_meant(word, come) for word in preferences.dislikes):
        return Refusal(text=f"You told me to leave out {food.label}. {_offer(cart, preferences)}")
    if food.contains & preferences.forbidden():
        diet = join([*preferences.restrictions])
        return Refusal(text=f"{sentence(food.label)} does not go with {diet}. {_offer(cart, preferences)}")
    return Modification(type="swap", details=Details(old=gone, new=come), timestamp=timestamp)


def read_removal(cart: Cart, *, item: str, timestamp: datetime, plan: Analysis | None = None) -> Modification | Refusal:
    """Check "remove `item`". A word that several items fit ("mushrooms") removes all of them.

    Args:
        cart: This week's cart.
        item: In the person's words.
        timestamp: When it was asked for, aware.
        plan: The present plan, if there is one; what none of its dinners uses need not be removed.
    """
    found = find_item(item, cart)
    if isinstance(found, NotInCart) and found.pantry is None:
        return Refusal(text=found.to_text())
    if isinstance(found, Found):
        name, names = found.item.name, _expand(found.item)
    elif isinstance(found, Ambiguous):
        name, names = found.spoken, frozenset(name for option in found.options for name in _expand(option))
    else:
        name, names = str(found.pantry), frozenset({str(found.pantry)})
    if plan is not None and not names & _used(plan):
        return Refusal(text=f"No dinner uses {_short(name)}, so there is nothing to remove.")
    return Modification(type="remove", details=Details(item=name), timestamp=timestamp)


def read_skip(
    days: Sequence[str], *, preferences: Preferences, timestamp: datetime, skipped: Iterable[str] = ()
) -> Modification | Refusal:
    """Check "skip `days`".

    Args:
        days: Names of weekdays, short ones too ("weds").
        preferences: They say on which days there are dinners at all.
        timestamp: When it was asked for, aware.
        skipped: Days that are skipped already.

    Returns:
        A modification with those of the days that have a dinner, in the order of the week.
    """
    known: set[Weekday] = set()
    for name in days:
        day = read_weekday(name)
        if day is None:
            return Refusal(text=f'I do not know the day "{name[:20]}". Write it like "skip Monday".')
        known.add(day)
    if not known:
        return Refusal(text='Which day shall I skip? Write it like "skip Monday".')
    planned = tuple(day for day in preferences.dinner_days if day in known and day not in set(skipped))
    if not planned:
        asked = join([day.capitalize() for day in WEEK if day in known])
        return Refusal(text=f"There is no dinner on {asked} to skip.")
    return Modification(type="skip", details=Details(days=planned), timestamp=timestamp)


def read_note(cart: Cart, *, text: str, timestamp: datetime, plan: Analysis | None = None) -> Modification | Refusal:
    """Understand a note about food: "no mushrooms please" removes them, "gluten free please" is a diet for this plan.

    Where both readings are possible ("no fish"), it is a diet, because it may be an allergy.

    Args:
        cart: This week's cart.
        text: The note.
        timestamp: When it was written, aware.
        plan: See `read_removal`.
    """
    rest = " ".join(word for word in text.split() if not set(tokens(word)) <= _NOTE_WORDS)
    found = find_item(rest, cart)
    is_pantry_food = isinstance(found, NotInCart) and found.pantry is not None
    restriction = None if is_pantry_food else read_restriction(text)
    if restriction is not None:
        return Modification(type="diet", details=Details(restriction=restriction), timestamp=timestamp)
    return read_removal(cart, item=rest, timestamp=timestamp, plan=plan)


def _resolve(
    spoken: str, cart: Cart, *, name: Literal["old", "new"], used: frozenset[str] = frozenset()
) -> str | Refusal:
    found = find_item(spoken, cart)
    if isinstance(found, Found):
        if found.item.kind != "item":
            return Refusal(text=f"{found.item.name} is a whole box. Name one thing in it.")
        return found.item.name
    if isinstance(found, NotInCart):
        return found.pantry if found.pantry is not None else Refusal(text=found.to_text())
    in_plan = [item.name for item in found.options if item.name in used]
    if len(in_plan) == 1:
        return in_plan[0]
    return Refusal(text=found.to_text(), options=tuple(item.name for item in found.options), unclear=name)


def _expand(item: CartItem) -> frozenset[str]:
    return frozenset(one.name for one in item.contents) if item.kind != "item" else frozenset({item.name})


def _used(plan: Analysis | None) -> frozenset[str]:
    return frozenset(portion.item for dinner in plan.dinners for portion in dinner.portions) if plan else frozenset()


def _mains(plan: Analysis) -> str:
    return join(list(dict.fromkeys(dinner.main.label for dinner in plan.dinners))) or "no dinners"


@functools.lru_cache(maxsize=1024)
def _short(name: str) -> str:
    return short_name(CartItem(name=name))


def _offer(cart: Cart, preferences: Preferences | None = None) -> str:
    """Say which mains the cart has, for a person whose wish cannot be met."""
    forbidden = preferences.forbidden() if preferences else frozenset()
    names: list[str] = []
    for item in cart.every_item():
        food = identify(item.name)
        is_eaten = not any(is_meant(word, item.name) for word in (preferences.dislikes if preferences else ()))
        if food and is_eaten and food.ingredient.id in MAINS and not food.contains & forbidden:
            names.append(food.label)
    return f"You have {join(list(dict.fromkeys(names))[:_MAX_OFFERS])}." if names else ""
