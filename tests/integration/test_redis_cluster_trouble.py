"""A cluster with one node that stands still: what is kept on the others does not notice."""

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_groups import RedisClusterServers
from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.stores.redis.deployments.cluster import slot_of
from turnkeeper.stores.redis.layout.keys import SLOTS

pytestmark = pytest.mark.anyio

ANSWER_SECONDS = 0.3
"""After which a node that stands still is given up."""

UNNOTICED_SECONDS = 1.5
"""Much less than a connection to a node that stands still takes to fail, on a machine that does other things too."""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[RedisClusterServers]:
    """Start three nodes that do not replace each other."""
    found = RedisClusterServers(tmp_path, "--cluster-require-full-coverage", "no")
    yield found
    for node in found.nodes:
        node.resume()
    found.stop()


def key_on(node: int) -> str:
    """Return a key whose slot one of three nodes has."""
    return next(f"{{k{n}}}" for n in range(100) if min(slot_of(f"{{k{n}}}") // (SLOTS // 3), 2) == node)


async def test_a_node_that_stands_still_holds_nobody_else_up(
    servers: RedisClusterServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own callers are told; those of other nodes wait neither for it nor for the question who took its place."""
    still = servers.nodes[1].port
    monkeypatch.setattr(random, "sample", lambda nodes, _: sorted(nodes, key=lambda node: node.port != still))
    wire = open_wire(servers.url(), answer_seconds=ANSWER_SECONDS)
    await wire.open()
    servers.nodes[1].pause()
    over = asyncio.Event()

    async def fail() -> None:
        while not over.is_set():
            with pytest.raises((StoreUnavailableError, OutcomeUnknownError)):
                await wire.send([("GET", key_on(1))], key=key_on(1))
            await asyncio.sleep(0)

    failing = [asyncio.create_task(fail()) for _ in range(4)]
    slowest, until = 0.0, time.monotonic() + 4
    while time.monotonic() < until:
        began = time.monotonic()
        await wire.send([("SET", key_on(0), "1")], key=key_on(0))
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.01)
    over.set()
    servers.nodes[1].resume()
    await asyncio.gather(*failing, return_exceptions=True)

    assert slowest < UNNOTICED_SECONDS
    await wire.close()


async def test_scripts_are_loaded_although_one_node_stands_still(servers: RedisClusterServers) -> None:
    """A call waits for the node of its own key, and only for a moment for the others."""
    wire = open_wire(servers.url())
    await wire.open()
    servers.nodes[1].pause()
    began = time.monotonic()

    (digest,) = await wire.send([("SCRIPT", "LOAD", "return 1")], key=key_on(0))

    assert isinstance(digest, bytes)
    assert time.monotonic() - began < UNNOTICED_SECONDS
    servers.nodes[1].resume()
    await wire.close()


async def test_closing_ends_a_question_for_the_slots(servers: RedisClusterServers) -> None:
    """Nothing of a closed wire goes on."""
    wire = open_wire(servers.url())
    for node in servers.nodes:
        node.pause()
    opening = asyncio.create_task(wire.open())
    await asyncio.sleep(0.05)

    async with asyncio.timeout(UNNOTICED_SECONDS):
        await wire.close()
        with pytest.raises(StoreUnavailableError, match="closed meanwhile"):
            await opening
