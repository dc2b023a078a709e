"""Promises of `Deliveries.due`: what somebody must look at, and when the next thing will be."""

import asyncio
from datetime import timedelta

from turnkeeper.ports.deliveries import DueList, Verdict
from turnkeeper.ports.turns import EffectKind, Outcome
from turnkeeper.testing.conformance.deliveries.schedule import names
from turnkeeper.testing.conformance.scenario import (
    CLAIM_MS,
    HOUR,
    LEASE_MS,
    MS,
    SECOND,
    Backend,
    Talk,
    forward,
    job,
    reply,
    timer,
    while_time_passes,
)


class DuePromises(Backend):
    """Now, and next."""

    async def test_an_empty_store_has_nothing_due(self, talk: Talk) -> None:
        """Nothing now, and nothing is known of later."""
        assert await talk.store.deliveries.due() == DueList(items=(), next_ms=None, now_ms=talk.now)

    async def test_a_message_that_nobody_runs_is_due(self, talk: Talk) -> None:
        """Accepted only, crashed, or given back."""
        crashed, returned = talk.other(member="crashed"), talk.other(member="returned")
        await talk.post("m1")
        grant = await returned.take("m1")
        await crashed.take("m1")
        await returned.release(grant)
        talk.clock.advance(LEASE_MS * MS)

        due = await talk.store.deliveries.due()

        assert {item.conversation.member for item in due.items} == {"", "crashed", "returned"}
        assert {(item.lane, item.kind) for item in due.items} == {(None, None)}
        assert all(item.due_ms <= talk.now for item in due.items)

    async def test_a_running_turn_is_not_due_before_its_lease_ends(self, talk: Talk) -> None:
        """The end of the lease is the next thing that is known."""
        grant = await talk.take("m1")

        running = await talk.store.deliveries.due()
        talk.clock.advance(LEASE_MS * MS)
        expired = await talk.store.deliveries.due()

        assert (running.items, running.next_ms) == ((), grant.lease_until_ms)
        assert [item.due_ms for item in expired.items] == [grant.lease_until_ms]

    async def test_every_lane_with_something_to_do_is_due(self, talk: Talk) -> None:
        """With the kind of what comes first; what is claimed is not, until the claim ends."""
        await talk.turn("m1", reply("r1"), job("j1"), forward("f1"), timer("t1", name="now", due_ms=0))
        await talk.turn("m2", job("j2"))
        claim = await talk.claimed("j2")

        due = await talk.store.deliveries.due()
        talk.clock.advance(CLAIM_MS * MS)
        later = await talk.store.deliveries.due()

        assert {(item.lane, item.kind) for item in due.items} == {
            (talk.lane(), EffectKind.REPLY),
            (talk.lane("j1"), EffectKind.JOB),
            (talk.lane("f1"), EffectKind.FORWARD),
            (talk.lane("t1"), EffectKind.TIMER),
        }
        assert due.next_ms == claim.until_ms
        assert "j2" in names(later)

    async def test_what_is_due_is_most_overdue_first(self, talk: Talk) -> None:
        """And no more than asked for."""
        start = talk.now
        for name, after in (("a", 3000), ("c", 1000), ("b", 2000)):
            await talk.turn(f"m{name}", timer(name, name=name, due_ms=start + after))
        talk.clock.advance(10 * SECOND)

        due = await talk.store.deliveries.due(limit=2)

        assert names(due) == ["c", "b"]
        assert [item.due_ms for item in due.items] == [start + 1000, start + 2000]

    async def test_jobs_can_be_left_out(self, talk: Talk) -> None:
        """However many of them are more overdue than the rest."""
        many = [job(f"j{number}") for number in range(40)]
        await talk.turn("m1", *many)
        talk.clock.advance(SECOND)
        await talk.turn("m2", timer("t1", name="later", due_ms=talk.now))
        await talk.post("m3")

        everything = await talk.store.deliveries.due(limit=2)
        without = await talk.store.deliveries.due(limit=2, jobs=False)

        assert [item.kind for item in everything.items] == [EffectKind.JOB] * 2
        assert sorted(str(item.kind) for item in without.items) == sorted([str(EffectKind.TIMER), str(None)])

    async def test_only_the_asked_flows_are_looked_at(self, talk: Talk) -> None:
        """A worker is not woken for what it does not serve."""
        elsewhere = talk.other(flow="dispatch")
        await elsewhere.turn("m1", timer("t1", name="later", due_ms=talk.now + 1000))
        await elsewhere.post("m2")
        await talk.post("m1")

        one = await talk.store.deliveries.due(flows=["shop"])
        both = await talk.store.deliveries.due(flows=["shop", "dispatch"])
        none = await talk.store.deliveries.due(flows=[])

        assert [item.conversation.flow for item in one.items] == ["shop"]
        assert one.next_ms is None
        assert sorted(item.conversation.flow for item in both.items) == ["dispatch", "shop"]
        assert none.items == ()

    async def test_the_next_time_is_the_earliest_that_is_known(self, talk: Talk) -> None:
        """Timers, back-offs of turns and of replies, whichever comes first."""
        start = talk.now
        await talk.turn("m1", timer("t1", name="later", due_ms=start + 9000), reply("r1"))
        seen = [(await talk.store.deliveries.due()).next_ms]
        await talk.claimed()
        await talk.settle("r1", Verdict.RETRY, wait_ms=8000)
        seen.append((await talk.store.deliveries.due()).next_ms)
        await talk.release(await talk.take("m2"), Outcome.ERROR, wait_ms=7000)
        seen.append((await talk.store.deliveries.due()).next_ms)

        assert seen == [start + 9000, start + 8000, start + 7000]

    async def test_waiting_ends_when_something_comes(self, talk: Talk) -> None:
        """Long before the wait is over."""
        start = talk.now
        waiting = asyncio.create_task(talk.store.deliveries.due(wait=timedelta(hours=1)))
        await talk.clock.until_somebody_sleeps()

        await talk.post("m1")
        due = await while_time_passes(talk.clock, waiting)

        assert names(due) == [None]
        assert talk.now - start < 60_000

    async def test_waiting_ends_when_something_becomes_due(self, talk: Talk) -> None:
        """Nobody has to touch the store for that."""
        start = talk.now
        await talk.turn("m1", timer("t1", name="later", due_ms=start + 10_000))

        due = await while_time_passes(talk.clock, talk.store.deliveries.due(wait=HOUR))

        assert names(due) == ["t1"]
        assert 10_000 <= talk.now - start < 60_000

    async def test_waiting_ends_with_nothing_when_the_wait_is_over(self, talk: Talk) -> None:
        """The answer is an empty one, not an error."""
        start = talk.now

        due = await while_time_passes(talk.clock, talk.store.deliveries.due(wait=5 * SECOND))

        assert due.items == ()
        assert 5000 <= talk.now - start < 60_000
