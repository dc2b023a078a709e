"""Which dinners, and on which days? Takes the best dinner first, then the best beside it, and so on.

Because the best come first, fewer days mean the same dinners without the last ones. The days are given out afterwards:
what spoils is eaten first, and the same kind of main is not served twice running if that can be helped.
"""

from collections.abc import Sequence

from mealplan.domain.planning.candidates import Candidate, add_others, candidates, spend
from mealplan.domain.planning.kitchen import Kitchen, Terms
from mealplan.domain.preferences import Preferences, Weekday

# What a dinner gains and loses. Only their order of size matters: a repeated main weighs more than anything a
# preference can add for one dinner, so that a week of salmon never happens while there is something else.
_SAME_MAIN = -3.0
_SAME_FAMILY = -1.0
_SAME_CUISINE = -0.6
_SAME_TECHNIQUE = -0.8
_LIKED_CUISINE = 1.0
_LIKED_FOOD = 0.5
_PER_SIGNAL = 2.0  # a learnt pattern has strength 0.8 and should outweigh a cuisine that was only ticked
_NEW_VEGETABLE = 0.4  # each thing from the cart that no other dinner uses yet
_SPOILS_SOON = 0.15  # a day below `_FRESH_DAYS`
_UNUSUAL_MAIN = -0.04  # a place further down in the dish's list
_PER_SLOW_MINUTE = -0.02  # beyond `_WEEKDAY_MINUTES`: a braise is welcome, three of them are not
_WEEKDAY_MINUTES = 30
_FRESH_DAYS = 6

Week = dict[Weekday, Candidate]


def score(candidate: Candidate, chosen: Sequence[Candidate], *, preferences: Preferences, kitchen: Kitchen) -> float:
    """Say how welcome a dinner is beside those already chosen; higher is better."""
    main = candidate.main
    points = _UNUSUAL_MAIN * candidate.dish.mains.index(main.ingredient.id)
    points += _SPOILS_SOON * max(0, _FRESH_DAYS - main.ingredient.keeps_days)
    points += _PER_SLOW_MINUTE * max(0, candidate.dish.minutes - _WEEKDAY_MINUTES)
    points += _taste(candidate, preferences=preferences, kitchen=kitchen)
    met = {key for other in chosen for key in other.keys}
    points += _NEW_VEGETABLE * sum(
        pick.supply.source == "cart" and pick.supply.key not in met for pick in candidate.picks[1:]
    )
    for other in chosen:
        points += _SAME_MAIN * (other.main.key == main.key)
        points += _SAME_FAMILY * (other.main.ingredient.family == main.ingredient.family)
        points += _SAME_CUISINE * (other.dish.cuisine == candidate.dish.cuisine)
        points += _SAME_TECHNIQUE * (other.dish.technique == candidate.dish.technique)
    return round(points, 6)


def _taste(candidate: Candidate, *, preferences: Preferences, kitchen: Kitchen) -> float:
    cuisine = candidate.dish.cuisine
    points = _LIKED_CUISINE * (cuisine in {name.strip().casefold() for name in preferences.cuisines})
    points += _LIKED_FOOD * len(kitchen.liked & candidate.keys)
    signals = preferences.signals
    learnt = signals.get(f"dish:{candidate.dish.id}", 0.0) + signals.get(f"cuisine:{cuisine}", 0.0)
    learnt += sum(signals.get(f"ingredient:{pick.supply.ingredient.id}", 0.0) for pick in candidate.picks)
    return points + _PER_SIGNAL * learnt


def choose(number: int, *, kitchen: Kitchen, preferences: Preferences, terms: Terms) -> list[Candidate]:
    """Choose up to so many different dinners, the best first.

    When the best-first choice runs out of food early, a thriftier one is tried: it takes dinners that need little of
    the cart, and counts if it fills more days.
    """
    best = _choose_greedily(number, kitchen=kitchen, preferences=preferences, terms=terms, thrift=0.0)
    if len(best) < number:
        thrifty = _choose_greedily(number, kitchen=kitchen, preferences=preferences, terms=terms, thrift=5.0)
        best = max(best, thrifty, key=len)
    return best


def _choose_greedily(
    number: int, *, kitchen: Kitchen, preferences: Preferences, terms: Terms, thrift: float
) -> list[Candidate]:
    chosen: list[Candidate] = []
    while len(chosen) < number:
        names = {other.dish.id for other in chosen}
        possible = [
            candidate for candidate in candidates(kitchen, terms, spend(chosen)) if candidate.dish.id not in names
        ]
        if not possible:
            break
        chosen.append(
            max(
                possible,
                key=lambda one: (
                    score(one, chosen, preferences=preferences, kitchen=kitchen)
                    - thrift * sum(pick.supply.source == "cart" for pick in one.picks)
                ),
            )
        )
    return chosen


def fill_days(chosen: Sequence[Candidate], days: Sequence[Weekday]) -> Week:
    """Give the dinners to the first days: what spoils first, without the same kind of main on two days running."""
    waiting = sorted(enumerate(chosen), key=lambda entry: (_keeps(entry[1]), entry[0]))
    week: Week = {}
    last = ""
    for day in days[: len(waiting)]:
        index = next((i for i, (_, one) in enumerate(waiting) if one.main.ingredient.family != last), 0)
        _, candidate = waiting.pop(index)
        week[day] = candidate
        last = candidate.main.ingredient.family
    return week


def _keeps(candidate: Candidate) -> tuple[int, bool, int]:
    """Sort by what the main allows, fish before meat, and then by the greens."""
    days = [pick.supply.ingredient.keeps_days for pick in candidate.picks if pick.supply.source == "cart"]
    is_seafood = candidate.main.ingredient.family in {"fish", "shellfish"}
    return (candidate.main.ingredient.keeps_days, not is_seafood, min(days, default=0))


def complete(week: Week, *, kitchen: Kitchen, terms: Terms) -> Week:
    """Add to the dinners, in the order of the days, what they can do without and the cart still has."""
    full = dict(week)
    for day, candidate in week.items():
        full[day] = add_others(candidate, kitchen=kitchen, terms=terms, used=spend(full.values()))
    return full
