"""A failover under load, seen from the conversations: what was acknowledged is there, or a whole turn is missing."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.conformance.redis_groups import RedisSentinelServers
from tests.integration.redis_load import SOON, connected
from turnkeeper.errors import TurnkeeperError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.turns import Begin, Commit, Committed, Duplicate, Granted, Incoming, Queued
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.connections.proving import Durability
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.testing.conformance.scenario import reply

pytestmark = pytest.mark.anyio

PEOPLE = [f"+1555{n:04d}" for n in range(8)]
LEASE_MS = 60_000


@pytest.fixture
def group(tmp_path: Path) -> Iterator[RedisSentinelServers]:
    """Return servers of which a test kills one."""
    group = RedisSentinelServers(tmp_path)
    yield group
    group.stop()


class Person:
    """One person who writes, a worker who counts, and what both were told."""

    def __init__(self, store: RedisStore, number: str) -> None:
        self.conversation = ConversationId(flow="shop", person=number)
        self.store = store
        self.accepted: list[int] = []
        self.committed: list[int] = []

    async def talk(self, over: asyncio.Event, errors: list[TurnkeeperError]) -> None:
        """Send numbered messages, each again until its turn is committed, as a provider and a worker do together."""
        number = 0
        while not over.is_set():
            number += 1
            attempt = 0
            while not over.is_set():
                attempt += 1
                try:
                    if await self.turn(number, attempt):
                        break
                except TurnkeeperError as exc:
                    errors.append(exc)
                    await asyncio.sleep(0.02)

    async def turn(self, number: int, attempt: int) -> bool:
        """Return whether the message is done with. The same token and commit id are sent again while it is not."""
        message = Incoming(id=f"m{number}", payload=str(number).encode())
        token = f"t{number}"
        begun = await self.store.turns.begin(
            Begin(conversation=self.conversation, token=token, lease_ms=LEASE_MS, message=message)
        )
        if isinstance(begun, Duplicate) and begun.done:
            self.committed.append(number)
            return True
        assert isinstance(begun, Granted | Queued | Duplicate), begun
        self.accepted.append(number)
        if not isinstance(begun, Granted):
            raise TurnkeeperError(f"{begun} in attempt {attempt}")
        seen = msgspec.json.decode(begun.state or b"[]", type=list[int])
        taken = [int(one.payload) for one in begun.messages]
        commit = Commit(
            conversation=self.conversation, token=token, fence=begun.fence, version=begun.version,
            generation=begun.generation, commit_id=f"c{number}", take=len(taken),
            state=msgspec.json.encode(seen + taken), log=str(taken).encode(), effects=(reply(f"r{number}"),),
            next=False,
        )  # fmt: skip
        answer = await self.store.turns.commit(commit)
        assert isinstance(answer, Committed), answer
        self.committed.append(number)
        return True


@pytest.mark.parametrize("durability", ["memory", "replica"])
async def test_a_failover_behind_the_replicas_backs(group: RedisSentinelServers, durability: Durability) -> None:
    """At `replica` no acknowledged message or turn is lost. At `memory` the last turns are: whole ones, and counted."""
    wire = open_wire(group.url(), durability=durability, proof_ms=100)
    store = RedisStore(group.url(), durability=durability, wire=wire)
    people = [Person(store, number) for number in PEOPLE]
    over, errors = asyncio.Event(), list[TurnkeeperError]()
    talking = [asyncio.create_task(person.talk(over, errors)) for person in people]
    await until(lambda: all(len(person.committed) >= 30 for person in people))
    old = group.primary()
    for server in group.replicas():
        server.pause()
    with old.client() as client:  # else the kernel keeps for them what they have not read yet
        client.execute_command("CLIENT KILL TYPE replica")
    goals = [len(person.committed) + 30 for person in people]
    await until(
        lambda: bool(errors) or all(len(person.committed) >= goal for person, goal in zip(people, goals, strict=True))
    )
    old.stop()
    over.set()
    await asyncio.gather(*talking)
    for server in group.servers:
        server.resume()
    await asyncio.to_thread(group.until_failed_over, old)
    await connected(wire)

    lost = 0
    for person in people:
        exported = await store.catalog.export(person.conversation)
        assert exported is not None
        applied = msgspec.json.decode(exported.state or b"[]", type=list[int])
        waiting = [int(one.payload) for one in exported.inbox]
        assert applied == list(range(1, len(applied) + 1))
        assert exported.version == len(await store.turns.history(person.conversation, limit=256)) == len(applied)
        lost += len(set(person.committed) - set(applied))
        lost += len(set(person.accepted) - set(applied) - set(waiting))
    info = await store.catalog.info()
    assert info.durability == durability
    assert info.facts["primary_changes"] == wire.primary_changes > 0
    assert info.loses
    assert lost == 0 if durability == "replica" else lost > 0
    await store.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(SOON):
        while not is_so():  # noqa: ASYNC110 - many tasks change it
            await asyncio.sleep(0.01)
