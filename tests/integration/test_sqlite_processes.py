"""Several processes on one file: nobody loses anything, and nobody waits for a process that is gone."""

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.integration.sqlite_child import PEOPLE, TURNS, conversation, send
from turnkeeper.ports.turns import Begin, Incoming
from turnkeeper.stores.sqlite import SqliteStore

pytestmark = pytest.mark.anyio

CHILD = Path(__file__).with_name("sqlite_child.py")


def start(command: str, path: Path, *rest: str) -> subprocess.Popen[str]:
    """Start another process on the file."""
    return subprocess.Popen([sys.executable, str(CHILD), command, str(path), *rest], stdout=subprocess.PIPE, text=True)


def read_line(child: subprocess.Popen[str]) -> str:
    """Return the next line that the child writes."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


async def applied(store: SqliteStore, person: str) -> list[str]:
    """Return the messages that a person's turns applied, in order."""
    exported = await store.catalog.export(conversation(person))
    assert exported is not None
    return msgspec.json.decode(exported.state or b"[]", type=list[str])


async def test_processes_share_a_file(tmp_path: Path) -> None:
    """Two processes write to the same four conversations: every message is applied once, in each sender's order."""
    path = tmp_path / "shared.db"

    with start("share", path, "a") as one, start("share", path, "b") as other:
        codes = [await asyncio.to_thread(child.wait) for child in (one, other)]

    assert codes == [0, 0]
    store = SqliteStore(path)
    for person in PEOPLE:
        ids = await applied(store, person)
        assert len(ids) == 2 * TURNS
        for name in ("a", "b"):
            assert [one for one in ids if one.startswith(name)] == [f"{name}-{number}" for number in range(TURNS)]
    await store.close()


async def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    """Kill -9 in the middle of writing: what was answered is there, and the file can be used at once."""
    path = tmp_path / "killed.db"
    with start("write", path) as child:
        acknowledged = [read_line(child).split() for _ in range(200)]
        child.kill()
        rest, _ = child.communicate()

    acknowledged += [line.split() for line in rest.splitlines() if line.count(" m") == 1]
    store = SqliteStore(path)
    kept = {person: await applied(store, person) for person in PEOPLE}
    await store.close()
    assert all(message_id in kept[person] for person, message_id in acknowledged)
    assert all(ids == [f"m{number}" for number in range(len(ids))] for ids in kept.values())


async def test_a_commit_of_another_process_wakes_who_waits(tmp_path: Path) -> None:
    """Whoever waits for something due hears of it within the polling interval, not at the end of the wait."""
    path = tmp_path / "woken.db"
    store = SqliteStore(path)
    message = Incoming(id="m1", payload=b"hello")
    request = Begin(conversation=conversation("ana"), token="t", lease_ms=1000, message=message, run=False)

    with start("wait", path) as child:
        assert await asyncio.to_thread(read_line, child) == "waiting"
        await store.turns.begin(request)
        count, _, seconds = (await asyncio.to_thread(read_line, child)).split()

    assert child.returncode == 0
    assert int(count) == 1
    assert float(seconds) < 30
    await store.close()


async def test_a_forgotten_close_neither_hangs_nor_loses(tmp_path: Path) -> None:
    """The process ends by itself, and what was acknowledged is there."""
    path = tmp_path / "forgotten.db"

    with start("forget-to-close", path) as child:
        code = await asyncio.to_thread(child.wait, 30)

    store = SqliteStore(path)
    assert code == 0
    assert await applied(store, "ana") == ["m1"]
    await store.close()


async def test_a_forked_child_opens_the_file_for_itself(tmp_path: Path) -> None:
    """A store object that was used before the fork works in both processes."""
    path = tmp_path / "forked.db"

    with start("fork", path) as child:
        code = await asyncio.to_thread(child.wait, 30)

    store = SqliteStore(path)
    assert code == 0
    assert await applied(store, "ana") == ["before", "child", "parent"]
    await store.close()


async def test_two_stores_of_one_process_share_a_file(tmp_path: Path) -> None:
    """Each sees at once what the other committed."""
    one, other = SqliteStore(tmp_path / "shared.db"), SqliteStore(tmp_path / "shared.db")

    await send(one, "ana", "m1")
    await send(other, "ana", "m2")
    await send(one, "ana", "m3")

    assert await applied(other, "ana") == ["m1", "m2", "m3"]
    await one.close()
    await other.close()
