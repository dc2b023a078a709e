"""A user with exactly the documented rights can do everything, and each right that is missing is told."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import turnkeeper.stores.redis
from tests.conformance.redis_servers import RedisServer
from tests.integration.notebook import flow
from turnkeeper import App, Struct, SystemClock, hours, seconds
from turnkeeper.documents import Cache, Fixed, Mirror
from turnkeeper.errors import StoreUnreadableError
from turnkeeper.operations.migration import Plan, migrate
from turnkeeper.outage.breaker import Breaker
from turnkeeper.outage.guarded import GuardedStore
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.differential import compare
from turnkeeper.testing.conformance.scenario import Talk, job, reply
from turnkeeper.web.asgi import build

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "redis-acl.md"

PATTERNS = ("~shop:*", "~dispatch:*", "~session:*", "~cache:*", "~customer:*", "~customer.*", "~order:*", "~notebook:*")
"""Of the flows and collections that the stories of this test use."""


class Customer(Struct):
    """What a cache of this test holds."""

    name: str


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a server of its own: users belong to a server."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


def documented() -> list[str]:
    """Return what the page tells people to type, from the password on."""
    (line,) = re.findall(r"^ACL SETUSER turnkeeper (.*)$", PAGE.read_text(), re.MULTILINE)
    return str(line).split()


def make_user(server: RedisServer, *more: str) -> str:
    """Make the documented user, with further rules; return the URL."""
    with server.client() as client:
        version = tuple(int(part) for part in client.info("server")["redis_version"].split(".")[:2])
        rules = documented()
        if version < (7, 0):
            rules = [rule.partition("|")[0] for rule in rules]
        if version < (7, 2):
            rules = [rule for rule in rules if rule != "+waitaof"]
        client.execute_command("ACL", "SETUSER", "turnkeeper", "reset", *rules, *PATTERNS, *more)
    return f"unix://turnkeeper:a-long-password@{server.socket}?db=1"


@pytest.mark.parametrize("seed", range(4))
async def test_the_documented_rights_are_enough(server: RedisServer, seed: int) -> None:
    """Long stories over all four ports answer as with every right."""
    clock = ManualClock()
    store = RedisStore(make_user(server), clock=clock)
    try:
        await compare(MemoryStore(clock=clock), store, clock, seed=seed, length=250)
    finally:
        await store.close()


async def test_the_documented_rights_are_enough_to_restore_a_mirror(server: RedisServer) -> None:
    """On the server's own clock, where documents are read another way than in the stories."""
    store = RedisStore(make_user(server))
    async with Mirror(store, "order", ttl=Fixed(hours(1))) as orders:
        orders["1"] = {"name": "a"}
    async with Mirror(store, "order", ttl=Fixed(hours(1))) as orders:
        assert orders.health.status == "ok"
        assert dict(orders) == {"1": {"name": "a"}}
    await store.close()


async def test_the_documented_rights_are_enough_for_a_cache(server: RedisServer) -> None:
    """With what it keeps beside the values: who loads one now, and its groups."""
    store = RedisStore(make_user(server))
    customers = Cache(store, "customer", Customer, ttl=Fixed(hours(1)))

    async def load(name: str) -> Customer:
        return Customer(name=name)

    await customers.put("8", Customer(name="Bo"), groups=("vip",))
    loaded = await customers.get_or_load("7", load)
    await customers.invalidate_group("vip")
    forgotten = await customers.get("8")
    await store.close()

    assert (loaded, forgotten) == (Customer(name="7"), None)


async def test_the_documented_rights_are_enough_for_health(server: RedisServer) -> None:
    """A load balancer must not take a server out that could take messages."""
    app = App(flow, store=make_user(server))
    async with app.running():
        transport = httpx.ASGITransport(build(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
            answers = [await client.get(path) for path in ("/health", "/health/redis")]

    assert [answer.json()["status"] for answer in answers] == ["ok", "ok"]


async def test_the_documented_rights_are_enough_to_notice_the_end_of_an_outage(server: RedisServer) -> None:
    """Else whoever was away for a moment would be away for ever."""
    store, clock = RedisStore(make_user(server)), SystemClock()
    breaker = Breaker(clock=clock, failures=5, first_wait=seconds(1), longest_wait=seconds(1))
    guarded = GuardedStore(store, breaker, clock=clock)

    await guarded.prove()
    await store.close()


async def test_the_documented_rights_are_enough_to_move_there_and_away(server: RedisServer) -> None:
    """The way to least rights leads over them."""
    clock = SystemClock()
    here, there = RedisStore(make_user(server)), RedisStore(make_user(server).replace("db=1", "db=2"))
    await Talk(here, ManualClock()).turn("m1", reply("r1"), job("j1"))

    report = await migrate(here, there, Plan(), clock=clock)
    back = await migrate(there, here, Plan(), clock=clock)
    await here.close()
    await there.close()

    assert (report.conversations, back.conversations) == (1, 1)


async def test_no_documented_right_is_more_than_is_used() -> None:
    """Each command of the list stands in a script or in a command that the store sends."""
    folder = Path(turnkeeper.stores.redis.__file__).parent
    text = "\n".join(path.read_text() for path in sorted(folder.rglob("*")) if path.suffix in {".py", ".lua"})
    sent = {word.lower() for word in re.findall(r"""["']([A-Z]{2,})["']""", text)}
    # What redis-py sends when it connects, and what people and proxies look with.
    sent |= {"select", "ping"}

    rights = {rule[1:].partition("|")[0] for rule in documented() if rule.startswith("+")}
    assert rights - sent == set()


@pytest.mark.parametrize("command", ["evalsha", "script", "info"])
async def test_a_right_that_is_missing_at_the_start_is_named(server: RedisServer, command: str) -> None:
    """Nothing is written, and repeating changes nothing."""
    store = RedisStore(make_user(server, f"-{command}"))
    with pytest.raises(StoreUnreadableError, match=f"(?i){command}"):
        await Talk(store, ManualClock()).turn("m1")
    await store.close()


@pytest.mark.parametrize("command", ["rpush", "get", "zadd"])
async def test_a_right_that_is_missing_inside_a_script_is_told(server: RedisServer, command: str) -> None:
    """As what it is, not as an outcome that nobody knows."""
    store = RedisStore(make_user(server, f"-{command}"))
    with pytest.raises(StoreUnreadableError, match="does not allow this"):
        await Talk(store, ManualClock()).turn("m1")
    await store.close()


async def test_keys_that_the_user_may_not_touch_are_told(server: RedisServer) -> None:
    """As what they are: rights, not an outage."""
    store = RedisStore(make_user(server, "resetkeys", "~other:*"))
    with pytest.raises(StoreUnreadableError, match="does not allow this"):
        await store.open()
    await store.close()


async def test_a_wrong_password_is_told_without_showing_it(server: RedisServer) -> None:
    """With how to write a right one."""
    url = make_user(server).replace("a-long-password", "s3cret")
    with pytest.raises(StoreUnreadableError, match="refused the user or password") as caught:
        await open_wire(url).open()
    assert "s3cret" not in str(caught.value)
