"""Sessions, caches, mirrors and views on Redis against what people write today, in one interleaved run.

The server is the machine's own, on a socket and without persistence. Figures are ratios to a bare redis-py call of the
same round; `restore` compares with KEYS and one GET for each order.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import redis.asyncio
from msgspec.structs import replace

from benchmarks.figures import ratios, summary
from tests.conformance.redis_servers import RedisServer
from turnkeeper import App, Flow, Struct, days, hours, minutes
from turnkeeper.documents import Cache, Fixed, Mirror, Preserved, Sessions
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Exported
from turnkeeper.stores.redis import RedisStore

ORDERS = 100_000
"""The users' own number: all orders of a large week."""

ORDER_BYTES = 1_000
"""One order with its customer, items and history."""

VIEWED = 20_000
"""Conversations of the view; bringing each in costs more than a SET."""

CALLS = 2_000
"""Calls of one sample, one after the other."""

WRITTEN_AT_ONCE = 1_000
"""Orders of one pipeline while the server is filled."""

SLOW_US = 20_000
"""No command of a restore may hold the server up for longer: 20 ms."""

MEASURED = 1_000
"""Documents whose memory is taken the average of."""


class Call(Struct):
    """A call of the voice agent as its users have it."""

    call_sid: str = ""
    customer_id: int | None = None
    conversation_history: list[dict[str, str]] = []
    current_state: str = "greeting"
    collected_data: dict[str, str] = {}
    intent: str = ""
    speaking: bool = False


class Customer(Struct):
    """A customer as the voice agent caches it."""

    id: int
    phone_number: str
    first_name: str
    vehicles: list[dict[str, str]]


class Order(Struct):
    """A state of about `ORDER_BYTES`."""

    name: str = ""
    note: str = ""


CALL = Call(
    call_sid="CA" + "1" * 32,
    conversation_history=[{"role": "user", "content": "x" * 60, "timestamp": "2026-03-02T09:00:00Z"}] * 10,
    collected_data={"service_type": "inspection", "vehicle": "Golf"},
)
CUSTOMER = Customer(
    id=7,
    phone_number="+15550001",
    first_name="Ana",
    vehicles=[{"id": "1", "make": "VW", "model": "Golf", "year": "2019", "vin": "W" * 17}] * 2,
)


def measure(rounds: int) -> dict[str, object]:
    """Measure all of it."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        try:
            return {
                "calls": asyncio.run(_calls(server, rounds)),
                "memory": asyncio.run(_memory(server)),
                "restore": asyncio.run(_restore(server, max(rounds // 2, 1))),
            }
        finally:
            server.stop()


async def _calls(server: RedisServer, rounds: int) -> dict[str, object]:
    """Return the time of each call as a ratio to a bare GET of the same value."""
    database = server.fresh()
    bare: Any = redis.asyncio.Redis.from_url(server.url(database))
    store = RedisStore(server.url(database))
    sessions = Sessions(store, "session", Call, ttl=Preserved(hours(1)))
    sharing = [Sessions(store, "session", Call, ttl=Preserved(hours(1))) for _ in range(2)]
    customers = Cache(store, "customer", Customer, ttl=Fixed(minutes(5)))
    await sessions.set("CA1", CALL)
    await customers.put("+1", CUSTOMER)

    async def find(_: str) -> Customer:
        return CUSTOMER

    arms: dict[str, Callable[[int], Awaitable[object]]] = {
        "bare GET": lambda _: bare.get("session:CA1"),
        "session get": lambda _: sessions.get("CA1"),
        "session update": lambda number: sessions.update("CA1", {"intent": f"{number}"}),
        "session update, written by two": lambda number: sharing[number % 2].update("CA1", {"intent": f"{number}"}),
        "cache hit": lambda _: customers.get_or_load("+1", find),
    }
    times: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, call in arms.items():
            await call(0)
            begin = time.perf_counter()
            for number in range(CALLS):
                await call(number)
            times[name].append((time.perf_counter() - begin) / CALLS * 1e6)
    await bare.aclose()
    await store.close()
    return {
        "us": {name: summary(each) for name, each in times.items()},
        "to a bare GET": {name: ratios(each, times["bare GET"]) for name, each in times.items() if name != "bare GET"},
    }


async def _memory(server: RedisServer) -> dict[str, object]:
    """Return what one session and one customer take of the server."""
    found: dict[str, object] = {}
    for name in ("session", "customer"):
        database = server.fresh()
        store = RedisStore(server.url(database))
        await store.open()
        with server.client(database) as client:
            before = int(client.info("memory")["used_memory"])
            for number in range(MEASURED):
                if name == "session":
                    await Sessions(store, name, Call, ttl=Preserved(hours(1))).set(f"CA{number:032}", CALL)
                else:
                    await Cache(store, name, Customer, ttl=Fixed(minutes(5))).put(f"+1555{number:07}", CUSTOMER)
            used = int(client.info("memory")["used_memory"]) - before
            value = client.strlen(next(client.scan_iter(match=f"{name}:*")))
        found[name] = {"bytes": used // MEASURED, "of which JSON": value}
        await store.close()
    return found


async def _restore(server: RedisServer, rounds: int) -> dict[str, object]:
    """Return how long a restart waits for its orders, in the three ways, and the slowest commands meanwhile."""
    database = server.fresh()
    store = RedisStore(server.url(database))
    bare: Any = redis.asyncio.Redis.from_url(server.url(database))
    order = json.dumps({"name": "dishbee #26", "note": "x" * (ORDER_BYTES - 40)})
    for first in range(0, ORDERS, WRITTEN_AT_ONCE):
        pipe = bare.pipeline(transaction=False)
        for number in range(first, first + WRITTEN_AT_ONCE):
            pipe.set(f"order:{number}", order, ex=604_800)
        await pipe.execute()
    naive: list[float] = []
    mirrored: list[float] = []
    slow: dict[str, dict[str, int]] = {}
    for _ in range(rounds):
        naive.append(await _timed(lambda: _keys_and_gets(bare)))
        await bare.config_set("slowlog-log-slower-than", SLOW_US)
        await bare.slowlog_reset()
        mirrored.append(await _timed(lambda: _mirror(store)))
        slow["mirror"] = await _slow(bare)
    viewed, view_naive, slow["view"] = await _view(server, rounds)
    await bare.aclose()
    await store.close()
    return {
        "orders": ORDERS,
        "KEYS and GETs s": summary(naive, 2),
        "mirror s": summary(mirrored, 2),
        "mirror faster by": ratios(naive, mirrored),
        "viewed": VIEWED,
        "view s": summary(viewed, 2),
        "view faster by": ratios(view_naive, viewed),
        "commands over 20 ms, longest us": slow,
    }


async def _slow(bare: Any) -> dict[str, int]:  # noqa: ANN401 - redis-py's client
    """Return the commands that held the server up for too long, each with its longest time in microseconds."""
    longest: dict[str, int] = {}
    for entry in await bare.slowlog_get():
        name = entry["command"].split()[0].decode()
        longest[name] = max(longest.get(name, 0), entry["duration"])
    return longest


async def _timed(work: Callable[[], Awaitable[int]]) -> float:
    begin = time.perf_counter()
    count = await work()
    taken = time.perf_counter() - begin
    if count not in {ORDERS, VIEWED}:
        raise AssertionError(f"{count} were restored")
    return taken


async def _keys_and_gets(bare: Any) -> int:  # noqa: ANN401 - redis-py's client
    """Do what the users' code does at its start."""
    orders = {}
    for key in await bare.keys("order:*"):
        orders[key] = json.loads(await bare.get(key))
    return len(orders)


