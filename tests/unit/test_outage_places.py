"""A place for conversations on this machine is given up once, and removed only when nobody is left in it."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.outage_bench import ANA, Bench, heard
from turnkeeper.outage.carry.local import new_place, places_left_behind

pytestmark = pytest.mark.anyio

WITHIN = timedelta(seconds=20)

ROUNDS = 50
"""Each of them ended the process as often as not while two threads shared a connection of which one was closed."""


async def test_a_place_may_be_given_up_by_two_threads_at_once(tmp_path: Path) -> None:
    """Whoever closes is cancelled, its thread goes on, and the application that stops closes again."""
    for _ in range(ROUNDS):
        place = await new_place(tmp_path, owner="test")
        await asyncio.gather(*(asyncio.to_thread(place.give_up, is_empty=True) for _ in range(3)))

    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - everything has ended


async def test_a_place_with_conversations_is_left_to_the_next_process(tmp_path: Path) -> None:
    """It is let go of, also twice, and can be locked again where it is."""
    place = await new_place(tmp_path, owner="test")
    place.path.touch()
    before = await places_left_behind(tmp_path, owner="test")
    place.give_up(is_empty=False)
    place.give_up(is_empty=False)

    (found,) = await places_left_behind(tmp_path, owner="test")

    assert before == []
    assert found.path == place.path
    found.give_up(is_empty=True)


async def test_what_was_said_in_two_places_while_the_store_was_away_is_all_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A deploy in an outage: the new process hears a person before it can take over where the old one was with them."""
    caplog.set_level(logging.INFO, "turnkeeper.outage")
    bench = Bench(tmp_path)
    old, its_switch = bench.server("carry_on")
    new, switch = bench.server("carry_on")
    await old.start()
    await bench.away(old, its_switch)
    await old.handle(ANA, old.message("old", id="m1"), within=WITHIN)
    async with new.running():
        await bench.away(new, switch)
        await new.handle(ANA, new.message("new", id="m2"), within=WITHIN)
        await old.stop()
        await bench.until(lambda: "carrying_adopted" in caplog.text)
        await bench.back(new, switch)
        await bench.until(lambda: new.health().conflicts == 1)
        (conflict,), _ = await new.conflicts()

        assert await heard(new) == ["new"]
        assert b"old" in bytes(conflict.state)
