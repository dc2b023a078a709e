"""A safe turn on Redis against what people write today: turns a second and time of one turn, in one interleaved run.

The server is the machine's own, started for the run on loopback without persistence, as an upper bound for all arms.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from redis import Redis

from benchmarks import redis_arms as arms
from benchmarks.figures import percentile, ratios, summary
from tests.conformance.redis_servers import RedisServer, free_port

SAMPLE_SECONDS = 0.4
"""How long one sample runs after its warm-up."""

CASES = ((1, 2_048), (16, 512), (16, 2_048), (16, 10_240), (16, 51_200), (64, 2_048))
"""Conversations at once, and bytes of the state."""

NAIVE, SHARED, LOCK, WATCH = "naive GET + SETEX", "GET + SETEX, our connection", "redis-py Lock", "WATCH/MULTI/EXEC"
PORT, WHOLE = "turnkeeper, port", "turnkeeper, whole engine"
ARMS = (NAIVE, SHARED, LOCK, WATCH, PORT, WHOLE)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of one arm showed."""

    turns_a_second: float
    p50_us: float
    server_us: float


def _arm(name: str, url: str, size_bytes: int) -> tuple[arms.Turn, Callable[[], Any]]:
    """Return how an arm does a turn, and how it ends."""
    if name == SHARED:
        shared = arms.Shared(url, size_bytes)
        return shared.turn, shared.close
    if name == PORT:
        port = arms.Port(url, size_bytes)
        return port.turn, port.close
    if name == WHOLE:
        whole = arms.Whole(url, size_bytes)
        return whole.turn, whole.close
    naive = arms.Naive(url, size_bytes)
    turns = {NAIVE: naive.plain, LOCK: naive.locked, WATCH: naive.watched}
    return turns[name], naive.close


async def _sample(server: RedisServer, name: str, conversations: int, size_bytes: int) -> Sample:
    client = server.client()
    client.flushall()
    turn, close = _arm(name, server.tcp_url(), size_bytes)
    await asyncio.gather(*(turn(number) for number in range(conversations)))
    took: list[float] = []
    used = _server_seconds(client)
    before = time.perf_counter()
    until = before + SAMPLE_SECONDS

    async def talk(number: int) -> None:
        while (now := time.perf_counter()) < until:
            await turn(number)
            took.append(time.perf_counter() - now)

    await asyncio.gather(*(talk(number) for number in range(conversations)))
    seconds = time.perf_counter() - before
    spent = _server_seconds(client) - used
    await close()
    client.close()
    return Sample(
        turns_a_second=len(took) / seconds,
        p50_us=percentile(took, 0.5) * 1e6,
        server_us=spent / len(took) * 1e6,
    )


def _server_seconds(client: Redis) -> float:
    """Return the server's CPU so far."""
    info = client.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def measure(rounds: int) -> dict[str, object]:
    """Measure every arm in every case, in random order within a round."""
    order = random.Random(1)
    found: dict[tuple[int, int, str], list[Sample]] = {}
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder), port=free_port())
        try:
            for number in range(rounds):
                print(f"  round {number + 1} of {rounds}", flush=True)
                cells = [(*case, arm) for case in CASES for arm in ARMS]
                order.shuffle(cells)
                for conversations, size_bytes, arm in cells:
                    sample = asyncio.run(_sample(server, arm, conversations, size_bytes))
                    found.setdefault((conversations, size_bytes, arm), []).append(sample)
        finally:
            server.stop()
    return {
        f"{conversations} conversations, {size_bytes} bytes": {
            arm: _figures(
                found[conversations, size_bytes, arm],
                found[conversations, size_bytes, NAIVE],
                found[conversations, size_bytes, SHARED],
            )
            for arm in ARMS
        }
        for conversations, size_bytes in CASES
    }


def _figures(mine: list[Sample], naive: list[Sample], shared: list[Sample]) -> dict[str, object]:
    rates = [sample.turns_a_second for sample in mine]
    return {
        "turns/s": summary(rates, 0),
        "times naive": ratios(rates, [sample.turns_a_second for sample in naive]),
        "times the same connection": ratios(rates, [sample.turns_a_second for sample in shared]),
        "p50 us": summary([sample.p50_us for sample in mine], 0),
        "p50 in that of the same connection": ratios(
            [sample.p50_us for sample in mine], [sample.p50_us for sample in shared]
        ),
        "server us a turn": summary([sample.server_us for sample in mine]),
    }
