"""What the end of a conversation leaves behind in Redis: nothing, also when the server dropped its head before."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from tests.conformance.redis_servers import RedisServer
from tests.integration.redis_looks import STATE, Client, head
from turnkeeper.ports.deliveries import Verdict
from turnkeeper.ports.turns import Part
from turnkeeper.stores.redis import RedisStore
from turnkeeper.testing.conformance.scenario import DAY, HOUR, MS, SECOND, Talk, job, reply

pytestmark = pytest.mark.anyio


@pytest.fixture
async def elsewhere(server: RedisServer, database: int, talk: Talk) -> AsyncIterator[RedisStore]:
    """Return the same store as another process has it, which never heard of any status."""
    store = RedisStore(server.url(database), clock=talk.clock)
    yield store
    await store.close()


async def test_parts_are_known_as_long_as_they_are_kept(talk: Talk, client: Client) -> None:
    """The end of an earlier generation lets go of its parts after a while, and not of the list of the next one's."""
    part = Part(id="p", data=b"1")
    await talk.apply(replace(talk.draft(await talk.take("m1")), retain_ms=HOUR // MS, parts=(part,)))
    talk.clock.advance(2 * HOUR)

    await talk.apply(replace(talk.draft(await talk.take("m2")), parts=(replace(part, id="q"),)))

    (parts,) = client.keys("{*}:p:*")
    assert client.pttl(parts) == -1


async def test_an_end_that_nobody_saw_in_time_leaves_nothing(talk: Talk, client: Client, elsewhere: RedisStore) -> None:
    """The server dropped head and state on time, or short of memory: indexes, counters and parts go all the same."""
    draft = talk.draft(await talk.take("m1"))
    await talk.apply(replace(draft, retain_ms=HOUR // MS, parts=(Part(id="p", data=b"1"),)))
    client.delete(head(client), STATE)
    talk.clock.advance(52 * HOUR)

    await elsewhere.deliveries.due()

    assert dict((await elsewhere.catalog.counts(flow="shop")).statuses) == {}
    left = {key.split(b":")[1] for key in client.keys("{*}:*")}
    assert left <= {b"clock", b"flows", b"tick"}


async def test_an_end_that_is_late_does_not_count_twice(talk: Talk, client: Client, elsewhere: RedisStore) -> None:
    """Of two conversations of one status only the one that is gone is taken off."""
    for person in ("a", "b"):
        one = talk.other(person=person)
        await one.apply(replace(one.draft(await one.take("m1")), retain_ms=HOUR // MS if person == "a" else None))
    client.delete(*client.keys("{*}:h:shop:a"), "shop:a")
    talk.clock.advance(52 * HOUR)

    await elsewhere.deliveries.due()
    talk.clock.advance(52 * HOUR)
    await elsewhere.deliveries.due()

    assert dict((await elsewhere.catalog.counts(flow="shop")).statuses) == {"open": 1}


async def test_many_ends_are_worked_off(talk: Talk, client: Client) -> None:
    """One round a minute is enough while little ends; while more is left they follow each other."""
    for number in range(40):
        one = talk.other(member=f"m{number}")
        await one.apply(replace(one.draft(await one.take("m1")), retain_ms=HOUR // MS))
    talk.clock.advance(2 * HOUR)

    for _ in range(6):
        await talk.store.deliveries.due()
        talk.clock.advance(SECOND)

    assert client.keys("{*}:status:*") == []


async def test_what_was_forgotten_is_not_lost(talk: Talk, client: Client) -> None:
    """Its last reply was settled later, and then the server dropped the head."""
    await talk.turn("m1")
    await talk.apply(replace(talk.draft(await talk.take("m2"), reply("r")), forget=True))
    await talk.claimed()
    await talk.settle("r", Verdict.DONE)
    client.delete(head(client))

    assert not (await talk.take("m3")).lost


async def test_what_was_erased_is_not_lost(talk: Talk, client: Client, elsewhere: RedisStore) -> None:
    """Although its head was gone already: the indexes do not name it any more either."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), retain_ms=HOUR // MS))
    client.delete(head(client))

    await elsewhere.turns.forget(talk.conversation)

    assert dict((await talk.store.catalog.counts(flow="shop")).statuses) == {}
    assert client.keys("{*}:status:*") == []
    assert not (await talk.take("m3")).lost


async def test_a_loss_is_of_one_generation(talk: Talk, client: Client) -> None:
    """What begins anew after it was over has lost nothing."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), retain_ms=HOUR // MS))
    client.delete(head(client), STATE)
    grant = await talk.take("m2")
    await talk.apply(replace(talk.draft(grant), state=None, retain_ms=HOUR // MS))
    talk.clock.advance(2 * HOUR)

    again = await talk.take("m3")

    assert (grant.lost, again.lost) == (True, False)


async def test_what_began_anew_is_lost_when_it_is_evicted(talk: Talk, client: Client, elsewhere: RedisStore) -> None:
    """The end of the generation before it is not taken for its own: it is told, and its status counts no more."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), retain_ms=HOUR // MS))
    talk.clock.advance(2 * HOUR)
    await talk.apply(replace(talk.draft(await talk.take("m2")), retain_ms=30 * DAY // MS))
    client.delete(head(client), STATE)

    assert (await talk.take("m3")).lost
    client.delete(head(client))
    talk.clock.advance(31 * DAY)
    await elsewhere.deliveries.due()
    assert dict((await elsewhere.catalog.counts(flow="shop")).statuses) == {}


async def test_a_lane_of_thousands_is_erased(talk: Talk) -> None:
    """However many there are: a step goes on where the one before it stopped."""
    for turn in range(90):
        grant = await talk.take(f"m{turn}")
        await talk.apply(talk.draft(grant, *(job(f"j{turn}:{number}") for number in range(64))))

    async with asyncio.timeout(60):  # what went round in circles would never end
        gone = await talk.store.turns.forget(talk.conversation)

    assert gone.deliveries == 90 * 64
    assert (await talk.store.deliveries.due()).items == ()


async def test_a_log_without_its_head_grows_old_as_before(talk: Talk, client: Client) -> None:
    """Its entries are kept as long as the last commit asked for: the log's own time tells how long that was."""
    draft = replace(talk.draft(await talk.take("m1")), log=b"m1", retain_ms=HOUR // MS, log_keep_ms=30 * DAY // MS)
    await talk.apply(draft)
    talk.clock.advance(20 * DAY)
    draft = talk.draft(await talk.take("m2"))
    await talk.apply(replace(draft, log=b"m2", retain_ms=HOUR // MS, log_keep_ms=30 * DAY // MS))
    for _ in range(3):
        talk.clock.advance(5 * DAY)
        await talk.store.deliveries.due()
    (log,) = client.keys("{*}:l:*")
    client.pexpire(log, 15 * DAY // MS)  # as it is by now on the clock of the test

    assert client.keys("{*}:h:*") == []
    assert [record.data for record in await talk.history()] == [b"m2"]


async def test_a_persons_index_ends_with_the_log(talk: Talk, client: Client) -> None:
    """It names a conversation for as long as there is anything to erase, and not for ever."""
    member = talk.other(member="ana")
    draft = member.draft(await member.take("m1"))
    await member.apply(replace(draft, log=b"m1", retain_ms=HOUR // MS, log_keep_ms=30 * DAY // MS))
    for _ in range(3):
        talk.clock.advance(5 * DAY)
        await talk.store.deliveries.due()
    (log,) = client.keys("{*}:l:*")
    named = client.keys("{*}:w:*")
    client.delete(log)  # its time to live is over
    talk.clock.advance(16 * DAY)
    await talk.store.deliveries.due()

    assert len(named) == 1
    left = {key.split(b":")[1] for key in client.keys("{*}:*")}
    assert left <= {b"clock", b"flows", b"tick"}


async def test_silence_reaches_a_conversation_with_a_state_key(talk: Talk, client: Client) -> None:
    """Under its own name: what was due leaves the index, and its state gets the time to live that it now has."""
    other = talk.other()
    other.conversation = replace(other.conversation, state_key="order:17")
    await other.apply(replace(other.draft(await other.take("m1"), job("j")), retain_ms=HOUR // MS))
    stop = talk.other(member="ana")
    draft = stop.draft(await stop.take("stop"))

    await stop.apply(replace(draft, cancel_all=True, opt_out=True))

    assert (await talk.store.deliveries.due()).items == ()
    assert client.pttl("order:17") > 0
