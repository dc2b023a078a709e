"""Group commit against one commit for every write: turns a second with synchronous=FULL, and stalls of the event loop.

The turn is the whole engine's: begin, a handler that replies, commit, send, settle. The naive case is the same store
with groups of one, so that nothing differs but the grouping.
"""

import asyncio
import random
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.figures import percentile, ratios, summary
from benchmarks.plain import Nowhere, PlainProgram, text
from turnkeeper.engine.engine import Engine
from turnkeeper.model.conversation import ConversationId
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.stores.sqlite.file import writer

TURNS = {1: 150, 16: 960, 64: 2_560}
"""Turns of one sample by the number of conversations at once: about a second each."""

LOOK_SECONDS = 0.001
"""How often the stall watcher wants to run."""


async def _talk(engine: Engine, person: str, turns: int) -> None:
    conversation = ConversationId(flow="plain", person=person)
    for number in range(turns):
        handled = await engine.handle(conversation, text(f"{person}-{number}"), within=timedelta(seconds=60))
        assert handled.done  # noqa: S101 - a measurement of turns that did not happen would be none


async def _watch(stalls: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(LOOK_SECONDS)
        stalls.append((time.perf_counter() - before - LOOK_SECONDS) * 1000)


async def _sample(conversations: int, group: int) -> tuple[float, float]:
    """Return turns a second and the 99th percentile of the loop's stalls in milliseconds."""
    usual, writer.MAX_GROUP = writer.MAX_GROUP, group
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "bench.db")
        engine = Engine(store=store, programs={"plain": PlainProgram()}, channels={"sms": Nowhere()})
        await engine.start()
        await asyncio.gather(*(_talk(engine, f"warm{i}", 2) for i in range(conversations)))
        stalls: list[float] = []
        watcher = asyncio.create_task(_watch(stalls))
        turns = TURNS[conversations] // conversations
        before = time.perf_counter()
        await asyncio.gather(*(_talk(engine, f"p{i}", turns) for i in range(conversations)))
        seconds = time.perf_counter() - before
        watcher.cancel()
        await engine.stop()
        await store.close()
    writer.MAX_GROUP = usual
    return turns * conversations / seconds, percentile(stalls, 0.99)


def measure(rounds: int) -> dict[str, object]:
    """Measure both at 1, 16 and 64 conversations."""
    order = random.Random(1)
    rates: dict[tuple[int, str], list[float]] = {}
    stalls: dict[int, list[float]] = {}
    for _ in range(rounds):
        cases = [(count, name) for count in TURNS for name in ("grouped", "one by one")]
        order.shuffle(cases)
        for count, name in cases:
            rate, stall = asyncio.run(_sample(count, writer.MAX_GROUP if name == "grouped" else 1))
            rates.setdefault((count, name), []).append(rate)
            if name == "grouped":
                stalls.setdefault(count, []).append(stall)
    return {
        f"{count} conversations": {
            "turns/s grouped": summary(rates[count, "grouped"], 0),
            "turns/s one by one": summary(rates[count, "one by one"], 0),
            "ratio": ratios(rates[count, "grouped"], rates[count, "one by one"]),
            "loop stall p99 ms": summary(stalls[count], 2),
        }
        for count in TURNS
    }
