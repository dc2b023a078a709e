"""Promises of the modes: what a message does when a turn is already running or the inbox is held back."""

from msgspec.structs import replace

from turnkeeper.ports.limits import MAX_HAND_OUT, MAX_INBOX
from turnkeeper.ports.turns import Busy, Duplicate, Fenced, Full, Granted, Mode, Outcome, Queued
from turnkeeper.testing.conformance.scenario import LEASE_MS, MS, SECOND, Backend, Talk


class ModePromises(Backend):
    """Reject, interrupt, coalesce."""

    async def test_reject_while_a_turn_runs_writes_nothing(self, talk: Talk) -> None:
        """The refused message may be sent again later."""
        grant = await talk.take("m1")

        refused = await talk.begin("m2", mode=Mode.REJECT)
        await talk.apply(talk.draft(grant))

        assert refused == Busy()
        assert isinstance(await talk.begin("m2", mode=Mode.REJECT), Granted)

    async def test_reject_while_others_wait_writes_nothing(self, talk: Talk) -> None:
        """Nobody runs, but somebody was first."""
        await talk.post("m1")

        assert await talk.begin("m2", mode=Mode.REJECT) == Busy()
        assert await talk.waiting() == ["m1"]

    async def test_reject_knows_its_duplicates(self, talk: Talk) -> None:
        """A repeat is a repeat, not a refusal."""
        await talk.take("m1", mode=Mode.REJECT)

        assert await talk.begin("m1", mode=Mode.REJECT) == Duplicate(done=False)

    async def test_interrupt_takes_the_lease_and_fences_the_running_turn_off(self, talk: Talk) -> None:
        """The loser can neither commit, nor renew, nor release."""
        running = await talk.take("m1")

        taken = await talk.take("m2", mode=Mode.INTERRUPT)

        assert (taken.interrupted, taken.fence > running.fence) == (True, True)
        assert [waiting.id for waiting in taken.messages] == ["m1", "m2"]
        assert await talk.commit(talk.draft(running)) == Fenced()
        assert not (await talk.renew(running)).held
        assert not await talk.release(running)

    async def test_the_interrupting_turn_takes_everything_off(self, talk: Talk) -> None:
        """What it overtook is done with it."""
        await talk.take("m1")
        taken = await talk.take("m2", mode=Mode.INTERRUPT)

        committed = await talk.apply(replace(talk.draft(taken), reply=b"newest"))

        assert committed.next is None
        assert await talk.begin("m1") == Duplicate(done=True, reply=b"newest")

    async def test_a_repeated_interrupting_begin_gets_the_same_grant(self, talk: Talk) -> None:
        """Its token holds the lease already: it does not interrupt itself."""
        await talk.take("m1")
        taken = await talk.take("m2", mode=Mode.INTERRUPT, token="a")

        assert await talk.begin("m2", mode=Mode.INTERRUPT, token="a") == taken

    async def test_a_duplicate_never_interrupts(self, talk: Talk) -> None:
        """The provider's repeat of the interrupting message leaves its running turn alone."""
        await talk.take("m1")
        taken = await talk.take("m2", mode=Mode.INTERRUPT)

        answer = await talk.begin("m2", mode=Mode.INTERRUPT)

        assert answer == Duplicate(done=False)
        assert (await talk.renew(taken)).held

    async def test_interrupt_hands_out_everything_whatever_hand_out_says(self, talk: Talk) -> None:
        """The running message and all behind it."""
        await talk.take("m1")
        await talk.begin("m2")

        taken = await talk.take("m3", mode=Mode.INTERRUPT, hand_out=1)

        assert ([waiting.id for waiting in taken.messages], taken.more) == (["m1", "m2", "m3"], 0)

    async def test_interrupt_hands_out_no_more_than_the_limit(self, talk: Talk) -> None:
        """`MAX_HAND_OUT` at once; the others wait behind them."""
        await talk.take("m0")
        await talk.post(*(f"m{number}" for number in range(1, MAX_HAND_OUT)))

        taken = await talk.take("newest", mode=Mode.INTERRUPT)

        assert (len(taken.messages), taken.messages[0].id, taken.more) == (MAX_HAND_OUT, "m0", 1)

    async def test_interrupt_with_nothing_running_is_an_ordinary_grant(self, talk: Talk) -> None:
        """Nothing was interrupted, and an expired lease counts as nothing running."""
        fresh = await talk.take("m1", mode=Mode.INTERRUPT)
        talk.clock.advance(LEASE_MS * MS)

        after_a_crash = await talk.take("m2", mode=Mode.INTERRUPT)

        assert (fresh.interrupted, fresh.attempts) == (False, 1)
        assert (after_a_crash.interrupted, after_a_crash.attempts) == (False, 2)
        assert [waiting.id for waiting in after_a_crash.messages] == ["m1", "m2"]

    async def test_interrupt_counts_attempts_anew_and_drops_memos(self, talk: Talk) -> None:
        """The new turn is about other words: what was computed for the old ones does not count."""
        failed = await talk.take("m1")
        await talk.release(failed, Outcome.ERROR)
        running = await talk.take()
        await talk.renew(running, memo=("step", b"old"))

        taken = await talk.take("m2", mode=Mode.INTERRUPT)

        assert (running.attempts, running.errors) == (2, 1)
        assert (taken.attempts, taken.errors, taken.memos) == (1, 0, {})

    async def test_what_is_remembered_after_an_interrupt_stands_alone(self, talk: Talk) -> None:
        """A turn that is run again gets its own memos, none of the turn whose lease it took."""
        running = await talk.take("m1")
        await talk.renew(running, memo=("step", b"old"))
        taken = await talk.take("m2", mode=Mode.INTERRUPT)
        await talk.renew(taken, memo=("another", b"new"))
        talk.clock.advance(LEASE_MS * MS)

        assert (await talk.take()).memos == {"another": b"new"}

    async def test_interrupt_ends_a_back_off_and_a_hold(self, talk: Talk) -> None:
        """STOP is heard at once, also behind a message that failed and waits for its next attempt."""
        await talk.release(await talk.take("m1"), Outcome.ERROR, wait_ms=60_000)

        taken = await talk.take("m2", mode=Mode.INTERRUPT)

        assert [waiting.id for waiting in taken.messages] == ["m1", "m2"]
        assert not taken.interrupted

    async def test_interrupt_that_may_not_run_interrupts_nothing(self, talk: Talk) -> None:
        """`run=False` only accepts, whatever the mode."""
        running = await talk.take("m1")

        answer = await talk.store.turns.begin(talk.request("m2", mode=Mode.INTERRUPT, run=False))

        assert isinstance(answer, Queued)
        assert (await talk.renew(running)).held

    async def test_interrupt_of_a_full_inbox_writes_nothing(self, talk: Talk) -> None:
        """The running turn keeps its lease."""
        await talk.post(*(f"m{number}" for number in range(MAX_INBOX)))
        running = await talk.take()

        refused = await talk.begin("late", mode=Mode.INTERRUPT)

        assert refused == Full(waiting=MAX_INBOX)
        assert (await talk.renew(running)).held

    async def test_a_message_may_hold_the_inbox_back(self, talk: Talk) -> None:
        """Everything waits until the time after the last message is over, and is then handed out together."""
        start = talk.now
        first = await talk.hold("m1", wait_ms=2000, max_wait_ms=10_000)
        talk.clock.advance(SECOND)
        second = await talk.hold("m2", wait_ms=2000, max_wait_ms=10_000)
        talk.clock.advance(2 * SECOND)

        grant = await talk.take(hand_out=8)

        assert first == Queued(position=1, ready_ms=start + 2000)
        assert second == Queued(position=2, ready_ms=start + 3000)
        assert [waiting.id for waiting in grant.messages] == ["m1", "m2"]

    async def test_a_hold_ends_max_wait_after_the_first_message(self, talk: Talk) -> None:
        """Somebody who never stops typing is answered all the same."""
        start = talk.now
        for number in range(4):
            await talk.hold(f"m{number}", wait_ms=2000, max_wait_ms=5000)
            talk.clock.advance(SECOND)

        answer = await talk.hold("m4", wait_ms=2000, max_wait_ms=5000)

        assert answer == Queued(position=5, ready_ms=start + 5000)

    async def test_a_hold_of_no_length_does_not_hold(self, talk: Talk) -> None:
        """Neither `wait_ms` 0 nor a `max_wait_ms` of 0 keeps anything back."""
        assert isinstance(await talk.hold("m1", wait_ms=0, max_wait_ms=5000), Granted)
        assert isinstance(await talk.other(member="ana").hold("m1", wait_ms=2000, max_wait_ms=0), Granted)

    async def test_a_message_that_does_not_hold_waits_for_the_hold_that_stands(self, talk: Talk) -> None:
        """It neither prolongs it nor breaks it."""
        await talk.hold("m1", wait_ms=2000, max_wait_ms=10_000)
        ready_ms = talk.now + 2000
        talk.clock.advance(SECOND)

        answer = await talk.begin("m2")

        assert answer == Queued(position=2, ready_ms=ready_ms)

    async def test_a_hold_never_shortens_a_back_off(self, talk: Talk) -> None:
        """What failed waits as long as it was told to."""
        await talk.release(await talk.take("m1"), Outcome.ERROR, wait_ms=60_000)
        ready_ms = talk.now + 60_000

        answer = await talk.hold("m2", wait_ms=2000, max_wait_ms=10_000)

        assert answer == Queued(position=2, ready_ms=ready_ms)

    async def test_a_hold_behind_a_running_turn_counts_from_the_first_that_waits_there(self, talk: Talk) -> None:
        """The running message does not count, and the commit does not hand out what is held back."""
        running = await talk.take("m1")
        talk.clock.advance(10 * SECOND)
        answer = await talk.hold("m2", wait_ms=2000, max_wait_ms=5000)
        ready_ms = talk.now + 2000

        committed = await talk.apply(talk.draft(running))
        due = await talk.store.deliveries.due()

        assert answer == Queued(position=2, ready_ms=ready_ms)
        assert committed.next is None
        assert (due.items, due.next_ms) == ((), ready_ms)
