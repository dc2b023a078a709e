"""Promises of `Turns.forget`: everything of a conversation or a person goes, but the wish to be left alone."""

from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.deliveries import Verdict
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.turns import Fenced, Forgotten, Granted, Idle, Part
from turnkeeper.testing.conformance.scenario import DAY, LEASE_MS, MS, SECOND, Backend, Talk, job, reply, timer


async def export(talk: Talk) -> Exported:
    """Return a conversation that must be there."""
    exported = await talk.store.catalog.export(talk.conversation)
    assert exported is not None
    return exported


async def live(talk: Talk) -> Granted:
    """Leave something of every kind in a conversation, and return the grant of its running turn."""
    draft = talk.draft(
        await talk.take("dead"), reply("r1"), job("j1"), timer("t1", name="later", due_ms=talk.now + 1000)
    )
    parts = (Part(id="kept", data=b"1"), Part(id="retired", data=b"2"))
    await talk.apply(replace(draft, log=b"entry", dead="poison", parts=parts, retain_ms=60_000))
    await talk.apply(replace(talk.draft(await talk.take("m1")), retired=("retired",)))
    await talk.claimed("j1")
    await talk.settle("j1", Verdict.DEAD, name="j1")
    running = await talk.take("m2")
    await talk.renew(running, memo=("step", b"result"))
    await talk.post("m3")
    return running


async def accept(talk: Talk, _: Granted) -> None:
    """Let a message wait."""
    await talk.post("m4")


async def take_over(talk: Talk, _: Granted) -> None:
    """Let a turn begin."""
    talk.clock.advance(LEASE_MS * MS)
    await talk.take(token="other")


async def commit(talk: Talk, running: Granted) -> None:
    """Let the running turn end."""
    await talk.apply(talk.draft(running))


async def remember(talk: Talk, running: Granted) -> None:
    """Keep the result of a step."""
    await talk.renew(running, memo=("other step", b"result"))


async def claim(talk: Talk, _: Granted) -> None:
    """Let somebody send."""
    await talk.claimed()


async def settle(talk: Talk, _: Granted) -> None:
    """Let what was sent be done with."""
    await talk.claimed()
    await talk.settle("r1", Verdict.DONE)


async def cancel(talk: Talk, _: Granted) -> None:
    """Call a timer off."""
    await talk.store.deliveries.cancel(talk.conversation, ids=["later"])


async def redrive(talk: Talk, _: Granted) -> None:
    """Bring a dead letter back."""
    letters = (await talk.store.deliveries.dead()).items
    await talk.store.deliveries.redrive([letters[0].id])


EVENTS = (accept, take_over, commit, remember, claim, settle, cancel, redrive)


