"""What may go wrong with one conversation of a journal, and must not keep the others from being replayed."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.outage_bench import ANA, BEN, Bench, heard
from turnkeeper.errors import StoreUnavailableError
from turnkeeper.outage.queueing import Queueing
from turnkeeper.ports.turns import Begin, Begun

pytestmark = pytest.mark.anyio

WITHIN = timedelta(seconds=20)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a store, a clock and a folder."""
    return Bench(tmp_path / "local")


async def test_a_message_that_cannot_be_read_is_set_aside_and_the_rest_is_replayed(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Newer code took it in and was rolled back: it stays in the file for an operator, and nobody waits for it."""
    app, switch = bench.server("queue")
    async with app.running():
        await bench.away(app, switch)
        for person in (ANA, BEN):
            await app.accept(person, app.message("one", id="m1"))
        (path,) = bench.folder.glob("journal-*.db")
        reception = app._reception  # noqa: SLF001 - nobody else may write to its file
        assert isinstance(reception, Queueing)
        journal = reception._journal  # noqa: SLF001
        assert journal is not None
        spoil = f"UPDATE entry SET payload = X'FF' WHERE conversation = '{app.conversation(ANA).key}'"  # noqa: S608
        await journal._change(spoil, ())  # noqa: SLF001
        await app.accept(ANA, app.message("two", id="m2"))
        await bench.back(app, switch)

        assert await heard(app) == ["two"]
        assert await heard(app, BEN) == ["one"]
        assert app.health().refused == 1
        assert path.exists()
    assert "replay_broken" not in caplog.messages


async def test_conversations_that_the_store_does_not_take_keep_no_others_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of a cluster is still away, with more of them than are replayed side by side."""
    app, switch = bench.server("queue", failures=1_000_000)
    people = [f"+1555124{number:04d}" for number in range(20)]
    begin = bench.store.turns.begin

    async def begin_unless_away(request: Begin) -> Begun:
        if request.conversation.person != BEN and is_partly_away:
            raise StoreUnavailableError("this node is away")
        return await begin(request)

    is_partly_away = True
    monkeypatch.setattr(bench.store.turns, "begin", begin_unless_away)
    async with app.running():
        switch.is_away = True
        for person in (*people, BEN):
            await app.accept(person, app.message("one", id="m1"))
        switch.is_away = False
        await bench.until(lambda: app.health().journal == len(people))
        is_partly_away = False
        await bench.back(app, switch)

        assert [await heard(app, person) for person in (*people, BEN)] == [["one"]] * 21


async def test_a_journal_that_cannot_be_read_keeps_nobody_from_another_one(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """The application starts, says so, leaves it as it is, and takes over the rest."""
    dead, its_switch = bench.server("queue")
    await dead.start()
    await bench.away(dead, its_switch)
    await dead.accept(ANA, dead.message("one", id="m1"))
    (left,) = bench.folder.glob("journal-*.db")
    await dead.stop()
    owner = left.name.split("-")[1]
    broken = bench.folder / f"journal-{owner}-000000000000.db"
    broken.write_bytes(b"not a database" * 1000)
    os.utime(broken, (0, 0))
    heir, switch = bench.server("queue")
    async with heir.running():
        await bench.back(heir, switch)

        assert await heard(heir) == ["one"]
    assert "journal_not_adopted" in caplog.messages
    assert broken.read_bytes()[:14] == b"not a database"
