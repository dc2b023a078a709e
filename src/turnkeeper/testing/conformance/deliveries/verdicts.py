"""Promises of `Deliveries.settle`: what each verdict does to the entry and to its lane."""

import asyncio

import pytest

from turnkeeper.errors import LimitError
from turnkeeper.ports.deliveries import Claim, Settled, Verdict
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.testing.conformance.scenario import CLAIM_MS, HOUR, MS, SECOND, Backend, Talk, ids, job, reply

GOES_BACK = [Verdict.RETRY, Verdict.UNCERTAIN, Verdict.RETURN]
"""Verdicts after which the entry is tried again."""


def attempts(claim: Claim) -> list[tuple[str, int, bool]]:
    """Return which attempt each entry is at, and whether it may have been sent."""
    return [(entry.id, entry.attempt, entry.maybe_sent) for entry in claim.entries]


class VerdictPromises(Backend):
    """How it fared."""

    async def test_what_is_done_is_removed(self, talk: Talk) -> None:
        """Nobody is given it again, not even after the claim."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        await talk.claimed()

        first = await talk.settle("r1", Verdict.DONE)
        last = await talk.settle("r2", Verdict.DONE)

        assert (first.held, last) == (True, Settled(held=True, more=False))
        talk.clock.advance(HOUR)
        assert await talk.claim() is None
        assert (await talk.store.deliveries.due()).items == ()

    async def test_a_lane_without_claimed_entries_is_free(self, talk: Talk) -> None:
        """Anybody may claim it at once, and `more` says that there is something."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        await talk.claimed(token="a", limit=1)

        settled = await talk.settle("r1", Verdict.DONE, token="a")

        assert settled == Settled(held=True, more=True)
        assert attempts(await talk.claimed(token="b")) == [("r2", 1, False)]

    async def test_what_remains_claimed_is_claimed_again_without_another_attempt(self, talk: Talk) -> None:
        """A sender that stopped half-way finds the rest with its token."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        await talk.claimed()

        settled = await talk.settle("r1", Verdict.DONE)

        assert settled == Settled(held=True, more=True)
        assert attempts(await talk.claimed()) == [("r2", 1, False)]

    @pytest.mark.parametrize("verdict", GOES_BACK)
    async def test_what_goes_back_waits_and_the_lane_with_it(self, talk: Talk, verdict: Verdict) -> None:
        """Not before `wait_ms`, and nothing behind it either; then anybody may."""
        await talk.turn("m1", reply("r1"), reply("r2"), reply("r3"))
        await talk.claimed(token="a", limit=2)

        settled = await talk.settle("r1", verdict, token="a", wait_ms=5000)
        talk.clock.advance(4999 * MS)
        before = [await talk.claim(token="a"), await talk.claim(token="b")]
        talk.clock.advance(MS)

        assert settled == Settled(held=True, more=False)
        assert before == [None, None]
        assert ids(await talk.claimed(token="b")) == ["r1", "r2", "r3"]

    @pytest.mark.parametrize(
        ("verdict", "attempt", "maybe_sent"),
        [(Verdict.RETRY, 2, False), (Verdict.UNCERTAIN, 2, True), (Verdict.RETURN, 1, False)],
    )
    async def test_what_was_handed_out_behind_it_counts_as_not_tried(
        self,
        talk: Talk,
        verdict: Verdict,
        attempt: int,
        maybe_sent: bool,  # noqa: FBT001 - a parameter
    ) -> None:
        """Only the entry itself had its attempt, unless it was returned; only the uncertain one may have been sent."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        await talk.claimed()

        await talk.settle("r1", verdict)

        assert attempts(await talk.claimed(token="b")) == [("r1", attempt, maybe_sent), ("r2", 1, False)]

    @pytest.mark.parametrize("verdict", GOES_BACK)
    async def test_a_lane_that_went_back_is_lost_to_its_sender(self, talk: Talk, verdict: Verdict) -> None:
        """What it says about the rest does not count any more."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        await talk.claimed()
        await talk.settle("r1", verdict)

        settled = await talk.settle("r2", Verdict.DONE)

        assert not settled.held
        assert ids(await talk.claimed()) == ["r1", "r2"]

    async def test_what_may_have_been_sent_stays_so(self, talk: Talk) -> None:
        """A later attempt that surely failed does not make the earlier one certain."""
        await talk.turn("m1", reply("r1"))
        await talk.claimed()
        await talk.settle("r1", Verdict.UNCERTAIN)
        await talk.claimed()
        await talk.settle("r1", Verdict.RETRY)

        assert attempts(await talk.claimed()) == [("r1", 3, True)]

    async def test_what_is_dead_lets_the_lane_go_on(self, talk: Talk) -> None:
        """The entries behind it are still the sender's."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        await talk.claimed()

        settled = await talk.settle("r1", Verdict.DEAD)

        assert settled.held
        assert (await talk.settle("r2", Verdict.DONE)).held
        assert [letter.source_id for letter in (await talk.store.deliveries.dead()).items] == ["r1"]

    async def test_extend_prolongs_the_claim_from_now(self, talk: Talk) -> None:
        """A long job keeps its claim; the attempt is still the same."""
        await talk.turn("m1", job("j1"))
        await talk.claimed("j1")
        talk.clock.advance(20 * SECOND)

        settled = await talk.settle("j1", Verdict.EXTEND, name="j1", wait_ms=60_000)
        talk.clock.advance(59 * SECOND)
        before = await talk.claim("j1", token="b")
        talk.clock.advance(SECOND)

        assert (settled, before) == (Settled(held=True, more=False), None)
        assert attempts(await talk.claimed("j1", token="b")) == [("j1", 2, True)]

    async def test_extend_never_shortens_a_claim(self, talk: Talk) -> None:
        """A late repeat of an old one does no harm."""
        await talk.turn("m1", job("j1"))
        await talk.claimed("j1")

        await talk.settle("j1", Verdict.EXTEND, name="j1", wait_ms=1)
        talk.clock.advance((CLAIM_MS - 1) * MS)

        assert await talk.claim("j1", token="b") is None

    @pytest.mark.parametrize("verdict", list(Verdict))
    async def test_a_wrong_token_changes_nothing(self, talk: Talk, verdict: Verdict) -> None:
        """Neither a stranger's nor one whose claim passed to somebody else."""
        await talk.turn("m1", reply("r1"))
        await talk.claimed(token="a")
        talk.clock.advance(CLAIM_MS * MS)
        taken = await talk.claimed(token="b")

        answers = [await talk.settle("r1", verdict, token=token, wait_ms=60_000) for token in ("a", "stranger")]

        assert answers == [Settled(held=False), Settled(held=False)]
        assert await talk.claimed(token="b") == taken
        assert (await talk.store.deliveries.dead()).items == ()

    async def test_nothing_can_be_said_about_what_nobody_claimed(self, talk: Talk) -> None:
        """Nor about what is not there."""
        await talk.turn("m1", reply("r1"))

        assert not (await talk.settle("r1", Verdict.DONE)).held
        assert not (await talk.settle("e", Verdict.DONE, name="e")).held
        assert not (await talk.settle("r1", Verdict.DONE, token="")).held
        assert ids(await talk.claimed()) == ["r1"]

    async def test_an_expired_claim_that_nobody_took_may_be_settled(self, talk: Talk) -> None:
        """The slow sender did send it."""
        await talk.turn("m1", reply("r1"))
        await talk.claimed()
        talk.clock.advance(HOUR)

        settled = await talk.settle("r1", Verdict.DONE)

        assert settled.held
        assert await talk.claim() is None

    @pytest.mark.parametrize("verdict", [Verdict.DONE, Verdict.DEAD, *GOES_BACK])
    async def test_settling_twice_changes_nothing(self, talk: Talk, verdict: Verdict) -> None:
        """The repeat finds the entry gone, or unclaimed."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        await talk.claimed(limit=1)
        await talk.settle("r1", verdict)
        dead = await talk.store.deliveries.dead()
        once = await talk.store.catalog.export(talk.conversation)

        await talk.settle("r1", verdict)

        assert await talk.store.catalog.export(talk.conversation) == once
        assert await talk.store.deliveries.dead() == dead

    async def test_a_batch_is_answered_in_order(self, talk: Talk) -> None:
        """Lanes and conversations mixed, one of them lost."""
        ana = talk.other(member="ana")
        await talk.turn("m1", reply("r1"), job("j1"))
        await ana.turn("m1", reply("r2"))
        await talk.claimed()
        await talk.claimed("j1")
        await ana.claimed()

        answers = await talk.store.deliveries.settle(
            [
                talk.verdict("r1", Verdict.DONE),
                ana.verdict("r2", Verdict.DONE, token="nobody"),
                talk.verdict("j1", Verdict.DONE, name="j1"),
                ana.verdict("r2", Verdict.DONE),
            ]
        )

        assert [answer.held for answer in answers] == [True, False, True, True]

    async def test_a_batch_of_settlements_has_a_limit(self, talk: Talk) -> None:
        """`MAX_BATCH` are answered, none is fine, more are refused."""
        settlement = talk.verdict("r1", Verdict.DONE)

        assert len(await talk.store.deliveries.settle([settlement] * MAX_BATCH)) == MAX_BATCH
        assert list(await talk.store.deliveries.settle([])) == []
        with pytest.raises(LimitError):
            await talk.store.deliveries.settle([settlement] * (MAX_BATCH + 1))

    async def test_settlements_may_come_from_another_threads_event_loop(self, talk: Talk) -> None:
        """A blocked loop must not cost the claim of a long job."""
        await talk.turn("m1", job("j1"))
        await talk.claimed("j1")

        settled = await asyncio.to_thread(asyncio.run, talk.settle("j1", Verdict.DONE, name="j1"))

        assert settled.held
        assert await talk.claim("j1") is None
