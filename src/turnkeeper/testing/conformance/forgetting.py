"""Promises about the end of a state: what holds it back, what a commit may say, and what was lost instead."""

import pytest
from msgspec.structs import replace

from turnkeeper.ports.deliveries import Verdict
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.limits import PART_GRACE
from turnkeeper.ports.turns import Duplicate, Granted, Part
from turnkeeper.testing.conformance.retention import KEPT, kept_turn, summary
from turnkeeper.testing.conformance.scenario import MS, SECOND, Backend, Talk, ids, job, reply, timer
from turnkeeper.testing.conformance.selection import needs


class ForgettingPromises(Backend):
    """Held back, forgotten, lost."""

    @pytest.mark.parametrize("what", ["waiting", "running", "reply", "job", "timer", "claimed"])
    async def test_nothing_is_forgotten_while_something_is_in_flight(self, talk: Talk, what: str) -> None:
        """A waiting message, a lease, an unsent effect, a timer: each keeps the state."""
        effects = {
            "reply": reply("e"),
            "job": job("e"),
            "claimed": job("e"),
            "timer": timer("e", name="later", due_ms=talk.now + 10 * KEPT // MS),
        }
        draft = talk.draft(await talk.take("m1"), *(effect for name, effect in effects.items() if name == what))
        await talk.apply(replace(draft, retain_ms=KEPT // MS))
        if what == "waiting":
            await talk.post("m2")
        if what == "running":
            await talk.take("m2")
        if what == "claimed":
            await talk.claimed("e")
        talk.clock.advance(2 * KEPT)

        grant = await talk.take("m3")

        assert (grant.state, grant.version) == (b"v1", 1)

    @pytest.mark.parametrize("verdict", [Verdict.DONE, Verdict.DEAD])
    async def test_it_is_forgotten_once_the_last_thing_in_flight_is_settled(self, talk: Talk, verdict: Verdict) -> None:
        """At once if its time was over meanwhile, not a whole retention later."""
        await kept_turn(talk, "m1", effects=(job("j1"), job("j2")))
        await talk.claimed("j1")
        await talk.claimed("j2")
        talk.clock.advance(2 * KEPT)
        await talk.settle("j1", verdict, name="j1")
        before = (await summary(talk)).version
        await talk.settle("j2", verdict, name="j2")

        grant = await talk.take("m2")

        assert (before, grant.version) == (1, 0)

    async def test_settling_early_does_not_end_the_retention_early(self, talk: Talk) -> None:
        """It ends when it was to end."""
        await kept_turn(talk, "m1", effects=(job("j1"),))
        await talk.claimed("j1")
        await talk.settle("j1", Verdict.DONE, name="j1")
        talk.clock.advance(KEPT - MS)

        assert (await talk.take("m2")).version == 1

    async def test_a_cancelled_timer_holds_nothing_back(self, talk: Talk) -> None:
        """What will not happen is not in flight."""
        later = timer("t1", name="later", due_ms=talk.now + 10 * KEPT // MS)
        await kept_turn(talk, "m1", effects=(later,))
        talk.clock.advance(2 * KEPT)
        await talk.store.deliveries.cancel(talk.conversation, ids=["later"])

        assert (await talk.take("m2")).version == 0

    async def test_a_commit_can_forget(self, talk: Talk) -> None:
        """The state goes with that commit; receipts and log stay, and the next message begins anew."""
        before = await talk.take("m1")
        await talk.apply(talk.draft(before))
        draft = replace(talk.draft(await talk.take("m2")), forget=True, state=None, log=b"goodbye", reply=b"bye")

        committed = await talk.apply(draft)

        assert (committed.version, committed.next) == (0, None)
        assert (await talk.store.catalog.find()).items == ()
        assert [record.data for record in await talk.history()] == [b"goodbye"]
        assert await talk.begin("m2") == Duplicate(done=True, reply=b"bye")
        talk.clock.advance(SECOND)
        grant = await talk.take("m3")
        assert (grant.state, grant.version, grant.lost, grant.created_ms) == (None, 0, False, talk.now)
        assert grant.generation > before.generation

    async def test_what_a_forgetting_commit_says_is_still_sent(self, talk: Talk) -> None:
        """The goodbye is unsent when the state is gone already."""
        await kept_turn(talk, "m1", forget=True, effects=(reply("goodbye"),))

        assert (await talk.store.catalog.find()).items == ()
        assert ids(await talk.claimed()) == ["goodbye"]

    async def test_a_message_behind_a_forgetting_commit_begins_anew(self, talk: Talk) -> None:
        """It is handed out with the new generation in the same call."""
        grant = await talk.take("m1")
        await talk.begin("m2")

        committed = await talk.apply(replace(talk.draft(grant), forget=True))

        assert committed.next is not None
        assert (committed.next.state, committed.next.version, committed.next.lost) == (None, 0, False)
        assert committed.next.generation > grant.generation
        assert committed.next.created_ms == talk.now

    async def test_a_repeated_forgetting_commit_gives_the_same_answer(self, talk: Talk) -> None:
        """Also this one is safe to send twice."""
        draft = replace(talk.draft(await talk.take("m1")), forget=True)
        first = await talk.apply(draft)

        assert await talk.apply(draft) == replace(first, repeated=True)

    async def test_the_parts_of_a_forgotten_conversation_go_after_their_grace(self, talk: Talk) -> None:
        """At the latest then."""
        await kept_turn(talk, "m1", parts=(Part(id="p1", data=b"large"),))
        talk.clock.advance(KEPT)
        await talk.turn("m2")
        talk.clock.advance(PART_GRACE)

        assert await talk.store.documents.get(part_key(talk.conversation, "p1")) is None

    @needs("evict")
    async def test_an_evicted_state_is_lost_not_forgotten(self, talk: Talk) -> None:
        """The message is accepted, the turn is told, and the versions go on."""
        first = await talk.take("m1")
        await talk.apply(talk.draft(first))
        await self.evict(talk.store, talk.conversation)

        grant = await talk.take("m2")

        assert (grant.lost, grant.state, grant.version, grant.generation) == (True, None, 1, first.generation)
        assert (await talk.apply(talk.draft(grant))).version == 2
        again = await talk.take("m3")
        assert (again.lost, again.state) == (False, b"v2")

    @needs("evict")
    async def test_an_evicted_state_whose_time_is_over_is_forgotten(self, talk: Talk) -> None:
        """What would be gone anyway is not reported as a loss."""
        await kept_turn(talk, "m1")
        await self.evict(talk.store, talk.conversation)
        talk.clock.advance(KEPT)

        grant = await talk.take("m2")

        assert (grant.lost, grant.version) == (False, 0)

    async def test_many_generations_never_share_a_number(self, talk: Talk) -> None:
        """Forgetting within the same millisecond makes another generation too."""
        grants: list[Granted] = []
        for number in range(4):
            grant = await talk.take(f"m{number}")
            await talk.apply(replace(talk.draft(grant), forget=True))
            grants.append(grant)

        generations = [grant.generation for grant in grants]

        assert generations == sorted(set(generations))
