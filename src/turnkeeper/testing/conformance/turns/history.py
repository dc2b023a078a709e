"""Promises of `Turns.history`: the event log, its order, and its own time."""

from datetime import timedelta

from msgspec.structs import replace

from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.turns import Commit, LogRecord
from turnkeeper.testing.conformance.scenario import DAY, MS, SECOND, Backend, Talk


async def logged(talk: Talk, name: str, *, keep: int = 100, keep_for: timedelta = 30 * DAY) -> Commit:
    """Run a turn that logs its name."""
    draft = replace(talk.draft(await talk.take(name)), log=name.encode(), log_keep=keep, log_keep_ms=keep_for // MS)
    await talk.apply(draft)
    return draft


class HistoryPromises(Backend):
    """The log."""

    async def test_an_entry_tells_what_when_and_from_which_version(self, talk: Talk) -> None:
        """The version is the one that the turn made."""
        await talk.turn("silent")
        talk.clock.advance(SECOND)

        draft = await logged(talk, "m1")

        assert await talk.history() == [
            LogRecord(seq=1, version=2, generation=draft.generation, at_ms=talk.now, data=b"m1")
        ]

    async def test_history_is_newest_first(self, talk: Talk) -> None:
        """With `before` and `limit` it is read page by page."""
        for number in range(5):
            await logged(talk, f"m{number}")

        newest = await talk.history(limit=2)
        older = await talk.history(before=newest[-1].seq, limit=2)

        assert [record.data for record in newest] == [b"m4", b"m3"]
        assert [record.data for record in older] == [b"m2", b"m1"]
        assert [record.seq for record in newest + older] == [5, 4, 3, 2]

    async def test_an_unknown_conversation_has_no_history(self, talk: Talk) -> None:
        """Nothing happened."""
        assert await talk.history() == []

    async def test_a_commit_without_a_log_entry_adds_none(self, talk: Talk) -> None:
        """And leaves no gap."""
        await logged(talk, "m1")
        await talk.turn("m2")
        await logged(talk, "m3")

        assert [record.seq for record in await talk.history()] == [2, 1]

    async def test_the_newest_log_keep_entries_are_kept(self, talk: Talk) -> None:
        """The older ones go with the commit that says so; their numbers are not used again."""
        for number in range(5):
            await logged(talk, f"m{number}", keep=3)
        kept = await talk.history()
        await logged(talk, "m5", keep=1)

        after = await talk.history()

        assert [record.data for record in kept] == [b"m4", b"m3", b"m2"]
        assert [(record.seq, record.data) for record in after] == [(6, b"m5")]

    async def test_no_more_are_kept_when_all_else_is_gone(self, talk: Talk) -> None:
        """The log outlives its conversation, with the entries that it had."""
        for number in range(5):
            await logged(talk, f"m{number}", keep=3)
        await talk.apply(replace(talk.draft(await talk.take("m5")), retain_ms=1000, log_keep=3))
        for _ in range(3):
            talk.clock.advance(3 * DAY)
            await talk.store.deliveries.due()

        assert [record.seq for record in await talk.history()] == [5, 4, 3]

    async def test_entries_older_than_log_keep_ms_are_never_returned(self, talk: Talk) -> None:
        """With or without another commit, by the age that the last commit asked for."""
        await logged(talk, "m1", keep_for=DAY)
        talk.clock.advance(DAY / 2)
        await logged(talk, "m2", keep_for=DAY)
        talk.clock.advance(DAY / 2 + MS)
        half = await talk.history()
        talk.clock.advance(DAY)

        assert [record.data for record in half] == [b"m2"]
        assert await talk.history() == []

    async def test_the_log_goes_on_over_a_forgotten_state(self, talk: Talk) -> None:
        """It has its own time: no gap, another generation."""
        draft = replace(talk.draft(await talk.take("m1")), log=b"m1", retain_ms=1000)
        await talk.apply(draft)
        talk.clock.advance(DAY)
        await logged(talk, "m2")

        newest, oldest = await talk.history()

        assert [(record.seq, record.version, record.data) for record in (oldest, newest)] == [
            (1, 1, b"m1"),
            (2, 1, b"m2"),
        ]
        assert newest.generation > oldest.generation

    async def test_the_log_goes_on_over_a_conversation_that_was_swept(self, talk: Talk) -> None:
        """Its numbers are not used again while entries of before are there, however long nobody spoke."""
        draft = replace(talk.draft(await talk.take("m1")), log=b"m1", retain_ms=1000, log_keep_ms=365 * DAY // MS)
        await talk.apply(draft)
        for _ in range(4):
            talk.clock.advance(10 * DAY)
            await talk.store.deliveries.due()
        await logged(talk, "m2", keep_for=365 * DAY)

        assert [(record.seq, record.data) for record in await talk.history()] == [(2, b"m2"), (1, b"m1")]

    async def test_history_gives_no_more_than_a_batch(self, talk: Talk) -> None:
        """Whoever asks for more gets `MAX_BATCH` and goes on from there."""
        await talk.turn("m1")
        exported = await talk.store.catalog.export(talk.conversation)
        assert exported is not None
        records = tuple(
            LogRecord(seq=seq, version=1, generation=exported.generation, at_ms=talk.now, data=b"")
            for seq in range(1, MAX_BATCH + 2)
        )
        await talk.store.turns.forget(talk.conversation)
        await talk.store.catalog.restore(replace(exported, log=records))

        assert [record.seq for record in await talk.history(limit=1000)] == list(range(MAX_BATCH + 1, 1, -1))
