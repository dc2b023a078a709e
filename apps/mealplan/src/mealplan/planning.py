"""From "plan" to a plan on the phone, and what happens when that fails, takes long or is given up."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from mealplan.background import Planned, analyze_cart, replan
from mealplan.domain.analysis import Analysis, list_changes
from mealplan.state import Context, MealPlan
from turnkeeper import JobFailed, Router, Turn

planning = Router(MealPlan)

KITCHEN_ZONE = ZoneInfo("America/New_York")
"""The shop's time zone, in which delivery days are meant."""

CONFIRM_QUESTION = "confirm_plan"
UNCONFIRMED = ("analysis_sent", "modifying", "awaiting_confirmation")
PLANNABLE = ("idle", "error", "expired", "cancelled", "recipes_sent")

ASK_CONFIRM = "Shall we cook this? Reply YES, or change it: SWAP, REMOVE or SKIP."


@planning.on("plan", when=PLANNABLE, to="analyzing", help="PLAN for this week's dinners")
async def plan(turn: Turn[MealPlan]) -> None:
    """Read the cart and plan in the background."""
    state = turn.state
    state.context = Context(user_preferences=state.context.user_preferences)
    turn.cancel("week_over")
    turn.cancel("recipes_due")
    turn.start(analyze_cart, turn.peer, state.context.user_preferences)
    turn.reply("Analyzing your cart… your plan comes in a moment.")


@planning.on("continue", when="error", to="analyzing", help="CONTINUE to try again")
async def retry(turn: Turn[MealPlan]) -> None:
    """Try again after an error."""
    await plan(turn)


@planning.on("plan", when=UNCONFIRMED, help="PLAN to see it again")
async def show_again(turn: Turn[MealPlan]) -> None:
    """Show the plan that is being talked about; a new one needs "start over" or a new cart."""
    reference = turn.state.context.last_analysis
    if reference is None:
        turn.reply("I have no plan to show. START OVER makes a new one.")
        return
    offer(turn, await turn.load(reference))


@planning.on("plan", when=("confirmed", "recipes_scheduled"))
async def show_confirmed(turn: Turn[MealPlan]) -> None:
    """Show what was confirmed."""
    reference = turn.state.context.last_analysis
    if reference is not None:
        turn.reply((await turn.load(reference)).to_text())
    turn.reply("This plan is confirmed. SWAP, REMOVE or SKIP still change it; START OVER drops it.")


@planning.result(analyze_cart, when="analyzing", to="analysis_sent")
async def planned(turn: Turn[MealPlan], result: Planned) -> None:
    """Send the plan and ask for a yes."""
    context = turn.state.context
    context.cart_snapshot = turn.ref(result.cart)
    context.last_analysis = turn.ref(result.analysis)
    context.user_preferences = result.preferences
    context.last_error = None
    turn.state.metrics.analysis_count += 1
    turn.at(_end_of_week(result.analysis), "week_over")
    offer(turn, result.analysis)


@planning.result(replan, when="modifying", to="analysis_sent")
async def replanned(turn: Turn[MealPlan], analysis: Analysis) -> None:
    """Send what changed and ask for a yes."""
    await _take_over(turn, analysis)


@planning.result(replan, when="awaiting_confirmation")
async def replanned_while_confirming(turn: Turn[MealPlan], analysis: Analysis) -> None:
    """Send what changed to somebody who wanted to confirm before it was ready."""
    await _take_over(turn, analysis)


async def _take_over(turn: Turn[MealPlan], analysis: Analysis) -> None:
    context = turn.state.context
    changes: tuple[str, ...] = ()
    if context.last_analysis is not None:
        changes = list_changes(await turn.load(context.last_analysis), analysis)
    context.last_analysis = turn.ref(analysis)
    context.last_error = None
    turn.state.metrics.analysis_count += 1
    if changes:
        turn.reply("Here is what changed:\n" + "\n".join(changes))
    offer(turn, analysis)


@planning.failed(analyze_cart, when="analyzing", to="error")
async def analysis_failed(turn: Turn[MealPlan], error: JobFailed) -> None:
    """Say how to try again."""
    _remember_error(turn, error)
    turn.reply("Sorry, I could not read your cart just now. Reply PLAN to try again.")


@planning.failed(replan, when=("modifying", "awaiting_confirmation"), to="error")
async def replanning_failed(turn: Turn[MealPlan], error: JobFailed) -> None:
    """Say how to try again."""
    _remember_error(turn, error)
    turn.reply("Sorry, that change went wrong on my side. Reply PLAN to make the plan again.")


def _remember_error(turn: Turn[MealPlan], error: JobFailed) -> None:
    turn.state.context.last_error = f"{error.job}: {error.reason}"[:500]
    turn.state.metrics.error_count += 1


@planning.on("cancel", when="analyzing", to="cancelled", help="NEVER MIND to stop it")
async def cancel_analysis(turn: Turn[MealPlan]) -> None:
    """Give the analysis up; its result will be dropped."""
    turn.cancel_jobs()
    turn.go("cancelled")
    guide(turn, "OK, I stopped.")


@planning.on("cancel", when="analysis_sent", to="idle", help="NOT THIS WEEK")
async def decline(turn: Turn[MealPlan]) -> None:
    """Drop the plan that was sent."""
    turn.cancel("week_over")
    turn.state.context = Context(user_preferences=turn.state.context.user_preferences)
    turn.reply("No plan this week, then. Reply PLAN when you want one.")


@planning.on("new", when="expired", to="idle")
async def put_away(turn: Turn[MealPlan]) -> None:
    """Leave last week behind."""
    turn.state.context = Context(user_preferences=turn.state.context.user_preferences)
    turn.reply("Last week's plan is put away. Reply PLAN for this week's.")


@planning.timer("week_over", when=UNCONFIRMED, to="expired")
async def week_is_over(turn: Turn[MealPlan]) -> None:
    """A new week's cart is open: the plan that was never confirmed is void."""
    turn.cancel_jobs()
    turn.reply("A new week's cart is open, so last week's plan has expired. Reply PLAN for a new one.")


def guide(turn: Turn[MealPlan], text: str) -> None:
    """Reply, and add in a line what can be said in the status that the turn leads to."""
    turn.reply(f"{text}\n{turn.hint()}".strip())


def offer(turn: Turn[MealPlan], analysis: Analysis) -> None:
    """Send a plan and ask for a yes, or say why there is nothing to say yes to."""
    context = turn.state.context
    text = analysis.to_text()
    if not analysis.dinners:
        context.confirmation_status = "none"
        turn.reply(f"{text}\nOOPS takes the last change back, START OVER begins again.")
        return
    context.confirmation_status = "asked"
    context.last_question_asked = ASK_CONFIRM
    turn.reply(text)
    turn.ask(ASK_CONFIRM, question=CONFIRM_QUESTION)


def _end_of_week(analysis: Analysis) -> datetime:
    """Return the start of the day on which the cart's box arrives: from then on a new week's cart counts."""
    return datetime.combine(analysis.delivery_date, time(), tzinfo=KITCHEN_ZONE) + timedelta(days=1)
