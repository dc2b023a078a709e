"""A small flow with every policy, for the tests of the running half: dinners are planned, changed and confirmed."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from turnkeeper.dialogue.declaring.jobtype import JobType
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.turn import Job, Turn
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.dialogue.understanding.slots import Weekdays
from turnkeeper.errors import HandlerError
from turnkeeper.model.message import JobFailed
from turnkeeper.model.ref import Ref
from turnkeeper.model.struct import Struct

INTENTS = (
    Intent("plan", ("plan", "plan my week", "make a plan")),
    Intent("swap", ("swap {old} for {new}", "make it {new}", "swap {old}"), label="swap a dish"),
    Intent("skip", ("skip {days}",), slots={"days": Weekdays()}, label="skip a day"),
    Intent("confirm", ("confirm", "confirm it", "looks good")),
    Intent("pricing", ("how much is it", "what does it cost", "pricing")),
    Intent("help", ("help", "what can I say")),
    Intent("undo", ("undo", "undo the last one")),
    Intent("start_over", ("start over", "restart", "reset")),
    Intent("continue", ("continue", "go on")),
    Intent("new", ("new", "start fresh")),
)
STATUSES = ("idle", "analyzing", "analysis_sent", "modifying", "confirmed", "error")


class Menu(Struct):
    """What was planned."""

    dinners: list[str] = []


class Dinners(Struct):
    """The state of the flow."""

    status: str = ""
    household: int = 0
    seen: int = 0
    skipped: list[str] = []
    swaps: list[str] = []
    menu: Ref[Menu] | None = None


POLICIES: dict[str, Callable[[Flow[Dinners]], None]] = {
    "start_over": lambda flow: flow.start_over("start_over", to="idle", keep=("household",)),
    "late_reply": lambda flow: flow.late_reply(resting=("idle",)),
    "corrections": lambda flow: flow.corrections(intent="undo", keep=("seen",)),
    "several_people": lambda flow: flow.several_people(),
    "help": lambda flow: flow.help(intro="I plan dinners."),
}


def dinners(*, without: str = "", **settings: object) -> Flow[Dinners]:
    """Return a new flow, perhaps without one of its policies; settings are those of `Flow`."""
    options: dict[str, object] = {
        "start": "idle",
        "intents": INTENTS,
        "quiet_after": timedelta(hours=2),
        "forget_after": timedelta(days=30),
    }
    flow: Flow[Dinners] = Flow("dinners", Dinners, **{**options, **settings})  # type: ignore[arg-type]
    planning(flow)
    changing(flow)
    for name, declare in POLICIES.items():
        if name != without:
            declare(flow)
    return flow


def planning(flow: Flow[Dinners]) -> None:
    """Declare how a menu is made."""

    @flow.job(timeout=timedelta(seconds=60))
    async def make_menu(job: Job, phone: str, swaps: list[str]) -> Menu:
        await asyncio.sleep(0)
        return Menu(dinners=[f"dinner {number} for {phone}" for number in range(1, 6)] + swaps)

    @flow.each
    async def count_seen(turn: Turn[Dinners]) -> None:
        turn.state.seen += 1

    @flow.on("plan", when=("idle", "error"), to="analyzing", help="PLAN: this week's dinners")
    async def plan(turn: Turn[Dinners]) -> None:
        turn.reply("Analyzing your cart…")
        turn.start(make_menu, turn.peer, [])

    @flow.result(make_menu, when=("analyzing", "modifying"), to="analysis_sent")
    async def planned(turn: Turn[Dinners], menu: Menu) -> None:
        turn.state.menu = turn.ref(menu)
        turn.ask(f"{len(menu.dinners)} dinners. Confirm?", question="confirm")

    @flow.failed(make_menu, when=("analyzing", "modifying"), to="error")
    async def sorry(turn: Turn[Dinners], error: JobFailed) -> None:
        turn.reply(f"Could not read the cart after {error.attempts} attempts. Say PLAN to try again.")

    flow.still_working("plan", when=("analyzing", "modifying"), job=make_menu, restart=plan)
    remaking(flow, make_menu)


def remaking(flow: Flow[Dinners], make_menu: JobType[[str, list[str]], Menu]) -> None:
    """Declare what makes the menu again."""

    @flow.on("swap", when=("analysis_sent", "confirmed"), to="modifying", undoable=True, help="SWAP x FOR y")
    async def swap(turn: Turn[Dinners]) -> None:
        turn.state.swaps.append(f"{turn.slots.get('old', 'it')}->{turn.slots.get('new', 'anything')}")
        turn.reply(f"Swapping for {turn.slots.get('new', 'anything')}.")
        turn.start(make_menu, turn.peer, turn.state.swaps)


def changing(flow: Flow[Dinners]) -> None:
    """Declare what changes a menu and what ends it."""

    @flow.on("skip", when="analysis_sent", undoable=True, help="SKIP a day")
    async def skip(turn: Turn[Dinners]) -> None:
        turn.state.skipped.extend(turn.slots["days"])
        turn.reply(f"Skipping {', '.join(turn.slots['days'])}.")

    @flow.on("confirm", "affirmative", when="analysis_sent", to="confirmed", help="CONFIRM: get the recipes")
    async def confirm(turn: Turn[Dinners]) -> None:
        rest = turn.slots.get("rest", "")
        turn.reply(f"Confirmed, but: {rest}" if rest else "Confirmed!")

    @flow.on("negative", when="analysis_sent", question="confirm")
    async def decline(turn: Turn[Dinners]) -> None:
        turn.reply("What should I change?")

    @flow.on("pricing", aside=True, help="PRICING")
    async def pricing(turn: Turn[Dinners]) -> None:
        turn.reply("It is free.")

    @flow.action("stop_job", aside=True)
    async def stop_job(turn: Turn[Dinners]) -> None:
        if turn.cancel_jobs() == 0:
            raise HandlerError("no job to stop")
