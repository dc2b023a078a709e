"""The crash lab: plays a script once undisturbed, then once for every fault at every moment, and compares.

It answers whether *this bot* keeps its promises when its worker dies: a handler that calls the world without
`turn.step`, or reads a clock of its own, is found here and not in production.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from turnkeeper.app import App
from turnkeeper.dialogue.flow import Flow
from turnkeeper.errors import ConfigurationError, TurnkeeperError
from turnkeeper.testing.lab.cases import Case, choose_some, find_case, plan
from turnkeeper.testing.lab.outcome import Normalise, Result, compare
from turnkeeper.testing.lab.report import CrashLabError, CrashLabReport, Tried
from turnkeeper.testing.lab.run import Bench, play
from turnkeeper.testing.lab.script import Entry, read_script
from turnkeeper.testing.simulator import DEFAULT_PERSON

PAUSE = timedelta(seconds=30)
"""Between two entries: several recoveries, each of a lease, a claim and a back-off of some seconds."""

STORES = ("memory", "sqlite")

QUICK_CASES = 40
"""Cases of a run that is not asked to be thorough: each fault at each kind of moment about once."""


def as_it_is(state: object) -> object:
    """Return a state whole: everything in it must be the same in every run."""
    return state


def run_crash_lab(
    bot: App | Flow[Any],
    *,
    script: Sequence[Entry],
    person: str = DEFAULT_PERSON,
    channel: str = "sms",
    stores: Sequence[str] = ("memory",),
    limit: int | None = None,
    only: str = "",
    normalise: Normalise = as_it_is,
    pause: timedelta = PAUSE,
    name: str = "",
) -> CrashLabReport:
    """Attack a bot at every step of every turn of a script, and demand that nobody could tell.

    Every case is a run of its own from an empty store. It must come to the same replies, the same state and the same
    log as the undisturbed run; nothing is applied twice, nothing is sent twice without `maybe_sent`. Times in a state
    may differ by `pause`. The clock is the lab's; nothing waits for real.

    Args:
        bot: A flow, or an application whose flows are meant.
        script: What is said: texts, `Said` for more than a text, and timedeltas in which time passes.
        person: Who speaks unless an entry says otherwise.
        channel: The provider's name. Replies go to a `FakeChannel`.
        stores: Some of `STORES`.
        limit: At most so many cases on each store, evenly over the script; None tries all.
        only: One case as a report names it.
        normalise: Takes a state as JSON values and returns what of it is the same in every run: leave out here what
            a handler makes up, such as a random number.
        pause: Time after each text. A timer of the bot that is due this soon may overtake a recovery.
        name: What the report calls it.

    Returns:
        What was tried; nothing in it failed.

    Raises:
        CrashLabError: Something came out differently; the text is the table, the failures and how to repeat each.
        ConfigurationError: The script cannot be played, or even two undisturbed runs differ.
    """
    if not stores or not set(stores) <= set(STORES):
        raise ConfigurationError(f"a crash lab runs on some of {', '.join(STORES)}; got {', '.join(stores) or 'none'}")
    items = read_script(script, person=person, pause=pause)
    tried: list[Tried] = []
    planned = 0
    for store in stores:
        bench = Bench(
            bot=bot, items=items, person=person, channel=channel, normalise=normalise, on_disk=store == "sqlite"
        )
        wanted, moments = play(bench, None)
        _demand_the_same_twice(bench, wanted, pause)
        cases = plan(moments)
        planned += len(cases)
        chosen: Sequence[Case] = (find_case(cases, only),) if only else cases
        tried += [
            Tried(case=case, store=store, problems=_try(bench, case, wanted, pause))
            for case in (chosen if limit is None else choose_some(chosen, limit=limit))
        ]
    labels = {item.number: item.label for item in items}
    report = CrashLabReport(name=name or _name(bot), planned=planned, tried=tuple(tried), labels=labels)
    if report.failures:
        raise CrashLabError(report)
    return report


def _demand_the_same_twice(bench: Bench, wanted: Result, within: timedelta) -> None:
    again, _ = play(bench, None)
    if problems := compare(wanted, again, within=within):
        told = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigurationError(
            f"two undisturbed runs of this script differ, so that no fault can be judged:\n{told}\n"
            "make the bot repeatable, or leave out with `normalise` what it makes up"
        )


def _try(bench: Bench, case: Case, wanted: Result, within: timedelta) -> tuple[str, ...]:
    try:
        found, _ = play(bench, case)
    except TurnkeeperError as exc:
        return (f"{type(exc).__name__}: {exc}",)
    return compare(wanted, found, within=within)


def _name(bot: App | Flow[Any]) -> str:
    return ", ".join(bot.flows) if isinstance(bot, App) else bot.name
