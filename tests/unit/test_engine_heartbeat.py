"""The heartbeat keeps what is held, and lets go of what will never end."""

import asyncio
import time
from datetime import timedelta

import pytest

from tests.unit.echo_program import WHO
from turnkeeper.engine.heartbeat import Heartbeat, Held
from turnkeeper.ports.turns import Begin, Granted, Idle, Incoming
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=15)


def begin(token: str, message: Incoming | None = None) -> Begin:
    """Return a worker's wish for the lease."""
    return Begin(conversation=WHO, token=token, lease_ms=LEASE // timedelta(milliseconds=1), message=message)


@pytest.mark.parametrize(("stint", "taken_over"), [(timedelta(hours=1), Idle), (timedelta(0), Granted)])
async def test_a_turn_past_its_hard_deadline_is_renewed_no_more(stint: timedelta, taken_over: type) -> None:
    """A handler that never comes back keeps its conversation for one lease longer, and not for ever."""
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    heartbeat = Heartbeat(store, lease=LEASE, every=LEASE / 3, enabled=False)
    await store.turns.begin(begin("hung", Incoming(id="m1", payload=b"m1")))
    held = Held(conversation=WHO, token="hung", timeout=stint)
    heartbeat.add(held)

    for _ in range(4):
        clock.advance(LEASE / 2)
        held.beat_at = time.monotonic() - LEASE.total_seconds()
        await heartbeat.beat()

    assert type(await store.turns.begin(begin("next"))) is taken_over


@pytest.mark.parametrize("computing", [True, False])
async def test_a_handler_whose_lease_was_lost_is_cancelled(*, computing: bool) -> None:
    """What it still computed could not be committed. A commit under way is left alone: its answer may be on its way."""
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    heartbeat = Heartbeat(store, lease=LEASE, every=LEASE / 3, enabled=False)
    await store.turns.begin(begin("slow", Incoming(id="m1", payload=b"m1")))
    clock.advance(LEASE)
    assert isinstance(await store.turns.begin(begin("other")), Granted)
    task = asyncio.create_task(asyncio.Event().wait())
    held = Held(conversation=WHO, token="slow", timeout=timedelta(hours=1), task=task)
    held.computing = computing
    held.beat_at = time.monotonic() - LEASE.total_seconds()
    heartbeat.add(held)

    await heartbeat.beat()
    for _ in range(3):  # the heart is another thread's: it leaves word, the loop cancels, the task ends
        await asyncio.sleep(0)

    assert held.lost
    assert task.cancelled() is computing
    task.cancel()
