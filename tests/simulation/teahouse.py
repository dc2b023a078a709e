"""A flow of the dialogue layer under the simulation's attack: statuses, questions, timers, jobs, steps, undo, parts.

Every message that a handler heard stands in the state, so that nothing that was lost or applied twice can hide.
"""

import asyncio
import functools
import random
from collections.abc import Iterator, Sequence
from datetime import timedelta

from tests.simulation.bot import JOB_TIMEOUT, MAX_ATTEMPTS, TURN_TIMEOUT, HandlerFailedError
from tests.simulation.chronicle import own_entry, turns_of
from turnkeeper import Flow, Intent, Job, LogRetention, OneOf, Ref, Retry, Router, Struct, Turn, seconds
from turnkeeper.codecs import delta
from turnkeeper.dialogue.running.arrivals import DROPPED
from turnkeeper.model.event import LogEntry, decode_entry
from turnkeeper.model.message import NOTHING, JobFailed, Kind
from turnkeeper.ports.program import Busyness
from turnkeeper.ports.turns import LogRecord

NAME = "tea"

WORDS = (
    "tea", "green", "2", "one green", "one green", "one white", "one oolong", "yes", "yes", "no", "sugar",
    "sugar please", "oops", "undo", "bell", "hush", "count the cups", "story", "tell me", "a lovely day", "stumble",
)  # fmt: skip
"""What people say; most of it is an answer now and then, and out of place at other times."""

RARE_WORDS = ("dawdle", "faint", "break the pot")
"""What one message of a person may say: a slow handler, one that hangs, one that never succeeds."""

TEAS = ("green", "white", "oolong")
"""Brewed, brewed by a job that hangs once, and never to be had."""

HEARD = frozenset({Kind.TEXT, Kind.RESULT, Kind.FAILURE, Kind.TIMER})
"""What handlers of this flow run for; the flow itself sees to the rest."""

SLOW_SECONDS = 22.0
"""Of virtual time: longer than a lease."""

SEVERAL = 2
"""Attempts that fail when somebody stumbles."""

_luck: list[random.Random] = []
"""What decides how long things take in the run that is simulated now; there is one at a time."""


def be_lucky(chance: random.Random) -> None:
    """Let a run's own chance decide from now on."""
    _luck[:] = [chance]


class Table(Struct):
    """What the house remembers of a guest. `heard`: every message that a handler was run for."""

    heard: list[str] = []
    cups: int = 0
    sugar: int = 0
    story: Ref[str] | None = None


house = Router(Table)


@house.job(retry=Retry(attempts=4, delay=seconds(0.1)), timeout=JOB_TIMEOUT)
async def brew(job: Job, tea: str) -> str:
    """Take time, and fail now and then; or always, or never end the first time."""
    if tea == "white" and job.attempt == 1:
        await asyncio.Event().wait()
    await asyncio.sleep(_luck[0].choice((0.0, 0.01, 1.0, 20.0)) if job.attempt == 1 else 0.01)
    if tea == "oolong" or _luck[0].random() < 0.2:
        raise HandlerFailedError(job.id)
    return tea


@house.each
async def hear(turn: Turn[Table]) -> None:
    """Remember who was heard."""
    if _luck[0].random() < 0.3:
        await asyncio.sleep(_luck[0].random() * 0.05)
    turn.state.heard.extend(message.id for message in turn.messages)


@house.on("order", to="free")
async def order(turn: Turn[Table]) -> None:
    """Ask which."""
    turn.ask("Which one?", question="which", kind="choice", options=TEAS)


@house.on("choice", question="which", to="waiting", undoable=True)
async def choose(turn: Turn[Table]) -> None:
    """Have it brewed."""
    _brew(turn, str(turn.slots["option"]))


@house.on("rush", to="waiting", undoable=True)
async def rush(turn: Turn[Table]) -> None:
    """Have it brewed without asking."""
    _brew(turn, str(turn.slots["tea"]))


