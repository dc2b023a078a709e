"""Writers that go on whatever happens to the servers, and note what was acknowledged."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import TypeVar

from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError, TurnkeeperError
from turnkeeper.stores.redis.deployments.wire import ErrorReply, Wire

T = TypeVar("T")

WRITERS = 8
SOON = 20.0
"""Seconds after which a test gives up; a failover takes two or three."""


async def write(
    wire: Wire, acknowledged: dict[int, list[int]], writer: int, *, until: asyncio.Event, errors: list[TurnkeeperError]
) -> None:
    """Append numbers to a list until told to stop, each again until it is acknowledged, and note which are."""
    number = 0
    while not until.is_set():
        number += 1
        # The rank makes a repeat harmless, as the ids of the store's own scripts do.
        added = ("ZADD", f"{{w{writer}}}list", number, str(number))
        while not until.is_set():
            try:
                (reply,) = await wire.send([added], key=f"{{w{writer}}}", durable=True)
            except TurnkeeperError as exc:
                errors.append(exc)
                await asyncio.sleep(0.02)
            else:
                if isinstance(reply, ErrorReply):
                    continue
                acknowledged[writer].append(number)
                break


@contextlib.asynccontextmanager
async def load(wire: Wire, acknowledged: dict[int, list[int]]) -> AsyncIterator[list[TurnkeeperError]]:
    """Keep all writers busy meanwhile; what they meet is in the list."""
    errors: list[TurnkeeperError] = []
    over = asyncio.Event()
    writers = [
        asyncio.create_task(write(wire, acknowledged, writer, until=over, errors=errors)) for writer in range(WRITERS)
    ]
    try:
        yield errors
    finally:
        over.set()
        await asyncio.gather(*writers)


async def stored(wire: Wire) -> dict[int, list[int]]:
    """Return what every writer's list holds."""
    found = {}
    for writer in range(WRITERS):
        (reply,) = await wire.send([("ZRANGE", f"{{w{writer}}}list", 0, -1)], key=f"{{w{writer}}}")
        assert isinstance(reply, list)
        found[writer] = [int(one) for one in reply]
    return found


async def progress(acknowledged: dict[int, list[int]], more: int, *, lively: Collection[int] = range(WRITERS)) -> None:
    """Wait until every writer, or those that are expected to, got further."""
    goals = {writer: len(acknowledged[writer]) + more for writer in lively}
    async with asyncio.timeout(SOON):
        while any(len(acknowledged[writer]) < goal for writer, goal in goals.items()):  # noqa: ASYNC110 - many of them
            await asyncio.sleep(0.01)


async def connected(wire: Wire) -> None:
    """Wait until the wire reaches a primary."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                await wire.open()
            except StoreUnavailableError:
                await asyncio.sleep(0.05)
            else:
                return


async def refused(work: Callable[[], Awaitable[object]], reason: str) -> None:
    """Repeat something until it is refused for a reason; while servers fall and come it fails for others."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                await work()
            except (StoreUnavailableError, OutcomeUnknownError) as exc:
                if reason in str(exc):
                    return
            await asyncio.sleep(0.02)


async def works(work: Callable[[], Awaitable[T]]) -> T:
    """Repeat something until it succeeds; return its result."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                return await work()
            except (StoreUnavailableError, OutcomeUnknownError):
                await asyncio.sleep(0.02)
