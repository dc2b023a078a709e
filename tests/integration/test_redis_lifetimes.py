"""Times to live in Redis: only what is at rest has one, so that no eviction takes what is in flight."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.integration.redis_looks import LARGE, STATE, Client, head
from turnkeeper.ports.deliveries import Verdict
from turnkeeper.ports.turns import Part
from turnkeeper.testing.conformance.scenario import DAY, HOUR, MS, SECOND, Talk, job, reply, timer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("state", [b"small", LARGE], ids=["given", "staged"])
async def test_a_state_kept_for_ever_has_no_time_to_live(talk: Talk, client: Client, state: bytes) -> None:
    """Whichever way it came, and whatever it had before: a stage's own day does not stick to it."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), state=state, retain_ms=HOUR // MS))
    await talk.apply(replace(talk.draft(await talk.take("m2")), state=state))

    assert (client.pttl(STATE), client.pttl(head(client))) == (-1, -1)


@pytest.mark.parametrize("state", [b"small", LARGE], ids=["given", "staged"])
async def test_a_quiet_conversation_ends_by_itself(talk: Talk, client: Client, state: bytes) -> None:
    """State and head get a time to live; the head outlives the state by the dedup window."""
    await talk.apply(replace(talk.draft(await talk.take("m1")), state=state, retain_ms=HOUR // MS))

    lives = client.pttl(STATE)

    assert 0 <= lives - HOUR // MS <= 60_000
    assert abs(client.pttl(head(client)) - lives - 48 * HOUR // MS) < 1000


@pytest.mark.parametrize("what", ["waiting", "running", "reply", "job", "timer", "claimed"])
@pytest.mark.parametrize("state", [b"small", LARGE], ids=["given", "staged"])
async def test_nothing_in_flight_has_a_time_to_live(talk: Talk, client: Client, what: str, state: bytes) -> None:
    """So that no eviction takes it; once it is settled the time counts."""
    effects = {"reply": reply("e"), "job": job("e"), "claimed": job("e"), "timer": timer("e", name="t", due_ms=0)}
    grant = await talk.take("m1")
    draft = talk.draft(grant, *(effect for name, effect in effects.items() if name == what))
    await talk.apply(replace(draft, state=state, retain_ms=HOUR // MS))
    if what == "waiting":
        await talk.post("m2")
    if what == "running":
        await talk.take("m2")
    if what == "claimed":
        await talk.claimed("e")

    lives = {key: client.pttl(key) for key in client.keys("*")}

    assert {key for key, ttl in lives.items() if ttl != -1} <= {key for key in lives if b":l:" in key}
    if what in effects:
        lane = "" if what == "reply" else "e"
        await talk.claimed(lane)
        await talk.settle("e", Verdict.DONE, name=lane)
        assert 0 < client.pttl(STATE) <= (HOUR + timedelta(minutes=1)) // MS


async def test_receipts_beside_the_head_live_as_long_as_they_count(talk: Talk, client: Client) -> None:
    """They outlive the state by their window; while anything is in flight they have no end."""
    for number in range(60):
        await talk.apply(replace(talk.draft(await talk.take(f"m{number}")), retain_ms=SECOND // MS))
    (key,) = client.keys("{*}:r:*")
    window_ms = 48 * HOUR // MS

    quiet = client.pttl(key)
    await talk.post("waits")
    waiting = client.pttl(key)

    assert window_ms - 10_000 <= quiet <= 2 * window_ms
    assert waiting == -1


async def test_a_log_has_the_time_to_live_of_its_newest_entry(talk: Talk, client: Client) -> None:
    """No less, or entries would be gone before their time; and not much more."""
    for name in ("m1", "m2"):
        draft = replace(talk.draft(await talk.take(name)), log=b"entry", log_keep_ms=30 * DAY // MS)
        await talk.apply(draft)
        talk.clock.advance(DAY / 100)

    (key,) = client.keys("{*}:l:*")

    assert 30 * DAY // MS < client.pttl(key) < 31 * DAY // MS


async def test_a_retired_part_ends_by_itself(talk: Talk, client: Client) -> None:
    """Nobody has to come and remove it; one that was adopted again has no end."""
    part = Part(id="p", data=b"large")
    await talk.apply(replace(talk.draft(await talk.take("m1")), parts=(part,)))
    kept = {key: client.pttl(key) for key in client.keys("*") if client.pttl(key) == -1}

    await talk.apply(replace(talk.draft(await talk.take("m2")), retired=("p",)))
    retired = {key: client.pttl(key) for key in kept if client.pttl(key) > 0}
    await talk.apply(replace(talk.draft(await talk.take("m3")), adopted=("p",)))

    assert len(retired) == 2  # the value, and what is known of it
    assert all(abs(lives - 48 * HOUR // MS) < 10_000 for lives in retired.values())
    assert all(client.pttl(key) == -1 for key in retired)