def _brew(turn: Turn[Table], tea: str) -> None:
    turn.start(brew, tea)
    turn.after(seconds(3), "patience", tea)
    turn.reply("It is being brewed.")


@house.result(brew, to="served")
async def brewed(turn: Turn[Table], tea: str) -> None:
    """Serve it."""
    turn.state.heard.append(turn.message.id)
    turn.state.cups += 1
    turn.cancel("patience")
    turn.ask(f"Cup {turn.state.cups}, {tea}. Pay now?", question="pay")


@house.failed(brew, to="free")
async def spilled(turn: Turn[Table], failed: JobFailed) -> None:
    """Say that there is none."""
    turn.state.heard.append(turn.message.id)
    turn.reply(f"There is none after {failed.attempts} attempts.")


@house.timer("patience", when="waiting")
async def patience(turn: Turn[Table], tea: str) -> None:
    """Say that it takes long."""
    turn.state.heard.append(turn.message.id)
    turn.reply(f"A little patience: {tea} takes its time.")


@house.on("affirmative", question="pay", to="free")
async def paid(turn: Turn[Table]) -> None:
    """Begin anew."""
    turn.state.cups = 0
    turn.reply("Thank you.")


@house.on("negative", question="pay")
async def unpaid(turn: Turn[Table]) -> None:
    """Leave it as it is."""
    turn.reply("Take your time.")


@house.on("sweeten", undoable=True)
async def sweeten(turn: Turn[Table]) -> None:
    """Do something that can be taken back."""
    turn.state.sugar += 1
    turn.reply(f"{turn.state.sugar} spoons.")


@house.on("ring")
async def ring(turn: Turn[Table]) -> None:
    """Set a timer; one of the same name is replaced."""
    turn.after(timedelta(milliseconds=_luck[0].randrange(10_000)), "bell", name=_luck[0].choice(("left", "right")))
    turn.reply("It will ring.")


@house.timer("bell")
async def rang(turn: Turn[Table]) -> None:
    """Come back."""
    turn.state.heard.append(turn.message.id)
    turn.reply("It rings.")


@house.on("hush")
async def hush(turn: Turn[Table]) -> None:
    """Call timers off."""
    turn.reply(f"{turn.cancel('left') + turn.cancel('right')} bells less.")


@house.on("number", aside=True)
async def number(turn: Turn[Table]) -> None:
    """Remember a step, and keep the pending question."""
    cups = turn.state.cups

    async def count() -> int:
        await asyncio.sleep(_luck[0].choice((0.0, 0.1)))
        return cups

    turn.reply(f"{await turn.step('count', count)} cups.")


@house.on("keep", undoable=True)
async def keep(turn: Turn[Table]) -> None:
    """Put something large aside."""
    turn.state.story = turn.ref(turn.message.id * 50)
    turn.reply("I will remember it.")


@house.on("tell")
async def tell(turn: Turn[Table]) -> None:
    """Look at it."""
    turn.reply("I know none." if turn.state.story is None else await turn.load(turn.state.story))


@house.on_quiet(when="free")
async def quiet(turn: Turn[Table]) -> None:
    """Speak up after a silence."""
    turn.state.heard.append(turn.message.id)
    turn.reply("Are you still there?")


@house.unknown
async def unknown(turn: Turn[Table]) -> None:
    """Answer all the rest."""
    turn.reply(f"{turn.text}?")


@house.on("stumble")
async def stumble(turn: Turn[Table]) -> None:
    """Fail twice."""
    if turn.attempt <= SEVERAL:
        raise HandlerFailedError(turn.message.id)
    turn.reply("Oh.")


@house.on("dawdle")
async def dawdle(turn: Turn[Table]) -> None:
    """Take longer than a lease the first time."""
    if turn.attempt == 1:
        await asyncio.sleep(SLOW_SECONDS)
    turn.reply("At last.")


@house.on("faint")
async def faint(turn: Turn[Table]) -> None:
    """Never end the first time."""
    if turn.attempt == 1:
        await asyncio.Event().wait()
    turn.reply("Where am I?")