class ErasurePromises(Backend):
    """Erasing on request."""

    async def test_what_was_exported_is_erased_by_its_mark(self, talk: Talk) -> None:
        """As long as it is the same; looking at it changes nothing, and the second time there is nothing left."""
        await live(talk)
        exported = await export(talk)
        again = await export(talk)

        erased = await talk.store.turns.forget(talk.conversation, mark=exported.mark)

        assert exported.mark == again.mark
        assert erased == Forgotten(conversations=1, log_entries=1, deliveries=2, parts=2, dead_letters=2)
        assert await talk.store.turns.forget(talk.conversation, mark=exported.mark) == Forgotten()

    @pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
    async def test_what_changed_since_its_export_stays(
        self, talk: Talk, event: Callable[[Talk, Granted], Awaitable[None]]
    ) -> None:
        """Whatever it was: nothing is erased, and the next export has it."""
        running = await live(talk)
        before = await export(talk)
        await event(talk, running)
        after = await export(talk)

        erased = await talk.store.turns.forget(talk.conversation, mark=before.mark)

        assert erased == Forgotten(changed=True)
        assert await export(talk) == after
        assert not (await talk.store.turns.forget(talk.conversation, mark=after.mark)).changed
        assert await talk.store.catalog.export(talk.conversation) is None

    async def test_the_mark_of_another_life_erases_nothing(self, talk: Talk) -> None:
        """A conversation that began anew is another one."""
        await talk.turn("m1")
        before = await export(talk)
        await talk.store.turns.forget(talk.conversation)
        talk.clock.advance(SECOND)
        await talk.turn("m1")

        assert (await talk.store.turns.forget(talk.conversation, mark=before.mark)).changed
        assert (await export(talk)).version == 1

    async def test_forget_erases_everything_and_counts_it(self, talk: Talk) -> None:
        """Nothing of it is readable any more, and every message may come again."""
        running = await live(talk)

        erased = await talk.store.turns.forget(talk.conversation)

        assert erased == Forgotten(conversations=1, log_entries=1, deliveries=2, parts=2, dead_letters=2)
        assert await talk.history() == []
        assert await talk.store.catalog.export(talk.conversation) is None
        assert (await talk.store.catalog.find()).items == ()
        assert (await talk.store.deliveries.dead()).items == ()
        assert await talk.store.documents.get(part_key(talk.conversation, "kept")) is None
        assert (await talk.claim(), await talk.claim("t1"), await talk.begin()) == (None, None, Idle())
        due = await talk.store.deliveries.due()
        assert (due.items, due.next_ms) == ((), None)
        talk.clock.advance(SECOND)
        again = await talk.take("m2")
        assert (again.version, again.state, again.memos, again.more) == (0, None, {}, 0)
        assert again.generation > running.generation

    async def test_forget_fences_the_running_turn_off(self, talk: Talk) -> None:
        """It may finish its words, but nothing of them is written."""
        running = await live(talk)

        await talk.store.turns.forget(talk.conversation)

        assert await talk.commit(talk.draft(running)) == Fenced()
        assert not (await talk.renew(running)).held
        assert not await talk.release(running)
        assert await talk.store.catalog.export(talk.conversation) is None

    async def test_the_fence_grows_even_over_an_erasure(self, talk: Talk) -> None:
        """A third party that saw the old fence refuses the old owner, not the new one."""
        running = await live(talk)
        await talk.store.turns.forget(talk.conversation)
        talk.clock.advance(SECOND)

        assert (await talk.take("m1")).fence > running.fence

    async def test_a_running_delivery_of_an_erased_conversation_is_not_held(self, talk: Talk) -> None:
        """Its verdict has nothing left to be about."""
        await talk.turn("m1", reply("r1"))
        await talk.claimed()
        await talk.store.turns.forget(talk.conversation)

        assert not (await talk.settle("r1", Verdict.DEAD)).held
        assert (await talk.store.deliveries.dead()).items == ()

    @pytest.mark.parametrize("person", [False, True])
    async def test_forgetting_twice_is_safe(self, talk: Talk, person: bool) -> None:  # noqa: FBT001 - a parameter
        """The second time there is nothing left to count; an unknown conversation counts nothing."""
        await live(talk)
        await talk.store.turns.forget(talk.conversation, person=person)
        stranger = talk.other(person="+15550101")

        assert await talk.store.turns.forget(talk.conversation, person=person) == Forgotten()
        assert await talk.store.turns.forget(stranger.conversation, person=person) == Forgotten()

    async def test_forgetting_a_conversation_leaves_the_others_of_the_person(self, talk: Talk) -> None:
        """One member of a shared number, one flow."""
        others = [talk.other(member="ana"), talk.other(flow="dispatch"), talk.other(person="+15550101")]
        for each in [talk, *others]:
            await each.turn("m1", reply(f"r-{each.conversation.key}"))

        erased = await talk.store.turns.forget(talk.conversation)

        assert erased == Forgotten(conversations=1, deliveries=1)
        assert [(await other.take("m2")).version for other in others] == [1, 1, 1]
        assert all([await other.claim() for other in others])

    async def test_forgetting_a_person_takes_all_members_in_that_flow(self, talk: Talk) -> None:
        """And nobody else, and not what the person said elsewhere."""
        ana, elsewhere = talk.other(member="ana"), talk.other(flow="dispatch")
        stranger = talk.other(person=talk.conversation.person + "0")
        for each in (talk, ana, elsewhere, stranger):
            await each.turn("m1", reply(f"r-{each.conversation.key}"))

        erased = await ana.store.turns.forget(ana.conversation, person=True)

        assert erased == Forgotten(conversations=2, deliveries=2)
        versions = [(await each.take("m2")).version for each in (talk, ana, elsewhere, stranger)]
        assert versions == [0, 0, 1, 1]

    async def test_forgetting_a_person_takes_what_has_a_state_key(self, talk: Talk) -> None:
        """Whoever asks for it need not know the key; who watches is told, and nothing of it is due any more."""
        named = talk.other()
        named.conversation = replace(named.conversation, state_key="order:17")
        await named.turn("m1", job("j1"))
        seen = await talk.store.catalog.watch(flow="shop")

        erased = await talk.store.turns.forget(talk.conversation, person=True)

        news = await talk.store.catalog.watch(flow="shop", cursor=seen.cursor)
        assert erased == Forgotten(conversations=1, deliveries=1)
        assert [(change.conversation, change.state) for change in news.items] == [(named.conversation, None)]
        assert (await talk.store.deliveries.due()).items == ()

    async def test_the_opt_out_outlives_the_person(self, talk: Talk) -> None:
        """Whoever said no is not spoken to because everything else was forgotten."""
        await talk.apply(replace(talk.draft(await talk.take("stop")), opt_out=True))

        await talk.store.turns.forget(talk.conversation, person=True)

        assert (await talk.take("m1")).opted_out

    async def test_the_log_of_a_forgotten_state_is_erased_too(self, talk: Talk) -> None:
        """It had outlived the state on its own time; now it goes."""
        draft = talk.draft(await talk.take("m1"))
        await talk.apply(replace(draft, log=b"entry", retain_ms=1000, log_keep_ms=10**10))
        talk.clock.advance(7 * DAY)

        erased = await talk.store.turns.forget(talk.conversation, person=True)

        assert erased.log_entries == 1
        assert await talk.history() == []
