"""The bot under attack and the worker process that runs it.

What a conversation was told stands in its state, message id by message id, so that nothing that was lost or applied
twice can hide.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec

from tests.chaos.lines import Cut, Sending, Status, Webhook, ask, serve
from tests.chaos.witness import Witness, WitnessedStore, now_ms
from tests.chaos.world import Fault
from turnkeeper import (
    App,
    Flow,
    Job,
    LogRetention,
    OnUnknown,
    Outgoing,
    Retry,
    SendOutcome,
    Sent,
    Settings,
    Struct,
    Turn,
    seconds,
)
from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.model.message import JobFailed
from turnkeeper.ports import faults
from turnkeeper.ports.store import Store
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.testing import history

LEASE = timedelta(seconds=0.8)
SEND_TIMEOUT = timedelta(seconds=0.4)
SETTINGS = Settings(
    lease=LEASE,
    renew_every=LEASE / 4,
    send_lease=LEASE,
    send_timeout=SEND_TIMEOUT,
    send_attempts=10_000,
    send_backoff=timedelta(milliseconds=50),
    max_send_backoff=timedelta(milliseconds=400),
    poll=timedelta(milliseconds=200),
    grace=timedelta(seconds=2),
)
"""Short, so that a recovery takes less than a second; no reply may die of faults alone."""

CHANNELS = ("twilio", "vonage", "telegram")
MAX_ATTEMPTS = 10_000
"""No message may die of faults alone."""

RAISES = 0.01
RAISING_ATTEMPTS = 2
"""Beyond them the engine waits for long before it tries again."""
BLOCKS = 0.005
JOB_RAISES = 0.05
BLOCK_SECONDS = 0.2
RING_AFTER = seconds(0.2)
PARENT_LOOK_SECONDS = 1.0


class Heard(Struct):
    """What a conversation was told and what came of it, in order of application. `taken`: every message's id."""

    taken: list[str] = []
    applied: list[str] = []
    measured: list[str] = []
    rang: list[str] = []
    strays: list[str] = []


flow = Flow(
    "chaos",
    Heard,
    start="listening",
    max_attempts=MAX_ATTEMPTS,
    carrier_words=False,
    log=LogRetention(entries=10_000),  # the checker reads all of it
)
_trouble: Callable[[Fault, float], bool] = lambda fault, probability: False  # noqa: E731 - replaced in a worker


@flow.job(retry=Retry(attempts=100, delay=seconds(0.05), factor=1.0), timeout=seconds(10))
async def measure(job: Job, word: str) -> str:
    """Bring the word home."""
    if _trouble(Fault.JOB_RAISED, JOB_RAISES):
        raise ValueError("the job failed")
    return word


@flow.unknown
async def listen(turn: Turn[Heard]) -> None:
    """Remember the message's id, answer, and do what its text asks for."""
    word, *wishes = turn.text.split()

    async def spell() -> str:
        return word

    if "step" in wishes:
        word = await turn.step("spell", spell)
    if turn.attempt <= RAISING_ATTEMPTS and _trouble(Fault.HANDLER_RAISED, RAISES):
        raise ValueError("the handler failed")
    if _trouble(Fault.LOOP_BLOCKED, BLOCKS):
        time.sleep(BLOCK_SECONDS)  # noqa: ASYNC251 - that is the fault
    turn.state.taken.append(turn.message.id)
    turn.state.applied.append(word)
    turn.reply(f"heard {word}")
    if "more" in wishes:
        turn.reply(f"more of {word}")
    if "job" in wishes:
        turn.start(measure, word)
    if "ring" in wishes:
        turn.after(RING_AFTER, "ring", word, name=f"ring {word}")


@flow.result(measure)
async def measured(turn: Turn[Heard], word: str) -> None:
    """Remember what the job brought."""
    turn.state.taken.append(turn.message.id)
    turn.state.measured.append(word)
    turn.reply(f"measured {word}")


@flow.failed(measure)
async def not_measured(turn: Turn[Heard], failed: JobFailed) -> None:
    """Remember what must not happen."""
    turn.state.taken.append(turn.message.id)
    turn.state.strays.append(f"job failed: {failed.reason}")


