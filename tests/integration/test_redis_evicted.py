"""What a server that was short of memory took is told by the turn that meets it: events with ids, and never a text."""

from collections.abc import Iterator

import pytest

from tests.conformance.redis_servers import RedisServer
from tests.integration.notebook import flow
from turnkeeper.app import App
from turnkeeper.observe.masking import mask_person

pytestmark = pytest.mark.anyio

EVENTS = ("conversation_rebuilt", "state_lost")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a server of its own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


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
