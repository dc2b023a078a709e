"""The work that takes long: reading the cart, planning, writing recipes. It runs outside of turns.

A job knows only its arguments; what it returns becomes a turn. The pace slows jobs down so that a demonstration can be
interrupted in the middle of one.
"""

import asyncio
import os

from mealplan.domain.analysis import Analysis
from mealplan.domain.cart import Cart
from mealplan.domain.modifications import Modification
from mealplan.domain.planner import make_plan
from mealplan.domain.preferences import Preferences
from mealplan.domain.recipes import recipes_text
from mealplan.domain.samples import sample_cart, sample_preferences
from mealplan.state import MealPlan, Recipes
from turnkeeper import Job, Retry, Router, Struct, seconds

MAX_PACE_SECONDS = 30.0

jobs = Router(MealPlan)


class Planned(Struct):
    """A cart that was read, the household that eats it, and the plan for it."""

    cart: Cart
    preferences: Preferences
    analysis: Analysis


def pace_seconds() -> float:
    """Return how long a job dawdles: MEALPLAN_PACE_SECONDS, 0 to 30; anything else counts as 0."""
    try:
        return min(max(float(os.environ.get("MEALPLAN_PACE_SECONDS", "0")), 0.0), MAX_PACE_SECONDS)
    except ValueError:
        return 0.0


@jobs.job(retry=Retry(attempts=3, factor=2), timeout=seconds(60))
async def analyze_cart(job: Job, phone: str, preferences: Preferences | None) -> Planned:
    """Read the household's cart and plan a week from it."""
    await asyncio.sleep(pace_seconds())
    cart = sample_cart(phone, read_at=job.started)
    known = preferences or sample_preferences(phone)
    analysis = await asyncio.to_thread(make_plan, cart, known)
    return Planned(cart=cart, preferences=known, analysis=analysis)


@jobs.job(retry=Retry(attempts=3, factor=2), timeout=seconds(60))
async def replan(
    job: Job,  # noqa: ARG001 - the signature of a job
    cart: Cart,
    preferences: Preferences,
    modifications: list[Modification],
) -> Analysis:
    """Plan the same cart again with all changes in force."""
    await asyncio.sleep(pace_seconds())
    return await asyncio.to_thread(make_plan, cart, preferences, modifications)


@jobs.job(retry=Retry(attempts=3, factor=2), timeout=seconds(60))
async def write_recipes(
    job: Job,  # noqa: ARG001 - the signature of a job
    analysis: Analysis,
) -> Recipes:
    """Write the recipes of a plan as text messages."""
    await asyncio.sleep(pace_seconds())
    return Recipes(messages=list(await asyncio.to_thread(recipes_text, analysis)))