@flow.timer("ring")
async def ring(turn: Turn[Heard], word: str) -> None:
    """Remember for which message it rang."""
    turn.state.taken.append(turn.message.id)
    turn.state.rang.append(word)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process is told. `die_at` empty: it does not die by itself."""

    number: int
    folder: Path
    store: str
    seed: int
    die_at: str = ""
    die_nth: int = 0


def socket_of(folder: Path, number: int) -> Path:
    """Return where a worker listens."""
    return folder / f"w{number}.sock"


class VirtualChannel:
    """A way to one virtual provider."""

    on_unknown = OnUnknown.RESEND

    def __init__(self, name: str, folder: Path) -> None:
        """Take the provider's name; it listens in the folder."""
        self.name = name
        self._path = folder / f"{name}.sock"

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """See `Channel.send`."""
        reply = outgoing.reply
        sending = Sending(outgoing.id, reply.to, reply.text, outgoing.attempt, outgoing.maybe_sent)
        try:
            said = await ask(self._path, msgspec.json.encode(sending), within=SEND_TIMEOUT.total_seconds() * 2)
        except Cut as exc:
            return Sent(outcome=SendOutcome.UNKNOWN, error=str(exc))
        status = msgspec.json.decode(said, type=Status)
        if status.code == 200:
            return Sent(outcome=SendOutcome.ACCEPTED)
        if status.code == 429:
            return Sent(outcome=SendOutcome.RETRY, code="429", retry_after=timedelta(milliseconds=100))
        return Sent(outcome=SendOutcome.UNKNOWN, code=str(status.code))

    async def close(self) -> None:
        """Do nothing."""


def open_store(url: str) -> Store:
    """Return the store of a URL."""
    if url.startswith("sqlite:"):
        return SqliteStore(url.removeprefix("sqlite://"))
    return RedisStore(url)


def main(plan: Plan) -> None:
    """Be a worker until SIGTERM, or until whoever started it is gone."""
    log = (plan.folder / "workers.log").open("a")
    logging.raiseExceptions = False  # the log's disk may be full as well
    logging.basicConfig(stream=log, level=logging.ERROR, format=f"w{plan.number} %(message)s %(reason)s", force=True)
    logging.getLogger().handlers[0].setFormatter(logging.Formatter(f"w{plan.number} %(name)s %(message)s"))
    sys.stderr = log
    asyncio.run(_work(plan))


async def _work(plan: Plan) -> None:
    witness = Witness(plan.folder / "events")
    _install_trouble(plan, witness)
    app = App(
        flow,
        store=WitnessedStore(open_store(plan.store), witness),
        channels=[VirtualChannel(name, plan.folder) for name in CHANNELS],
        settings=SETTINGS,
    )
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    await _start(app)
    server = await serve(socket_of(plan.folder, plan.number), lambda line: _take(app, line))
    conductor = multiprocessing.parent_process()
    while not end.is_set() and (conductor is None or conductor.is_alive()):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(end.wait(), PARENT_LOOK_SECONDS)
    server.close()
    socket_of(plan.folder, plan.number).unlink(missing_ok=True)
    await app.stop()


async def _start(app: App) -> None:
    """Start, again and again while the store is away, as a supervisor does."""
    while True:
        try:
            return await app.start()
        except (RetryableError, OutcomeUnknownError):
            await asyncio.sleep(0.05)


async def _take(app: App, line: bytes) -> bytes:
    webhook = msgspec.json.decode(line, type=Webhook)
    message = app.message(webhook.text, id=webhook.id, channel=webhook.channel)
    try:
        accepted = await app.accept(webhook.person, message)
    except RetryableError:
        return msgspec.json.encode(Status(503, "refused"))
    except OutcomeUnknownError:
        return msgspec.json.encode(Status(503, "unknown"))
    if not accepted.durable:
        return msgspec.json.encode(Status(503, "refused"))
    if accepted.done:
        return msgspec.json.encode(Status(200, "done", accepted.replies))
    return msgspec.json.encode(Status(200, accepted.outcome))


def _install_trouble(plan: Plan, witness: Witness) -> None:
    """Make handlers fail at random, and the process die at its point; what happens is told first."""
    global _trouble  # noqa: PLW0603 - the flow is the module's, and a worker has one
    chance = random.Random(plan.seed)
    calm = plan.folder / "calm"

    def trouble(fault: Fault, probability: float) -> bool:
        if chance.random() >= probability or calm.exists():
            return False
        witness.tell(history.Fault(kind=fault.value, at_ms=now_ms()))
        return True

    left = plan.die_nth

    def reached(point: str) -> None:
        nonlocal left
        if point == plan.die_at:
            left -= 1
            if left == 0 and trouble(Fault.WORKER_DIED_AT_POINT, 1.0):
                os.kill(os.getpid(), signal.SIGKILL)

    _trouble = trouble
    if plan.die_at:
        faults.install(reached)
