"""Promises of `Deliveries.claim`, and of the claim that a commit makes for its own sender."""

from typing import Any

import pytest

from turnkeeper.ports.deliveries import Claimed, Verdict
from turnkeeper.ports.turns import EffectKind
from turnkeeper.testing.conformance.scenario import (
    CLAIM_MS,
    MS,
    SECOND,
    Backend,
    Talk,
    forward,
    ids,
    job,
    reply,
    timer,
)


class ClaimPromises(Backend):
    """Who may send, and what."""

    async def test_replies_are_claimed_in_the_order_of_their_commits(self, talk: Talk) -> None:
        """All replies of a conversation share its lane."""
        await talk.turn("m1", reply("b"), reply("a"))
        await talk.turn("m2", reply("c"))

        claim = await talk.claimed()

        assert ids(claim) == ["b", "a", "c"]
        assert (claim.lane, claim.token) == (talk.lane(), "sender")
        assert (claim.now_ms, claim.until_ms) == (talk.now, talk.now + CLAIM_MS)

    async def test_a_claimed_entry_is_what_was_committed(self, talk: Talk) -> None:
        """Payload, kind, name and the time of the commit; the first attempt is number 1."""
        committed = talk.now
        await talk.turn("m1", timer("t1", name="later", due_ms=committed + 1000))
        talk.clock.advance(2 * SECOND)

        (entry,) = (await talk.claimed("t1")).entries

        assert entry == Claimed(
            id="t1", kind=EffectKind.TIMER, payload=b"t1", attempt=1, committed_ms=committed, name="later"
        )

    @pytest.mark.parametrize("effect", [job("e"), forward("e"), timer("e", name="later", due_ms=0)])
    async def test_every_other_effect_is_alone_in_its_lane(self, talk: Talk, effect: Any) -> None:  # noqa: ANN401
        """It waits for nothing and holds nothing up."""
        await talk.turn("m1", reply("r1"), effect, job("another"))

        assert ids(await talk.claimed("e")) == ["e"]
        assert ids(await talk.claimed()) == ["r1"]

    async def test_there_is_nothing_to_claim_where_nothing_is(self, talk: Talk) -> None:
        """An unknown conversation, an unknown lane, an empty lane."""
        assert await talk.claim() is None
        await talk.turn("m1")
        assert (await talk.claim(), await talk.claim("e")) == (None, None)

    async def test_a_held_lane_is_not_for_others(self, talk: Talk) -> None:
        """Until the claim ends."""
        await talk.turn("m1", reply("r1"))
        claim = await talk.claimed(token="a")
        talk.clock.advance((CLAIM_MS - 1) * MS)

        before = await talk.claim(token="b")
        talk.clock.advance(MS)

        assert before is None
        assert claim.until_ms == talk.now
        assert ids(await talk.claimed(token="b")) == ["r1"]

    async def test_the_same_token_gets_the_same_entries_without_another_attempt(self, talk: Talk) -> None:
        """A claim whose answer was lost is repeated without harm; what came meanwhile is not in it."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        first = await talk.claimed()
        again = await talk.claimed()
        await talk.turn("m2", reply("r3"))

        later = await talk.claimed()

        assert again == first
        assert later.entries == first.entries

    async def test_a_repeated_claim_has_the_whole_lease_again(self, talk: Talk) -> None:
        """It lasts as long as the first one did."""
        await talk.turn("m1", reply("r1"))
        await talk.claimed()
        talk.clock.advance(10 * SECOND)

        assert (await talk.claimed()).until_ms == talk.now + CLAIM_MS

    async def test_no_more_than_the_limit_is_claimed(self, talk: Talk) -> None:
        """The first ones; the lane is held all the same."""
        await talk.turn("m1", *(reply(f"r{number}") for number in range(5)))

        claim = await talk.claimed(limit=2)

        assert ids(claim) == ["r0", "r1"]
        assert await talk.claim(token="b") is None

    async def test_an_entry_that_is_not_due_is_never_claimed(self, talk: Talk) -> None:
        """Lease and schedule are two things."""
        await talk.turn("m1", timer("t1", name="later", due_ms=talk.now + 1000))
        talk.clock.advance(999 * MS)

        before = await talk.claim("t1")
        talk.clock.advance(MS)

        assert before is None
        assert ids(await talk.claimed("t1")) == ["t1"]

    async def test_a_reply_that_is_not_due_holds_those_behind_it(self, talk: Talk) -> None:
        """Nothing overtakes in a lane; what stands before it goes."""
        await talk.turn("m1", reply("r1"), reply("r2", due_ms=talk.now + 1000), reply("r3"))

        now = await talk.claimed()
        more = (await talk.settle("r1", Verdict.DONE)).more
        talk.clock.advance(SECOND)

        assert (ids(now), more) == (["r1"], False)
        assert ids(await talk.claimed()) == ["r2", "r3"]

    async def test_an_expired_claim_may_have_been_sent(self, talk: Talk) -> None:
        """Whoever takes over is told, for every entry that had been handed out, also if it takes fewer at first."""
        await talk.turn("m1", reply("r1"), reply("r2"), reply("r3"))
        await talk.claimed(token="a", limit=2)
        talk.clock.advance(CLAIM_MS * MS)

        taken = await talk.claimed(token="b", limit=1)
        await talk.settle("r1", Verdict.DONE, token="b")
        rest = await talk.claimed(token="b")

        assert [(entry.id, entry.attempt, entry.maybe_sent) for entry in taken.entries] == [("r1", 2, True)]
        assert [(entry.id, entry.attempt, entry.maybe_sent) for entry in rest.entries] == [
            ("r2", 2, True),
            ("r3", 1, False),
        ]

    async def test_an_expired_claim_is_a_new_attempt_for_its_old_owner_too(self, talk: Talk) -> None:
        """It does not know either how the first one ended."""
        await talk.turn("m1", reply("r1"))
        await talk.claimed(token="a")
        talk.clock.advance(CLAIM_MS * MS)

        (entry,) = (await talk.claimed(token="a")).entries

        assert (entry.attempt, entry.maybe_sent) == (2, True)
