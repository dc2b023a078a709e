"""What only the Redis store promises: round trips, stages, times to live, a full server, a server that is not ours."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import cast

import hiredis
import pytest
from msgspec.structs import replace

from tests.conformance.redis_servers import RedisServer
from tests.integration.redis_looks import LARGE, STATE, Client, head
from turnkeeper.errors import StoreFullError
from turnkeeper.ports.clock import SystemClock
from turnkeeper.ports.deliveries import Verdict
from turnkeeper.ports.documents import DocumentKey, part_key
from turnkeeper.ports.turns import Committed, Duplicate, Fenced, Part
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.committing import GIVEN_BYTES
from turnkeeper.stores.redis.connections.line import Dial
from turnkeeper.stores.redis.connections.proving import MEMORY, Proof
from turnkeeper.stores.redis.connections.server import Primaries
from turnkeeper.stores.redis.deployments.single import SingleConnectionWire
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply
from turnkeeper.stores.redis.layout.compressing import COMPRESS_ABOVE_BYTES
from turnkeeper.stores.redis.layout.envelope import seal, unseal
from turnkeeper.stores.redis.layout.keys import SLOTS, slot, tags
from turnkeeper.stores.redis.scripts import digest
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.scenario import (
    DAY,
    HOUR,
    LEASE_MS,
    MS,
    SECOND,
    Talk,
    job,
    reply,
    timer,
    while_time_passes,
)

pytestmark = pytest.mark.anyio


class CountingWire(SingleConnectionWire):
    """The plain wire, with a record of every batch; what a test says is lost on the way."""

    def __init__(self, dial: Dial, *, url: str, primaries: Primaries, proof: Proof = MEMORY) -> None:
        super().__init__(dial, url=url, primaries=primaries, proof=proof)
        self.batches: list[list[tuple[str | bytes | int, ...]]] = []
        self.replies: list[object] = []
        self.lose: list[str] = []

    async def send(self, commands: Sequence[Command], *, key: str, durable: bool = False) -> list[object]:
        """Send all but what is to be lost."""
        self.batches.append([unpacked(command) for command in commands])
        kept = [command for command in commands if command[0] not in self.lose]
        answers = await super().send(kept, key=key, durable=durable)
        self.replies += answers
        replies = iter(answers)
        lost = ErrorReply("OOM", "OOM lost by the test")
        return [lost if command[0] in self.lose else next(replies) for command in commands]


def unpacked(command: Command) -> tuple[str | bytes | int, ...]:
    """Return the words of a command; those of one that came packed are bytes, but for its name."""
    if not isinstance(command, bytes):
        return command
    reader = hiredis.Reader()
    reader.feed(command)
    name, *words = cast("list[bytes]", reader.gets())
    return (name.decode(), *words)


@pytest.fixture
def wire(server: RedisServer, database: int) -> CountingWire:
    """Return the wire of the store under test."""
    return CountingWire.to(server.url(database))


@pytest.fixture
async def talk(server: RedisServer, database: int, wire: CountingWire) -> AsyncIterator[Talk]:
    """Return a conversation on a store that follows a clock of the test."""
    clock = ManualClock()
    store = RedisStore(server.url(database), clock=clock, wire=wire)
    yield Talk(store, clock)
    await store.close()


def stages(client: Client) -> list[bytes]:
    """Return what is left of stages."""
    return list(client.keys("*stage*"))


@pytest.mark.parametrize("state", [b"{}", b'{"a":1}' * 300, LARGE], ids=["small", "2 KB", "64 KB"])
async def test_a_turn_is_two_round_trips(server: RedisServer, database: int, wire: CountingWire, state: bytes) -> None:
    """One to begin and one to commit, with deduplication, log, reply, retention and a large state; the last too."""
    store = RedisStore(server.url(database), wire=wire)
    talk = Talk(store, ManualClock())
    await talk.turn("warm")
    await talk.turn("up")

    for number in range(100):
        before = len(wire.batches)
        grant = await talk.take(f"m{number}")
        effects = (reply(f"r{number}"),)
        await talk.apply(
            replace(talk.draft(grant, *effects), state=state, log=b"entry", reply=b"ok", retain_ms=HOUR // MS)
        )
        assert len(wire.batches) - before == 2

    assert [command[0] for command in wire.batches[-2]] == ["EVALSHA", "GET"]
    staged = len(state) > GIVEN_BYTES
    assert [command[0] for command in wire.batches[-1]] == (["SET", "EVALSHA"] if staged else ["EVALSHA"])
    await store.close()


async def test_an_idle_worker_costs_one_round_trip_for_a_look(talk: Talk, wire: CountingWire) -> None:
    """Over all partitions together, and when it is time to forget what is over, too."""
    await talk.store.open()
    await talk.store.deliveries.due(flows=["shop", "dispatch"])
    before = len(wire.batches)

    await talk.store.deliveries.due(flows=["shop", "dispatch"])
    talk.clock.advance(HOUR)
    await talk.store.deliveries.due(flows=["shop", "dispatch"])

    assert len(wire.batches) - before == 2


async def test_a_wait_that_passes_costs_a_look_a_second(talk: Talk, wire: CountingWire) -> None:
    """A worker that waits a second again and again, and one that waits for long, ask equally often."""
    await talk.store.open()
    await talk.store.deliveries.due(flows=["shop"])
    before = len(wire.batches)

    for wait in (SECOND, SECOND, SECOND, 5 * SECOND):
        await while_time_passes(talk.clock, talk.store.deliveries.due(flows=["shop"], wait=wait))

    assert len(wire.batches) - before == 8


async def test_who_waits_while_much_is_committed_looks_a_hundred_times_a_second_at_most(
    talk: Talk, wire: CountingWire
) -> None:
    """However many commits hint that something may be due: a look asks every partition."""
    await talk.store.open()
    waiting = asyncio.ensure_future(talk.store.deliveries.due(flows=["shop"], wait=HOUR))
    await asyncio.sleep(0)
    began = time.monotonic()

    for number in range(50):
        await talk.turn(f"m{number}")

    looks = sum(is_look(batch) for batch in wire.batches)
    assert 1 <= looks <= 2 + 100 * (time.monotonic() - began)
    await talk.turn("m50", job("j"))
    assert (await waiting).items


def is_look(batch: Sequence[Sequence[object]]) -> bool:
    """Return whether a batch asks what is due."""
    return digest("due", movable=True) in {command[1] for command in batch if len(command) > 1}


async def test_production_sends_no_time(server: RedisServer, database: int, wire: CountingWire) -> None:
    """The server's clock is the only one: whatever looks like a time in a command came from the server before."""
    store = RedisStore(server.url(database), wire=wire)
    talk = Talk(store, ManualClock())
    await talk.turn("m1", reply("r1"), job("j1"))
    grant = await talk.take("m2")
    await talk.renew(grant)
    await talk.release(grant)
    await talk.claimed("j1")
    await talk.settle("j1", Verdict.RETRY, name="j1", wait_ms=1000)
    await store.deliveries.due()
    await store.documents.put(DocumentKey(collection="session", id="1"), b"1", ttl_ms=1000)
    sent = [argument for batch in wire.batches for command in batch for argument in command]

    now = SystemClock().now_ms()
    told = {number for reply in wire.replies for number in numbers(reply)}
    near = {n for n in numbers(sent) - told for unit in (1000, 1, 0.001) if abs(n * unit - now) < DAY // MS}
    assert near == set()
    assert not any(str(argument).endswith(":clock") for argument in sent)
    await store.close()


def numbers(value: object) -> set[int]:
    """Return every number that an argument or a reply is, or holds, as text or as MessagePack's large numbers."""
    if isinstance(value, int):
        return {value}
    if isinstance(value, list):
        return {number for one in value for number in numbers(one)}
    shown = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if shown.isascii() and shown.isdigit():
        return {int(shown)}
    packed = value if isinstance(value, bytes) else b""
    ends = [at + 1 for at, byte in enumerate(packed) if byte in {0xCE, 0xCF, 0xD2, 0xD3}]
    return {int.from_bytes(packed[at : at + size], "big") for at in ends for size in (4, 8)}


async def test_a_zombies_state_is_never_stored(talk: Talk, client: Client) -> None:
    """Its stage has its own name, and is unlinked with its answer."""
    loser = await talk.take("m1")
    talk.clock.advance(LEASE_MS * MS)
    winner = await talk.take()

    answer = await talk.commit(replace(talk.draft(loser), state=LARGE + b"zombie"))
    await talk.apply(replace(talk.draft(winner), state=LARGE))

    assert answer == Fenced()
    assert (await talk.take("m2")).state == LARGE
    assert stages(client) == []


async def test_a_conflict_and_a_repeat_leave_no_stage(talk: Talk, client: Client) -> None:
    """Nor does a repeat change the state that a later commit wrote."""
    draft = replace(talk.draft(await talk.take("m1")), state=LARGE)
    await talk.commit(replace(draft, version=7))
    await talk.apply(draft)

    assert await talk.apply(draft) == Committed(version=1, repeated=True)
    assert stages(client) == []
    assert client.pttl(STATE) == -1


async def test_a_lost_stage_is_sent_again_as_an_argument(talk: Talk, wire: CountingWire, client: Client) -> None:
    """A server that is full refuses the stage, not the commit: it takes one more round trip."""
    await talk.turn("m0")  # loads the scripts
    draft = replace(talk.draft(await talk.take("m1"), reply("r1")), state=LARGE)
    wire.lose = ["SET"]
    before = len(wire.batches)

    await talk.apply(draft)

    assert len(wire.batches) - before == 2
    wire.lose = []
    assert (await talk.take("m2")).state == LARGE
    assert stages(client) == []


async def test_a_part_that_finds_no_room_writes_nothing(talk: Talk, wire: CountingWire) -> None:
    """The commit is refused whole and may be repeated."""
    draft = replace(talk.draft(await talk.take("m1")), parts=(Part(id="p1", data=b"large"),))
    wire.lose = ["SET"]

    with pytest.raises(StoreFullError):
        await talk.commit(draft)
    wire.lose = []
    assert await talk.store.documents.get(part_key(talk.conversation, "p1")) is None
    assert await talk.apply(draft) == Committed(version=1)


async def test_every_index_is_empty_when_all_is_forgotten(talk: Talk, client: Client) -> None:
    """What is over leaves nothing behind but the clock, the names of flows, and counters."""
    for number in range(5):
        one = talk.other(person=f"p{number}")
        draft = one.draft(await one.take("m1"))
        await one.apply(replace(draft, retain_ms=HOUR // MS, parts=(Part(id="p", data=b"1"),)))
    for _ in range(6):
        talk.clock.advance(49 * HOUR)
        await talk.store.deliveries.due()

    left = {key.split(b":")[1] for key in client.keys("{*}:*")} - {b"clock", b"flows", b"tick"}

    assert left <= {b"h", b"stage"}, left


async def test_the_state_is_readable_json_under_its_own_name(talk: Talk, client: Client) -> None:
    """The envelope is its first member."""
    talk.conversation = replace(talk.conversation, state_key="order:17")
    grant = await talk.take("m1")
    await talk.apply(replace(talk.draft(grant), state=b'{"status":"open","items":[1]}'))

    value = client.get("order:17")

    assert value is not None
    assert value.startswith(b'{"turnkeeper":"')
    assert value.endswith(b'","status":"open","items":[1]}')


async def test_a_person_whose_state_has_a_name_of_its_own_is_erased_with_it(talk: Talk, client: Client) -> None:
    """Nothing is left that names the person or what was said, in no index either."""
    talk.conversation = replace(talk.conversation, state_key="order:17")
    await talk.turn("m1", reply("r1"), job("j1"))

    erased = await talk.store.turns.forget(talk.conversation, person=True)

    assert (erased.conversations, erased.deliveries) == (1, 2)
    kinds = {key.partition(b"}:")[2].partition(b":")[0] for key in client.keys("{*}:*")}
    assert kinds <= {b"clock", b"flows", b"tick", b"gone", b"end"}, kinds
    assert client.keys("*17*") == []


def test_a_state_of_any_size_stays_what_it_is() -> None:
    """Its envelope is around it, and nothing is compressed: `redis-cli` shows the JSON."""
    text = b'{"text":"' + b"a good dinner " * 500 + b'"}'
    for state in (b"", b"{}", b'{"a":1}', b"\x00\xff", text, LARGE, b"turnkeeper:-1"):
        value = seal(state, generation=1767603600000, version=3, fence=4, status="o.k", commit_id='a.b"\n')
        found = unseal(value)
        assert found is not None
        assert (found.state, found.generation, found.version, found.fence) == (state, 1767603600000, 3, 4)
        assert (found.status, found.commit_id) == ("o.k", 'a.b"\n')

    assert text[1:] in seal(text, generation=1, version=1, fence=1, status="open", commit_id="c")


@pytest.mark.parametrize("data", [b"x", b"good dinner " * 1000, LARGE, b"turnkeeper:z\nmine"])
async def test_large_parts_and_log_entries_are_compressed(talk: Talk, client: Client, data: bytes) -> None:
    """Above 4 KB, where it saves anything; they come back as they were, also on another store."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), log=data, parts=(Part(id="p1", data=data),)))

    document = await talk.store.documents.get(part_key(talk.conversation, "p1"))
    exported = await talk.store.catalog.export(talk.conversation)

    assert document is not None
    assert exported is not None
    assert document.data == exported.parts["p1"] == exported.log[-1].data == data
    assert (await talk.store.turns.history(talk.conversation))[0].data == data
    (key,) = client.keys("{*}:d:part:*")
    is_smaller = client.strlen(key) < len(data) / 4
    assert is_smaller == (len(data) > COMPRESS_ABOVE_BYTES and data != LARGE)
    await talk.store.turns.forget(talk.conversation)
    assert await talk.store.catalog.restore(exported)
    again = await talk.store.catalog.export(talk.conversation)
    assert again is not None
    assert (again.parts, again.log[-1].data) == ({"p1": data}, data)


async def test_an_opt_out_cancels_in_its_own_commit(talk: Talk, wire: CountingWire) -> None:
    """Here and in the person's other conversations of the flow; a turn that cannot commit cancels nothing."""
    other = talk.other(member="ana")
    for each in (talk, other):
        await each.turn("m1", job("j1"), timer("t1", name="t", due_ms=0))
    grant = await talk.take("stop")
    draft = replace(talk.draft(grant), cancel_all=True, opt_out=True)

    refused = await talk.commit(replace(draft, fence=draft.fence + 1))
    waits = (await talk.store.catalog.counts(flow="shop")).unsent
    before = len(wire.batches)
    await talk.apply(draft)

    assert (refused, waits) == (Fenced(), 2)
    counts = await talk.store.catalog.counts(flow="shop")
    assert (counts.unsent, counts.timers) == (0, 0)
    sent = [command[0] for batch in wire.batches[before : before + 2] for command in batch if command[0] != "HSET"]
    assert sent == ["ZRANGE", "EVALSHA"]


async def test_a_long_erasure_goes_in_several_steps(talk: Talk, wire: CountingWire) -> None:
    """Nobody waits for a lane of a thousand; all is counted, and nothing is left."""
    for turn in range(20):
        grant = await talk.take(f"m{turn}")
        await talk.apply(talk.draft(grant, *(job(f"j{turn}:{number}") for number in range(60))))
    before = len(wire.batches)

    gone = await talk.store.turns.forget(talk.conversation)

    assert gone.deliveries == 1200
    assert len(wire.batches) - before >= 3
    assert (await talk.store.deliveries.due()).items == ()
    assert await talk.store.catalog.export(talk.conversation) is None


async def test_parts_are_no_collection(talk: Talk) -> None:
    """They belong to their conversation: a scan lists none."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), parts=(Part(id="p1", data=b"1"),)))

    page = await talk.store.documents.scan("part")

    assert (page.items, page.cursor) == ((), None)


async def test_a_forgotten_state_is_not_lost_when_the_server_removed_it_on_time(talk: Talk, client: Client) -> None:
    """Its time was over: a new generation, as if the server had not been faster."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), retain_ms=HOUR // MS))
    talk.clock.advance(HOUR)
    client.delete(STATE)

    grant = await talk.take("m2")

    assert (grant.lost, grant.version) == (False, 0)
    assert await talk.begin("m1") == Duplicate(done=True)


async def test_a_repeat_writes_something_again(talk: Talk, client: Client) -> None:
    """Or who repeats on another connection would wait for replicas that have nothing to wait for."""
    grant = await talk.take("m1", token="t")
    draft = talk.draft(grant, reply("r1"))
    await talk.apply(draft)

    for repeat in (talk.commit(draft), talk.begin("m1")):
        tick = client.zscore(head(client).split(b"h:")[0] + b"tick", "t")
        await repeat
        assert client.zscore(head(client).split(b"h:")[0] + b"tick", "t") > tick


async def test_scripts_that_the_server_forgot_are_loaded_again(talk: Talk, client: Client) -> None:
    """At any moment, with a stage in the same batch."""
    for number in range(5):
        client.script_flush()
        grant = await talk.take(f"m{number}")
        client.script_flush()
        await talk.apply(replace(talk.draft(grant, reply(f"r{number}")), state=LARGE))

    assert (await talk.take("last")).version == 5


def test_partitions_spread_evenly() -> None:
    """Over any small number of equal nodes no node has more than one partition too many; no two share a slot."""
    for count in (16, 64):
        slots = [slot(tag.encode()) for tag in tags(count)]
        assert len(set(slots)) == count
        for nodes in (1, 2, 3, 4, 5, 6, 8):
            shares = [sum(each * nodes // SLOTS == node for each in slots) for node in range(nodes)]
            assert max(shares) - min(shares) <= 1

    assert slot(b"123456789") == 0x31C3
