"""Promises about the wish to be left alone: whose it is, what it stops, and what it does not."""

import pytest
from msgspec.structs import replace

from turnkeeper.ports.deliveries import Verdict
from turnkeeper.ports.turns import Effect
from turnkeeper.testing.conformance.scenario import DAY, Backend, Talk, forward, job, reply, timer


async def wish(talk: Talk, name: str, *effects: Effect, opt_out: bool) -> None:
    """Run a turn in which the person opts out or in."""
    await talk.apply(replace(talk.draft(await talk.take(name), *effects), opt_out=opt_out))


async def suppressed(talk: Talk, name: str = "") -> list[str]:
    """Claim a lane and return what is not to be sent."""
    return [entry.id for entry in (await talk.claimed(name)).entries if entry.suppressed]


class OptOutPromises(Backend):
    """Opting out and in."""

    async def test_begin_tells_who_has_opted_out(self, talk: Talk) -> None:
        """From that commit on, until one clears it; a commit that says nothing leaves it."""
        before = await talk.take("m1")
        await talk.begin("m2")
        following = (await talk.apply(replace(talk.draft(before), opt_out=True))).next
        assert following is not None
        await talk.apply(talk.draft(following))
        during = await talk.take("m3")
        await talk.apply(replace(talk.draft(during), opt_out=False))
        after = await talk.take("m4")

        seen = [before.opted_out, following.opted_out, during.opted_out, after.opted_out]

        assert seen == [False, True, True, False]

    async def test_all_conversations_of_the_person_in_that_flow_share_it(self, talk: Talk) -> None:
        """Whoever else speaks on that number; no other flow, no other person."""
        await wish(talk, "stop", opt_out=True)

        others = [talk.other(member="ana"), talk.other(flow="dispatch"), talk.other(person="+15550101")]

        assert [(await other.take("m1")).opted_out for other in others] == [True, False, False]

    async def test_a_reply_committed_before_the_opt_out_is_suppressed(self, talk: Talk) -> None:
        """Also another member's; it is still claimed, so that somebody settles it."""
        ana, elsewhere = talk.other(member="ana"), talk.other(flow="dispatch")
        for each in (talk, ana, elsewhere):
            await each.turn("m1", reply("r1"))

        await wish(talk, "stop", opt_out=True)

        assert [await suppressed(each) for each in (talk, ana, elsewhere)] == [["r1"], ["r1"], []]
        assert (await talk.settle("r1", Verdict.DONE)).held
        assert await talk.claim() is None

    async def test_what_the_opt_out_itself_says_is_sent(self, talk: Talk) -> None:
        """The confirmation, and whatever was said knowingly afterwards."""
        await talk.turn("m1", reply("before"))
        await wish(talk, "stop", reply("confirmation"), opt_out=True)
        await talk.turn("help", reply("help"))

        assert await suppressed(talk) == ["before"]

    async def test_who_opts_out_again_does_not_hear_what_was_said_between(self, talk: Talk) -> None:
        """The newest wish counts."""
        await wish(talk, "stop", opt_out=True)
        await wish(talk, "start", reply("welcome"), opt_out=False)
        await wish(talk, "stop again", reply("confirmation"), opt_out=True)

        assert await suppressed(talk) == ["welcome"]

    async def test_who_opts_out_twice_hears_nothing_said_before_the_second_time(self, talk: Talk) -> None:
        """Also what was said knowingly between the two."""
        await wish(talk, "stop", opt_out=True)
        await talk.turn("help", reply("help"))
        await wish(talk, "stop!", reply("confirmation"), opt_out=True)

        assert await suppressed(talk) == ["help"]

    async def test_nothing_is_suppressed_after_opting_in_again(self, talk: Talk) -> None:
        """What is still unsent may be said."""
        await talk.turn("m1", reply("r1"))
        await wish(talk, "stop", opt_out=True)
        await wish(talk, "start", opt_out=False)

        assert await suppressed(talk) == []

    @pytest.mark.parametrize("effect", [job("e"), forward("e"), timer("e", name="later", due_ms=0)])
    async def test_only_replies_are_suppressed(self, talk: Talk, effect: Effect) -> None:
        """Work that was begun goes on: the person only does not want to hear of it."""
        await talk.turn("m1", effect)

        await wish(talk, "stop", opt_out=True)

        assert await suppressed(talk, "e") == []

    async def test_it_outlives_the_state(self, talk: Talk) -> None:
        """Being forgotten is no reason to be spoken to."""
        draft = replace(talk.draft(await talk.take("stop")), opt_out=True, retain_ms=1000)
        await talk.apply(draft)
        talk.clock.advance(365 * DAY)

        assert (await talk.take("m1")).opted_out

    async def test_the_catalogue_shows_it(self, talk: Talk) -> None:
        """For every conversation of the person in that flow."""
        ana = talk.other(member="ana")
        await ana.turn("m1")
        await wish(talk, "stop", opt_out=True)

        summaries = (await talk.store.catalog.find()).items

        assert [summary.opted_out for summary in summaries] == [True, True]
