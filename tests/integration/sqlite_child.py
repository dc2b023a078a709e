"""What the tests let another process do with a SQLite store: `python sqlite_child.py <command> <path> [<name>]`."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.turns import Begin, Begun, Commit, Committed, Granted, Incoming
from turnkeeper.stores.sqlite import SqliteStore

PEOPLE = ("ana", "ben", "cleo", "dan")
TURNS = 50
LEASE_MS = 15_000


def conversation(person: str) -> ConversationId:
    """Return a person's conversation."""
    return ConversationId(flow="shop", person=person)


async def send(store: SqliteStore, person: str, message_id: str) -> None:
    """Send a message and run every turn that is granted: each adds its message's id to the state."""
    token = f"{message_id} by {os.getpid()}"
    message = Incoming(id=message_id, payload=b"hello")
    request = Begin(conversation=conversation(person), token=token, lease_ms=LEASE_MS, message=message)
    granted: Begun | None = await store.turns.begin(request)
    while isinstance(granted, Granted):
        applied: list[str] = msgspec.json.decode(granted.state or b"[]", type=list[str])
        (taken,) = granted.messages
        answer = await store.turns.commit(
            Commit(
                conversation=conversation(person),
                token=token,
                fence=granted.fence,
                version=granted.version,
                generation=granted.generation,
                commit_id=f"{token} {granted.fence}",
                take=1,
                state=msgspec.json.encode([*applied, taken.id]),
            )
        )
        granted = answer.next if isinstance(answer, Committed) else None


async def share(store: SqliteStore, name: str) -> None:
    """Send 50 messages to each of four people whom other processes write to as well."""

    async def to_one(person: str) -> None:
        for number in range(TURNS):
            await send(store, person, f"{name}-{number}")

    await asyncio.gather(*(to_one(person) for person in PEOPLE))
    await store.close()


async def write(store: SqliteStore, _: str) -> None:
    """Run turns for ever, and say of each one that it was acknowledged."""

    async def to_one(person: str) -> None:
        number = 0
        while True:
            await send(store, person, f"m{number}")
            sys.stdout.write(f"{person} m{number}\n")
            sys.stdout.flush()
            number += 1

    await asyncio.gather(*(to_one(person) for person in PEOPLE))


async def wait(store: SqliteStore, _: str) -> None:
    """Wait for something to be due, and say how long that took."""
    await store.open()
    sys.stdout.write("waiting\n")
    sys.stdout.flush()
    start = time.monotonic()
    found = await store.deliveries.due(wait=timedelta(seconds=60))
    sys.stdout.write(f"{len(found.items)} after {time.monotonic() - start:.3f}\n")
    await store.close()


async def forget_to_close(store: SqliteStore, _: str) -> None:
    """Run a turn and leave."""
    await send(store, "ana", "m1")


def fork(store: SqliteStore) -> None:
    """Use the store, fork, and use it in both processes."""
    asyncio.run(send(store, "ana", "before"))
    if (child := os.fork()) == 0:
        asyncio.run(send(store, "ana", "child"))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    asyncio.run(send(store, "ana", "parent"))
    asyncio.run(store.close())
    sys.exit(os.waitstatus_to_exitcode(status))


COMMANDS: dict[str, Callable[[SqliteStore, str], Coroutine[None, None, None]]] = {
    "share": share,
    "write": write,
    "wait": wait,
    "forget-to-close": forget_to_close,
}

if __name__ == "__main__":
    command, where, *rest = sys.argv[1:]
    opened = SqliteStore(Path(where))
    if command == "fork":
        fork(opened)
    else:
        asyncio.run(COMMANDS[command](opened, rest[0] if rest else ""))
