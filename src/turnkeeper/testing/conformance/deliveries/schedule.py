"""Promises about time and cancelling: timers, what is due, what will not happen."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from turnkeeper.errors import LimitError
from turnkeeper.ports.deliveries import DueList, Verdict
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.ports.turns import EffectKind, Outcome
from turnkeeper.testing.conformance.scenario import (
    CLAIM_MS,
    HOUR,
    LEASE_MS,
    MS,
    SECOND,
    Backend,
    Talk,
    forward,
    ids,
    job,
    reply,
    timer,
    while_time_passes,
)


def names(due: DueList) -> list[str | None]:
    """Return what is due: the lanes' names, None for a conversation."""
    return [item.lane.name if item.lane else None for item in due.items]


class SchedulePromises(Backend):
    """When, and whether at all."""

    async def test_a_timer_of_the_same_name_replaces_the_other(self, talk: Talk) -> None:
        """Only the new one ever happens, also if the old one was just claimed."""
        await talk.turn("m1", timer("t1", name="later", due_ms=talk.now + 1000))
        await talk.turn("m2", timer("t2", name="later", due_ms=talk.now + 2000))
        talk.clock.advance(2 * SECOND)
        second = await talk.claimed("t2")
        await talk.turn("m3", timer("t3", name="later", due_ms=talk.now))

        settled = await talk.settle("t2", Verdict.RETRY, name="t2")

        assert (await talk.claim("t1"), ids(second), settled.held) == (None, ["t2"], False)
        assert (await talk.claim("t2"), ids(await talk.claimed("t3"))) == (None, ["t3"])

    async def test_timers_of_one_commit_replace_each_other_too(self, talk: Talk) -> None:
        """The last one of a name counts; another name, and no name, is another timer."""
        await talk.turn(
            "m1",
            timer("t1", name="later", due_ms=0),
            timer("t2", name="later", due_ms=0),
            timer("t3", name="soon", due_ms=0),
            timer("t4", name="", due_ms=0),
            timer("t5", name="", due_ms=0),
        )

        claims = [await talk.claim(name) for name in ("t1", "t2", "t3", "t4", "t5")]

        assert [claim is not None for claim in claims] == [False, True, True, True, True]

    async def test_timers_of_other_conversations_are_others(self, talk: Talk) -> None:
        """A name is one of the conversation's own."""
        ana = talk.other(member="ana")
        await talk.turn("m1", timer("t1", name="later", due_ms=0))
        await ana.turn("m1", timer("t2", name="later", due_ms=0))

        await talk.turn("m2", timer("t3", name="later", due_ms=0))

        assert ids(await ana.claimed("t2")) == ["t2"]

    async def test_a_commit_cancels_by_id_and_by_timer_name(self, talk: Talk) -> None:
        """What it names will not happen; an unknown name is no error."""
        await talk.turn(
            "m1", reply("r1"), reply("r2"), job("j1"), forward("f1"), timer("t1", name="later", due_ms=0), job("j2")
        )

        await talk.apply(
            replace(talk.draft(await talk.take("m2")), cancel=("r1", "j1", "f1", "later", "never heard of"))
        )

        claims = [await talk.claim(name) for name in ("j1", "f1", "t1")]
        assert claims == [None, None, None]
        assert ids(await talk.claimed()) == ["r2"]
        assert ids(await talk.claimed("j2")) == ["j2"]

    async def test_a_commit_cancels_also_what_is_claimed(self, talk: Talk) -> None:
        """Unless it is settled already: it is not tried again, and the rest of its lane goes on."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        await talk.claimed(limit=1)

        await talk.apply(replace(talk.draft(await talk.take("m2")), cancel=("r1",)))
        settled = await talk.settle("r1", Verdict.UNCERTAIN)

        assert not settled.held
        assert ids(await talk.claimed(token="b")) == ["r2"]

    async def test_a_commit_cancels_before_it_adds(self, talk: Talk) -> None:
        """It may cancel a timer and set it anew."""
        await talk.turn("m1", timer("t1", name="later", due_ms=0))
        draft = talk.draft(await talk.take("m2"), timer("t2", name="later", due_ms=0), reply("r1"))

        await talk.apply(replace(draft, cancel=("later",), cancel_all=True))

        assert await talk.claim("t1") is None
        assert ids(await talk.claimed("t2")) == ["t2"]
        assert ids(await talk.claimed()) == ["r1"]

    async def test_cancel_all_is_about_the_person_in_that_flow(self, talk: Talk) -> None:
        """Replies, jobs, timers and forwards of all the person's conversations there; nobody else's."""
        ana, elsewhere, stranger = talk.other(member="ana"), talk.other(flow="dispatch"), talk.other(person="+15550101")
        for each in (talk, ana, elsewhere, stranger):
            due_ms = talk.now + 1000
            await each.turn("m1", reply("r"), job("j"), forward("f"), timer("t", name="later", due_ms=due_ms))
        talk.clock.advance(SECOND)

        await talk.apply(replace(talk.draft(await talk.take("stop")), cancel_all=True))

        left = {
            each.conversation.key: [name for name in ("", "j", "f", "t") if await each.claim(name) is not None]
            for each in (talk, ana, elsewhere, stranger)
        }
        everything = ["", "j", "f", "t"]
        assert left == {
            talk.conversation.key: [],
            ana.conversation.key: [],
            elsewhere.conversation.key: everything,
            stranger.conversation.key: everything,
        }

    async def test_cancel_all_leaves_what_is_handed_out(self, talk: Talk) -> None:
        """It is on its way already: its verdict is still to come."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        await talk.claimed(limit=1)

        await talk.apply(replace(talk.draft(await talk.take("stop")), cancel_all=True))

        assert ids(await talk.claimed()) == ["r1"]
        assert (await talk.settle("r1", Verdict.DONE)).held
        assert await talk.claim() is None

    async def test_cancelling_from_outside_counts_what_it_removed(self, talk: Talk) -> None:
        """By id or by timer name; a repeat counts nothing."""
        await talk.turn("m1", reply("r1"), job("j1"), timer("t1", name="later", due_ms=talk.now + 1000))
        cancel = talk.store.deliveries.cancel

        removed = await cancel(talk.conversation, ids=["r1", "later", "never heard of"])

        assert removed == 2
        assert await cancel(talk.conversation, ids=["r1", "later", "t1"]) == 0
        assert await cancel(talk.other(member="ana").conversation, ids=["j1"]) == 0
        assert ids(await talk.claimed("j1")) == ["j1"]

    async def test_cancelling_from_outside_leaves_what_is_claimed(self, talk: Talk) -> None:
        """Until its claim ends without a verdict."""
        await talk.turn("m1", job("j1"))
        await talk.claimed("j1")
        cancel = talk.store.deliveries.cancel

        while_claimed = await cancel(talk.conversation, ids=["j1"])
        talk.clock.advance(CLAIM_MS * MS)
        afterwards = await cancel(talk.conversation, ids=["j1"])

        assert (while_claimed, afterwards) == (0, 1)
        assert await talk.claim("j1") is None

    async def test_cancelling_has_a_limit(self, talk: Talk) -> None:
        """`MAX_BATCH` ids are looked for, more are refused."""
        assert await talk.store.deliveries.cancel(talk.conversation, ids=["e"] * MAX_BATCH) == 0
        with pytest.raises(LimitError):
            await talk.store.deliveries.cancel(talk.conversation, ids=["e"] * (MAX_BATCH + 1))

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
