"""What a server that was short of memory took: rebuilt where it can be, else told as lost by the turn that meets it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from msgspec.structs import replace

from tests.conformance.redis_servers import RedisServer
from tests.integration.notebook import flow
from tests.integration.redis_looks import STATE, Client, head
from turnkeeper.app import App
from turnkeeper.observe.masking import mask_person
from turnkeeper.stores.redis import RedisStore
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.scenario import HOUR, MS, Talk

pytestmark = pytest.mark.anyio

EVENTS = ("conversation_rebuilt", "state_lost")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a server of its own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def client(server: RedisServer) -> Iterator[Client]:
    """Look at the server from outside."""
    with server.client() as client:
        yield client


@pytest.fixture
async def talk(server: RedisServer) -> AsyncIterator[Talk]:
    """Return a conversation on a store that follows a clock of the test."""
    clock = ManualClock()
    store = RedisStore(server.url(), clock=clock)
    yield Talk(store, clock)
    await store.close()


@pytest.mark.parametrize(
    ("pattern", "event"),
    [("{*}:h:*", "conversation_rebuilt"), ("notebook:*", "state_lost")],
    ids=["head", "state"],
)
async def test_an_eviction_is_told_once(
    server: RedisServer, caplog: pytest.LogCaptureFixture, pattern: str, event: str
) -> None:
    """A conversation without its head knows its repetitions no more, one without its state nothing."""
    person = "+15551230001"
    app = App(flow, store=server.url())
    async with app.running():
        await app.handle(person, app.message("milk", channel="test"))
        with server.client() as client:
            (evicted,) = client.keys(pattern)
            client.delete(evicted)
        await app.handle(person, app.message("eggs", channel="test"))
        await app.handle(person, app.message("bread", channel="test"))
        facts = (await app.info()).facts

    told = [(record.message, record.__dict__["conversation"]) for record in caplog.records if record.message in EVENTS]
    assert told == [(event, mask_person(f"notebook:{person}"))]
    assert facts["heads_rebuilt"] == int(event == "conversation_rebuilt")


async def test_a_foreign_value_under_a_states_name_is_told_as_lost(talk: Talk, client: Client) -> None:
    """It is never taken for the state."""
    await talk.turn("m1")
    client.set(STATE, b'{"somebody":"else"}')

    grant = await talk.take("m2")

    assert (grant.lost, grant.state, grant.version) == (True, None, 1)


async def test_an_evicted_head_is_rebuilt_from_its_state(talk: Talk, client: Client) -> None:
    """The envelope knows the version, the status and the fence; the grant says that older repetitions are not seen."""
    draft = replace(talk.draft(await talk.take("m1")), state=b'{"a":1}', status="open", retain_ms=HOUR // MS)
    await talk.apply(draft)
    client.delete(head(client))

    grant = await talk.take("m2")

    assert (grant.lost, grant.rebuilt, grant.state, grant.version) == (False, True, b'{"a":1}', 1)
    assert grant.fence > draft.fence
    assert (await talk.store.catalog.info()).facts["heads_rebuilt"] == 1
    await talk.apply(replace(talk.draft(grant), status="open"))
    assert dict((await talk.store.catalog.counts(flow="shop")).statuses) == {"open": 1}
    assert len((await talk.store.catalog.find(flow="shop")).items) == 1


async def test_a_state_whose_time_was_over_is_not_brought_back(talk: Talk, client: Client) -> None:
    """Its key lives a minute longer than it; a head that is gone does not make it younger."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), retain_ms=HOUR // MS))
    client.delete(head(client))
    client.pexpire(STATE, 30_000)
    talk.clock.advance(HOUR)

    grant = await talk.take("m2")

    assert (grant.state, grant.version, grant.lost) == (None, 0, False)
    assert client.get(STATE) is None


async def test_a_log_that_begins_anew_has_a_time_to_live(talk: Talk, client: Client) -> None:
    """Its head thinks that it has one already."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), log=b"m1"))
    (log,) = client.keys("{*}:l:*")
    client.delete(log)

    await talk.apply(replace(talk.draft(await talk.take("m2")), log=b"m2"))

    assert client.pttl(log) > 0


async def test_head_and_state_evicted_are_told_as_lost(talk: Talk, client: Client) -> None:
    """The plan still names the conversation, long before its time."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), retain_ms=HOUR // MS))
    client.delete(head(client), STATE)

    grant = await talk.take("m2")

    assert (grant.lost, grant.state, grant.version) == (True, None, 0)
    await talk.apply(replace(talk.draft(grant), status="idle"))
    assert dict((await talk.store.catalog.counts(flow="shop")).statuses) == {"idle": 1}
    assert len(client.keys("{*}:status:*")) == 1