async def _mirror(store: RedisStore) -> int:
    async with Mirror(store, "order", ttl=Fixed(days(7))) as orders:
        return len(orders)


async def _view(server: RedisServer, rounds: int) -> tuple[list[float], list[float], dict[str, int]]:
    """Return the times of the view, of KEYS and GETs on the same states, and how many commands were slow."""
    database = server.fresh()
    flow = Flow("dispatch", Order, start="new", state_key="order:{id}", forget_after=days(7))

    @flow.unknown
    async def nothing(_: object) -> None:
        """Let every message pass."""

    store = RedisStore(server.url(database))
    sample = await _sample_state(flow)
    for first in range(0, VIEWED, 500):
        await asyncio.gather(*(store.catalog.restore(_renamed(sample, number)) for number in range(first, first + 500)))
    bare: Any = redis.asyncio.Redis.from_url(server.url(database))
    viewed: list[float] = []
    naive: list[float] = []
    for _ in range(rounds):
        naive.append(await _timed(lambda: _keys_and_gets(bare)))
        await bare.config_set("slowlog-log-slower-than", SLOW_US)
        await bare.slowlog_reset()
        app = App(flow, store=store)
        view = app.view(flow)

        async def opened(view: Any = view) -> int:  # noqa: ANN401 - of any state
            await view.open()
            return len(view)

        viewed.append(await _timed(opened))
        await view.close()
    slow = await _slow(bare)
    await bare.aclose()
    await store.close()
    return viewed, naive, slow


async def _sample_state(flow: Flow[Order]) -> Exported:
    """Return one conversation as a store exports it, with a state of the right size."""
    app = App(flow, store="memory://")
    async with app.running():
        await app.handle("0", app.message("hello"))
        exported = await app.store.catalog.export(app.conversation("0"))
    if exported is None or exported.state is None:
        raise AssertionError("the sample has no state")
    state = json.loads(exported.state) | {"name": "dishbee #26", "note": "x" * (ORDER_BYTES - 200)}
    return _with(exported, state=msgspec.json.encode(state))


def _renamed(exported: Exported, number: int) -> Exported:
    conversation = ConversationId(
        flow=exported.conversation.flow,
        person=str(number),
        member="",
        state_key=exported.conversation.state_key.replace(":0", f":{number}"),
    )
    return _with(exported, conversation=conversation)


def _with(exported: Exported, **changes: Any) -> Exported:  # noqa: ANN401 - any member
    return replace(exported, **changes)
