"""A place for conversations on this machine is given up once, however often and from wherever it is closed."""

import asyncio
from pathlib import Path

import pytest

from turnkeeper.outage.local import new_place, places_left_behind

pytestmark = pytest.mark.anyio

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
