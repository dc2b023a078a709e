"""Promises about the claim that a commit makes for its own sender."""

from msgspec.structs import replace

from turnkeeper.ports.deliveries import Verdict
from turnkeeper.testing.conformance.scenario import (
    CLAIM_MS,
    HOUR,
    MS,
    SECOND,
    Backend,
    Talk,
    ids,
    job,
    reply,
)


async def claiming_turn(talk: Talk, name: str, *effect_ids: str, token: str = "sender") -> bool:
    """Run a turn that says these replies and claims them; return whether it may send them."""
    draft = talk.draft(await talk.take(name), *(reply(effect_id) for effect_id in effect_ids))
    return (await talk.apply(replace(draft, lane_token=token, lane_ms=CLAIM_MS))).claimed


class CommittedClaimPromises(Backend):
    """Sent at once, unless something is before it."""

    async def test_a_commit_claims_its_replies_if_the_lane_is_free(self, talk: Talk) -> None:
        """Its sender may send at once, and nobody else for `lane_ms`."""
        claimed = await claiming_turn(talk, "m1", "r1", "r2")
        own = await talk.claimed(token="sender")
        others = await talk.claim(token="b")
        talk.clock.advance(CLAIM_MS * MS)
        late = await talk.claimed(token="b")

        assert (claimed, others) == (True, None)
        assert [(entry.id, entry.attempt, entry.maybe_sent) for entry in own.entries] == [
            ("r1", 1, False),
            ("r2", 1, False),
        ]
        assert [(entry.id, entry.attempt, entry.maybe_sent) for entry in late.entries] == [
            ("r1", 2, True),
            ("r2", 2, True),
        ]

    async def test_a_commit_adds_to_the_claim_of_its_own_sender(self, talk: Talk) -> None:
        """Who is still sending goes on with the new ones, for as long as a new claim."""
        await claiming_turn(talk, "m1", "r1")
        talk.clock.advance(20 * SECOND)

        claimed = await claiming_turn(talk, "m2", "r2")

        assert claimed
        talk.clock.advance(20 * SECOND)
        assert await talk.claim(token="b") is None
        assert ids(await talk.claimed(token="sender")) == ["r1", "r2"]

    async def test_a_commit_without_a_lane_token_claims_nothing(self, talk: Talk) -> None:
        """Somebody else will send."""
        committed = await talk.turn("m1", reply("r1"))

        assert not committed.claimed
        assert ids(await talk.claimed(token="anybody")) == ["r1"]

    async def test_a_commit_claims_replies_only(self, talk: Talk) -> None:
        """Jobs are for whoever has room for them; without replies there is nothing to send."""
        draft = talk.draft(await talk.take("m1"), job("j1"))

        committed = await talk.apply(replace(draft, lane_token="sender", lane_ms=CLAIM_MS))

        assert not committed.claimed
        assert ids(await talk.claimed("j1", token="anybody")) == ["j1"]

    async def test_a_commit_does_not_overtake_what_is_unsent(self, talk: Talk) -> None:
        """An older reply that nobody has claimed goes first."""
        await talk.turn("m1", reply("r1"))

        claimed = await claiming_turn(talk, "m2", "r2")

        assert not claimed
        assert ids(await talk.claimed(token="anybody")) == ["r1", "r2"]

    async def test_a_commit_does_not_claim_a_lane_that_somebody_else_has(self, talk: Talk) -> None:
        """Its replies wait behind theirs."""
        await claiming_turn(talk, "m1", "r1", token="a")

        claimed = await claiming_turn(talk, "m2", "r2", token="b")

        assert not claimed
        assert (await talk.settle("r1", Verdict.DONE, token="a")).more
        assert ids(await talk.claimed(token="b")) == ["r2"]

    async def test_a_commit_does_not_claim_a_lane_in_back_off(self, talk: Talk) -> None:
        """Not even its own sender's: the new reply waits with the old one."""
        await claiming_turn(talk, "m1", "r1")
        await talk.settle("r1", Verdict.RETRY, wait_ms=60_000)

        claimed = await claiming_turn(talk, "m2", "r2")

        assert not claimed
        assert await talk.claim() is None
        talk.clock.advance(60 * SECOND)
        assert ids(await talk.claimed()) == ["r1", "r2"]

    async def test_a_commit_does_not_claim_a_lane_whose_claim_expired(self, talk: Talk) -> None:
        """What may have been sent is looked at first, by whoever claims."""
        await claiming_turn(talk, "m1", "r1")
        talk.clock.advance(HOUR)

        claimed = await claiming_turn(talk, "m2", "r2")

        assert not claimed
        assert [(entry.id, entry.maybe_sent) for entry in (await talk.claimed()).entries] == [
            ("r1", True),
            ("r2", False),
        ]

    async def test_a_commit_does_not_overtake_what_its_own_sender_has_not_claimed_yet(self, talk: Talk) -> None:
        """A sender that took only the first entries has others to send before the new ones."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        await talk.claimed(token="sender", limit=1)

        claimed = await claiming_turn(talk, "m2", "r3")

        assert not claimed
        assert ids(await talk.claimed(token="sender")) == ["r1"]

    async def test_a_commit_does_not_claim_replies_that_are_not_due(self, talk: Talk) -> None:
        """All of them are to be sent now, or none is claimed."""
        draft = talk.draft(await talk.take("m1"), reply("r1"), reply("r2", due_ms=talk.now + 1000))

        committed = await talk.apply(replace(draft, lane_token="sender", lane_ms=CLAIM_MS))

        assert not committed.claimed
        assert ids(await talk.claimed(token="anybody")) == ["r1"]
