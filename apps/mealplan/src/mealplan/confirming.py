"""From yes to the recipes: now, or by itself on the day before the box arrives."""

from datetime import datetime, time, timedelta

from mealplan.background import write_recipes
from mealplan.planning import CONFIRM_QUESTION, KITCHEN_ZONE
from mealplan.state import MealPlan, Recipes
from turnkeeper import JobFailed, Router, Turn

confirming = Router(MealPlan)

ANYTHING_ELSE = "anything_else"
SEND_HOUR = 17
"""In the shop's time zone: late enough to be read, early enough to shop for what is missing."""


@confirming.on(
    "confirm",
    when=("analysis_sent", "modifying", "awaiting_confirmation"),
    to=("confirmed", "awaiting_confirmation"),
    help="CONFIRM",
)
async def confirm(turn: Turn[MealPlan]) -> None:
    """Take the plan, unless a change of it is still being worked on."""
    await _confirm(turn)


@confirming.on(
    "affirmative",
    question=CONFIRM_QUESTION,
    when=("analysis_sent", "modifying", "awaiting_confirmation"),
    to=("confirmed", "awaiting_confirmation"),
)
async def say_yes(turn: Turn[MealPlan]) -> None:
    """Take the plan; a "yes, but …" that says something unclear is asked about first."""
    rest = str(turn.slots.get("rest") or "")
    if rest:
        turn.state.context.last_question_asked = f"about: {rest}"
        turn.go("awaiting_confirmation")
        turn.ask(
            f'Gladly, but what about "{rest[:60]}"? Try SWAP, REMOVE or SKIP, or reply YES to take it as is.',
            question=CONFIRM_QUESTION,
        )
        return
    await _confirm(turn)


@confirming.on("negative", question=CONFIRM_QUESTION, when=("analysis_sent", "modifying", "awaiting_confirmation"))
async def say_no(turn: Turn[MealPlan]) -> None:
    """Ask what to change."""
    turn.reply(
        'What shall I change? Try "swap salmon for chicken", "remove the eggplant" or "skip monday", '
        "or CONFIRM to take it as it is."
    )


async def _confirm(turn: Turn[MealPlan]) -> None:
    context = turn.state.context
    if any(job.name == "replan" for job in turn.jobs):
        turn.go("awaiting_confirmation")
        turn.reply("I am still updating your plan. I will show it in a moment and ask again.")
        return
    if context.last_analysis is None:
        turn.go(turn.status)
        turn.reply("There is no plan to confirm yet. Reply PLAN to make one.")
        return
    context.confirmation_status = "confirmed"
    context.last_question_asked = None
    turn.cancel("week_over")
    turn.go("confirmed")
    turn.start(write_recipes, await turn.load(context.last_analysis))
    turn.reply("Confirmed! I am writing your recipes.")


@confirming.result(write_recipes, when="confirmed", to=("recipes_scheduled", "recipes_sent"))
async def recipes_written(turn: Turn[MealPlan], recipes: Recipes) -> None:
    """Send the recipes if they are wanted now, else plan their sending."""
    context = turn.state.context
    context.recipes = turn.ref(recipes)
    if context.recipes_wanted_now:
        _send(turn, recipes)
        return
    if context.last_analysis is None:
        return
    delivery = (await turn.load(context.last_analysis)).delivery_date
    due = datetime.combine(delivery - timedelta(days=1), time(SEND_HOUR), tzinfo=KITCHEN_ZONE)
    turn.at(due, "recipes_due")
    turn.go("recipes_scheduled")
    turn.reply(
        f"Your recipes arrive on {due:%A}, the day before your box. Reply RECIPES NOW to get them right away."
        if due > turn.now
        else "Your recipes are on their way."
    )


@confirming.failed(write_recipes, when="confirmed")
async def recipes_failed(turn: Turn[MealPlan], error: JobFailed) -> None:
    """Say how to try again; the plan stays confirmed."""
    turn.state.context.last_error = f"{error.job}: {error.reason}"[:500]
    turn.state.metrics.error_count += 1
    turn.reply("Sorry, I could not write your recipes. Reply RECIPES NOW to try again.")


@confirming.on("recipes_now", when="confirmed", help="RECIPES NOW")
async def recipes_before_they_are_ready(turn: Turn[MealPlan]) -> None:
    """Remember that they are wanted as soon as they are written."""
    context = turn.state.context
    context.recipes_wanted_now = True
    if not turn.jobs and context.last_analysis is not None:
        turn.start(write_recipes, await turn.load(context.last_analysis))
    turn.reply("They are coming as soon as they are written.")


@confirming.on("recipes_now", when="recipes_scheduled", to="recipes_sent", help="RECIPES NOW")
async def recipes_at_once(turn: Turn[MealPlan]) -> None:
    """Send them before their day."""
    turn.cancel("recipes_due")
    await _send_stored(turn)


@confirming.on("recipes_now", when="recipes_sent", help="RECIPES to get them again")
async def recipes_again(turn: Turn[MealPlan]) -> None:
    """Send them once more."""
    await _send_stored(turn)


@confirming.timer("recipes_due", when="recipes_scheduled", to="recipes_sent")
async def recipes_on_their_day(turn: Turn[MealPlan]) -> None:
    """Send them on the day before the box arrives."""
    await _send_stored(turn)


async def _send_stored(turn: Turn[MealPlan]) -> None:
    reference = turn.state.context.recipes
    if reference is None:
        turn.go(turn.status)
        turn.reply("There are no recipes any more. Reply PLAN for a new week.")
        return
    _send(turn, await turn.load(reference))


def _send(turn: Turn[MealPlan], recipes: Recipes) -> None:
    context = turn.state.context
    context.recipes_sent = True
    context.recipes_wanted_now = False
    turn.go("recipes_sent")
    turn.reply("Your recipes:")
    for text in recipes.messages:
        turn.reply(text)
    turn.reply("Enjoy your week! Reply PLAN for a new one.")