@house.on("smash")
async def smash(turn: Turn[Table]) -> None:
    """Fail always."""
    raise HandlerFailedError(turn.message.id)


@functools.cache
def open_house(policy: str, retain: timedelta) -> Flow[Table]:
    """Return the flow; compiling one takes longer than a run."""
    flow = Flow(
        NAME,
        Table,
        start="free",
        intents=(
            Intent("order", phrases=("tea",)),
            Intent("rush", phrases=("one {tea}",), slots={"tea": OneOf(TEAS)}),
            Intent("sweeten", phrases=("sugar [please]",)),
            Intent("ring", phrases=("bell",)),
            Intent("hush", phrases=("hush",)),
            Intent("number", phrases=("count the cups",)),
            Intent("keep", phrases=("story",)),
            Intent("tell", phrases=("tell me",)),
            Intent("stumble", phrases=("stumble",)),
            Intent("dawdle", phrases=("dawdle",)),
            Intent("faint", phrases=("faint",)),
            Intent("smash", phrases=("break the pot",)),
        ),
        quiet_after=seconds(6),
        forget_after=retain,
        busy=Busyness(policy=policy, wait=timedelta(milliseconds=200), max_wait=timedelta(seconds=1)),
        turn_timeout=TURN_TIMEOUT,
        max_attempts=MAX_ATTEMPTS,
        log=LogRetention(entries=10_000),  # the checker wants all of it
    )
    flow.corrections(keep=("heard",))
    flow.include(house)
    flow.check()
    return flow


def disagreements(flow: Flow[Table], state: bytes | None, records: Sequence[LogRecord]) -> Iterator[str]:
    """Tell where a state is not what its log says, oldest entry first: its bytes, who was heard, what was dropped."""
    yield from _dropped(records)
    if state is None:
        return
    entries = [decode_entry(own_entry(one)) for one in records if one.generation == records[-1].generation]
    if _rebuilt(entries) != state:
        yield "the state is not the one that its log rebuilds"
    heard = flow.check().codec.decode(state).state.heard
    if len(set(heard)) != len(heard):
        yield f"somebody was heard twice: {heard}"
    logged = [one.id for entry in entries if not entry.error for one in entry.inputs]
    at = [logged.index(name) if name in logged else -1 for name in heard]
    if at != sorted(at) or -1 in at:
        yield f"heard were {heard}, in the log stand {logged}"
    if missing := {name for entry in entries for name in _handled(entry)} - set(heard):
        yield f"a handler ran for {sorted(missing)}, and its state is lost"


def _rebuilt(entries: Sequence[LogEntry]) -> bytes | None:
    state: bytes | None = None
    for entry in entries:
        if bytes(entry.full) != bytes(NOTHING):
            state = bytes(entry.full)
        elif bytes(entry.delta) != bytes(NOTHING) and state is not None:
            state = delta.apply(state, bytes(entry.delta))
    return state


def _handled(entry: LogEntry) -> Iterator[str]:
    """Yield the messages that a handler was run for, as far as an entry tells.

    One of several messages has one note, its last: any may hide that an earlier one of them was dropped.
    """
    if entry.handler and not entry.error and not entry.note:
        yield from (one.id for one in entry.inputs if one.kind in HEARD and not one.superseded)


def _dropped(records: Sequence[LogRecord]) -> Iterator[str]:
    """Tell whose job's outcome was dropped although nobody called the job off: the flow takes it in every status."""
    called_off: set[str] = set()
    promised: set[str] = set()
    for turn, record in zip(turns_of("", records), records, strict=True):
        entry = decode_entry(own_entry(record))
        promised.update(turn.promises)
        called_off.update(turn.called_off)
        if turn.silences:
            called_off |= promised
        if len(entry.inputs) == 1 and entry.inputs[0].kind in (Kind.RESULT, Kind.FAILURE) and entry.note == DROPPED:
            name = entry.inputs[0].id
            if not {name, name.partition(":")[2]} & called_off:
                yield f"{name} was dropped"
