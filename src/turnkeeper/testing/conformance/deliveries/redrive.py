"""Promises of `Deliveries.redrive`: what died is tried again."""

import pytest
from msgspec.structs import replace

from turnkeeper.errors import LimitError
from turnkeeper.ports.deliveries import Verdict
from turnkeeper.ports.limits import MAX_BATCH, MAX_INBOX
from turnkeeper.ports.turns import Duplicate, EffectKind
from turnkeeper.testing.conformance.deliveries.dead import bury, bury_effect
from turnkeeper.testing.conformance.scenario import SECOND, Backend, Talk, ids, job, reply, timer


class RedrivePromises(Backend):
    """Brought back."""

    async def test_a_redriven_message_runs_although_its_receipt_is_kept(self, talk: Talk) -> None:
        """At the end of its inbox, as if it had never been tried; then it is a duplicate like any other."""
        letter = await bury(talk, "m1")
        running = await talk.take("m2")

        count = await talk.store.deliveries.redrive([letter.id])
        waiting = await talk.begin("m1")
        following = (await talk.apply(talk.draft(running))).next

        assert (count, waiting) == (1, Duplicate(done=False))
        assert following is not None
        assert [(one.id, one.payload) for one in following.messages] == [("m1", b"m1")]
        assert (following.attempts, following.errors) == (1, 0)
        await talk.apply(replace(talk.draft(following), reply=b"at last"))
        assert await talk.begin("m1") == Duplicate(done=True, reply=b"at last")

    async def test_a_redriven_message_is_due(self, talk: Talk) -> None:
        """Nobody has to bring another one to wake it."""
        letter = await bury(talk, "m1")

        await talk.store.deliveries.redrive([letter.id])

        assert [item.lane for item in (await talk.store.deliveries.due()).items] == [None]
        assert (await talk.take()).messages[0].id == "m1"

    async def test_a_redriven_delivery_goes_to_the_end_of_its_lane(self, talk: Talk) -> None:
        """At once, and its attempts count anew."""
        await talk.turn("m1", reply("r1"), reply("r2"))
        letter = await bury_effect(talk, "r1")
        await talk.settle("r2", Verdict.RETURN)

        count = await talk.store.deliveries.redrive([letter.id])

        claim = await talk.claimed()
        assert (count, ids(claim)) == (1, ["r2", "r1"])
        assert [(entry.attempt, entry.payload) for entry in claim.entries] == [(1, b"r2"), (1, b"r1")]

    async def test_a_redriven_delivery_still_says_that_it_may_have_been_sent(self, talk: Talk) -> None:
        """Its uncertain attempt is not undone."""
        await talk.turn("m1", job("j1"))
        await talk.claimed("j1")
        await talk.settle("j1", Verdict.UNCERTAIN, name="j1")
        letter = await bury_effect(talk, "j1", name="j1")

        await talk.store.deliveries.redrive([letter.id])

        (entry,) = (await talk.claimed("j1")).entries
        assert (entry.attempt, entry.maybe_sent) == (1, True)

    async def test_a_redriven_timer_comes_at_once_under_its_name(self, talk: Talk) -> None:
        """Its time is over already."""
        await talk.turn("m1", timer("t1", name="later", due_ms=talk.now + 1000))
        talk.clock.advance(SECOND)
        letter = await bury_effect(talk, "t1", name="t1")

        await talk.store.deliveries.redrive([letter.id])

        (entry,) = (await talk.claimed("t1")).entries
        assert (entry.name, entry.kind) == ("later", EffectKind.TIMER)

    async def test_a_redriven_reply_is_suppressed_for_who_opted_out_meanwhile(self, talk: Talk) -> None:
        """Its commit was before that wish."""
        await talk.turn("m1", reply("r1"))
        letter = await bury_effect(talk, "r1")
        await talk.apply(replace(talk.draft(await talk.take("stop")), opt_out=True))

        await talk.store.deliveries.redrive([letter.id])

        assert [entry.suppressed for entry in (await talk.claimed()).entries] == [True]

    async def test_a_letter_is_redriven_once(self, talk: Talk) -> None:
        """A repeat, and an unknown id, count nothing; the letter is off the list."""
        letter = await bury(talk, "m1")
        other = await bury(talk, "m2")
        redrive = talk.store.deliveries.redrive

        count = await redrive([letter.id, "never heard of", other.id])

        assert count == 2
        assert await redrive([letter.id, other.id]) == 0
        assert await talk.waiting() == ["m1", "m2"]
        assert (await talk.store.deliveries.dead()).items == ()

    async def test_a_full_inbox_takes_no_redriven_message(self, talk: Talk) -> None:
        """The letter stays, and may be redriven when there is room."""
        letter = await bury(talk, "m1")
        await talk.post(*(f"more{number}" for number in range(MAX_INBOX)))

        refused = await talk.store.deliveries.redrive([letter.id])
        await talk.apply(replace(talk.draft(await talk.take()), next=False))

        assert refused == 0
        assert await talk.store.deliveries.redrive([letter.id]) == 1
        assert (await talk.waiting())[-1] == "m1"

    async def test_a_message_redriven_after_its_conversation_was_forgotten_begins_it_anew(self, talk: Talk) -> None:
        """As any message would."""
        await talk.apply(replace(talk.draft(await talk.take("m1")), retain_ms=1000))
        draft = replace(talk.draft(await talk.take("m2")), state=None, dead="poison", retain_ms=1000)
        await talk.apply(draft)
        (letter,) = (await talk.store.deliveries.dead()).items
        talk.clock.advance(SECOND)

        await talk.store.deliveries.redrive([letter.id])

        grant = await talk.take()
        assert (grant.messages[0].id, grant.version, grant.generation > draft.generation) == ("m2", 0, True)

    async def test_a_redriven_delivery_does_not_bring_a_forgotten_state_back(self, talk: Talk) -> None:
        """Its time was over when nothing was in flight any more."""
        await talk.apply(replace(talk.draft(await talk.take("m1"), job("j1")), retain_ms=1000))
        letter = await bury_effect(talk, "j1", name="j1")
        talk.clock.advance(SECOND)

        await talk.store.deliveries.redrive([letter.id])

        assert (await talk.take("m2")).version == 0
        assert ids(await talk.claimed("j1")) == ["j1"]

    async def test_redriving_has_a_limit(self, talk: Talk) -> None:
        """`MAX_BATCH` ids are looked for, more are refused."""
        assert await talk.store.deliveries.redrive(["unknown"] * MAX_BATCH) == 0
        with pytest.raises(LimitError):
            await talk.store.deliveries.redrive(["unknown"] * (MAX_BATCH + 1))
