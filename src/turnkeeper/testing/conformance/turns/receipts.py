"""Promises of the receipts: the same id is the same message, for as long as the dedup window lasts."""

from datetime import timedelta

from msgspec.structs import replace

from turnkeeper.ports.limits import DEDUP_WINDOW, MAX_HAND_OUT, MAX_INBOX, RECEIPTS_KEPT
from turnkeeper.ports.turns import Duplicate, Granted, Idle
from turnkeeper.testing.conformance.scenario import LEASE_MS, MS, Backend, Talk


class ReceiptPromises(Backend):
    """Known already."""

    async def test_a_message_whose_turn_runs_is_a_pending_duplicate(self, talk: Talk) -> None:
        """The same id is the same message: nothing is appended."""
        await talk.take("m1")

        answer = await talk.begin("m1")

        assert answer == Duplicate(done=False)
        assert await talk.waiting() == ["m1"]

    async def test_a_duplicate_of_a_finished_message_gets_its_recorded_reply(self, talk: Talk) -> None:
        """What the commit recorded is given to every repeat."""
        await talk.apply(replace(talk.draft(await talk.take("m1")), reply=b"hello"))

        assert await talk.begin("m1") == Duplicate(done=True, reply=b"hello")
        assert await talk.begin("m1") == Duplicate(done=True, reply=b"hello")
        assert await talk.begin() == Idle()

    async def test_a_duplicate_without_a_recorded_reply_gets_none(self, talk: Talk) -> None:
        """Done, and nothing to say."""
        await talk.turn("m1")

        assert await talk.begin("m1") == Duplicate(done=True, reply=None)

    async def test_a_duplicate_whose_turn_may_run_now_is_taken_over(self, talk: Talk) -> None:
        """The provider's repeat starts what nobody started."""
        await talk.post("m1")

        grant = await talk.take("m1")

        assert ([waiting.id for waiting in grant.messages], grant.more, grant.attempts) == (["m1"], 0, 1)

    async def test_a_duplicate_takes_over_after_the_lease_expired(self, talk: Talk) -> None:
        """The provider's repeat recovers a crashed turn, and the crash counts as an attempt."""
        first = await talk.take("m1")
        talk.clock.advance(LEASE_MS * MS)

        grant = await talk.take("m1")

        assert (grant.attempts, grant.errors) == (2, 0)
        assert grant.fence > first.fence

    async def test_a_duplicate_takes_over_the_earliest_message_not_its_own(self, talk: Talk) -> None:
        """Order holds for repeats too."""
        await talk.post("m1", "m2")

        grant = await talk.take("m2")

        assert ([waiting.id for waiting in grant.messages], grant.more) == (["m1"], 1)

    async def test_a_duplicate_that_may_not_run_stays_a_duplicate(self, talk: Talk) -> None:
        """`run=False` leaves the turn to somebody else, also for a message that waits."""
        await talk.post("m1")

        answer = await talk.store.turns.begin(talk.request("m1", run=False))

        assert answer == Duplicate(done=False)

    async def test_a_duplicate_of_a_message_that_is_held_back_stays_a_duplicate(self, talk: Talk) -> None:
        """A repeat does not break a hold."""
        await talk.hold("m1", wait_ms=1000, max_wait_ms=5000)

        assert await talk.begin("m1") == Duplicate(done=False)

    async def test_a_full_inbox_still_knows_its_duplicates(self, talk: Talk) -> None:
        """A repeat needs no room."""
        await talk.post(*(f"m{number}" for number in range(MAX_INBOX)))

        assert (await talk.take("m7")).messages[0].id == "m0"

    async def test_receipts_outlast_the_dedup_window_in_time(self, talk: Talk) -> None:
        """A message is known for `DEDUP_WINDOW` after its acceptance, and then no longer."""
        await talk.turn("m1")
        talk.clock.advance(DEDUP_WINDOW - MS)
        within = await talk.begin("m1")
        talk.clock.advance(2 * MS)

        after = await talk.begin("m1")

        assert within == Duplicate(done=True)
        assert isinstance(after, Granted)

    async def test_receipts_are_kept_by_number_too(self, talk: Talk) -> None:
        """The `RECEIPTS_KEPT` newest messages are known, older ones are not."""
        total = RECEIPTS_KEPT + 1
        for start in range(0, total, MAX_HAND_OUT):
            await talk.post(*(f"m{number}" for number in range(start, min(start + MAX_HAND_OUT, total))))
            await talk.apply(replace(talk.draft(await talk.take(hand_out=MAX_HAND_OUT)), next=False))

        oldest_kept, forgotten = await talk.begin("m1"), await talk.begin("m0")

        assert oldest_kept == Duplicate(done=True)
        assert isinstance(forgotten, Granted)

    async def test_the_receipt_of_a_pending_message_never_goes(self, talk: Talk) -> None:
        """What still waits is not accepted twice, however long it waits."""
        await talk.post("m1")
        talk.clock.advance(DEDUP_WINDOW + timedelta(days=30))

        await talk.post("m1")

        assert await talk.waiting() == ["m1"]
