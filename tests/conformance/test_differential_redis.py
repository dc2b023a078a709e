"""Redis answers every question as the memory store does, whatever happened before."""

from collections.abc import Iterator

import pytest

from tests.conformance.redis_servers import RedisServer
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.redis import RedisStore
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.differential import compare

pytestmark = pytest.mark.anyio

STORIES = 20
"""Seeds that every run tells; some ten seconds."""

STEPS = 250
"""Steps of a story: long enough for states to be forgotten and begun anew several times."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Keep one server for all stories."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.mark.parametrize("seed", range(STORIES))
async def test_redis_answers_as_memory_does(seed: int, server: RedisServer) -> None:
    """The same steps on the same clock get the same answers."""
    clock = ManualClock()
    store = RedisStore(server.url(server.fresh()), clock=clock)
    try:
        await compare(MemoryStore(clock=clock), store, clock, seed=seed, length=STEPS)
    finally:
        await store.close()
