"""How many conversations a Redis of 100 MiB holds, and what each takes beside its state: filled until it refuses more.

A conversation has a state of 2 KB and ten receipts, and nothing in flight. Logs are left out: their length is a choice.
"""

import asyncio
import itertools
import tempfile
from pathlib import Path

import msgspec
from redis import Redis

from benchmarks.plain import REPLY, text
from benchmarks.redis_arms import SECONDS_KEPT
from tests.conformance.redis_servers import RedisServer, free_port
from turnkeeper.engine.wire import encode
from turnkeeper.errors import StoreFullError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.deliveries import Lane, Settlement, Verdict
from turnkeeper.ports.turns import Begin, Commit, Committed, Effect, EffectKind, Granted, Incoming
from turnkeeper.stores.redis.store import RedisStore

LIMIT_BYTES = 100 * 1024 * 1024
"""The users' own limit."""

STATE_BYTES = 2_048

RECEIPTS = 10

AT_ONCE = 64
"""Conversations that are written at the same time."""

STATE = msgspec.json.encode({"status": "talking", "text": "x" * (STATE_BYTES - 30)})


def _conversation(number: int) -> ConversationId:
    return ConversationId(flow="mealplan", person=f"+1555{number:07}")


async def _keep(store: RedisStore, number: int) -> None:
    """Bring a conversation to rest after ten messages and a reply; raise once the server takes no more."""
    conversation, name = _conversation(number), f"{number:012}"

    def begin(message: int, *, run: bool) -> Begin:
        incoming = Incoming(id=f"SM{message:032}", payload=encode(text("plan")))
        return Begin(
            conversation=conversation, token=name, lease_ms=60_000, message=incoming, run=run, hand_out=RECEIPTS
        )

    for message in range(RECEIPTS - 1):
        await store.turns.begin(begin(message, run=False))
    granted = await store.turns.begin(begin(RECEIPTS - 1, run=True))
    assert isinstance(granted, Granted)  # noqa: S101 - a measurement of turns that did not happen would be none
    committed = await store.turns.commit(
        Commit(
            conversation=conversation,
            token=name,
            fence=granted.fence,
            version=granted.version,
            generation=granted.generation,
            commit_id=name,
            take=RECEIPTS,
            state=STATE,
            status="talking",
            retain_ms=SECONDS_KEPT * 1000,
            effects=(Effect(id=name, kind=EffectKind.REPLY, payload=REPLY),),
            lane_token=name,
            lane_ms=30_000,
        )
    )
    assert isinstance(committed, Committed)  # noqa: S101 - see above
    lane = Lane(conversation=conversation)
    await store.deliveries.settle([Settlement(lane=lane, token=name, id=name, verdict=Verdict.DONE)])


async def _fill(store: RedisStore) -> int:
    """Keep conversations until the server is full; return how many are whole."""
    numbers = itertools.count()
    kept = 0

    async def keep() -> None:
        nonlocal kept
        try:
            while True:
                await _keep(store, next(numbers))
                kept += 1
        except StoreFullError:
            return

    await asyncio.gather(*(keep() for _ in range(AT_ONCE)))
    return kept


def _fill_bare(client: Redis) -> int:
    """Keep bare strings of the same name, size and time to live until the server is full; return how many."""
    for first in itertools.count(0, AT_ONCE):
        pipe = client.pipeline(transaction=False)
        for number in range(first, first + AT_ONCE):
            pipe.setex(f"mealplan:+1555{number:07}", SECONDS_KEPT, STATE)
        refused = sum(isinstance(answer, Exception) for answer in pipe.execute(raise_on_error=False))
        if refused:
            return first + AT_ONCE - refused
    raise AssertionError


async def _kept(server: RedisServer) -> tuple[int, int]:
    """Return how many conversations there is room for, and the bytes that their indexes take."""
    store = RedisStore(server.tcp_url())
    kept = await _fill(store)
    client = server.client()
    indexes = [key for pattern in ("*}:status:*", "*}:end:*") for key in client.scan_iter(match=pattern, count=1_000)]
    taken = sum(client.memory_usage(key, samples=0) or 0 for key in indexes)
    client.close()
    await store.close()
    return kept, taken


def measure(_: int) -> dict[str, object]:
    """Fill a server twice; a count has no spread."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder), port=free_port())
        try:
            client = server.client()
            client.config_set("maxmemory", LIMIT_BYTES)
            client.config_set("maxmemory-policy", "noeviction")
            empty = int(client.info("memory")["used_memory"])
            bare = _fill_bare(client)
            client.flushall()
            kept, indexes = asyncio.run(_kept(server))
            client.close()
        finally:
            server.stop()
    room = LIMIT_BYTES - empty
    return {
        "conversations in 100 MiB": kept,
        "bare strings in 100 MiB": bare,
        "bytes per conversation": room // kept,
        "of which indexes": indexes // kept,
        "bytes per bare string": room // bare,
        "to the bare string": round(bare / kept, 3),
        "to the bare string, without indexes": round((room - indexes) / kept / (room / bare), 3),
    }
