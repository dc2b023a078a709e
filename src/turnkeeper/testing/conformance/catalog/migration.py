"""Promises of `Catalog.export` and `Catalog.restore`: a conversation moves to another store and goes on there."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from turnkeeper.ports.catalog import Exported, ExportedReceipt
from turnkeeper.ports.deliveries import Verdict
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.limits import DEDUP_WINDOW
from turnkeeper.ports.turns import Committed, Duplicate, Idle, Outcome, Part
from turnkeeper.testing.clock import ManualClock
from turnkeeper.testing.conformance.scenario import HOUR, MS, SECOND, Backend, Talk, ids, job, reply, timer


def digest(message_id: str) -> str:
    """Return what every store's receipts call a message: 8 bytes of BLAKE2b, in hex."""
    return hashlib.blake2b(message_id.encode(), digest_size=8).hexdigest()


async def export(talk: Talk) -> Exported:
    """Return a conversation that must be there."""
    exported = await talk.store.catalog.export(talk.conversation)
    assert exported is not None
    return exported


def sorted_out(exported: Exported) -> Exported:
    """Return an export with its unordered members in order."""
    return replace(
        exported,
        receipts=tuple(sorted(exported.receipts, key=lambda receipt: receipt.digest)),
        deliveries=tuple(sorted(exported.deliveries, key=lambda delivery: delivery.id)),
        log=tuple(sorted(exported.log, key=lambda record: record.seq)),
        mark="",
    )


