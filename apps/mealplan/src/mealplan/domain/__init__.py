"""The kitchen of the meal planner: carts, dinners, plans, recipes. Pure: no network, no clock, no conversation.

    cart = sample_cart(phone, read_at=now)
    change = read_swap(cart, preferences, old="salmon", new="chicken", timestamp=now)
    plan = make_plan(cart, preferences, [change])
    for message in recipes_text(plan): ...

A `read_…` function answers with a `Modification` to keep, or with a `Refusal` whose text goes back to the person.
"""

from mealplan.domain.analysis import Analysis, Dinner, Portion, SwapIdea, list_changes
from mealplan.domain.cart import Cart, CartItem, ItemKind
from mealplan.domain.items import Ambiguous, Found, NotInCart, find_item, is_meant, short_name
from mealplan.domain.modifications import (
    Details,
    Modification,
    Refusal,
    read_note,
    read_removal,
    read_skip,
    read_swap,
)
from mealplan.domain.planner import make_plan
from mealplan.domain.preferences import Preferences, Restriction, Weekday, read_restriction, read_weekday
from mealplan.domain.recipes import Recipe, recipes_text, write_recipe
from mealplan.domain.samples import choose_sample, load_sample, sample_cart, sample_preferences

__all__ = [
    "Ambiguous",
    "Analysis",
    "Cart",
    "CartItem",
    "Details",
    "Dinner",
    "Found",
    "ItemKind",
    "Modification",
    "NotInCart",
    "Portion",
    "Preferences",
    "Recipe",
    "Refusal",
    "Restriction",
    "SwapIdea",
    "Weekday",
    "choose_sample",
    "find_item",
    "is_meant",
    "list_changes",
    "load_sample",
    "make_plan",
    "read_note",
    "read_removal",
    "read_restriction",
    "read_skip",
    "read_swap",
    "read_weekday",
    "recipes_text",
    "sample_cart",
    "sample_preferences",
    "short_name",
    "write_recipe",
]
