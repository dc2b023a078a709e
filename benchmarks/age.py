"""Whether a conversation gets slower with age: turns 1 to 100 against turns 901 to 1,000, on every kind of store.

On Redis the server's CPU is told too: old receipts and a long log are kept there.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import cast

from redis import Redis

from benchmarks.figures import ratios, summary
from benchmarks.plain import Nowhere, PlainProgram, text
from tests.conformance.redis_servers import RedisServer, free_port
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.settings import Settings
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.store import Store
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.sqlite import SqliteStore

TURNS = 1_000
WINDOW = 100


Ages = tuple[float, float]
"""Microseconds of CPU a turn at the beginning and at the end of one conversation."""


async def _ages(store: Store, used: Sequence[Callable[[], float]]) -> list[Ages]:
    """Return the ages of one conversation for each way to read the CPU seconds that were used."""
    engine = Engine(
        store=store,
        programs={"plain": PlainProgram()},
        channels={"sms": Nowhere()},
        settings=Settings(work=False),
    )
    await engine.start()
    for number in range(WINDOW):
        warm = ConversationId(flow="plain", person=f"warm{number}")
        await engine.handle(warm, text("w"), within=timedelta(seconds=60))
    conversation = ConversationId(flow="plain", person="ana")
    marks = []
    for number in range(TURNS + 1):
        if number in {0, WINDOW, TURNS - WINDOW, TURNS}:
            marks.append([read() for read in used])
        await engine.handle(conversation, text(f"m{number}"), within=timedelta(seconds=60))
    await engine.stop()
    await store.close()
    scale = 1e6 / WINDOW
    first, young, before, old = marks
    return [((young[at] - first[at]) * scale, (old[at] - before[at]) * scale) for at in range(len(used))]


def _server_seconds(client: Redis) -> float:
    """Return the CPU that the server has used."""
    cpu = cast("dict[str, float]", client.info("cpu"))
    return cpu["used_cpu_user"] + cpu["used_cpu_sys"]


def measure(rounds: int) -> dict[str, object]:
    """Measure the stores, one after the other in every round."""
    found: dict[str, list[Ages]] = {"memory": [], "sqlite": [], "redis": [], "redis, server": []}
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder), port=free_port())
        client = server.client()
        try:
            for number in range(rounds):
                client.flushall()
                file = SqliteStore(Path(folder) / f"age{number}.db", durability="memory")
                found["memory"] += asyncio.run(_ages(MemoryStore(), [time.process_time]))
                found["sqlite"] += asyncio.run(_ages(file, [time.process_time]))
                both = [time.process_time, lambda: _server_seconds(client)]
                mine, its = asyncio.run(_ages(RedisStore(server.tcp_url()), both))
                found["redis"].append(mine)
                found["redis, server"].append(its)
        finally:
            client.close()
            server.stop()
    return {
        name: {
            "us CPU a turn, 1-100": summary([young for young, _ in ages]),
            "us CPU a turn, 901-1000": summary([old for _, old in ages]),
            "ratio": ratios([old for _, old in ages], [young for young, _ in ages]),
        }
        for name, ages in found.items()
    }
