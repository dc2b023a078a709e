"""Promises about time: how long a state is kept, what keeps it longer, and what is left when it is forgotten."""

from typing import Any

from msgspec.structs import replace

from turnkeeper.ports.catalog import Summary
from turnkeeper.ports.turns import Committed, Duplicate
from turnkeeper.testing.conformance.scenario import DAY, HOUR, MS, SECOND, Backend, Talk

KEPT = HOUR
"""The retention of these tests."""


async def kept_turn(talk: Talk, name: str, **changes: Any) -> Committed:  # noqa: ANN401 - fields of Commit
    """Run a turn whose state is kept for `KEPT`, with these changes to its commit."""
    draft = replace(talk.draft(await talk.take(name)), retain_ms=KEPT // MS)
    return await talk.apply(replace(draft, **changes))


async def summary(talk: Talk) -> Summary:
    """Return how the conversation is listed."""
    (summary,) = (await talk.store.catalog.find(person=talk.conversation.person)).items
    return summary


class RetentionPromises(Backend):
    """Kept, forgotten, lost."""

    async def test_a_forgotten_conversation_begins_anew(self, talk: Talk) -> None:
        """When its time is over: another generation, no state, version 0, as if it were new."""
        before = await talk.take("m1")
        await talk.apply(replace(talk.draft(before), retain_ms=KEPT // MS))
        talk.clock.advance(KEPT)

        grant = await talk.take("m2")

        assert (grant.state, grant.version, grant.lost, grant.active_ms) == (None, 0, False, None)
        assert (grant.created_ms, grant.attempts) == (talk.now, 1)
        assert grant.generation > before.generation
        assert grant.fence > before.fence

    async def test_a_state_is_there_until_its_time_is_over(self, talk: Talk) -> None:
        """One millisecond before, everything is as it was."""
        await kept_turn(talk, "m1")
        talk.clock.advance(KEPT - MS)

        grant = await talk.take("m2")

        assert (grant.state, grant.version) == (b"v1", 1)

    async def test_sliding_retention_counts_from_the_last_active_commit(self, talk: Talk) -> None:
        """Every sign of life from outside renews it."""
        await kept_turn(talk, "m1")
        talk.clock.advance(KEPT / 2)
        await kept_turn(talk, "m2")

        assert (await summary(talk)).expires_ms == talk.now + KEPT // MS

    async def test_a_commit_that_is_not_active_does_not_renew_it(self, talk: Talk) -> None:
        """A timer of our own keeps nobody's data longer."""
        await kept_turn(talk, "m1")
        spoke = talk.now
        talk.clock.advance(KEPT / 2)

        await kept_turn(talk, "timer", active=False)

        assert (await summary(talk)).expires_ms == spoke + KEPT // MS

    async def test_without_any_active_commit_it_counts_from_the_first(self, talk: Talk) -> None:
        """A conversation that a timer began is not kept for ever."""
        await kept_turn(talk, "timer1", active=False)
        first = talk.now
        talk.clock.advance(KEPT / 2)
        await kept_turn(talk, "timer2", active=False)

        assert (await summary(talk)).expires_ms == first + KEPT // MS

    async def test_fixed_retention_counts_from_the_first_commit(self, talk: Talk) -> None:
        """However much is said afterwards; the acceptance before it does not count."""
        grant = await talk.take("m1")
        talk.clock.advance(SECOND)
        await talk.apply(replace(talk.draft(grant), retain_ms=KEPT // MS, slide=False))
        first = talk.now
        talk.clock.advance(KEPT / 2)

        await kept_turn(talk, "m2", slide=False)

        assert (await summary(talk)).expires_ms == first + KEPT // MS

    async def test_fixed_retention_counts_anew_in_a_new_generation(self, talk: Talk) -> None:
        """The first commit after it was forgotten is the first."""
        await kept_turn(talk, "m1", slide=False)
        talk.clock.advance(KEPT)

        await kept_turn(talk, "m2", slide=False)

        assert (await summary(talk)).expires_ms == talk.now + KEPT // MS

    async def test_a_state_may_be_kept_for_ever(self, talk: Talk) -> None:
        """The last commit says so, whatever the earlier ones said."""
        await kept_turn(talk, "m1")
        await kept_turn(talk, "m2", retain_ms=None)
        talk.clock.advance(3650 * DAY)

        assert (await talk.take("m3")).state == b"v2"

    async def test_retention_counts_also_for_a_turn_without_state(self, talk: Talk) -> None:
        """Who only asks the time is still there."""
        await kept_turn(talk, "m1")
        talk.clock.advance(KEPT / 2)

        await kept_turn(talk, "m2", state=None)

        assert (await summary(talk)).expires_ms == talk.now + KEPT // MS

    async def test_a_retention_that_became_shorter_counts(self, talk: Talk) -> None:
        """Whoever counts and lists finds it ended when the last commit said, not when an earlier one did."""
        await kept_turn(talk, "m1", retain_ms=30 * DAY // MS)
        await kept_turn(talk, "m2")
        talk.clock.advance(KEPT)

        assert (await talk.store.catalog.counts()).statuses == {}
        assert (await talk.store.catalog.find()).items == ()

    async def test_receipts_outlive_the_state(self, talk: Talk) -> None:
        """A repeat of an old message does not begin the conversation anew."""
        await kept_turn(talk, "m1", reply=b"hello")
        talk.clock.advance(2 * KEPT)

        before = await talk.begin("m1")
        await talk.turn("m2")

        assert before == Duplicate(done=True, reply=b"hello")
        assert await talk.begin("m1") == Duplicate(done=True, reply=b"hello")

    async def test_receipts_count_from_their_message_not_from_the_end_of_the_state(self, talk: Talk) -> None:
        """Something in flight kept the conversation long after its time: what it accepted then is known as long."""
        await kept_turn(talk, "m1", slide=False)
        running = await talk.take("m2")
        talk.clock.advance(30 * DAY)
        await talk.post("m3")
        draft = replace(talk.draft(running), retain_ms=KEPT // MS, slide=False)
        following = (await talk.apply(draft)).next
        assert following is not None
        await talk.apply(replace(talk.draft(following), retain_ms=KEPT // MS, slide=False))
        talk.clock.advance(DAY)

        assert await talk.begin("m3") == Duplicate(done=True)

    async def test_a_conversation_forgotten_long_ago_begins_with_a_greater_generation(self, talk: Talk) -> None:
        """Also when nothing at all of it is left."""
        before = await talk.take("m1")
        await talk.apply(replace(talk.draft(before), retain_ms=KEPT // MS))
        talk.clock.advance(365 * DAY)

        grant = await talk.take("m2")

        assert (grant.generation > before.generation, grant.fence > before.fence) == (True, True)

    async def test_a_state_whose_time_is_over_reads_as_forgotten(self, talk: Talk) -> None:
        """To everybody who looks, before the next message comes."""
        await kept_turn(talk, "m1")
        talk.clock.advance(KEPT)
        catalog = talk.store.catalog

        exported = await catalog.export(talk.conversation)

        assert exported is None or exported.state is None
        assert (await catalog.find()).items == ()
        assert (await catalog.counts()).statuses == {}
        assert [change.state for change in (await catalog.watch(flow=talk.conversation.flow)).items] in ([None], [])
