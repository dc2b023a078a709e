"""The meal planner's flow: its statuses, and the policies that hold in all of them."""

from functools import partial

from mealplan.background import analyze_cart, jobs
from mealplan.changes import changes
from mealplan.confirming import confirming
from mealplan.intents import INTENTS
from mealplan.planning import plan, planning
from mealplan.small_talk import small_talk, where
from mealplan.state import MealPlan
from turnkeeper import Flow, Turn, days, hours, phone_number, seconds

flow = Flow(
    "mealplan",
    MealPlan,
    start="idle",
    intents=INTENTS,
    person=partial(phone_number, region="US"),
    state_key="conversation:{phone}",
    quiet_after=hours(2),
    forget_after=days(30),
)

for name, help_text in {
    "idle": "Nothing planned yet.",
    "analyzing": "The cart is being read.",
    "analysis_sent": "A plan waits for a yes or a change.",
    "modifying": "The plan is being changed.",
    "awaiting_confirmation": "A yes is being waited for.",
    "confirmed": "The recipes are being written.",
    "recipes_scheduled": "The recipes go out on the day before the box.",
    "recipes_sent": "The week is done.",
    "error": "Something failed and can be tried again.",
    "expired": "A new week's cart is open.",
    "cancelled": "Stopped at the person's wish.",
}.items():
    flow.status(name, help=help_text)

for router in (jobs, planning, changes, confirming, small_talk):
    flow.include(router)

flow.start_over(
    "start_over",
    to="idle",
    keep=("phone", "created_at", "last_activity", "metrics"),
    reply="Starting over. Reply PLAN to plan this week's dinners.",
)
flow.still_working("plan", when="analyzing", job=analyze_cart, restart=plan, within=seconds(30))
flow.late_reply(resting=("idle", "recipes_sent", "expired", "cancelled", "recipes_scheduled"), reminder=where)
flow.corrections(intent="undo", keep=("metrics", "phone", "created_at", "last_activity"))
flow.several_people()
flow.help("help", intro="I plan your dinners from what is in your farm box.")


@flow.each
async def keep_count(turn: Turn[MealPlan]) -> None:
    """Keep what every message changes."""
    state = turn.state
    state.phone = turn.peer
    state.created_at = state.created_at or turn.now
    state.last_activity = turn.now
    state.metrics.message_count += 1
