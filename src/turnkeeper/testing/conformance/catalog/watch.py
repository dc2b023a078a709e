"""Promises of `Catalog.watch`: what a live view sees."""

import asyncio
from datetime import timedelta

from msgspec.structs import replace

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Changes
from turnkeeper.testing.conformance.catalog.find import crowd
from turnkeeper.testing.conformance.scenario import (
    SECOND,
    Backend,
    Talk,
    while_time_passes,
)


class WatchPromises(Backend):
    """Following the changes."""

    async def test_watching_from_the_start_gives_every_state(self, talk: Talk) -> None:
        """Oldest change first, one entry for each conversation, of that flow only."""
        talks = await crowd(talk, 3)
        await talks[0].turn("m2")
        await talk.other(flow="dispatch").turn("m1")
        await talk.post("only accepted")

        changes = await talk.store.catalog.watch(flow="shop")

        assert [(change.conversation.person, change.version, change.state) for change in changes.items] == [
            ("p1", 1, b"v1"),
            ("p2", 1, b"v1"),
            ("p0", 2, b"v2"),
        ]
        assert {change.status for change in changes.items} == {"open"}

    async def test_watching_goes_on_from_its_cursor(self, talk: Talk) -> None:
        """What was seen is not given again; nothing new leaves the cursor where it is."""
        talks = await crowd(talk, 3)
        watch = talk.store.catalog.watch
        first = await watch(flow="shop")
        quiet = await watch(flow="shop", cursor=first.cursor)
        await talks[1].turn("m2")
        await talks[1].turn("m3")

        news = await watch(flow="shop", cursor=quiet.cursor)
        after = await watch(flow="shop", cursor=news.cursor)

        assert quiet.items == after.items == ()
        assert [(change.conversation.person, change.version) for change in news.items] == [("p1", 3)]

    async def test_watching_an_empty_flow_gives_a_cursor_to_go_on_with(self, talk: Talk) -> None:
        """Whatever comes later is seen."""
        start = await talk.store.catalog.watch(flow="shop")
        await talk.turn("m1")

        news = await talk.store.catalog.watch(flow="shop", cursor=start.cursor)

        assert [change.version for change in news.items] == [1]

    async def test_watching_gives_no_more_than_the_limit(self, talk: Talk) -> None:
        """The rest comes with the next call, in order."""
        await crowd(talk, 5)
        watch = talk.store.catalog.watch

        first = await watch(flow="shop", limit=2)
        second = await watch(flow="shop", limit=2, cursor=first.cursor)
        third = await watch(flow="shop", limit=2, cursor=second.cursor)

        seen = [[change.conversation.person for change in changes.items] for changes in (first, second, third)]
        assert seen == [["p0", "p1"], ["p2", "p3"], ["p4"]]

    async def test_page_by_page_nothing_is_left_out(self, talk: Talk) -> None:
        """Nor what a turn without state moved behind others before it was read."""
        members = [talk.other(member=f"m{number}") for number in range(5)]
        for each in members:
            await each.turn("m1")
        for each in members[1:4]:
            await each.apply(replace(each.draft(await each.take("m2")), state=None))
        cursor, pages = "", [0]
        seen = set[ConversationId]()

        while pages[-1] == len(pages) - 1:
            changes = await talk.store.catalog.watch(flow="shop", cursor=cursor, limit=1)
            cursor, seen = changes.cursor, seen | {change.conversation for change in changes.items}
            pages.append(pages[-1] + len(changes.items))

        assert seen == {each.conversation for each in members}

    async def test_a_turn_without_state_is_no_change(self, talk: Talk) -> None:
        """Nothing that a view shows is different."""
        await talk.turn("m1")
        start = await talk.store.catalog.watch(flow="shop")
        await talk.apply(replace(talk.draft(await talk.take("m2")), state=None))

        assert (await talk.store.catalog.watch(flow="shop", cursor=start.cursor)).items == ()

    async def test_a_forgotten_or_erased_conversation_is_a_change(self, talk: Talk) -> None:
        """By a commit, by its time when the next message comes, or on request: a view drops it."""
        by_commit, by_time, on_request = (talk.other(person=name) for name in ("commit", "time", "request"))
        for each in (by_commit, by_time, on_request):
            await each.apply(replace(each.draft(await each.take("m1")), retain_ms=1000))
        start = await talk.store.catalog.watch(flow="shop")
        await by_commit.apply(replace(by_commit.draft(await by_commit.take("m2")), forget=True))
        talk.clock.advance(SECOND)
        await by_time.take("m2")
        await talk.store.turns.forget(on_request.conversation)

        changes = await talk.store.catalog.watch(flow="shop", cursor=start.cursor)

        assert [(change.conversation.person, change.version, change.state) for change in changes.items] == [
            ("commit", 0, None),
            ("time", 0, None),
            ("request", 0, None),
        ]

    async def test_waiting_for_a_change_ends_with_it(self, talk: Talk) -> None:
        """Long before the wait is over."""
        start = talk.now
        waiting = asyncio.create_task(talk.store.catalog.watch(flow="shop", wait=timedelta(hours=1)))
        await talk.clock.until_somebody_sleeps()

        await talk.turn("m1")
        changes = await while_time_passes(talk.clock, waiting)

        assert [change.version for change in changes.items] == [1]
        assert talk.now - start < 60_000

    async def test_waiting_for_a_change_ends_without_one_when_the_wait_is_over(self, talk: Talk) -> None:
        """The cursor stays good."""
        await talk.turn("m1")
        start = await talk.store.catalog.watch(flow="shop")

        quiet = await while_time_passes(
            talk.clock, talk.store.catalog.watch(flow="shop", cursor=start.cursor, wait=5 * SECOND)
        )

        assert quiet == Changes(items=(), cursor=start.cursor)
