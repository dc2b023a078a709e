"""One of several processes that use the same documents: `python documents_child.py <command> <url> <name> <folder>`.

It says `ready`, waits for a line, and does its part at the same moment as the others.
"""

import asyncio
import sys
from pathlib import Path

from turnkeeper import Struct, hours, minutes, open_store
from turnkeeper.documents import Cache, Fixed, Preserved, Sessions

CALLERS = 250
"""Tasks of one process that miss at once."""

FIELDS = 10
"""Members that one process updates, each in an update of its own, all at once."""

LOAD_SECONDS = 0.3
"""How long the source takes to answer: long enough that everybody asks meanwhile."""


class Customer(Struct):
    """What the source knows."""

    id: int


async def load(url: str, name: str, folder: Path) -> None:
    """Ask for one entry from many tasks; each run of the loader leaves a line."""
    store = open_store(url)
    customers = Cache(store, "customer", Customer, ttl=Fixed(minutes(5)))

    async def find(_: str) -> Customer:
        with (folder / "loads").open("a") as loads:
            loads.write(f"{name}\n")
        await asyncio.sleep(LOAD_SECONDS)
        return Customer(id=7)

    await ready()
    found = await asyncio.gather(*(customers.get_or_load("+15550001", find) for _ in range(CALLERS)))
    (folder / f"found-{name}").write_text(str(sum(one is not None and one.id for one in found)))
    await customers.close()
    await store.close()


async def update(url: str, name: str, _: Path) -> None:
    """Update members of one session, all at once."""
    store = open_store(url)
    sessions: Sessions[dict[str, object]] = Sessions(store, "session", dict[str, object], ttl=Preserved(hours(1)))
    await ready()
    done = await asyncio.gather(
        *(sessions.update("CA1", {f"{name}{number}": [number]}) for number in range(FIELDS)),
    )
    assert None not in done
    await store.close()


async def ready() -> None:
    """Wait for the start."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)


COMMANDS = {"load": load, "update": update}

if __name__ == "__main__":
    command, url, name, folder = sys.argv[1:]
    asyncio.run(COMMANDS[command](url, name, Path(folder)))
