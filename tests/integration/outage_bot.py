"""A process that takes a burst of messages under an outage policy, while a test kills its store and itself.

Run it as `python -m tests.integration.outage_bot POLICY URL FOLDER COUNT`. Everything that the test looks at is in the
folder: `accepted` (messages whose acceptance was acknowledged), `refused`, `sent` (what the provider got), `done`.
"""

import asyncio
import json
import logging
import sys
from datetime import timedelta
from pathlib import Path

from turnkeeper import App, Flow, OnUnknown, Outgoing, SendOutcome, Sent, Settings, Struct, Turn, seconds
from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.policy.outage import Outage, OutagePolicy
from turnkeeper.stores.redis import RedisStore

PEOPLE = tuple(f"+1555123{number:04d}" for number in range(20))
MESSAGES = 50
"""For each of the people: a burst of 1,000."""

PATIENCE = timedelta(seconds=60)

SETTINGS = Settings(
    lease=seconds(2),
    renew_every=seconds(0.5),
    send_lease=seconds(2),
    send_timeout=seconds(1.5),
    poll=seconds(0.05),
    grace=seconds(2),
)
"""Short, because the test waits for a killed process's leases in real time."""


class Heard(Struct):
    """What was said, in order."""

    words: list[str] = []


flow = Flow("burst", Heard, start="listening")


@flow.unknown
async def listen(turn: Turn[Heard]) -> None:
    """Remember and repeat."""
    turn.state.words.append(turn.text)
    turn.reply(f"heard {turn.text}")


class FileProvider:
    """An SMS provider whose memory is a file that survives the bot."""

    name = "sms"
    on_unknown = OnUnknown.RESEND

    def __init__(self, folder: Path) -> None:
        """Take where the file goes."""
        self._folder = folder

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """Write it down."""
        note(self._folder / "sent", [outgoing.reply.to, outgoing.reply.text, outgoing.maybe_sent])
        return Sent(outcome=SendOutcome.ACCEPTED)

    async def close(self) -> None:
        """Do nothing."""


def note(path: Path, fact: object) -> None:
    """Append a line, which survives a kill of this process."""
    with path.open("a") as file:
        file.write(json.dumps(fact) + "\n")


def facts(path: Path) -> list[list[object]]:
    """Read the lines back."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def build(policy: OutagePolicy, url: str, folder: Path) -> App:
    """Return the application."""
    return App(
        flow,
        store=RedisStore(url),
        channels=[FileProvider(folder)],
        settings=SETTINGS,
        outage=Outage(policy=policy, folder=str(folder / "local")),
    )


async def speak(app: App, folder: Path, person: str, numbers: list[int]) -> None:
    """Say what was not acknowledged yet, in order, each until it is."""
    for number in numbers:
        message = app.message(f"word {number}", id=f"{person}-{number}", channel="sms")
        while True:
            try:
                accepted = await app.accept(person, message)
            except (RetryableError, OutcomeUnknownError) as exc:
                note(folder / "refused", [person, number, type(exc).__name__])
                await asyncio.sleep(0.05)
                continue
            if accepted.durable:
                break
            await asyncio.sleep(0.01)
        note(folder / "accepted", [person, number])


async def run(policy: OutagePolicy, url: str, folder: Path, count: int) -> None:
    """Say `count` words for each person, come to rest with everything in the store, and write `done`."""
    known = {(fact[0], fact[1]) for fact in facts(folder / "accepted")}
    async with build(policy, url, folder).running() as app:
        note(folder / "started", [policy])
        await asyncio.gather(
            *(speak(app, folder, one, [n for n in range(count) if (one, n) not in known]) for one in PEOPLE)
        )
        while app.health().status != "ok":  # noqa: ASYNC110 - it is asked, it does not tell
            await asyncio.sleep(0.02)
        for person in PEOPLE:
            if not await app.at_rest(person, within=PATIENCE):
                raise SystemExit(f"{person} did not come to rest")
        note(folder / "done", [app.health().conflicts])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    asyncio.run(run(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))  # type: ignore[arg-type]
