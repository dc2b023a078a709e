"""Promises about who may commit, and how often: the owner of the lease, once."""

from typing import Any

import pytest
from msgspec.structs import replace

from turnkeeper.ports.turns import Committed, Conflict, Fenced
from turnkeeper.testing.conformance.scenario import HOUR, LEASE_MS, MS, Backend, Talk, ids, job, reply


class FencingPromises(Backend):
    """Repeated, fenced off, in conflict."""

    async def test_a_repeated_commit_gives_the_same_answer_and_changes_nothing(self, talk: Talk) -> None:
        """A commit whose answer was lost is repeated without harm, its next turn included."""
        grant = await talk.take("m1")
        await talk.begin("m2")
        draft = replace(talk.draft(grant, job("j1")), log=b"entry")
        first = await talk.apply(draft)

        again = await talk.apply(draft)

        assert again == replace(first, repeated=True)
        assert len(await talk.history()) == 1
        assert await talk.waiting() == ["m2"]
        assert ids(await talk.claimed("j1")) == ["j1"]

    async def test_a_repeated_commit_tells_again_that_its_replies_are_claimed(self, talk: Talk) -> None:
        """As long as nobody else has the lane."""
        grant = await talk.take("m1")
        draft = replace(talk.draft(grant, reply("r1")), lane_token="sender", lane_ms=30_000)
        await talk.apply(draft)

        repeated = await talk.apply(draft)
        talk.clock.advance(HOUR)
        await talk.claimed(token="somebody else")
        late = await talk.apply(draft)

        assert (repeated.claimed, late.claimed) == (True, False)

    async def test_a_repeated_commit_gives_no_next_turn_that_somebody_else_has(self, talk: Talk) -> None:
        """The next grant is repeated only while it is held."""
        grant = await talk.take("m1")
        await talk.begin("m2")
        draft = talk.draft(grant)
        await talk.apply(draft)
        talk.clock.advance(LEASE_MS * MS)
        await talk.take()

        assert await talk.apply(draft) == Committed(version=1, repeated=True)

    async def test_a_commit_is_repeatable_until_the_next_one_of_its_conversation(self, talk: Talk) -> None:
        """Only the last commit id is kept; an older one is fenced off."""
        draft = talk.draft(await talk.take("m1"))
        await talk.apply(draft)
        await talk.turn("m2")

        assert await talk.commit(draft) == Fenced()

    async def test_a_commit_after_the_lease_was_taken_is_fenced(self, talk: Talk) -> None:
        """Nothing of it is written, and the new owner's commit stands."""
        loser = await talk.take("m1")
        talk.clock.advance(LEASE_MS * MS)
        winner = await talk.take()

        answer = await talk.commit(replace(talk.draft(loser, job("j1")), log=b"entry", state=b"zombie"))

        assert answer == Fenced()
        assert await talk.claim("j1") is None
        assert await talk.history() == []
        assert (await talk.apply(talk.draft(winner))).version == 1
        assert (await talk.take("m2")).state == b"v1"

    async def test_a_commit_with_an_expired_lease_that_nobody_took_is_applied(self, talk: Talk) -> None:
        """Being late harms nobody as long as nobody came."""
        grant = await talk.take("m1")
        talk.clock.advance(HOUR)

        assert await talk.apply(talk.draft(grant)) == Committed(version=1)

    async def test_a_commit_after_a_release_is_fenced(self, talk: Talk) -> None:
        """Whoever gave the lease back has no say any more."""
        grant = await talk.take("m1")
        await talk.release(grant)

        assert await talk.commit(talk.draft(grant)) == Fenced()

    async def test_a_commit_needs_the_fence_of_its_own_grant(self, talk: Talk) -> None:
        """The same token with the fence of an earlier turn is fenced off."""
        first = await talk.take("m1")
        await talk.begin("m2")
        await talk.apply(talk.draft(first))

        answer = await talk.commit(replace(talk.draft(first), commit_id="another", version=1))

        assert answer == Fenced()
        assert await talk.waiting() == ["m2"]

    async def test_a_commit_to_an_unknown_conversation_is_fenced(self, talk: Talk) -> None:
        """There is no lease that it could have."""
        grant = await talk.take("m1")
        stranger = talk.other(person="+15550101")

        assert await stranger.commit(stranger.draft(grant)) == Fenced()
        assert await stranger.store.catalog.export(stranger.conversation) is None

    @pytest.mark.parametrize("field", ["version", "generation"])
    async def test_a_commit_from_another_version_is_a_conflict(self, talk: Talk, field: str) -> None:
        """The lease stays, nothing is written, and the answer tells the version."""
        await talk.turn("m1")
        draft = talk.draft(await talk.take("m2"))
        moved: dict[str, Any] = {field: getattr(draft, field) + 1}

        answer = await talk.commit(replace(draft, **moved))

        assert answer == Conflict(version=1)
        assert await talk.waiting() == ["m2"]
        assert await talk.apply(draft) == Committed(version=2)

    async def test_after_a_conflict_the_same_token_gets_its_grant_again(self, talk: Talk) -> None:
        """The owner reads what is there now, and runs its turn again."""
        draft = talk.draft(await talk.take("m1", token="a"))
        await talk.commit(replace(draft, version=7))

        again = await talk.take(token="a")

        assert (again.version, again.fence, again.attempts) == (0, draft.fence, 1)
