"""Promises that hold while many ask at once, after a restart, and between two processes on one medium."""

import asyncio
from pathlib import Path

from msgspec.structs import replace

from turnkeeper.ports.documents import ABSENT, DocumentKey
from turnkeeper.ports.turns import Committed, Duplicate, Fenced, Granted, Mode, Queued
from turnkeeper.testing.clock import ManualClock
from turnkeeper.testing.conformance.scenario import LEASE_MS, MS, Backend, Talk, granted, ids, job, reply
from turnkeeper.testing.conformance.selection import needs

MANY = 50
"""Callers at once."""


async def drain(talk: Talk, grant: Granted) -> list[Granted]:
    """Run this turn and all that follow; return their grants."""
    grants = [grant]
    while (following := (await talk.apply(talk.draft(grants[-1]))).next) is not None:
        grants.append(following)
    return grants


class RacePromises(Backend):
    """One winner, nothing lost."""

    async def test_of_many_messages_at_once_one_is_granted(self, talk: Talk) -> None:
        """All are accepted, and run one after the other in the order of their numbers."""
        answers = await asyncio.gather(*(talk.begin(f"m{number}") for number in range(MANY)))

        grants = [answer for answer in answers if isinstance(answer, Granted)]
        positions = sorted(answer.position for answer in answers if isinstance(answer, Queued))
        assert len(grants) == 1
        assert positions == list(range(2, MANY + 1))
        ran = [one.messages[0] for one in await drain(talk, grants[0])]
        assert {waiting.id for waiting in ran} == {f"m{number}" for number in range(MANY)}
        assert [waiting.seq for waiting in ran] == sorted({waiting.seq for waiting in ran})
        assert (await talk.take("last")).version == MANY

    async def test_of_many_repeats_at_once_one_is_applied(self, talk: Talk) -> None:
        """The same message, delivered twenty times at once, is one turn."""
        answers = await asyncio.gather(*(talk.begin("m1") for _ in range(20)))

        (grant,) = (answer for answer in answers if isinstance(answer, Granted))
        assert answers.count(Duplicate(done=False)) == 19
        assert len(await drain(talk, grant)) == 1
        assert await talk.begin("m1") == Duplicate(done=True)

    async def test_of_many_who_recover_at_once_one_is_granted(self, talk: Talk) -> None:
        """A crashed turn is taken over once."""
        await talk.take("m1")
        talk.clock.advance(LEASE_MS * MS)

        answers = await asyncio.gather(*(talk.begin() for _ in range(20)))

        (grant,) = (answer for answer in answers if isinstance(answer, Granted))
        assert grant.attempts == 2

    async def test_of_many_interrupts_at_once_the_last_has_the_lease(self, talk: Talk) -> None:
        """Each takes over from the one before; only one can commit."""
        await talk.take("m0")

        answers = await asyncio.gather(*(talk.begin(f"m{n}", mode=Mode.INTERRUPT) for n in range(1, 11)))
        grants = sorted((granted(answer) for answer in answers), key=lambda grant: grant.fence)
        outcomes = [await talk.commit(talk.draft(grant)) for grant in grants]

        assert outcomes[:-1] == [Fenced()] * 9
        assert isinstance(outcomes[-1], Committed)
        assert len(grants[-1].messages) == 11

    async def test_the_same_commit_sent_many_times_at_once_is_applied_once(self, talk: Talk) -> None:
        """Everybody gets the same answer."""
        draft = replace(talk.draft(await talk.take("m1"), job("j1")), log=b"entry")

        answers = await asyncio.gather(*(talk.apply(draft) for _ in range(10)))

        assert {answer.version for answer in answers} == {1}
        assert sorted(answer.repeated for answer in answers) == [False] + [True] * 9
        assert len(await talk.history()) == 1

    async def test_of_many_who_claim_at_once_one_has_the_lane(self, talk: Talk) -> None:
        """Nothing is sent by two."""
        await talk.turn("m1", reply("r1"), reply("r2"))

        claims = await asyncio.gather(*(talk.claim(token=f"sender{number}") for number in range(20)))

        (claim,) = (claim for claim in claims if claim is not None)
        assert ids(claim) == ["r1", "r2"]
        assert {entry.attempt for entry in claim.entries} == {1}

    async def test_of_many_who_write_a_document_at_once_one_is_first(self, talk: Talk) -> None:
        """`ABSENT` is held by one; a chain of checked writes loses none."""
        key = DocumentKey(collection="counter", id="1")
        documents = talk.store.documents
        etags = await asyncio.gather(*(documents.put(key, b"0", check=ABSENT) for _ in range(20)))

        async def increment() -> None:
            while True:
                read = await documents.get(key)
                assert read is not None
                if await documents.put(key, str(int(read.data) + 1).encode(), check=read.etag) is not None:
                    return

        await asyncio.gather(*(increment() for _ in range(20)))

        final = await documents.get(key)
        assert final is not None
        assert (len([etag for etag in etags if etag is not None]), final.data) == (1, b"20")

    async def test_many_conversations_at_once_do_not_disturb_each_other(self, talk: Talk) -> None:
        """Each has its own order, versions and replies."""
        talks = [talk.other(person=f"p{number}") for number in range(20)]

        async def converse(one: Talk) -> list[int]:
            return [(await one.turn(f"m{number}", reply(f"r{number}"))).version for number in range(5)]

        versions = await asyncio.gather(*(converse(one) for one in talks))

        assert versions == [[1, 2, 3, 4, 5]] * 20
        assert [ids(await one.claimed()) for one in talks] == [[f"r{number}" for number in range(5)]] * 20

    async def test_a_message_that_comes_while_a_turn_ends_is_never_forgotten(self, talk: Talk) -> None:
        """Whoever is first: it is granted to its bringer, handed out by the commit, or due."""
        for number in range(20):
            grant = await talk.take(f"a{number}")
            committed, answer = await asyncio.gather(talk.apply(talk.draft(grant)), talk.begin(f"b{number}"))
            following = answer if isinstance(answer, Granted) else committed.next

            assert following is not None
            assert following.messages[0].id == f"b{number}"
            await talk.apply(talk.draft(following))

    @needs("restart")
    async def test_everything_is_there_after_a_restart(self, talk: Talk, clock: ManualClock, tmp_path: Path) -> None:
        """What was answered is kept: state, inbox, lease, receipts, deliveries, documents."""
        await talk.turn("m1", reply("r1"), job("j1"))
        running = await talk.take("m2")
        await talk.post("m3")
        await talk.claimed("j1")
        await talk.store.documents.put(DocumentKey(collection="session", id="1"), b"value")
        before = await talk.store.catalog.export(talk.conversation)

        talk.store = await self.reopen(talk.store, clock, tmp_path)

        try:
            assert await talk.store.catalog.export(talk.conversation) == before
            assert (await talk.renew(running)).held
            assert await talk.begin("m1") == Duplicate(done=True)
            assert await talk.claim("j1", token="b") is None
            assert (await talk.store.documents.get(DocumentKey(collection="session", id="1"))) is not None
            following = (await talk.apply(talk.draft(running))).next
            assert following is not None
            assert following.messages[0].id == "m3"
        finally:
            await talk.store.close()

    @needs("restart")
    async def test_a_commit_may_be_repeated_after_a_restart(
        self, talk: Talk, clock: ManualClock, tmp_path: Path
    ) -> None:
        """A commit whose answer was lost with its process is not applied twice."""
        draft = talk.draft(await talk.take("m1"), job("j1"))
        await talk.apply(draft)

        talk.store = await self.reopen(talk.store, clock, tmp_path)

        try:
            assert await talk.apply(draft) == Committed(version=1, repeated=True)
        finally:
            await talk.store.close()

    @needs("second_process")
    async def test_two_processes_share_one_medium(self, talk: Talk, clock: ManualClock, tmp_path: Path) -> None:
        """Leases, order and receipts hold between them."""
        there = Talk(self.make_store(clock, tmp_path), clock)
        try:
            here = await talk.take("m1", token="here")
            queued = await there.begin("m2", token="there")
            repeat = await there.begin("m1", token="there")
            following = (await talk.apply(talk.draft(here))).next

            assert isinstance(queued, Queued)
            assert repeat == Duplicate(done=False)
            assert following is not None
            assert following.messages[0].id == "m2"
        finally:
            await there.store.close()

    @needs("second_process")
    async def test_of_many_in_two_processes_one_is_granted(
        self, talk: Talk, clock: ManualClock, tmp_path: Path
    ) -> None:
        """As in one."""
        there = Talk(self.make_store(clock, tmp_path), clock)
        try:
            answers = await asyncio.gather(
                *(
                    each.begin(f"{name}{number}", token=f"{name}{number}")
                    for number in range(20)
                    for name, each in (("here", talk), ("there", there))
                )
            )

            (grant,) = (answer for answer in answers if isinstance(answer, Granted))
            assert len(await drain(talk, grant)) == 40
        finally:
            await there.store.close()
