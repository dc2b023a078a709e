"""What is stored of a conversation, by the names that its users gave.

`turnkeeper conversations show +15551230001` shows exactly this as JSON, and so does the store, under the key
`conversation:+15551230001`. Cart, analysis and recipes are large and stored apart.
"""

from datetime import datetime
from typing import Literal

import msgspec

from mealplan.domain.analysis import Analysis
from mealplan.domain.cart import Cart
from mealplan.domain.modifications import Modification
from mealplan.domain.preferences import Preferences, Weekday
from turnkeeper import Ref, Struct

Confirmation = Literal["none", "asked", "confirmed"]


class Swapped(Struct):
    """Two names of the cart: what went out, what came in."""

    old: str
    new: str


class Recipes(Struct):
    """The recipes of a week as text messages, in order."""

    messages: list[str]


class PendingChange(Struct):
    """A change that waits for the answer to "which one?": the field that was unclear, and the others as said."""

    type: Literal["swap", "remove"]
    unclear: Literal["old", "new", "item"]
    old: str = ""
    new: str = ""
    item: str = ""


class Context(Struct):
    """What the talk is about.

    Attributes:
        last_analysis: The plan that the person saw last.
        cart_snapshot: The cart that it was made from.
        user_preferences: Who eats, and what; None until a cart was read.
        modifications: Changes in force, in the order in which they were asked for.
        skipped_days, swapped_items: The same changes as lists, for people who look.
        confirmation_status: How far the plan is agreed on.
        recipes: The recipes as texts, once made.
        recipes_wanted_now: "Recipes now" was said before they were ready.
        recipes_sent: They went out.
        last_question_asked: As the person read it.
        last_error: Why the last work in the background failed; for operators.
        pending_change: See `PendingChange`.
    """

    last_analysis: Ref[Analysis] | None = None
    cart_snapshot: Ref[Cart] | None = None
    user_preferences: Preferences | None = None
    modifications: list[Modification] = []
    skipped_days: list[Weekday] = []
    swapped_items: list[Swapped] = []
    confirmation_status: Confirmation = "none"
    recipes: Ref[Recipes] | None = None
    recipes_wanted_now: bool = False
    recipes_sent: bool = False
    last_question_asked: str | None = None
    last_error: str | None = None
    pending_change: PendingChange | None = None


class Metrics(Struct):
    """Counted over the whole conversation; an undo does not take them back."""

    message_count: int = 0
    error_count: int = 0
    analysis_count: int = 0


class MealPlan(Struct):
    """The state of one household's conversation. `status` follows the dialogue."""

    phone: str = ""
    status: str = "idle"
    created_at: datetime | None = None
    last_activity: datetime | None = None
    context: Context = msgspec.field(default_factory=Context)
    metrics: Metrics = msgspec.field(default_factory=Metrics)
