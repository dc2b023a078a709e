"""The process of a worker: the bot on a store, with ways in and out, and with trouble."""

import asyncio
import logging
import multiprocessing
import os
import random
import signal
import sys
from datetime import timedelta
from pathlib import Path

import msgspec

from tests.chaos.bot import flow, have_trouble
from tests.chaos.lines import Cut, Sending, Status, Webhook, ask, serve
from tests.chaos.witness import Witness, WitnessedStore, now_ms
from tests.chaos.world import Fault
from turnkeeper import App, OnUnknown, Outgoing, SendOutcome, Sent, Settings
from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.ports import faults
from turnkeeper.ports.store import Store
from turnkeeper.stores.redis import RedisStore, scripts
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
for _script in Path(scripts.__file__).with_name("lua").glob("*.lua"):
    scripts.digest(_script.stem, movable=False)  # read now, as the code is: who edits both during a run mixes them

PARENT_LOOK_SECONDS = 1.0
"""How late it is noticed that whoever conducts the run is gone."""


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
    watching = asyncio.create_task(_end_with_the_conductor())
    await _start(app)
    server = await serve(socket_of(plan.folder, plan.number), lambda line: _take(app, line))
    await end.wait()
    server.close()
    socket_of(plan.folder, plan.number).unlink(missing_ok=True)
    await app.stop()
    watching.cancel()


async def _end_with_the_conductor() -> None:
    """End at once, whatever is under way, when whoever started this process is gone: nobody judges it any more."""
    conductor = multiprocessing.parent_process()
    while conductor is None or conductor.is_alive():  # noqa: ASYNC110 - another process
        await asyncio.sleep(PARENT_LOOK_SECONDS)
    os._exit(1)


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

    have_trouble(trouble)
    if plan.die_at:
        faults.install(reached)
