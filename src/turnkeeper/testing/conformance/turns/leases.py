"""Promises of `Turns.renew` and `Turns.release`: keeping a lease, giving it back, and what is counted."""

import asyncio

import pytest

from turnkeeper.errors import LimitError
from turnkeeper.ports.limits import MAX_BATCH, MAX_MEMOS, MAX_PAYLOAD_BYTES
from turnkeeper.ports.turns import Duplicate, Idle, Outcome, Queued, Renewal, Renewed
from turnkeeper.testing.conformance.scenario import HOUR, LEASE_MS, MS, SECOND, Backend, Talk


class LeasePromises(Backend):
    """Renewals, memos, releases."""

    async def test_a_renewed_lease_lasts_from_the_renewal(self, talk: Talk) -> None:
        """Nobody takes it before, anybody may then."""
        grant = await talk.take("m1")
        talk.clock.advance(10 * SECOND)

        renewed = await talk.renew(grant)
        talk.clock.advance((LEASE_MS - 1) * MS)

        assert renewed == Renewed(held=True, waiting=0)
        assert isinstance(await talk.begin(), Idle)
        talk.clock.advance(MS)
        assert (await talk.take()).attempts == 2

    async def test_a_renewal_never_shortens_a_lease(self, talk: Talk) -> None:
        """A late repeat of an old renewal does no harm."""
        grant = await talk.take("m1")

        await talk.store.turns.renew([Renewal(conversation=talk.conversation, token=grant.token, lease_ms=1)])

        assert await talk.begin() == Idle(ready_ms=grant.lease_until_ms)

    async def test_an_expired_lease_that_nobody_took_is_still_held(self, talk: Talk) -> None:
        """It is renewed as if it had not expired."""
        grant = await talk.take("m1")
        talk.clock.advance(HOUR)

        assert (await talk.renew(grant)).held
        assert await talk.begin() == Idle(ready_ms=talk.now + LEASE_MS)

    async def test_a_lost_lease_is_not_held(self, talk: Talk) -> None:
        """Taken over, committed or never there: all the same to whoever renews."""
        loser = await talk.take("m1")
        talk.clock.advance(LEASE_MS * MS)
        winner = await talk.take()
        await talk.apply(talk.draft(winner))
        stranger = talk.other(person="+15550101")

        assert await talk.renew(loser) == Renewed(held=False)
        assert await talk.renew(winner) == Renewed(held=False)
        assert await stranger.renew(loser) == Renewed(held=False)

    async def test_a_renewal_counts_the_messages_behind_the_current_ones(self, talk: Talk) -> None:
        """A running turn hears that somebody went on talking."""
        await talk.post("m1", "m2")
        grant = await talk.take(hand_out=2)
        await talk.begin("m3")

        assert await talk.renew(grant) == Renewed(held=True, waiting=1)

    async def test_renewals_are_answered_in_order(self, talk: Talk) -> None:
        """One lost lease in a batch does not touch the others."""
        other = talk.other(person="+15550101")
        mine, theirs = await talk.take("m1"), await other.take("m1")
        requests = [
            Renewal(conversation=talk.conversation, token=mine.token, lease_ms=LEASE_MS),
            Renewal(conversation=talk.conversation, token="nobody", lease_ms=LEASE_MS),
            Renewal(conversation=other.conversation, token=theirs.token, lease_ms=LEASE_MS),
        ]

        answers = await talk.store.turns.renew(requests)

        assert [answer.held for answer in answers] == [True, False, True]

    async def test_a_batch_of_renewals_has_a_limit(self, talk: Talk) -> None:
        """`MAX_BATCH` are answered, none is fine, more are refused."""
        renewal = Renewal(conversation=talk.conversation, token="nobody", lease_ms=LEASE_MS)

        assert len(await talk.store.turns.renew([renewal] * MAX_BATCH)) == MAX_BATCH
        assert list(await talk.store.turns.renew([])) == []
        with pytest.raises(LimitError):
            await talk.store.turns.renew([renewal] * (MAX_BATCH + 1))

    async def test_renewals_may_come_from_another_threads_event_loop(self, talk: Talk) -> None:
        """A blocked loop must not cost the lease."""
        grant = await talk.take("m1")
        talk.clock.advance(10 * SECOND)

        answer = await asyncio.to_thread(asyncio.run, talk.renew(grant))

        assert answer.held
        assert await talk.begin() == Idle(ready_ms=talk.now + LEASE_MS)

    @pytest.mark.parametrize("end", ["crash", "error", "returned"])
    async def test_memos_appear_when_the_message_is_run_again(self, talk: Talk, end: str) -> None:
        """However the attempt ended that made them."""
        grant = await talk.take("m1")
        await talk.renew(grant, memo=("step", b"first"))
        await talk.renew(grant, memo=("step", b"result"))
        await talk.renew(grant, memo=("other", b""))
        if end == "crash":
            talk.clock.advance(LEASE_MS * MS)
        else:
            await talk.release(grant, Outcome(end))

        again = await talk.take()

        assert (grant.memos, again.memos) == ({}, {"step": b"result", "other": b""})

    async def test_memos_go_with_the_commit(self, talk: Talk) -> None:
        """They are of one message, and that one is done."""
        grant = await talk.take("m1")
        await talk.renew(grant, memo=("step", b"result"))
        await talk.apply(talk.draft(grant))

        assert (await talk.take("m2")).memos == {}

    async def test_a_memo_of_a_lost_lease_is_not_kept(self, talk: Talk) -> None:
        """The loser's results are not the winner's."""
        loser = await talk.take("m1")
        talk.clock.advance(LEASE_MS * MS)
        winner = await talk.take()

        await talk.renew(loser, memo=("step", b"zombie"))
        await talk.release(winner)

        assert (await talk.take()).memos == {}

    async def test_memos_have_a_limit(self, talk: Talk) -> None:
        """`MAX_MEMOS` names are kept and may be written again; one more is refused and not kept."""
        grant = await talk.take("m1")
        for number in range(MAX_MEMOS):
            await talk.renew(grant, memo=(f"step{number}", b"1"))

        assert (await talk.renew(grant, memo=("step0", b"2"))).held
        with pytest.raises(LimitError):
            await talk.renew(grant, memo=("one more", b""))
        await talk.release(grant)
        memos = (await talk.take()).memos
        assert (len(memos), memos["step0"], "one more" in memos) == (MAX_MEMOS, b"2", False)

    async def test_a_memo_is_limited_like_a_payload(self, talk: Talk) -> None:
        """`MAX_PAYLOAD_BYTES` are kept, more are refused."""
        grant = await talk.take("m1")

        assert (await talk.renew(grant, memo=("step", bytes(MAX_PAYLOAD_BYTES)))).held
        with pytest.raises(LimitError):
            await talk.renew(grant, memo=("large", bytes(MAX_PAYLOAD_BYTES + 1)))

    async def test_a_returned_lease_does_not_count_as_an_attempt(self, talk: Talk) -> None:
        """A deploy does not look like a crash."""
        for _ in range(3):
            await talk.release(await talk.take("m1"), Outcome.RETURNED)

        grant = await talk.take()

        assert (grant.attempts, grant.errors) == (1, 0)

    async def test_attempts_count_crashes_and_errors_apart(self, talk: Talk) -> None:
        """One error, one crash, one return: the third counted attempt runs after one error."""
        await talk.release(await talk.take("m1"), Outcome.ERROR)
        await talk.take()
        talk.clock.advance(LEASE_MS * MS)
        await talk.release(await talk.take(), Outcome.RETURNED)

        grant = await talk.take()

        assert (grant.attempts, grant.errors) == (3, 1)

    async def test_released_messages_stay_first_in_line(self, talk: Talk) -> None:
        """What was handed out is handed out again, before what came later."""
        await talk.post("m1", "m2")
        grant = await talk.take(hand_out=2)
        await talk.begin("m3")

        released = await talk.release(grant)

        again = await talk.take(hand_out=8)
        assert released
        assert [waiting.id for waiting in again.messages] == ["m1", "m2", "m3"]

    async def test_releasing_twice_changes_nothing(self, talk: Talk) -> None:
        """The second one finds the lease gone, also when somebody else has it."""
        grant = await talk.take("m1")
        await talk.release(grant, Outcome.ERROR)

        assert not await talk.release(grant, Outcome.ERROR, wait_ms=60_000)
        again = await talk.take()
        assert not await talk.release(grant, Outcome.ERROR)
        assert (again.attempts, again.errors) == (2, 1)
        assert (await talk.renew(again)).held

    async def test_an_expired_lease_that_nobody_took_may_be_released(self, talk: Talk) -> None:
        """The slow owner still says how it ended."""
        grant = await talk.take("m1")
        talk.clock.advance(HOUR)

        assert await talk.release(grant, Outcome.RETURNED)
        assert (await talk.take()).attempts == 1

    @pytest.mark.parametrize("outcome", list(Outcome))
    async def test_nobody_gets_a_released_message_before_its_wait_is_over(self, talk: Talk, outcome: Outcome) -> None:
        """Not a new message, not a repeat, not recovery; and the wait is told."""
        await talk.release(await talk.take("m1"), outcome, wait_ms=5000)
        ready_ms = talk.now + 5000
        talk.clock.advance((5000 - 1) * MS)

        answers = [await talk.begin(), await talk.begin("m1"), await talk.begin("m2")]

        assert answers == [Idle(ready_ms=ready_ms), Duplicate(done=False), Queued(position=2, ready_ms=ready_ms)]
        talk.clock.advance(MS)
        assert (await talk.take("m3")).messages[0].id == "m1"

    async def test_a_release_does_not_shorten_a_hold(self, talk: Talk) -> None:
        """More may follow what came while the turn ran, however soon the turn itself may be tried again."""
        running = await talk.take("m1")
        await talk.hold("m2", wait_ms=10_000, max_wait_ms=60_000)
        ready_ms = talk.now + 10_000

        await talk.release(running, Outcome.ERROR, wait_ms=1_000)
        talk.clock.advance(2 * SECOND)

        assert await talk.begin() == Idle(ready_ms=ready_ms)

    async def test_a_release_makes_what_waits_due_when_its_wait_is_over(self, talk: Talk) -> None:
        """Neither the message itself nor one that came while it ran is forgotten."""
        grant = await talk.take("m1")
        await talk.begin("m2")
        await talk.release(grant, Outcome.ERROR, wait_ms=5000)
        ready_ms = talk.now + 5000

        before = await talk.store.deliveries.due()
        talk.clock.advance(5 * SECOND)
        after = await talk.store.deliveries.due()

        assert (before.items, before.next_ms) == ((), ready_ms)
        assert [(item.conversation, item.lane, item.due_ms) for item in after.items] == [
            (talk.conversation, None, ready_ms)
        ]

    async def test_a_release_without_wait_makes_what_waits_due_at_once(self, talk: Talk) -> None:
        """Nobody has to bring another message to wake it."""
        grant = await talk.take("m1")

        await talk.release(grant)

        assert [item.lane for item in (await talk.store.deliveries.due()).items] == [None]
