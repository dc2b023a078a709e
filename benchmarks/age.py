"""Whether a conversation gets slower with age: turns 1 to 100 against turns 901 to 1,000, on both embedded stores."""

import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.figures import ratios, summary
from benchmarks.plain import Nowhere, PlainProgram, text
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.settings import Settings
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.store import Store
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.sqlite import SqliteStore

TURNS = 1_000
WINDOW = 100


async def _ages(store: Store) -> tuple[float, float]:
    """Return microseconds of CPU a turn at the beginning and at the end of one conversation."""
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
            marks.append(time.process_time())
        await engine.handle(conversation, text(f"m{number}"), within=timedelta(seconds=60))
    await engine.stop()
    await store.close()
    scale = 1e6 / WINDOW
    return (marks[1] - marks[0]) * scale, (marks[3] - marks[2]) * scale


def measure(rounds: int) -> dict[str, object]:
    """Measure both stores."""
    found: dict[str, tuple[list[float], list[float]]] = {"memory": ([], []), "sqlite": ([], [])}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            stores: dict[str, Store] = {
                "memory": MemoryStore(),
                "sqlite": SqliteStore(Path(folder) / "age.db", durability="memory"),
            }
            for name, store in stores.items():
                young, old = asyncio.run(_ages(store))
                found[name][0].append(young)
                found[name][1].append(old)
    return {
        name: {
            "us CPU a turn, 1-100": summary(young),
            "us CPU a turn, 901-1000": summary(old),
            "ratio": ratios(old, young),
        }
        for name, (young, old) in found.items()
    }
