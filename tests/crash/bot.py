"""A process that takes messages, works, and is killed at a named point.

`main` is all that its process does. Everything that the test looks at afterwards is in the directory: `accepted` (ids
whose acceptance was acknowledged), `sent` (what the provider got), `reached`.
"""

import asyncio
import json
import os
import signal
from datetime import timedelta
from pathlib import Path

import phonenumbers  # noqa: F401 - as the store: loaded once in the server that every bot is forked from

import turnkeeper.stores.sqlite  # noqa: F401
from turnkeeper import App, Flow, Job, OnUnknown, Outgoing, Retry, SendOutcome, Sent, Settings, Struct, Turn, seconds
from turnkeeper.model.message import JobFailed
from turnkeeper.ports import faults

PERSON = "+15551230001"
MESSAGES = tuple((f"m{number}", f"word {number}") for number in range(1, 7))
LEASE = timedelta(seconds=0.6)
"""Short, because recovery waits for it; a process too slow to keep it runs a turn twice, and nothing is lost."""


class Heard(Struct):
    """What the bot was told, in order, and the lengths that its jobs brought home."""

    words: list[str] = []
    lengths: list[int] = []


flow = Flow("crash", Heard, start="listening")


@flow.job(retry=Retry(attempts=5, delay=seconds(0.01)), timeout=seconds(30))
async def measure(job: Job, text: str) -> int:
    """Measure a text."""
    return len(text)


@flow.unknown
async def listen(turn: Turn[Heard]) -> None:
    """Remember it, repeat it, and measure every second one."""
    turn.state.words.append(turn.text)
    turn.reply(f"heard {turn.text}")
    turn.reply(f"that makes {len(turn.state.words)}")
    if len(turn.state.words) % 2 == 0:
        turn.start(measure, turn.text)


@flow.result(measure)
async def measured(turn: Turn[Heard], length: int) -> None:
    """Say the length."""
    turn.state.lengths.append(length)
    turn.reply(f"it has {length} letters")


@flow.failed(measure)
async def not_measured(turn: Turn[Heard], failed: JobFailed) -> None:
    """Say that it failed."""
    turn.reply("it cannot be measured")


class FileProvider:
    """An SMS provider whose memory is a file that survives the bot."""

    def __init__(self, path: Path) -> None:
        """Take the file."""
        self._path = path

    name = "sms"
    on_unknown = OnUnknown.RESEND

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """Write it down durably."""
        note(self._path, [outgoing.id, outgoing.reply.text, outgoing.maybe_sent])
        return Sent(outcome=SendOutcome.ACCEPTED)

    async def close(self) -> None:
        """Do nothing."""


def note(path: Path, fact: object) -> None:
    """Append a line durably."""
    with path.open("a") as file:
        file.write(json.dumps(fact) + "\n")
        file.flush()
        os.fsync(file.fileno())


def facts(path: Path) -> list[object]:
    """Read the lines back."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def kill_at(point: str, nth: int, directory: Path) -> None:
    """Have this process killed the nth time that it reaches a point."""
    left = nth

    def reached(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if left == 0:
                note(directory / "reached", name)
                os.kill(os.getpid(), signal.SIGKILL)

    faults.install(reached)


def build(directory: Path) -> App:
    """Return the application on the directory's store."""
    return App(
        flow,
        store=f"sqlite:///{directory / 'bot.db'}",
        channels=[FileProvider(directory / "sent")],
        settings=Settings(
            lease=LEASE,
            renew_every=LEASE / 4,
            send_lease=LEASE,
            send_timeout=LEASE * 0.8,
            poll=timedelta(seconds=0.2),
        ),
    )


async def run(directory: Path, *, only_recover: bool) -> None:
    """Take every message whose acceptance was not acknowledged, then all of them again, and come to rest.

    With `only_recover` nothing is taken: what is found is recovered, and nothing else.
    """
    acknowledged = {str(fact) for fact in facts(directory / "accepted")}
    async with build(directory).running() as app:
        todo = [message for message in MESSAGES if message[0] not in acknowledged]
        for message_id, text in [] if only_recover else [*todo, *MESSAGES]:
            accepted = await app.accept(PERSON, app.message(text, id=message_id, channel="sms"))
            if not accepted.durable:
                raise SystemExit(f"{message_id} was not taken: {accepted}")
            note(directory / "accepted", message_id)
        if not await app.at_rest(PERSON, within=timedelta(seconds=60)):
            raise SystemExit("the bot did not come to rest")


def main(directory: Path, point: str, nth: int) -> None:
    """Work on the directory, and be killed the nth time at the point; no point: come to rest."""
    if point:
        kill_at(point, nth, directory)
    asyncio.run(run(directory, only_recover=point == "in_recovery"))
