"""Promises of `Turns.begin`: accepted once, in order, granted to one."""

import pytest
from msgspec.structs import replace

from turnkeeper.errors import LimitError
from turnkeeper.model.conversation import MAX_NAME_BYTES, ConversationId
from turnkeeper.ports.limits import MAX_HAND_OUT, MAX_INBOX, MAX_PAYLOAD_BYTES
from turnkeeper.ports.turns import Full, Granted, Idle, Incoming, Queued
from turnkeeper.testing.conformance.scenario import HOUR, LEASE_MS, MS, SECOND, Backend, Talk, granted


class BeginPromises(Backend):
    """Accepting and granting."""

    async def test_the_first_message_is_granted_with_an_empty_conversation(self, talk: Talk) -> None:
        """A new conversation has version 0, no state, and nothing behind its first message."""
        grant = await talk.take("m1", token="a")

        assert [(waiting.id, waiting.payload, waiting.accepted_ms) for waiting in grant.messages] == [
            ("m1", b"m1", talk.now)
        ]
        assert grant == Granted(
            token="a",
            fence=grant.fence,
            version=0,
            generation=grant.generation,
            state=None,
            messages=grant.messages,
            more=0,
            now_ms=talk.now,
            lease_until_ms=talk.now + LEASE_MS,
            created_ms=talk.now,
            active_ms=None,
            attempts=1,
        )

    async def test_a_later_grant_shows_the_committed_facts(self, talk: Talk) -> None:
        """State, version, when it began and when it was last active come with the grant."""
        began = talk.now
        talk.clock.advance(SECOND)
        first = await talk.take("m1")
        created = talk.now
        talk.clock.advance(SECOND)
        await talk.apply(talk.draft(first))
        active = talk.now
        talk.clock.advance(SECOND)

        grant = await talk.take("m2")

        assert (grant.state, grant.version, grant.generation) == (b"v1", 1, first.generation)
        assert (grant.created_ms, grant.active_ms, grant.now_ms) == (created, active, active + 1000)
        assert began < created

    async def test_the_same_token_gets_the_same_grant(self, talk: Talk) -> None:
        """A begin whose answer was lost is repeated without harm."""
        first = await talk.take("m1", token="a")

        assert await talk.begin("m1", token="a") == first

    async def test_a_repeated_begin_has_the_whole_lease_again(self, talk: Talk) -> None:
        """The repeated wish to own lasts as long as the first one."""
        first = await talk.take("m1", token="a")
        talk.clock.advance(10 * SECOND)

        again = await talk.take("m1", token="a")

        assert again == replace(first, now_ms=talk.now, lease_until_ms=talk.now + LEASE_MS)

    async def test_the_token_of_an_expired_lease_that_nobody_took_gets_the_same_grant(self, talk: Talk) -> None:
        """It is still its own: no other fence, no other attempt."""
        first = await talk.take("m1", token="a")
        talk.clock.advance(HOUR)

        again = await talk.take("m1", token="a")

        assert (again.fence, again.attempts, again.messages) == (first.fence, 1, first.messages)
        assert again.lease_until_ms == talk.now + LEASE_MS

    async def test_turns_run_in_the_order_of_acceptance(self, talk: Talk) -> None:
        """Whoever begins gets the earliest message, and `seq` grows with acceptance."""
        accepted = ["m1", "m2", "m3", "m4"]
        await talk.post(*accepted[:3])

        first = await talk.take("m4")
        grants = [first]
        while (following := (await talk.apply(talk.draft(grants[-1]))).next) is not None:
            grants.append(following)

        assert [grant.messages[0].id for grant in grants] == accepted
        assert [grant.more for grant in grants] == [3, 2, 1, 0]
        seqs = [grant.messages[0].seq for grant in grants]
        assert seqs == sorted(set(seqs))

    async def test_seq_is_never_reused(self, talk: Talk) -> None:
        """A number that a finished message had is not given again."""
        seqs = []
        for message_id in ("m1", "m2", "m3"):
            grant = await talk.take(message_id)
            seqs.append(grant.messages[0].seq)
            await talk.apply(talk.draft(grant))

        assert seqs == sorted(set(seqs))

    async def test_a_message_behind_a_running_turn_is_queued_by_its_position(self, talk: Talk) -> None:
        """The running message is position 1; nothing else holds those behind it back."""
        await talk.take("m1")

        second, third = await talk.begin("m2"), await talk.begin("m3")

        assert isinstance(second, Queued)
        assert isinstance(third, Queued)
        assert (second.position, third.position) == (2, 3)
        assert max(second.ready_ms, third.ready_ms) <= talk.now

    async def test_run_false_accepts_only(self, talk: Talk) -> None:
        """The message is durable, and the lease is free for somebody else."""
        answer = await talk.store.turns.begin(talk.request("m1", run=False))

        assert isinstance(answer, Queued)
        assert answer.position == 1
        assert (await talk.take()).attempts == 1

    async def test_a_full_inbox_writes_nothing(self, talk: Talk) -> None:
        """`MAX_INBOX` messages are taken; one more is refused and may be sent again when there is room."""
        await talk.post(*(f"m{number}" for number in range(MAX_INBOX)))

        refused = await talk.begin("late")

        assert refused == Full(waiting=MAX_INBOX)
        assert len(await talk.waiting()) == MAX_INBOX
        await talk.apply(replace(talk.draft(await talk.take()), next=False))
        await talk.post("late")
        assert (await talk.waiting())[-1] == "late"

    async def test_nothing_to_take_is_idle(self, talk: Talk) -> None:
        """Asking what waits neither grants nor creates anything."""
        answer = await talk.begin()

        assert answer == Idle(ready_ms=None)
        assert await talk.store.catalog.export(talk.conversation) is None

    async def test_a_leased_conversation_is_idle_until_the_lease_ends(self, talk: Talk) -> None:
        """Whoever looks after it is told when to look again."""
        grant = await talk.take("m1")

        assert await talk.begin() == Idle(ready_ms=grant.lease_until_ms)

    async def test_a_held_conversation_is_idle_until_it_is_ready(self, talk: Talk) -> None:
        """The hold is told, and the turn is granted when it is over."""
        await talk.hold("m1", wait_ms=1000, max_wait_ms=5000)

        answer = await talk.begin()
        talk.clock.advance(SECOND)

        assert answer == Idle(ready_ms=talk.now)
        assert (await talk.take()).messages[0].id == "m1"

    async def test_an_expired_lease_is_free(self, talk: Talk) -> None:
        """It lasts until `lease_until_ms` and not longer; the next owner has another fence and attempt."""
        first = await talk.take("m1")
        talk.clock.advance((LEASE_MS - 1) * MS)
        before = await talk.begin()
        talk.clock.advance(MS)

        taken = await talk.take()

        assert isinstance(before, Idle)
        assert (taken.attempts, taken.errors, taken.interrupted) == (2, 0, False)
        assert (taken.fence > first.fence, taken.token != first.token) == (True, True)

    async def test_the_fence_grows_with_every_grant(self, talk: Talk) -> None:
        """By commit, release, take-over or a new message: never the same number twice."""
        await talk.post("m1", "m2")
        first = await talk.take()
        second = (await talk.apply(talk.draft(first))).next
        assert second is not None
        await talk.release(second)
        third = await talk.take()
        talk.clock.advance(LEASE_MS * MS)
        fourth = await talk.take()

        fences = [first.fence, second.fence, third.fence, fourth.fence]

        assert fences == sorted(set(fences))

    async def test_up_to_hand_out_messages_are_handed_out(self, talk: Talk) -> None:
        """The earliest ones, in order, and how many are behind them."""
        await talk.post("m1", "m2", "m3", "m4")

        grant = await talk.take(hand_out=3)

        assert ([waiting.id for waiting in grant.messages], grant.more) == (["m1", "m2", "m3"], 1)

    async def test_hand_out_has_a_limit(self, talk: Talk) -> None:
        """`MAX_HAND_OUT` is allowed, more is not and writes nothing."""
        await talk.take("m1", hand_out=MAX_HAND_OUT)

        with pytest.raises(LimitError):
            await talk.begin("m2", hand_out=MAX_HAND_OUT + 1)
        assert await talk.waiting() == ["m1"]

    async def test_a_payload_has_a_limit(self, talk: Talk) -> None:
        """`MAX_PAYLOAD_BYTES` are accepted as they are; one more is refused and nothing is written."""
        largest = bytes([0, 255]) * (MAX_PAYLOAD_BYTES // 2)
        request = talk.request("m1")

        grant = granted(await talk.store.turns.begin(replace(request, message=Incoming(id="m1", payload=largest))))

        assert grant.messages[0].payload == largest
        with pytest.raises(LimitError):
            await talk.store.turns.begin(replace(request, token="b", message=Incoming(id="m2", payload=largest + b"x")))
        assert await talk.waiting() == ["m1"]

    @pytest.mark.parametrize("part", ["flow", "person", "member", "state_key"])
    async def test_a_name_has_a_limit(self, talk: Talk, part: str) -> None:
        """Every part of a conversation's name may have `MAX_NAME_BYTES` bytes of UTF-8."""
        longest = ConversationId(**{"flow": "f", "person": "p"} | {part: "ü" * (MAX_NAME_BYTES // 2)})
        longer = ConversationId(**{"flow": "f", "person": "p"} | {part: "ü" * (MAX_NAME_BYTES // 2) + "x"})
        request = talk.request("m1")

        grant = granted(await talk.store.turns.begin(replace(request, conversation=longest)))

        assert grant.messages[0].id == "m1"
        with pytest.raises(LimitError):
            await talk.store.turns.begin(replace(request, conversation=longer, message=Incoming(id="m2", payload=b"")))
        assert [summary.waiting for summary in (await talk.store.catalog.find()).items] == [1]

    async def test_conversations_are_told_apart_by_flow_person_and_member(self, talk: Talk) -> None:
        """The same message id in another conversation is another message."""
        others = [talk.other(flow="dispatch"), talk.other(person="+15550101"), talk.other(member="ana")]
        await talk.turn("m1")

        grants = [await other.take("m1") for other in others]

        assert [grant.version for grant in grants] == [0, 0, 0]
        assert (await talk.take("m2")).state == b"v1"
