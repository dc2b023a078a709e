"""One turn on Redis, as people write it today and as Turnkeeper does it; all with the same state of the same size.

Every arm decodes the state, changes it and encodes it again: the naive ones with the standard library's `json`, as they
do, ours with the typed codec. All have timeouts on.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import redis.asyncio
from redis.asyncio.lock import Lock

from benchmarks.plain import LOG, REPLY, Nowhere, PlainProgram, text
from turnkeeper.codecs.state import Envelope, StateCodec
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.wire import encode
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.struct import Struct
from turnkeeper.ports.deliveries import Lane, Settlement, Verdict
from turnkeeper.ports.program import Draft, Tools, TurnInput
from turnkeeper.ports.turns import Begin, Commit, Committed, Effect, EffectKind, Granted, Incoming
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.stores.redis.store import RedisStore

SECONDS_KEPT = 7_200
"""The users' own time to live of a conversation: two hours."""

ENTRY_CHARACTERS = 60
"""Text of one entry of the history: a short message."""

POOL = 50
"""Connections of the naive pool: the users' own number."""

TIMEOUT_SECONDS = 5.0
"""The users' own timeout."""

Turn = Callable[[int], Awaitable[None]]
"""Does one turn of the conversation of that number."""


class Entry(Struct):
    """One line of a history."""

    role: str
    content: str
    timestamp: str


class Talk(Struct):
    """The state of a conversation with a history."""

    status: str = "talking"
    count: int = 0
    history: list[Entry] = []


