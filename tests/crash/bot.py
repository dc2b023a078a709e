"""A bot that takes messages, works, and fails at a named point in one of four ways.

`main` is all that its process does. Everything that the test looks at afterwards is in the directory: `accepted` (ids
whose acceptance was acknowledged), `sent` (what the provider got), `reached` (where it failed).
"""

import asyncio
import enum
import json
import os
import signal
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import phonenumbers  # noqa: F401 - as the store: loaded once in the server that every bot is forked from

from turnkeeper import App, Flow, Job, OnUnknown, Outgoing, Retry, SendOutcome, Sent, Settings, Struct, Turn, seconds
from turnkeeper.model.message import JobFailed
from turnkeeper.ports import faults
from turnkeeper.ports.store import Store
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.sqlite import SqliteStore

PERSON = "+15551230001"
MESSAGES = tuple((f"m{number}", f"word {number}") for number in range(1, 7))
DELIVERIES = 5
"""Of one message until it must be acknowledged; a failure costs one."""

REST = timedelta(seconds=60)
"""Until everything must have come to rest: thirty times what it takes."""

LEASE = timedelta(seconds=0.6)
"""Short, because recovery waits for it; a process too slow to keep it runs a turn twice, and nothing is lost."""


EXIT_STATUS = 70
"""Of a process that ends itself at a point."""


class Way(enum.Enum):
    """How the bot fails at a point."""

    RAISE = "raise"
    """An exception, as of a bug; the process goes on."""

    CANCEL = "cancel"
    """The task that is there is cancelled; the process goes on."""

    EXIT = "exit"
    """The process ends without any cleaning up."""

    KILL = "kill"
    """SIGKILL."""


class CrashPointError(Exception):
    """What `Way.RAISE` raises."""


class Heard(Struct):
    """What the bot was told, in order, what a step said of it, and the lengths that its jobs brought home."""

    words: list[str] = []
    spelled: list[str] = []
    lengths: list[int] = []


flow = Flow("crash", Heard, start="listening")


@flow.job(retry=Retry(attempts=5, delay=seconds(0.01)), timeout=seconds(30))
async def measure(job: Job, text: str) -> int:
    """Measure a text."""
    return len(text)


@flow.unknown
async def listen(turn: Turn[Heard]) -> None:
    """Remember it, repeat it, and measure every second one."""

    async def spell() -> str:
        return "-".join(turn.text)

    turn.state.spelled.append(await turn.step("spell", spell))
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


def fail_at(passages: Sequence[tuple[str, int, Way]], directory: Path) -> None:
    """Have this process fail at points, one after the other: the nth time that it reaches each, counted anew."""
    left = list(passages)
    passed = 0

    def reached(name: str) -> None:
        nonlocal passed
        if not left or name != left[0][0]:
            return
        passed += 1
        _, nth, way = left[0]
        if passed == nth:
            del left[0]
            passed = 0
            note(directory / "reached", name)
            _fail(way)

    faults.install(reached)


def _fail(way: Way) -> None:
    if way is Way.KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    elif way is Way.EXIT:
        os._exit(EXIT_STATUS)
    elif way is Way.RAISE:
        raise CrashPointError("at a crash point")
    else:
        task = asyncio.current_task()
        if task is not None:
            task.cancel()


def open_store(directory: Path, redis: str = "") -> Store:
    """Return the store: of a Redis URL, or else the directory's file."""
    return RedisStore(redis) if redis else SqliteStore(directory / "bot.db")


def build(directory: Path, store: Store) -> App:
    """Return the application on a store."""
    return App(
        flow,
        store=store,
        channels=[FileProvider(directory / "sent")],
        settings=Settings(
            lease=LEASE,
            renew_every=LEASE / 4,
            send_lease=LEASE,
            send_timeout=LEASE * 0.8,
            poll=timedelta(seconds=0.1),
        ),
    )


async def bring(app: App, message_id: str, text: str) -> None:
    """Deliver a message until it is acknowledged, as a provider does; whoever takes it may fail over it."""
    for _ in range(DELIVERIES):
        task = asyncio.create_task(app.accept(PERSON, app.message(text, id=message_id, channel="sms")))
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is None and task.result().durable:
            return
    raise SystemExit(f"{message_id} was not taken in {DELIVERIES} deliveries")


async def run(directory: Path, app: App, *, only_recover: bool = False) -> None:
    """Take every message whose acceptance was not acknowledged, then all of them again, and come to rest.

    With `only_recover` nothing is taken: what is found is recovered, and nothing else.
    """
    acknowledged = {str(fact) for fact in facts(directory / "accepted")}
    todo = [message for message in MESSAGES if message[0] not in acknowledged]
    for message_id, text in [] if only_recover else [*todo, *MESSAGES]:
        await bring(app, message_id, text)
        note(directory / "accepted", message_id)
    if not await app.at_rest(PERSON, within=REST):
        raise SystemExit("the bot did not come to rest")


async def _serve(directory: Path, redis: str, *, only_recover: bool) -> None:
    async with build(directory, open_store(directory, redis)).running() as app:
        await run(directory, app, only_recover=only_recover)


def main(directory: Path, redis: str, way: Way | None, point: str, nth: int) -> None:
    """Work on the directory's store, or on Redis, and fail the nth time at the point; no way: come to rest."""
    if way is not None:
        fail_at([(point, nth, way)], directory)
    asyncio.run(_serve(directory, redis, only_recover=point == "in_recovery"))