async def fill(talk: Talk) -> None:
    """Leave something of every kind in a conversation."""
    effects = (
        reply("r1"),
        reply("r2"),
        job("j1"),
        timer("t1", name="later", due_ms=talk.now + 60_000),
        reply("r3"),
    )
    draft = talk.draft(await talk.take("m1"), *effects)
    parts = (Part(id="p1", data=b"large"), Part(id="p2", data=b""))
    await talk.apply(
        replace(draft, parts=parts, log=b"entry", reply=b"hello", retain_ms=HOUR // MS, status="analyzing")
    )
    await talk.settle("r1", Verdict.DONE, token=(await talk.claimed(limit=1)).token)
    grant = await talk.take("m2")
    await talk.renew(grant, memo=("step", b"result"))
    await talk.post("m3")
    await talk.release(grant, Outcome.ERROR)


async def bury(talk: Talk) -> None:
    """Leave a message and a timer among the dead letters."""
    draft = talk.draft(await talk.take("m1"), timer("t1", name="later", due_ms=talk.now + 1000))
    await talk.apply(replace(draft, dead="poison"))
    talk.clock.advance(SECOND)
    await talk.claimed("t1")
    await talk.settle("t1", Verdict.DEAD, name="t1")


class MigrationPromises(Backend):
    """Out of one store, into another."""

    @pytest.fixture
    async def there(self, talk: Talk, clock: ManualClock, tmp_path: Path) -> Any:  # noqa: ANN401 - pytest's generator
        """Return the same conversation on a second, empty store."""
        path = tmp_path / "second"
        path.mkdir()
        store = self.make_store(clock, path)
        moved = Talk(store, clock)
        moved.conversation = talk.conversation
        yield moved
        await store.close()

    async def test_an_export_tells_everything(self, talk: Talk) -> None:
        """Enough to go on with it elsewhere."""
        await fill(talk)

        exported = await export(talk)

        assert (exported.conversation, exported.version, exported.state) == (talk.conversation, 1, b"v1")
        assert (exported.status, exported.attempts, exported.errors) == ("analyzing", 1, 1)
        assert (exported.created_ms, exported.active_ms, exported.changed_ms) == (talk.now, talk.now, talk.now)
        assert (exported.expires_ms, exported.opted_out) == (talk.now + HOUR // MS, False)
        assert [(waiting.id, waiting.payload) for waiting in exported.inbox] == [("m2", b"m2"), ("m3", b"m3")]
        assert {(receipt.digest, receipt.done, receipt.reply) for receipt in exported.receipts} == {
            (digest("m1"), True, b"hello"),
            (digest("m2"), False, None),
            (digest("m3"), False, None),
        }
        assert sorted((delivery.id, delivery.name, delivery.attempts) for delivery in exported.deliveries) == [
            ("j1", "", 0),
            ("r2", "", 0),
            ("r3", "", 0),
            ("t1", "later", 0),
        ]
        assert (exported.parts, exported.memos) == ({"p1": b"large", "p2": b""}, {"step": b"result"})
        assert [record.data for record in exported.log] == [b"entry"]

    async def test_an_unknown_conversation_has_no_export(self, talk: Talk) -> None:
        """Nor has an erased one."""
        await talk.turn("m1")
        await talk.store.turns.forget(talk.conversation)

        assert await talk.store.catalog.export(talk.conversation) is None
        assert await talk.store.catalog.export(talk.other(member="ana").conversation) is None

    async def test_a_restored_conversation_exports_the_same(self, talk: Talk, there: Talk) -> None:
        """Nothing is lost on the way, so that it can go back the same way."""
        await fill(talk)
        exported = await export(talk)

        assert await there.store.catalog.restore(exported)
        assert sorted_out(await export(there)) == sorted_out(exported)

    async def test_an_existing_conversation_is_not_restored_over(self, talk: Talk, there: Talk) -> None:
        """Nothing is written, whatever is there; an erased one is not there."""
        await fill(talk)
        exported = await export(talk)
        await there.post("already here")
        before = await export(there)

        refused = await there.store.catalog.restore(exported)

        assert not refused
        assert await export(there) == before
        assert await there.claim("j1") is None
        await there.store.turns.forget(there.conversation)
        assert await there.store.catalog.restore(exported)

    async def test_one_from_a_clock_that_is_ahead_hides_nothing(self, talk: Talk, there: Talk) -> None:
        """Who watches is told of it, and of everything that changes before the other clock's time has come."""
        await talk.turn("m1")
        exported = await export(talk)
        ahead = replace(exported, changed_ms=exported.changed_ms + HOUR // MS)

        restored = await there.store.catalog.restore(ahead)

        first = await there.store.catalog.watch(flow="shop")
        await there.turn("m2")
        news = await there.store.catalog.watch(flow="shop", cursor=first.cursor)
        assert restored
        assert [change.version for change in (*first.items, *news.items)] == [1, 2]

    async def test_it_is_seen_by_who_watches_from_then_on(self, talk: Talk, there: Talk) -> None:
        """Once, also if a turn came meanwhile that left its state as it was."""
        await talk.turn("m1")
        empty = await there.store.catalog.watch(flow="shop")
        await there.store.catalog.restore(await export(talk))
        talk.clock.advance(SECOND)
        await there.apply(replace(there.draft(await there.take("m2")), state=None))

        late = await there.store.catalog.watch(flow="shop")
        early = await there.store.catalog.watch(flow="shop", cursor=empty.cursor)
        after = await there.store.catalog.watch(flow="shop", cursor=early.cursor)

        assert [[change.version for change in changes.items] for changes in (late, early, after)] == [[1], [1], []]

    async def test_its_waiting_messages_run_on(self, talk: Talk, there: Talk) -> None:
        """In order, with the state, the attempts and the memos that they had; nobody has a lease."""
        await fill(talk)
        exported = await export(talk)
        await there.store.catalog.restore(exported)

        grant = await there.take("m4", hand_out=8)

        assert [waiting.id for waiting in grant.messages] == ["m2", "m3", "m4"]
        assert grant.messages[2].seq >= exported.next_seq
        assert (grant.state, grant.version, grant.generation) == (b"v1", 1, exported.generation)
        assert (grant.attempts, grant.errors, grant.memos, grant.lost) == (2, 1, {"step": b"result"}, False)
        assert grant.fence > exported.fence
        assert (await there.apply(there.draft(grant))).version == 2

    async def test_its_turn_that_ran_when_it_was_exported_runs_again(self, talk: Talk, there: Talk) -> None:
        """The lease stays behind, the attempt counts."""
        await talk.take("m1")

        await there.store.catalog.restore(await export(talk))

        assert [item.lane for item in (await there.store.deliveries.due()).items] == [None]
        assert (await there.take()).attempts == 2

    async def test_its_duplicates_are_still_known(self, talk: Talk, there: Talk) -> None:
        """Also those of another store: a receipt's digest is the same everywhere."""
        await fill(talk)
        exported = await export(talk)
        foreign = ExportedReceipt(digest=digest("from elsewhere"), at_ms=talk.now, done=True, reply=b"done there")
        await there.store.catalog.restore(replace(exported, receipts=(*exported.receipts, foreign)))

        assert await there.begin("m1") == Duplicate(done=True, reply=b"hello")
        assert await there.begin("from elsewhere") == Duplicate(done=True, reply=b"done there")
        assert (await there.take("m3")).messages[0].id == "m2"
        talk.clock.advance(DEDUP_WINDOW)
        await there.post("from elsewhere")
        assert (await there.waiting())[-1] == "from elsewhere"

    async def test_its_last_commit_may_be_repeated_there(self, talk: Talk, there: Talk) -> None:
        """An answer that was lost before the move is given after it."""
        draft = talk.draft(await talk.take("m1"))
        await talk.apply(draft)

        await there.store.catalog.restore(await export(talk))

        assert await there.apply(draft) == Committed(version=1, repeated=True)

    async def test_its_unsent_replies_are_sent_there(self, talk: Talk, there: Talk) -> None:
        """In order; one that was claimed when it was exported may have been sent."""
        await talk.turn("m1", reply("b"), reply("a"))
        await talk.turn("m2", reply("c"))
        await talk.claimed(limit=1)

        await there.store.catalog.restore(await export(talk))

        claim = await there.claimed(token="b")
        assert [(entry.id, entry.attempt, entry.maybe_sent) for entry in claim.entries] == [
            ("b", 2, True),
            ("a", 1, False),
            ("c", 1, False),
        ]
        assert claim.entries[0].payload == b"b"

    async def test_its_timers_fire_there(self, talk: Talk, there: Talk) -> None:
        """At their time, under their name; a new one of that name replaces the old one."""
        await fill(talk)
        await there.store.catalog.restore(await export(talk))

        before = await there.claim("t1")
        talk.clock.advance(60 * SECOND)
        due = await there.store.deliveries.due()

        assert before is None
        assert "t1" in [item.lane.name for item in due.items if item.lane]
        (entry,) = (await there.claimed("t1")).entries
        assert (entry.name, entry.payload) == ("later", b"t1")

    async def test_its_back_offs_hold_there(self, talk: Talk, there: Talk) -> None:
        """Neither the turn nor the reply is tried early because it moved."""
        await talk.turn("m1", reply("r1"))
        await talk.claimed()
        await talk.settle("r1", Verdict.RETRY, wait_ms=60_000)
        await talk.release(await talk.take("m2"), Outcome.ERROR, wait_ms=60_000)
        ready_ms = talk.now + 60_000

        await there.store.catalog.restore(await export(talk))

        assert await there.begin() == Idle(ready_ms=ready_ms)
        assert await there.claim() is None
        talk.clock.advance(60 * SECOND)
        assert ids(await there.claimed()) == ["r1"]

    async def test_its_parts_and_log_are_there(self, talk: Talk, there: Talk) -> None:
        """Read as before, and the log goes on without a gap; a retired part stays behind."""
        await fill(talk)
        grant = await talk.take()
        await talk.apply(replace(talk.draft(grant), retired=("p2",), next=False))
        await there.store.catalog.restore(await export(talk))
        await there.apply(replace(there.draft(await there.take()), log=b"there"))

        part = await there.store.documents.get(part_key(there.conversation, "p1"))

        assert part is not None
        assert (part.data, part.expires_ms) == (b"large", None)
        assert await there.store.documents.get(part_key(there.conversation, "p2")) is None
        assert [(record.seq, record.data) for record in await there.history()] == [(2, b"there"), (1, b"entry")]

    async def test_its_time_ends_there_when_it_was_to_end(self, talk: Talk, there: Talk) -> None:
        """Neither earlier nor later."""
        await talk.apply(replace(talk.draft(await talk.take("m1")), retain_ms=HOUR // MS))
        await there.store.catalog.restore(await export(talk))
        talk.clock.advance(HOUR - MS)

        (before,) = (await there.store.catalog.find()).items
        talk.clock.advance(MS)
        grant = await there.take("m2")

        assert before.version == 1
        assert (grant.version, grant.lost, grant.state) == (0, False, None)

    async def test_fixed_retention_is_not_prolonged_by_a_move(self, talk: Talk, there: Talk) -> None:
        """It goes on counting from the beginning."""
        draft = replace(talk.draft(await talk.take("m1")), retain_ms=HOUR // MS, slide=False)
        await talk.apply(draft)
        ends_ms = talk.now + HOUR // MS
        await there.store.catalog.restore(await export(talk))
        talk.clock.advance(SECOND)
        await there.apply(replace(there.draft(await there.take("m2")), retain_ms=HOUR // MS, slide=False))

        assert (await export(there)).expires_ms == ends_ms

    async def test_its_dead_letters_are_there(self, talk: Talk, there: Talk) -> None:
        """Newest first, with their reasons, attempts and times; and they come back to life there."""
        await bury(talk)
        left = (await talk.store.deliveries.dead()).items
        await there.store.catalog.restore(await export(talk))

        letters = (await there.store.deliveries.dead()).items
        redriven = await there.store.deliveries.redrive([letter.id for letter in letters])

        assert [replace(letter, id="") for letter in letters] == [replace(letter, id="") for letter in left]
        assert [letter.error for letter in letters] == ["because", "poison"]
        assert redriven == 2
        exported = await export(there)
        assert ([one.id for one in exported.inbox], [one.id for one in exported.deliveries]) == (["m1"], ["t1"])
        assert (exported.deliveries[0].name, exported.dead) == ("later", ())

    async def test_erasing_takes_the_letters_that_came_along(self, talk: Talk, there: Talk) -> None:
        """Erased is erased, wherever it was before."""
        await bury(talk)
        await there.store.catalog.restore(await export(talk))

        erased = await there.store.turns.forget(there.conversation)

        assert erased.dead_letters == 2
        assert (await there.store.deliveries.dead()).items == ()

    async def test_its_log_is_kept_as_long_as_was_said(self, talk: Talk, there: Talk) -> None:
        """Also before the next commit says it again."""
        draft = talk.draft(await talk.take("m1"))
        await talk.apply(replace(draft, log=b"entry", log_keep_ms=HOUR // MS))
        await there.store.catalog.restore(await export(talk))
        talk.clock.advance(HOUR - SECOND)

        kept = [record.data for record in await there.history()]
        talk.clock.advance(2 * SECOND)

        assert kept == [b"entry"]
        assert await there.history() == []

    async def test_the_opt_out_moves_too(self, talk: Talk, there: Talk) -> None:
        """Who said no there is not spoken to here; what was unsent stays unsaid."""
        await talk.turn("m1", reply("r1"))
        await talk.apply(replace(talk.draft(await talk.take("stop")), opt_out=True))

        await there.store.catalog.restore(await export(talk))

        assert [entry.suppressed for entry in (await there.claimed()).entries] == [True]
        assert (await there.take("m2")).opted_out

    async def test_a_move_does_not_opt_anybody_in(self, talk: Talk, there: Talk) -> None:
        """Who said no here is not spoken to because another store did not know."""
        await talk.turn("m1")
        ana = there.other(member="ana")
        await ana.apply(replace(ana.draft(await ana.take("stop")), opt_out=True))

        await there.store.catalog.restore(await export(talk))

        assert (await there.take("m2")).opted_out

    async def test_a_restored_conversation_is_listed_and_watched(self, talk: Talk, there: Talk) -> None:
        """At its own place in time, and as a change."""
        await talk.turn("m1")
        talk.clock.advance(SECOND)
        await there.other(person="younger").turn("m1")
        start = await there.store.catalog.watch(flow="shop")

        await there.store.catalog.restore(await export(talk))

        page = await there.store.catalog.find(status="open")
        changes = await there.store.catalog.watch(flow="shop", cursor=start.cursor)
        assert [one.conversation.person for one in page.items] == ["younger", talk.conversation.person]
        assert [(one.conversation, one.state) for one in changes.items] == [(talk.conversation, b"v1")]
