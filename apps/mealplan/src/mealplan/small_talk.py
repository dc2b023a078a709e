"""What is answered without losing the thread: prices, thanks, feedback, "continue", "new"."""

from mealplan.planning import UNCONFIRMED, guide, offer
from mealplan.state import MealPlan
from turnkeeper import Router, Turn

small_talk = Router(MealPlan)


@small_talk.on("pricing", aside=True)
async def pricing(turn: Turn[MealPlan]) -> None:
    """Say what the cart costs; the plan itself costs nothing."""
    reference = turn.state.context.cart_snapshot
    if reference is None:
        turn.reply("Planning is free. What your box costs I can tell once I have read your cart.")
        return
    cart = await turn.load(reference)
    total = sum(item.price_cents for item in cart.items) / 100
    turn.reply(f"Your cart comes to ${total:.2f}; the plan and the recipes are free.")


@small_talk.on("thanks", aside=True)
async def thanks(turn: Turn[MealPlan]) -> None:
    """Be polite."""
    turn.reply("You're welcome!")


@small_talk.on("feedback", aside=True)
async def feedback(turn: Turn[MealPlan]) -> None:
    """Take it; the words stand in the log."""
    turn.count("feedback")
    turn.reply("Thank you for telling me.")


@small_talk.on("continue", when=UNCONFIRMED)
async def go_on(turn: Turn[MealPlan]) -> None:
    """Show the plan that is being talked about."""
    reference = turn.state.context.last_analysis
    if reference is None:
        turn.reply("There is nothing to go on with. Reply PLAN to begin.")
        return
    offer(turn, await turn.load(reference))


@small_talk.on("continue", when=("idle", "confirmed", "recipes_scheduled", "recipes_sent", "expired", "cancelled"))
async def where_we_are(turn: Turn[MealPlan]) -> None:
    """Say where they are."""
    guide(turn, where(turn))


@small_talk.on("new", when=("idle", "cancelled", "recipes_sent"))
async def welcome(turn: Turn[MealPlan]) -> None:
    """Say how to begin."""
    turn.reply("Welcome! Reply PLAN and I read your cart and suggest five dinners for the week.")


_WHERE = {
    "idle": "We have not started this week. Reply PLAN to begin.",
    "analyzing": "I am reading your cart.",
    "analysis_sent": "We were looking at your plan for the week.",
    "modifying": "We were changing your plan for the week.",
    "awaiting_confirmation": "I was waiting for your yes to the plan.",
    "confirmed": "Your plan is confirmed, and I am writing your recipes.",
    "recipes_scheduled": "Your plan is confirmed; the recipes come on the day before your box.",
    "recipes_sent": "You have your recipes for this week.",
    "error": "Something went wrong with your plan. Reply PLAN to try again.",
    "expired": "Last week's plan has expired. Reply PLAN for a new one.",
    "cancelled": "You stopped the plan. Reply PLAN to make one.",
}


def where(turn: Turn[MealPlan]) -> str:
    """Say in a sentence where the conversation stands."""
    return _WHERE[turn.status]
