"""What Redis keeps of a conversation that was brought in: as long as of any other, and no longer."""

import pytest
from msgspec.structs import replace

from tests.integration.redis_looks import STATE, Client, head
from turnkeeper.testing.conformance.scenario import DAY, HOUR, MS, Talk, job

pytestmark = pytest.mark.anyio


async def move(talk: Talk) -> None:
    """Take it out, and bring it in again."""
    exported = await talk.store.catalog.export(talk.conversation)
    assert exported is not None
    await talk.store.turns.forget(talk.conversation, mark=exported.mark)
    assert await talk.store.catalog.restore(exported)


async def test_it_ends_by_itself_when_it_is_quiet(talk: Talk, client: Client) -> None:
    """Also if nobody ever comes back to it: every key of it has a time to live."""
    draft = talk.draft(await talk.take("m1"))
    await talk.apply(replace(draft, retain_ms=HOUR // MS, reply=b"r", log=b"m1", log_keep_ms=30 * DAY // MS))

    await move(talk)

    lives = client.pttl(STATE)
    assert 0 <= lives - HOUR // MS <= 60_000
    assert abs(client.pttl(head(client)) - lives - 48 * HOUR // MS) < 1000
    assert {key: client.pttl(key) for key in client.keys("{*}:[ralhi]:*") if client.pttl(key) < 0} == {}


@pytest.mark.parametrize("what", ["waiting", "unsent", "for ever"])
async def test_nothing_in_flight_has_a_time_to_live(talk: Talk, client: Client, what: str) -> None:
    """Nor a state that is kept for ever; its receipts stay as well."""
    draft = talk.draft(await talk.take("m1"), *([job("j")] if what == "unsent" else ()))
    await talk.apply(replace(draft, retain_ms=None if what == "for ever" else HOUR // MS))
    if what == "waiting":
        await talk.post("m2")

    await move(talk)

    assert {key: client.pttl(key) for key in [STATE, *client.keys("{*}:[rhio]:*")] if client.pttl(key) != -1} == {}


async def test_its_receipts_last_when_it_goes_on(talk: Talk, client: Client) -> None:
    """What it was to live while it was quiet is taken back with the next message."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), retain_ms=HOUR // MS))
    await move(talk)

    await talk.take("m2")

    assert {key: client.pttl(key) for key in [STATE, *client.keys("{*}:[rhi]:*")] if client.pttl(key) != -1} == {}
