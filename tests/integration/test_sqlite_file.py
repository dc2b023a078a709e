"""The file: made when it is missing, refused and left alone when it is not ours."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.sqlite_child import conversation, send
from turnkeeper.errors import StoreNewerError, StoreUnavailableError, StoreUnreadableError
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.stores.sqlite import SqliteStore, schema

pytestmark = pytest.mark.anyio


async def test_folder_and_file_are_made(tmp_path: Path) -> None:
    """The default path lies in a folder that nobody made; a closed store is one file that can be copied."""
    path = tmp_path / "below" / ".turnkeeper" / "turnkeeper.db"

    store = SqliteStore(path)
    await store.open()
    await store.open()
    await send(store, "ana", "m1")
    await store.close()

    assert names_in(path.parent) == ["turnkeeper.db"]
    assert path.read_bytes()[68:72] == schema.APPLICATION_ID.to_bytes(4, "big")


async def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    """A store object alone touches no disk."""
    store = SqliteStore(tmp_path / "a" / "b.db")
    await store.close()

    assert not (tmp_path / "a").exists()


async def test_an_empty_file_is_used(tmp_path: Path) -> None:
    """Somebody made the file beforehand, to give it an owner."""
    path = tmp_path / "empty.db"
    path.touch()

    store = SqliteStore(path)
    await send(store, "ana", "m1")

    assert await store.catalog.export(conversation("ana")) is not None
    await store.close()


def names_in(folder: Path) -> list[str]:
    """Return the files of a folder."""
    return [one.name for one in folder.iterdir()]


def other_database(path: Path) -> None:
    """Write somebody else's database."""
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE customer (name TEXT)")
    other.close()


def signed_database(path: Path) -> None:
    """Write a database that says whose it is."""
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA application_id = 252006674")
        other.execute("CREATE TABLE customer (name TEXT)")
    other.close()


def short_text(path: Path) -> None:
    """Write less than a database's header, which SQLite by itself would take for an empty database."""
    path.write_text("notes to myself")


def long_text(path: Path) -> None:
    """Write something that is no database."""
    path.write_text("notes to myself, " * 1000)


def damaged(path: Path) -> None:
    """Write our header, and nothing that it promises."""
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        other.execute(f"PRAGMA user_version = {schema.VERSION}")
    other.close()
    path.write_bytes(path.read_bytes()[:100] + bytes(3996))


@pytest.mark.parametrize("make", [other_database, signed_database, short_text, long_text, damaged])
async def test_what_is_not_ours_is_refused_and_not_touched(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """The error says what is there; not a byte is changed, and no file appears beside it."""
    path = tmp_path / "there.db"
    make(path)
    content = path.read_bytes()
    store = SqliteStore(path)

    with pytest.raises(StoreUnreadableError, match=r"there\.db"):
        await store.open()

    assert path.read_bytes() == content
    assert names_in(tmp_path) == ["there.db"]
    await store.close()


async def test_a_file_whose_checkpoint_was_cut_off_is_whole_with_its_log(tmp_path: Path) -> None:
    """Killed after the first page: the header promises more than the file holds, and the log has the rest."""
    path, cut = tmp_path / "whole.db", tmp_path / "cut.db"
    store = SqliteStore(path)
    keys = [DocumentKey(collection="part", id=str(number)) for number in range(40)]
    for key in keys:
        await store.documents.put(key, key.id.encode() * 2_000)
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{cut}{end}")
    await store.close()  # writes the log back
    cut.write_bytes(path.read_bytes()[:4096] + cut.read_bytes()[4096:])

    again = SqliteStore(cut)
    found = [await again.documents.get(key) for key in keys]
    await again.close()

    assert cut.stat().st_size >= path.stat().st_size
    assert [document and document.data for document in found] == [key.id.encode() * 2_000 for key in keys]


async def test_a_newer_schema_is_refused_and_not_touched(tmp_path: Path) -> None:
    """An old process must not write what it does not understand."""
    path = tmp_path / "newer.db"
    store = SqliteStore(path)
    await store.open()
    await store.close()
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    newer.close()
    content = path.read_bytes()

    with pytest.raises(StoreNewerError) as caught:
        await store.open()

    assert (caught.value.found, caught.value.known) == (schema.VERSION + 1, schema.VERSION)
    assert path.read_bytes() == content
    await store.close()


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """The text proposes a file in it."""
    store = SqliteStore(tmp_path)

    with pytest.raises(StoreUnreadableError, match="folder"):
        await store.open()

    await store.close()


async def test_a_path_below_a_file_cannot_be_reached(tmp_path: Path) -> None:
    """The folder cannot be made."""
    (tmp_path / "file").touch()
    store = SqliteStore(tmp_path / "file" / "store.db")

    with pytest.raises(StoreUnreadableError, match="cannot be reached"):
        await store.turns.history(conversation("ana"))

    await store.close()


async def test_what_was_refused_may_be_tried_again(tmp_path: Path) -> None:
    """Once the obstacle is gone, the same store object works."""
    path = tmp_path / "store.db"
    path.mkdir()
    store = SqliteStore(path)
    with pytest.raises(StoreUnreadableError):
        await send(store, "ana", "m1")

    path.rmdir()
    await send(store, "ana", "m1")

    assert await store.catalog.export(conversation("ana")) is not None
    await store.close()


async def test_a_file_that_was_taken_away_is_noticed(tmp_path: Path) -> None:
    """Writing on into a deleted file would lose everything with the end of the process."""
    path = tmp_path / "gone.db"
    store = SqliteStore(path)
    await send(store, "ana", "m1")

    path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(StoreUnavailableError, match="removed or replaced"):
        await send_for_ever(store)
    (tmp_path / "elsewhere.db").rename(path)
    await store.close()

    assert (await store_of(path)).startswith(b'["m1"')


async def send_for_ever(store: SqliteStore) -> None:
    """Run turns of Ana until the store refuses one."""
    for number in range(1_000_000):
        await send(store, "ana", f"n{number}")


async def store_of(path: Path) -> bytes:
    """Return the state that a fresh store finds for Ana."""
    store = SqliteStore(path)
    exported = await store.catalog.export(conversation("ana"))
    await store.close()
    assert exported is not None
    assert exported.state is not None
    return exported.state


async def test_erased_bytes_are_not_in_the_file(tmp_path: Path) -> None:
    """After an erasure and a close the text is nowhere in the file, not even on free pages."""
    path = tmp_path / "erased.db"
    store = SqliteStore(path)
    await send(store, "ana", "very-private-" * 50)
    await store.close()
    assert b"very-private-" in path.read_bytes()

    await store.open()
    await store.turns.forget(conversation("ana"))
    await store.close()

    assert b"very-private-" not in path.read_bytes()