def talk(size_bytes: int) -> Talk:
    """Return a state whose JSON is about so long."""
    entry = Entry(role="user", content="x" * ENTRY_CHARACTERS, timestamp="2026-03-02T09:00:00Z")
    each = len(msgspec.json.encode(entry)) + 1
    return Talk(history=[entry] * max(size_bytes // each, 1))


class Naive:
    """redis-py, GET and SETEX through a pool: what people write today, and its two careful variants."""

    def __init__(self, url: str, size_bytes: int) -> None:
        """Connect lazily."""
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, max_connections=POOL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self.client: Any = redis.asyncio.Redis(connection_pool=pool)
        self._first = msgspec.to_builtins(talk(size_bytes))

    async def plain(self, number: int) -> None:
        """GET, change, SETEX."""
        key = f"conversation:{number}"
        found = await self.client.get(key)
        state = json.loads(found) if found else self._first
        state["count"] += 1
        await self.client.setex(key, SECONDS_KEPT, json.dumps(state))

    async def locked(self, number: int) -> None:
        """The same under redis-py's lock."""
        async with Lock(self.client, f"lock:{number}", timeout=10):
            await self.plain(number)

    async def watched(self, number: int) -> None:
        """The same with WATCH, MULTI and EXEC."""
        key = f"conversation:{number}"
        async with self.client.pipeline() as pipe:
            await pipe.watch(key)
            found = await pipe.get(key)
            state = json.loads(found) if found else self._first
            state["count"] += 1
            pipe.multi()
            pipe.setex(key, SECONDS_KEPT, json.dumps(state))
            await pipe.execute()

    async def close(self) -> None:
        """Let go."""
        await self.client.aclose(close_connection_pool=True)


class Shared:
    """GET and SETEX over our connection with our codec: as unsafe as the naive turn, and the bound of any client."""

    def __init__(self, url: str, size_bytes: int) -> None:
        """Connect lazily."""
        self._wire = open_wire(url, answer_seconds=TIMEOUT_SECONDS)
        self._codec = StateCodec(Talk)
        self._first = talk(size_bytes)

    async def turn(self, number: int) -> None:
        """GET, change, SETEX."""
        key = f"shared:{number}"
        (found,) = await self._wire.send([("GET", key)], key=key)
        state = self._codec.decode(found).state if isinstance(found, bytes) else self._first
        state.count += 1
        data = self._codec.encode(state, None).data
        await self._wire.send([("SETEX", key, SECONDS_KEPT, data)], key=key)

    async def close(self) -> None:
        """Let go."""
        await self._wire.close()


class Port:
    """Begin and commit: dedup, inbox, lease, fence, log, reply and receipt; then the reply's verdict, in batches."""

    def __init__(self, url: str, size_bytes: int) -> None:
        """Connect lazily."""
        self._store = RedisStore(url)
        self._codec = StateCodec(Talk)
        self._first = talk(size_bytes)
        self._numbers = itertools.count()
        self._sent: list[Settlement] = []
        self._settling: set[asyncio.Task[object]] = set()

    async def turn(self, number: int) -> None:
        """Begin, change, commit."""
        conversation = ConversationId(flow="port", person=str(number))
        name = f"t{next(self._numbers)}"
        granted = await self._store.turns.begin(
            Begin(
                conversation=conversation,
                token=name,
                lease_ms=15_000,
                message=Incoming(id=name, payload=encode(text(name))),
            )
        )
        assert isinstance(granted, Granted)  # noqa: S101 - a measurement of turns that did not happen would be none
        state = self._first if granted.state is None else self._codec.decode(granted.state).state
        state.count += 1
        envelope = Envelope(
            generation=granted.generation, version=granted.version + 1, fence=granted.fence, commit_id=name
        )
        effect = Effect(id=name, kind=EffectKind.REPLY, payload=REPLY)
        committed = await self._store.turns.commit(
            Commit(
                conversation=conversation,
                token=name,
                fence=granted.fence,
                version=granted.version,
                generation=granted.generation,
                commit_id=name,
                take=1,
                state=self._codec.encode(state, envelope).data,
                status="talking",
                log=LOG,
                log_keep=20,
                retain_ms=SECONDS_KEPT * 1000,
                effects=(effect,),
                reply=b'["ok"]',
                lane_token=name,
                lane_ms=30_000,
            )
        )
        assert isinstance(committed, Committed)  # noqa: S101 - see above
        self._settle(Settlement(lane=Lane(conversation=conversation), token=name, id=name, verdict=Verdict.DONE))

    def _settle(self, settlement: Settlement) -> None:
        """Record verdicts together, one call under way at a time, as the engine does."""
        self._sent.append(settlement)
        if not self._settling:
            task = asyncio.ensure_future(self._settle_all())
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    async def _settle_all(self) -> None:
        while self._sent:
            batch, self._sent = self._sent[:256], self._sent[256:]
            await self._store.deliveries.settle(batch)

    async def close(self) -> None:
        """Let go."""
        await asyncio.gather(*self._settling)
        await self._store.close()


class _Talking(PlainProgram):
    """Decodes the state, changes it, encodes it and replies."""

    def __init__(self, size_bytes: int) -> None:
        self._codec = StateCodec(Talk)
        self._first = talk(size_bytes)

    async def run(self, turn: TurnInput, _: Tools, /) -> Draft:
        state = self._first if turn.state is None else self._codec.decode(turn.state).state
        state.count += 1
        effect = Effect(id=f"{turn.effect_prefix}:0", kind=EffectKind.REPLY, payload=REPLY)
        data = self._codec.encode(state, None).data
        return Draft(state=data, status="talking", log=LOG, effects=(effect,), replies=("ok",))


class Whole:
    """The whole engine with a handler that replies: accept, turn, commit, send, verdict; its worker looks meanwhile."""

    def __init__(self, url: str, size_bytes: int) -> None:
        """Connect lazily."""
        self._store = RedisStore(url)
        self._engine = Engine(store=self._store, programs={"plain": _Talking(size_bytes)}, channels={"sms": Nowhere()})
        self._numbers = itertools.count()
        self._is_started = False

    async def turn(self, number: int) -> None:
        """Hand a message in and wait for its reply."""
        if not self._is_started:
            self._is_started = True
            await self._engine.start()
        message = text(f"m{next(self._numbers)}")
        conversation = ConversationId(flow="plain", person=str(number))
        handled = await self._engine.handle(conversation, message, within=timedelta(seconds=60))
        assert handled.done  # noqa: S101 - see above

    async def close(self) -> None:
        """Let go."""
        await self._engine.stop()
        await self._store.close()
