"""A process whose handler ends it, without any cleaning up, whenever somebody says "die"."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from turnkeeper import App, Flow, Settings, Struct, Turn

PERSON = "+15551230001"
LEASE = timedelta(seconds=0.5)
ATTEMPTS = 2
EXIT_STATUS = 3


class Heard(Struct):
    """What the bot was told, in order."""

    words: list[str] = []


flow = Flow("exiting", Heard, start="listening", max_attempts=ATTEMPTS)


@flow.unknown
async def listen(turn: Turn[Heard]) -> None:
    """Remember it, or die of it."""
    if turn.text == "die":
        os._exit(EXIT_STATUS)
    turn.state.words.append(turn.text)


def build(directory: Path) -> App:
    """Return the application on the directory's store."""
    settings = Settings(
        lease=LEASE, renew_every=LEASE / 5, send_lease=LEASE, send_timeout=LEASE / 2, poll=timedelta(seconds=0.1)
    )
    return App(flow, store=f"sqlite:///{directory / 'bot.db'}", settings=settings)


async def run(directory: Path) -> None:
    """Take three messages (they are duplicates after the first start) and come to rest."""
    async with build(directory).running() as app:
        for text in ("before", "die", "after"):
            await app.accept(PERSON, app.message(text, id=text))
        if not await app.at_rest(PERSON, within=timedelta(seconds=60)):
            raise SystemExit("the bot did not come to rest")


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
