"""Promises about the dead letters: what fails for good is kept, seen, and brought back."""

import pytest
from msgspec.structs import replace

from turnkeeper.errors import LimitError
from turnkeeper.ports.deliveries import DeadLetter, DeadPage, Verdict
from turnkeeper.ports.limits import MAX_BATCH, MAX_INBOX
from turnkeeper.ports.turns import Duplicate, EffectKind, Outcome
from turnkeeper.testing.conformance.scenario import LEASE_MS, MS, SECOND, Backend, Talk, ids, job, reply, timer


async def bury(talk: Talk, name: str, error: str = "poison") -> DeadLetter:
    """Let a message fail for good and return its letter."""
    await talk.apply(replace(talk.draft(await talk.take(name)), state=None, dead=error))
    return (await talk.store.deliveries.dead()).items[0]


async def bury_effect(talk: Talk, effect_id: str, *, name: str = "") -> DeadLetter:
    """Let a claimed delivery fail for good and return its letter."""
    await talk.claimed(name)
    await talk.settle(effect_id, Verdict.DEAD, name=name)
    return (await talk.store.deliveries.dead()).items[0]


class DeadLetterPromises(Backend):
    """Buried and redriven."""

    async def test_a_message_that_failed_for_good_is_a_dead_letter(self, talk: Talk) -> None:
        """With its payload, why, after how many attempts, and at which version."""
        await talk.turn("m1")
        await talk.release(await talk.take("m2"), Outcome.ERROR)
        await talk.take()
        talk.clock.advance(LEASE_MS * MS)

        await talk.apply(replace(talk.draft(await talk.take()), state=None, dead="it broke"))

        (letter,) = (await talk.store.deliveries.dead()).items
        assert letter == DeadLetter(
            id=letter.id,
            conversation=talk.conversation,
            source_id="m2",
            kind=None,
            payload=b"m2",
            error="it broke",
            attempts=3,
            version=1,
            at_ms=talk.now,
        )

    async def test_the_conversation_goes_on_behind_a_dead_message(self, talk: Talk) -> None:
        """In the same step; its duplicates get what the commit recorded."""
        await talk.post("m1", "m2")
        grant = await talk.take()

        committed = await talk.apply(replace(talk.draft(grant), state=None, dead="poison", reply=b"sorry"))

        assert committed.next is not None
        assert (committed.next.messages[0].id, committed.next.attempts) == ("m2", 1)
        assert await talk.begin("m1") == Duplicate(done=True, reply=b"sorry")

    async def test_only_the_first_taken_message_is_dead(self, talk: Talk) -> None:
        """The others that the commit took are done."""
        await talk.post("m1", "m2")
        grant = await talk.take(hand_out=2)

        await talk.apply(replace(talk.draft(grant), dead="poison"))

        assert [letter.source_id for letter in (await talk.store.deliveries.dead()).items] == ["m1"]
        assert await talk.begin("m2") == Duplicate(done=True)

    async def test_a_delivery_that_failed_for_good_is_a_dead_letter(self, talk: Talk) -> None:
        """With its kind, and the attempts that were made."""
        await talk.turn("m1", job("j1"))
        await talk.claimed("j1")
        await talk.settle("j1", Verdict.RETRY, name="j1")
        talk.clock.advance(SECOND)

        letter = await bury_effect(talk, "j1", name="j1")

        assert letter == DeadLetter(
            id=letter.id,
            conversation=talk.conversation,
            source_id="j1",
            kind=EffectKind.JOB,
            payload=b"j1",
            error="because",
            attempts=2,
            version=1,
            at_ms=talk.now,
        )

    async def test_dead_letters_are_listed_newest_first(self, talk: Talk) -> None:
        """Page by page, of all flows or of one."""
        elsewhere = talk.other(flow="dispatch")
        for number in range(5):
            await bury(elsewhere if number == 2 else talk, f"m{number}")
        list_dead = talk.store.deliveries.dead

        first = await list_dead(limit=2)
        second = await list_dead(limit=2, cursor=first.cursor)
        third = await list_dead(limit=2, cursor=second.cursor)
        shop = await list_dead(flow="shop")

        pages = [[letter.source_id for letter in page.items] for page in (first, second, third, shop)]
        assert pages == [["m4", "m3"], ["m2", "m1"], ["m0"], ["m4", "m3", "m1", "m0"]]
        assert (third.cursor, shop.cursor) == (None, None)

    async def test_pages_of_dead_letters_stay_in_place_while_more_die(self, talk: Talk) -> None:
        """Nothing is seen twice and nothing is missed."""
        for number in range(4):
            await bury(talk, f"m{number}")
        first = await talk.store.deliveries.dead(limit=2)
        await bury(talk, "new")
        await talk.store.deliveries.redrive([first.items[0].id])

        second = await talk.store.deliveries.dead(limit=2, cursor=first.cursor)

        assert [letter.source_id for letter in (*first.items, *second.items)] == ["m3", "m2", "m1", "m0"]

    async def test_no_letter_is_dropped_by_number(self, talk: Talk) -> None:
        """What failed is kept, however much failed."""
        total = 2 * MAX_BATCH
        for start in range(0, total, 64):
            await talk.turn(f"m{start}", *(job(f"j{number}") for number in range(start, start + 64)))
        for number in range(total):
            await talk.claimed(f"j{number}")
        for start in range(0, total, MAX_BATCH):
            await talk.store.deliveries.settle(
                [talk.verdict(f"j{n}", Verdict.DEAD, name=f"j{n}") for n in range(start, start + MAX_BATCH)]
            )

        seen: set[str] = set()
        page = DeadPage(items=(), cursor=None)
        while not seen or page.cursor is not None:
            page = await talk.store.deliveries.dead(cursor=page.cursor, limit=100)
            seen |= {letter.source_id for letter in page.items}

        assert len(seen) == total

    async def test_a_redriven_message_runs_although_its_receipt_is_kept(self, talk: Talk) -> None:
        """At the end of its inbox, as if it had never been tried; then it is a duplicate like any other."""
        letter = await bury(talk, "m1")
        running = await talk.take("m2")

        count = await talk.store.deliveries.redrive([letter.id])
        waiting = await talk.begin("m1")
        following = (await talk.apply(talk.draft(running))).next

        assert (count, waiting) == (1, Duplicate(done=False))
        assert following is not None
        assert [(one.id, one.payload) for one in following.messages] == [("m1", b"m1")]
        assert (following.attempts, following.errors) == (1, 0)
        await talk.apply(replace(talk.draft(following), reply=b"at last"))
        assert await talk.begin("m1") == Duplicate(done=True, reply=b"at last")

    async def test_a_redriven_message_is_due(self, talk: Talk) -> None:
        """Nobody has to bring another one to wake it."""
        letter = await bury(talk, "m1")

        await talk.store.deliveries.redrive([letter.id])

        assert [item.lane for item in (await talk.store.deliveries.due()).items] == [None]
        assert (await talk.take()).messages[0].id == "m1"

    async def test_a_redriven_delivery_goes_to_the_end_of_its_lane(self, talk: Talk) -> None:
        """At once, and its attempts count anew."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        letter = await bury_effect(talk, "r1")
        await talk.settle("r2", Verdict.RETURN)

        count = await talk.store.deliveries.redrive([letter.id])

        claim = await talk.claimed()
        assert (count, ids(claim)) == (1, ["r2", "r1"])
        assert [(entry.attempt, entry.payload) for entry in claim.entries] == [(1, b"r2"), (1, b"r1")]

    async def test_a_redriven_delivery_still_says_that_it_may_have_been_sent(self, talk: Talk) -> None:
        """Its uncertain attempt is not undone."""
        await talk.turn("m1", job("j1"))
        await talk.claimed("j1")
        await talk.settle("j1", Verdict.UNCERTAIN, name="j1")
        letter = await bury_effect(talk, "j1", name="j1")

        await talk.store.deliveries.redrive([letter.id])

        (entry,) = (await talk.claimed("j1")).entries
        assert (entry.attempt, entry.maybe_sent) == (1, True)

    async def test_a_redriven_timer_comes_at_once_under_its_name(self, talk: Talk) -> None:
        """Its time is over already."""
        await talk.turn("m1", timer("t1", name="later", due_ms=talk.now + 1000))
        talk.clock.advance(SECOND)
        letter = await bury_effect(talk, "t1", name="t1")

        await talk.store.deliveries.redrive([letter.id])

        (entry,) = (await talk.claimed("t1")).entries
        assert (entry.name, entry.kind) == ("later", EffectKind.TIMER)

    async def test_a_redriven_reply_is_suppressed_for_who_opted_out_meanwhile(self, talk: Talk) -> None:
        """Its commit was before that wish."""
        await talk.turn("m1", reply("r1"))
        letter = await bury_effect(talk, "r1")
        await talk.apply(replace(talk.draft(await talk.take("stop")), opt_out=True))

        await talk.store.deliveries.redrive([letter.id])

        assert [entry.suppressed for entry in (await talk.claimed()).entries] == [True]

    async def test_a_letter_is_redriven_once(self, talk: Talk) -> None:
        """A repeat, and an unknown id, count nothing; the letter is off the list."""
        letter = await bury(talk, "m1")
        other = await bury(talk, "m2")
        redrive = talk.store.deliveries.redrive

        count = await redrive([letter.id, "never heard of", other.id])

        assert count == 2
        assert await redrive([letter.id, other.id]) == 0
        assert await talk.waiting() == ["m1", "m2"]
        assert (await talk.store.deliveries.dead()).items == ()

    async def test_a_full_inbox_takes_no_redriven_message(self, talk: Talk) -> None:
        """The letter stays, and may be redriven when there is room."""
        letter = await bury(talk, "m1")
        await talk.post(*(f"more{number}" for number in range(MAX_INBOX)))

        refused = await talk.store.deliveries.redrive([letter.id])
        await talk.apply(replace(talk.draft(await talk.take()), next=False))

        assert refused == 0
        assert await talk.store.deliveries.redrive([letter.id]) == 1
        assert (await talk.waiting())[-1] == "m1"

    async def test_a_message_redriven_after_its_conversation_was_forgotten_begins_it_anew(self, talk: Talk) -> None:
        """As any message would."""
        await talk.apply(replace(talk.draft(await talk.take("m1")), retain_ms=1000))
        draft = replace(talk.draft(await talk.take("m2")), state=None, dead="poison", retain_ms=1000)
        await talk.apply(draft)
        (letter,) = (await talk.store.deliveries.dead()).items
        talk.clock.advance(SECOND)

        await talk.store.deliveries.redrive([letter.id])

        grant = await talk.take()
        assert (grant.messages[0].id, grant.version, grant.generation > draft.generation) == ("m2", 0, True)

    async def test_a_redriven_delivery_does_not_bring_a_forgotten_state_back(self, talk: Talk) -> None:
        """Its time was over when nothing was in flight any more."""
        await talk.apply(replace(talk.draft(await talk.take("m1"), job("j1")), retain_ms=1000))
        letter = await bury_effect(talk, "j1", name="j1")
        talk.clock.advance(SECOND)

        await talk.store.deliveries.redrive([letter.id])

        assert (await talk.take("m2")).version == 0
        assert ids(await talk.claimed("j1")) == ["j1"]

    async def test_redriving_has_a_limit(self, talk: Talk) -> None:
        """`MAX_BATCH` ids are looked for, more are refused."""
        assert await talk.store.deliveries.redrive(["unknown"] * MAX_BATCH) == 0
        with pytest.raises(LimitError):
            await talk.store.deliveries.redrive(["unknown"] * (MAX_BATCH + 1))
