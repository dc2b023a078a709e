"""Promises about the dead letters: what fails for good is kept, seen, and brought back."""

from msgspec.structs import replace

from turnkeeper.ports.deliveries import DeadLetter, DeadPage, Verdict
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.turns import Duplicate, EffectKind, Outcome
from turnkeeper.testing.conformance.scenario import LEASE_MS, MS, SECOND, Backend, Talk, job


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
