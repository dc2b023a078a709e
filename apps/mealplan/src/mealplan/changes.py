"""Swap, remove, skip: checked against the cart at once, planned again in the background."""

from typing import Literal

from mealplan.background import replan
from mealplan.domain.analysis import Analysis
from mealplan.domain.cart import Cart
from mealplan.domain.modifications import Modification, Refusal, read_note, read_removal, read_skip, read_swap
from mealplan.domain.preferences import Preferences
from mealplan.intents import CHANGEABLE
from mealplan.planning import ASK_CONFIRM, CONFIRM_QUESTION, UNCONFIRMED, guide
from mealplan.state import MealPlan, PendingChange, Swapped
from turnkeeper import Router, Turn

changes = Router(MealPlan)

WHICH_ITEM = "which_item"


@changes.on("swap", when=CHANGEABLE, to="modifying", undoable=True, help="SWAP salmon FOR chicken")
async def swap(turn: Turn[MealPlan]) -> None:
    """Replace one thing in the plan by another."""
    old, new = turn.slots.get("old"), turn.slots.get("new")
    if not old or not new:
        _stay(turn, 'What for what? Write it like "swap salmon for chicken".')
        return
    await _swap(turn, str(old), str(new))


@changes.on("remove", when=CHANGEABLE, to="modifying", undoable=True, help="REMOVE eggplant")
async def remove(turn: Turn[MealPlan]) -> None:
    """Leave something out; "no fish please" may also be a diet."""
    item = turn.slots.get("item")
    if not item:
        _stay(turn, 'What shall I leave out? Write it like "remove the eggplant".')
        return
    await _remove(turn, str(item))


@changes.on("skip", when=CHANGEABLE, to="modifying", undoable=True, help="SKIP monday")
async def skip(turn: Turn[MealPlan]) -> None:
    """Leave days out."""
    material = await _material(turn)
    if material is None:
        return
    _, preferences, _ = material
    days = turn.slots.get("days", ())
    names = list(days) if isinstance(days, tuple) else [str(days)]
    skipped = turn.state.context.skipped_days
    _apply(turn, read_skip(names, preferences=preferences, timestamp=turn.now, skipped=skipped), material, None)


@changes.on("choice", question=WHICH_ITEM, when=CHANGEABLE, to="modifying", undoable=True)
async def say_which(turn: Turn[MealPlan]) -> None:
    """Go on with the change whose item was not clear."""
    pending = turn.state.context.pending_change
    if pending is None:
        _stay(turn, "Which change do you mean? Try SWAP salmon FOR chicken.")
        return
    answer = str(turn.slots["option"])
    if pending.type == "remove":
        await _remove(turn, answer)
    else:
        old, new = (answer, pending.new) if pending.unclear == "old" else (pending.old, answer)
        await _swap(turn, old, new)


@changes.on("modify", when=CHANGEABLE)
async def how_to_change(turn: Turn[MealPlan]) -> None:
    """Say how changes are said."""
    turn.reply('Sure. Try "swap salmon for chicken", "remove the eggplant" or "skip monday".')


async def _swap(turn: Turn[MealPlan], old: str, new: str) -> None:
    material = await _material(turn)
    if material is None:
        return
    cart, preferences, analysis = material
    result = read_swap(cart, preferences, old=old, new=new, timestamp=turn.now, plan=analysis)
    unclear: Literal["old", "new"] = "new" if isinstance(result, Refusal) and result.unclear == "new" else "old"
    _apply(turn, result, material, PendingChange(type="swap", unclear=unclear, old=old, new=new))


async def _remove(turn: Turn[MealPlan], item: str) -> None:
    material = await _material(turn)
    if material is None:
        return
    cart, _, analysis = material
    is_note = turn.text.casefold().startswith(("no ", "without ", "i ", "we ", "allergic"))
    result = (
        # Of this wish alone: the text may hold another one ("no pork, no fish"), whose diet is not this one's.
        read_note(cart, text=f"no {item}", timestamp=turn.now, plan=analysis)
        if is_note
        else read_removal(cart, item=item, timestamp=turn.now, plan=analysis)
    )
    _apply(turn, result, material, PendingChange(type="remove", unclear="item", item=item))


async def _material(turn: Turn[MealPlan]) -> tuple[Cart, Preferences, Analysis] | None:
    context = turn.state.context
    if context.cart_snapshot is None or context.last_analysis is None or context.user_preferences is None:
        _stay(turn, "There is no plan to change yet. Reply PLAN to make one.")
        return None
    return await turn.load(context.cart_snapshot), context.user_preferences, await turn.load(context.last_analysis)


def _apply(
    turn: Turn[MealPlan],
    result: Modification | Refusal,
    material: tuple[Cart, Preferences, Analysis],
    pending: PendingChange | None,
) -> None:
    """Take an accepted change into the list and plan again; say why another one is not possible."""
    context = turn.state.context
    if isinstance(result, Refusal):
        if result.options and pending is not None:
            context.pending_change = pending
            context.last_question_asked = result.text
            turn.go(turn.status)
            turn.ask(result.text, question=WHICH_ITEM, kind="choice", options=result.options)
        else:
            _stay(turn, result.text)
        return
    cart, preferences, _ = material
    context.pending_change = None
    context.modifications.append(result)
    context.skipped_days.extend(day for day in result.details.days if day not in context.skipped_days)
    if result.type == "swap":
        context.swapped_items.append(Swapped(old=result.details.old, new=result.details.new))
    context.confirmation_status = "none"
    context.recipes = None
    turn.cancel_jobs()
    turn.cancel("recipes_due")
    turn.start(replan, cart, preferences, context.modifications)
    turn.reply(f"{result.to_text()}. Updating your plan…")


def _stay(turn: Turn[MealPlan], text: str) -> None:
    """Say why not; a plan that waits for a yes goes on waiting for it."""
    turn.go(turn.status)
    if turn.status in UNCONFIRMED and turn.state.context.confirmation_status == "asked":
        turn.reply(text)
        turn.ask(ASK_CONFIRM, question=CONFIRM_QUESTION)
    else:
        guide(turn, text)
