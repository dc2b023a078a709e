"""Promises about time and cancelling: timers, what is due, what will not happen."""

import pytest
from msgspec.structs import replace

from turnkeeper.errors import LimitError
from turnkeeper.ports.deliveries import DueList, Verdict
from turnkeeper.ports.limits import MAX_BATCH
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
