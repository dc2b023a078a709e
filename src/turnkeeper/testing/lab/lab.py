"""The crash lab: plays a script once undisturbed, then once for every fault at every moment, and compares.

It answers whether *this bot* keeps its promises when its worker dies: a handler that calls the world without
`turn.step`, or reads a clock of its own, is found here and not in production.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from turnkeeper.app import SCREENS, App
from turnkeeper.dialogue.flow import Flow
from turnkeeper.errors import ConfigurationError, TurnkeeperError
from turnkeeper.testing.lab.cases import Case, Moment, choose_some, find_case, plan
from turnkeeper.testing.lab.outcome import Normalise, Result, compare
from turnkeeper.testing.lab.report import CrashLabError, CrashLabReport, Tried
from turnkeeper.testing.lab.run import Bench, Outside, play
from turnkeeper.testing.lab.script import Entry, Item, read_script
from turnkeeper.testing.simulator import DEFAULT_PERSON

PAUSE = timedelta(seconds=30)
"""Between two entries: several recoveries, each of a lease, a claim and a back-off of some seconds."""

MIN_PAUSE = timedelta(seconds=10)
"""Less does not hold one recovery: two leases that run out, one after the other, and a back-off."""

STORES = ("memory", "sqlite")

QUICK_CASES = 40
"""Cases of a run that is not asked to be thorough: each fault at each kind of moment about once."""


def as_it_is(state: object) -> object:
    """Return a state whole: everything in it must be the same in every run."""
    return state


def nothing_outside() -> object:
    """Return that nothing was done outside, for a bot that does nothing there."""
    return None


def run_crash_lab(  # noqa: PLR0913 - each is one thing that the author of a script may know better
    bot: App | Flow[Any],
    *,
    script: Sequence[Entry],
    person: str = DEFAULT_PERSON,
    channel: str = "sms",
    stores: Sequence[str] = ("memory",),
    limit: int | None = None,
    only: str = "",
    normalise: Normalise = as_it_is,
    outside: Outside = nothing_outside,
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
        channel: The provider's name, unless an entry says otherwise. Every channel that replies go to is a
            `FakeChannel`.
        stores: Some of `STORES`.
        limit: At most so many cases on each store, evenly over the script; None tries all.
        only: One case as a report names it.
        normalise: Takes a state as JSON values and returns what of it is the same in every run: leave out here what
            a handler makes up, such as a random number.
        outside: Returns what the bot did outside of its state since it was called the last time: rows that it wrote,
            calls that a stand-in counted. Called before the first run and after every one, and the same must have
            been done in each.
        pause: Time after each text, at least `MIN_PAUSE`. A timer of the bot that is due this soon may overtake a
            recovery.
        name: What the report calls it.

    Returns:
        What was tried; nothing in it failed.

    Raises:
        CrashLabError: Something came out differently; the text is the table, the failures and how to repeat each.
        ConfigurationError: The script cannot be played, a handler fails without any fault, or even two undisturbed
            runs differ.
    """
    if not isinstance(bot, App | Flow):
        raise ConfigurationError(f"a crash lab attacks a Flow or an App, got {bot!r}")
    if pause < MIN_PAUSE:
        raise ConfigurationError(
            f"a recovery takes up to {MIN_PAUSE.seconds} s, so that a pause of {pause} is too short"
        )
    if not stores or not set(stores) <= set(STORES):
        raise ConfigurationError(f"a crash lab runs on some of {', '.join(STORES)}; got {', '.join(stores) or 'none'}")
    items = read_script(script, person=person, channel=channel, pause=pause)
    spoken = dict.fromkeys((channel, *(item.said.channel for item in items if item.said is not None)))
    channels = tuple(name for name in spoken if name == channel or name not in SCREENS)
    outside()
    tried: list[Tried] = []
    planned = 0
    for store in stores:
        bench = Bench(
            bot=bot,
            items=items,
            person=person,
            channels=channels,
            normalise=normalise,
            outside=outside,
            on_disk=store == "sqlite",
        )
        bench, wanted, moments = _play_undisturbed(bench)
        _demand_no_dead(wanted, items)
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


def _play_undisturbed(bench: Bench) -> tuple[Bench, Result, tuple[Moment, ...]]:
    """Play it without a fault, with every channel that the bot turns out to send on; one more may show behind one."""
    while True:
        wanted, moments = play(bench, None)
        if not wanted.unserved:
            return bench, wanted, moments
        bench = msgspec.structs.replace(bench, channels=(*bench.channels, *sorted(wanted.unserved)))


def _demand_no_dead(wanted: Result, items: Sequence[Item]) -> None:
    if not wanted.dead:
        return
    labels = {item.message_id: item.label for item in items}
    told = "\n".join(f"  {labels.get(source, source)}: {reason}" for source, reason in wanted.dead.items())
    raise ConfigurationError(f"without any fault this script leaves dead letters; mend that first:\n{told}")


def _demand_the_same_twice(bench: Bench, wanted: Result, within: timedelta) -> None:
    again, _ = play(bench, None)
    if problems := compare(wanted, again, within=within):
        told = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigurationError(
            f"two undisturbed runs of this script differ, so that no fault can be judged:\n{told}\n"
            "What a bot keeps in a module, a file or another database outlives a run and a worker: put it into the "
            "state. For what it asks of the world (a model, a clock, chance) give it a stand-in that answers the same "
            "in every run; what of a state need not be the same is left out with `normalise`."
        )


def _try(bench: Bench, case: Case, wanted: Result, within: timedelta) -> tuple[str, ...]:
    try:
        found, _ = play(bench, case)
    except TurnkeeperError as exc:
        return (f"{type(exc).__name__}: {exc}",)
    return compare(wanted, found, within=within)


def _name(bot: App | Flow[Any]) -> str:
    return ", ".join(bot.flows) if isinstance(bot, App) else bot.name
