"""Promises of the `Catalog` port: what a console and a live view see."""

import asyncio

from msgspec.structs import replace

from turnkeeper.ports.catalog import Counts, Summary, SummaryPage
from turnkeeper.ports.limits import MAX_BATCH
from turnkeeper.testing.conformance.scenario import (
    HOUR,
    MS,
    SECOND,
    Backend,
    Talk,
    forward,
    job,
    reply,
    timer,
)


def people(page: SummaryPage) -> list[str]:
    """Return whose conversations are on a page."""
    return [summary.conversation.person for summary in page.items]


async def crowd(talk: Talk, count: int) -> list[Talk]:
    """Let so many people say something, one after the other."""
    talks = [talk.other(person=f"p{number}") for number in range(count)]
    for one in talks:
        talk.clock.advance(MS)
        await one.turn("m1")
    return talks


class CatalogPromises(Backend):
    """Finding, counting, watching."""

    async def test_an_empty_store_lists_nothing(self, talk: Talk) -> None:
        """No conversation, no cursor, no count."""
        assert await talk.store.catalog.find() == SummaryPage(items=(), cursor=None)
        assert await talk.store.catalog.counts() == Counts(
            statuses={}, waiting=0, running=0, unsent=0, timers=0, dead=0
        )
        assert (await talk.store.catalog.watch(flow="shop")).items == ()

    async def test_a_summary_tells_how_a_conversation_stands(self, talk: Talk) -> None:
        """When it began, changed and was active, until when it is kept, what waits and what is unsent."""
        grant = await talk.take("m1")
        created = talk.now
        talk.clock.advance(SECOND)
        effects = (reply("r1"), job("j1"), forward("f1"), timer("t1", name="later", due_ms=talk.now + 1000))
        await talk.apply(replace(talk.draft(grant, *effects), status="analyzing", retain_ms=60_000))
        active = talk.now
        talk.clock.advance(SECOND)
        await talk.apply(replace(talk.draft(await talk.take("m2")), active=False, status="sent", retain_ms=60_000))
        await talk.post("m3", "m4")

        page = await talk.store.catalog.find()

        assert page.items == (
            Summary(
                conversation=talk.conversation,
                status="sent",
                version=2,
                created_ms=created,
                changed_ms=talk.now,
                active_ms=active,
                expires_ms=active + 60_000,
                waiting=2,
                unsent=3,
                opted_out=False,
            ),
        )

    async def test_until_its_first_commit_a_conversation_changed_when_it_began(self, talk: Talk) -> None:
        """It is listed from the first acceptance on."""
        await talk.post("m1")
        talk.clock.advance(SECOND)

        (summary,) = (await talk.store.catalog.find()).items

        assert (summary.version, summary.status, summary.waiting) == (0, "", 1)
        assert summary.changed_ms == summary.created_ms == talk.now - 1000

    async def test_the_state_key_comes_back_with_the_conversation(self, talk: Talk) -> None:
        """Whoever finds it can name its state."""
        named = talk.other(person="17")
        named.conversation = replace(named.conversation, state_key="order:17")
        await named.turn("m1", job("j1"))

        (summary,) = (await talk.store.catalog.find()).items
        (item,) = (await talk.store.deliveries.due()).items

        assert summary.conversation == named.conversation
        assert item.conversation == named.conversation

    async def test_a_conversation_with_a_state_key_is_found_once_by_its_person(self, talk: Talk) -> None:
        """With that key, beside one of another flow and one of a member that have none."""
        named, ana, elsewhere = talk.other(), talk.other(member="ana"), talk.other(flow="dispatch")
        named.conversation = replace(named.conversation, state_key="order:17")
        for each in (named, ana, elsewhere):
            await each.turn("m1")

        of_person = (await talk.store.catalog.find(person=named.conversation.person)).items
        of_flow = (await talk.store.catalog.find(person=named.conversation.person, flow=named.conversation.flow)).items

        everyone = {each.conversation for each in (named, ana, elsewhere)}
        assert (len(of_person), {one.conversation for one in of_person}) == (3, everyone)
        assert (len(of_flow), {one.conversation for one in of_flow}) == (2, everyone - {elsewhere.conversation})

    async def test_what_changed_last_comes_first(self, talk: Talk) -> None:
        """A commit moves a conversation to the front, an acceptance does not."""
        talks = await crowd(talk, 3)
        talk.clock.advance(MS)
        await talks[0].turn("m2")
        talk.clock.advance(MS)
        await talks[1].post("m2")

        assert people(await talk.store.catalog.find()) == ["p0", "p2", "p1"]

    async def test_it_is_found_by_flow_status_and_person(self, talk: Talk) -> None:
        """Exactly, alone or together; never by a part of a name."""
        await talk.apply(replace(talk.draft(await talk.take("m1")), status="idle"))
        ana, elsewhere = talk.other(member="ana"), talk.other(flow="dispatch")
        await ana.turn("m1")
        await elsewhere.turn("m1")
        find = talk.store.catalog.find

        found = [
            await find(flow="shop"),
            await find(status="open"),
            await find(person=talk.conversation.person),
            await find(flow="shop", status="open", person=talk.conversation.person),
            await find(flow="sho"),
            await find(status="ope"),
            await find(person="+1555"),
        ]

        keys = [{summary.conversation.key for summary in page.items} for page in found]
        a, b, c = (each.conversation.key for each in (talk, ana, elsewhere))
        assert keys == [{a, b}, {b, c}, {a, b, c}, {b}, set(), set(), set()]

    async def test_a_conversation_is_found_by_its_newest_status(self, talk: Talk) -> None:
        """And not by an earlier one."""
        await talk.apply(replace(talk.draft(await talk.take("m1")), status="idle"))
        await talk.apply(replace(talk.draft(await talk.take("m2")), status="open"))

        assert people(await talk.store.catalog.find(status="idle")) == []
        assert people(await talk.store.catalog.find(status="open")) == [talk.conversation.person]

    async def test_pages_follow_each_other_without_gap_or_repeat(self, talk: Talk) -> None:
        """The last one has no cursor."""
        await crowd(talk, 5)
        find = talk.store.catalog.find

        first = await find(flow="shop", limit=2)
        second = await find(flow="shop", limit=2, cursor=first.cursor)
        third = await find(flow="shop", limit=2, cursor=second.cursor)

        assert [people(page) for page in (first, second, third)] == [["p4", "p3"], ["p2", "p1"], ["p0"]]
        assert third.cursor is None

    async def test_a_page_of_all_has_no_cursor(self, talk: Talk) -> None:
        """Exactly as many as the limit is not more than the limit."""
        await crowd(talk, 2)

        page = await talk.store.catalog.find(limit=2)

        assert (people(page), page.cursor) == (["p1", "p0"], None)

    async def test_pages_stay_in_place_while_conversations_change(self, talk: Talk) -> None:
        """What did not change meanwhile comes exactly once."""
        talks = await crowd(talk, 6)
        first = await talk.store.catalog.find(limit=2)
        talk.clock.advance(MS)
        await talks[5].turn("m2")
        await talks[0].turn("m2")
        await talk.other(person="new").turn("m1")

        rest = await talk.store.catalog.find(limit=100, cursor=first.cursor)

        assert people(first) == ["p5", "p4"]
        assert people(rest) == ["p3", "p2", "p1"]

    async def test_conversations_of_one_millisecond_are_paged_too(self, talk: Talk) -> None:
        """In whatever order, each comes once."""
        for number in range(7):
            await talk.other(person=f"p{number}").turn("m1")
        seen = []
        page = await talk.store.catalog.find(limit=3)
        seen += people(page)
        while page.cursor is not None:
            page = await talk.store.catalog.find(limit=3, cursor=page.cursor)
            seen += people(page)

        assert sorted(seen) == [f"p{number}" for number in range(7)]

    async def test_counts_are_totals(self, talk: Talk) -> None:
        """Conversations with a state by status, waiting messages, running turns, unsent effects, timers, the dead."""
        later = timer("t1", name="later", due_ms=talk.now + 1000)
        await talk.turn("m1", reply("r1"), job("j1"), forward("f1"), later)
        await talk.claimed("j1")
        idle, fresh = talk.other(person="idle"), talk.other(person="fresh")
        await idle.apply(replace(idle.draft(await idle.take("m1")), status="idle", dead="poison"))
        await fresh.take("m1")
        await fresh.post("m2")
        await talk.other(flow="dispatch").turn("m1", reply("r2"))

        shop = await talk.store.catalog.counts(flow="shop")
        everything = await talk.store.catalog.counts()

        assert shop == Counts(statuses={"open": 1, "idle": 1}, waiting=2, running=1, unsent=3, timers=1, dead=1)
        assert everything == Counts(statuses={"open": 2, "idle": 1}, waiting=2, running=1, unsent=4, timers=1, dead=1)

    async def test_an_expired_lease_is_not_running(self, talk: Talk) -> None:
        """Its message waits."""
        await talk.take("m1")
        talk.clock.advance(HOUR)

        counts = await talk.store.catalog.counts()

        assert (counts.running, counts.waiting) == (0, 1)

    async def test_a_page_has_at_most_a_batch(self, talk: Talk) -> None:
        """Whoever asks for more gets `MAX_BATCH` and a cursor."""
        await asyncio.gather(*(talk.other(person=f"p{number}").post("m1") for number in range(MAX_BATCH + 1)))

        page = await talk.store.catalog.find(limit=10 * MAX_BATCH)

        assert (len(page.items), page.cursor is not None) == (MAX_BATCH, True)

    async def test_a_store_says_what_it_is(self, talk: Talk) -> None:
        """Its kind, what it guarantees and what it may lose; its URL carries no password."""
        info = await talk.store.catalog.info()

        assert info.kind
        assert info.durability in {"cache", "memory", "replica", "disk", "disk+replica"}
        assert info.loses
        assert info.schema >= 1
        assert "@" not in info.url or ":" not in info.url.split("://", 1)[-1].split("@", 1)[0]

    async def test_a_store_is_opened_and_closed_twice_without_harm(self, talk: Talk) -> None:
        """Opening is lazy, and what is stored is there before and after."""
        await talk.turn("m1")

        await talk.store.open()
        await talk.store.open()

        assert (await talk.take("m2")).version == 1
        await talk.store.close()
        await talk.store.close()
