"""A small bot for tests of the ways in: it notes what it is told, and works or thinks until the test opens a gate.

The gate is a file in the working directory, so that it works across processes: `open_gate` makes it.
"""

import asyncio
from pathlib import Path

from turnkeeper import (
    App,
    Button,
    Flow,
    Intent,
    Job,
    JobFailed,
    Retry,
    Settings,
    Struct,
    Turn,
    minutes,
    phone_number,
    seconds,
)

GATE = "gate"
SETTINGS = Settings(lease=seconds(2), renew_every=seconds(0.5), grace=seconds(1), poll=seconds(0.2))
"""Short, because tests wait for them in real time."""


class Notes(Struct):
    """What was noted, and what work brought home."""

    noted: list[str] = []
    done: list[str] = []


flow = Flow(
    "notebook",
    Notes,
    start="open",
    person=phone_number,
    max_attempts=2,
    intents=(
        Intent("work", phrases=("work [on {task}]",)),
        Intent("think", phrases=("think",)),
        Intent("fail", phrases=("fail",)),
        Intent("pick", phrases=("pick",)),
    ),
)


def open_gate(folder: Path) -> None:
    """Let what waits there go on."""
    (folder / GATE).touch()


async def pass_gate() -> None:
    """Wait for the gate in the working directory."""
    while not Path(GATE).exists():  # noqa: ASYNC110, ASYNC240 - a file is what two processes can share
        await asyncio.sleep(0.01)


@flow.job(retry=Retry(attempts=5, delay=seconds(0.01)), timeout=minutes(5))
async def work(job: Job, task: str) -> str:
    """Shout, slowly."""
    await pass_gate()
    return task.upper()


@flow.unknown
async def note(turn: Turn[Notes]) -> None:
    """Note it."""
    turn.state.noted.append(turn.text)
    turn.reply(f"noted {turn.text}")


@flow.on("work", help="WORK begins")
async def begin(turn: Turn[Notes]) -> None:
    """Begin to work."""
    turn.start(work, turn.text)
    turn.reply("working")


@flow.result(work)
async def finished(turn: Turn[Notes], what: str) -> None:
    """Say what came out."""
    turn.state.done.append(what)
    turn.reply(f"done {what}")


@flow.failed(work)
async def gave_up(turn: Turn[Notes], failed: JobFailed) -> None:
    """Say that nothing came out."""
    turn.reply(f"failed {failed.kind}")


@flow.on("think", help="THINK takes a while")
async def think(turn: Turn[Notes]) -> None:
    """Take long over a turn."""
    await pass_gate()
    turn.state.noted.append("thought")
    turn.reply("thought")


@flow.on("fail")
async def fail(turn: Turn[Notes]) -> None:
    """Raise."""
    raise RuntimeError(f"{turn.peer} cannot be helped")


@flow.on("pick", help="PICK: choose something")
async def pick(turn: Turn[Notes]) -> None:
    """Offer buttons."""
    turn.reply("Which?", buttons=(Button(text="Red one", data="red"), Button(text="Blue one", data="blue")))


@flow.action("red")
async def pressed(turn: Turn[Notes]) -> None:
    """Take a button."""
    turn.reply("red it is")


app = App(flow, store="sqlite:///notebook.db", settings=SETTINGS)
