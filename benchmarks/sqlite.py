"""Group commit against one commit for every write: turns a second with synchronous=FULL, and stalls of the event loop.

The turn is the whole engine's: begin, a handler that replies, commit, send, settle; a turn counts once its verdict is
durable. The naive case is the same engine and store with every write in a commit of its own, three a turn: the writer
takes one operation at a time, and verdicts, which the engine else records many at a time, come to it one by one.
"""

import asyncio
import contextlib
import os
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec

from benchmarks.figures import percentile, ratios, summary
from benchmarks.plain import Nowhere, PlainProgram, text
from turnkeeper.engine import inbox
from turnkeeper.engine.delivering.settling import Settling, settle_one
from turnkeeper.engine.engine import Engine
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports import faults
from turnkeeper.ports.deliveries import Settlement
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.stores.sqlite.file import writer

TURNS = {1: 150, 16: 960, 64: 2_560}
"""Turns of one sample by the number of conversations at once: about a second each."""

LOOK_SECONDS = 0.001
"""How often the stall watcher wants to run."""

SYNCS = 200
"""Syncs of the disk measured in a round, each after one written page."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What one run showed; stalls at the 99th percentile."""

    turns_a_second: float
    commits_a_turn: float
    stall_ms: float


async def _settle_alone(settling: Settling, settlement: Settlement) -> bool:
    settled = await settle_one(settling._store, settlement, within_seconds=60)  # noqa: SLF001 - in its method's place
    return settled.held and settled.more


@contextlib.contextmanager
def _one_by_one() -> Iterator[None]:
    """Let every write have a commit of its own: the writer's groups are of one, verdicts are not gathered.

    Its turns take long at 64 conversations; nobody asks meanwhile whether they are done, which would cost it more.
    """
    group, settle, look = writer.MAX_GROUP, Settling.settle, inbox._FIRST_LOOK_SECONDS  # noqa: SLF001
    writer.MAX_GROUP = 1
    inbox._FIRST_LOOK_SECONDS = 60.0  # noqa: SLF001
    setattr(Settling, "settle", _settle_alone)  # noqa: B010 - a method must not be assigned to
    try:
        yield
    finally:
        writer.MAX_GROUP = group
        inbox._FIRST_LOOK_SECONDS = look  # noqa: SLF001
        setattr(Settling, "settle", settle)  # noqa: B010 - see above


@contextlib.contextmanager
def _counted() -> Iterator[list[str]]:
    """Count commits."""
    commits: list[str] = []

    def count(point: str) -> None:
        if point == "sqlite.after_commit":
            commits.append(point)

    faults.install(count)
    try:
        yield commits
    finally:
        faults.clear()


async def _talk(engine: Engine, person: str, turns: int) -> None:
    conversation = ConversationId(flow="plain", person=person)
    for number in range(turns):
        handled = await engine.handle(conversation, text(f"{person}-{number}"), within=timedelta(seconds=60))
        assert handled.done  # noqa: S101 - a measurement of turns that did not happen would be none


async def _talk_all(engine: Engine, name: str, conversations: int, turns: int) -> None:
    """Have every conversation say so much, and wait until the last reply is settled."""
    await asyncio.gather(*(_talk(engine, f"{name}{number}", turns) for number in range(conversations)))
    while engine.is_busy:  # noqa: ASYNC110 - there is no event of it
        await asyncio.sleep(LOOK_SECONDS)


async def _watch(stalls: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(LOOK_SECONDS)
        stalls.append((time.perf_counter() - before - LOOK_SECONDS) * 1000)


async def _sample(conversations: int) -> Sample:
    with tempfile.TemporaryDirectory() as folder, _counted() as commits:
        store = SqliteStore(Path(folder) / "bench.db")
        engine = Engine(store=store, programs={"plain": PlainProgram()}, channels={"sms": Nowhere()})
        await engine.start()
        await _talk_all(engine, "warm", conversations, 2)
        stalls: list[float] = []
        watcher = asyncio.create_task(_watch(stalls))
        turns = TURNS[conversations] // conversations
        commits.clear()
        before = time.perf_counter()
        await _talk_all(engine, "p", conversations, turns)
        seconds = time.perf_counter() - before
        count = len(commits)
        watcher.cancel()
        await engine.stop()
        await store.close()
    all_turns = turns * conversations
    return Sample(
        turns_a_second=all_turns / seconds, commits_a_turn=count / all_turns, stall_ms=percentile(stalls, 0.99)
    )


def _sync_us() -> float:
    """Return how long this disk takes to sync one page, median, in microseconds: what a naive write pays at least."""
    page = os.urandom(4096)
    took: list[float] = []
    with tempfile.TemporaryFile() as file:
        for number in range(SYNCS):
            os.pwrite(file.fileno(), page, number * len(page))
            before = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - before) * 1e6)
    return percentile(took, 0.5)


def measure(rounds: int) -> dict[str, object]:
    """Measure both at 1, 16 and 64 conversations, in random order within a round."""
    order = random.Random(1)
    found: dict[tuple[int, bool], list[Sample]] = {}
    syncs: list[float] = []
    for _ in range(rounds):
        syncs.append(_sync_us())
        cases = [(count, is_grouped) for count in TURNS for is_grouped in (True, False)]
        order.shuffle(cases)
        for count, is_grouped in cases:
            with contextlib.nullcontext() if is_grouped else _one_by_one():
                found.setdefault((count, is_grouped), []).append(asyncio.run(_sample(count)))
    figures: dict[str, object] = {"us a sync of this disk": summary(syncs)}
    for count in TURNS:
        grouped, naive = found[count, True], found[count, False]
        rates = [sample.turns_a_second for sample in grouped]
        naive_rates = [sample.turns_a_second for sample in naive]
        figures[f"{count} conversations"] = {
            "turns/s grouped": summary(rates, 0),
            "turns/s one by one": summary(naive_rates, 0),
            "ratio": ratios(rates, naive_rates),
            "commits a turn grouped": summary([sample.commits_a_turn for sample in grouped], 2),
            "commits a turn one by one": summary([sample.commits_a_turn for sample in naive], 2),
            "loop stall p99 ms": summary([sample.stall_ms for sample in grouped], 2),
        }
    return figures
