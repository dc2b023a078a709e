"""A full disk: new messages are refused and nothing is half written; it works again when there is room."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.sqlite_child import conversation, send
from turnkeeper.errors import StoreFullError
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.turns import Begin, Commit, Committed, Granted, Incoming
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.stores.sqlite.file import disk

pytestmark = pytest.mark.anyio

ANA = conversation("ana")


def begin(message_id: str, *, payload: bytes = b"hello") -> Begin:
    """Return a request for a turn of Ana."""
    message = Incoming(id=message_id, payload=payload)
    return Begin(conversation=ANA, token=message_id, lease_ms=15_000, message=message)


def commit(granted: Granted) -> Commit:
    """Return a commit of Ana's turn."""
    return Commit(
        conversation=ANA,
        token=granted.token,
        fence=granted.fence,
        version=granted.version,
        generation=granted.generation,
        commit_id=granted.token,
        take=1,
        state=b"state",
    )


async def limit_pages(store: SqliteStore, pages: int) -> None:
    """Let the database grow to so many pages and no further, as a full disk would."""
    medium = store._medium  # noqa: SLF001 - SQLite's limit belongs to the connection that writes
    await medium.write(lambda transaction: transaction.execute(f"PRAGMA max_page_count = {pages}").fetchone())


async def test_a_full_database_refuses_and_recovers(tmp_path: Path) -> None:
    """What does not fit is not written at all; small things still fit; with room everything works again."""
    store = SqliteStore(tmp_path / "full.db")
    await send(store, "ana", "m1")
    await limit_pages(store, 40)
    key = DocumentKey(collection="c", id="large")

    with pytest.raises(StoreFullError, match="no room"):
        await store.documents.put(key, bytes(1_000_000))

    assert await store.documents.get(key) is None
    await send(store, "ana", "m2")
    await limit_pages(store, 1_000_000)
    assert await store.documents.put(key, bytes(1_000_000)) is not None
    await store.close()


async def test_one_that_does_not_fit_leaves_room_for_its_group(tmp_path: Path) -> None:
    """The others of its commit are small enough, and are committed."""
    store = SqliteStore(tmp_path / "full.db")
    await store.open()
    await limit_pages(store, 60)
    keys = [DocumentKey(collection="c", id=str(number)) for number in range(3)]

    sizes = (10, 900_000, 10)

    puts = [store.documents.put(key, bytes(size)) for key, size in zip(keys, sizes, strict=True)]
    answers = await asyncio.gather(*puts, return_exceptions=True)

    assert [type(answer) for answer in answers] == [str, StoreFullError, str]
    await store.close()


async def test_below_the_reserve_only_turns_under_way_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing new is accepted while what was accepted is committed: a full store drains."""
    store = SqliteStore(tmp_path / "short.db")
    granted = await store.turns.begin(begin("m1"))
    assert isinstance(granted, Granted)
    monkeypatch.setattr(disk, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(disk, "RESERVE_BYTES", 1 << 62)

    with pytest.raises(StoreFullError, match="nearly full"):
        await store.turns.begin(begin("m2"))
    with pytest.raises(StoreFullError, match="nearly full"):
        await store.documents.put(DocumentKey(collection="c", id="d"), b"x")
    duplicate = await store.turns.begin(begin("m1"))
    committed = await store.turns.commit(commit(granted))

    assert isinstance(duplicate, Granted)
    assert committed == Committed(version=1)
    monkeypatch.setattr(disk, "RESERVE_BYTES", 0)
    assert isinstance(await store.turns.begin(begin("m3")), Granted)
    await store.close()


REFUSED_BY_THE_FILE_SYSTEM = """
import asyncio, resource, sys
from tests.integration.sqlite_child import send
from turnkeeper.errors import StoreFullError
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.stores.sqlite import SqliteStore

async def main():
    store = SqliteStore(sys.argv[1])
    await send(store, "ana", "m1")
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, largest))
    try:
        await store.documents.put(DocumentKey(collection="c", id="large"), bytes(1_000_000))
    except StoreFullError as exc:
        print("refused")
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    await send(store, "ana", "m2")
    await store.documents.put(DocumentKey(collection="c", id="large"), bytes(1_000_000))
    print("written")
    await store.close()

asyncio.run(main())
"""


def test_a_file_system_that_refuses_writes_is_a_full_one(tmp_path: Path) -> None:
    """A quota or a limit of the file's size is no different: nothing is written, and with room it goes on."""
    root = Path(__file__).parents[2]

    ended = subprocess.run(
        [sys.executable, "-c", REFUSED_BY_THE_FILE_SYSTEM, str(tmp_path / "limited.db")],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        timeout=60,
    )

    assert ended.stdout.split() == ["refused", "written"]
