"""Promises of `Turns.commit`: everything at once, once, by the owner only."""

from typing import Any

import pytest
from msgspec.structs import replace

from turnkeeper.errors import LimitError
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.limits import (
    MAX_EFFECTS,
    MAX_PART_BYTES,
    MAX_PARTS,
    MAX_PAYLOAD_BYTES,
    MAX_STATE_BYTES,
)
from turnkeeper.ports.turns import Committed, Duplicate, Effect, EffectKind, Idle, Outcome, Part
from turnkeeper.testing.conformance.scenario import LEASE_MS, SECOND, Backend, Talk, job

TOO_MUCH: dict[str, dict[str, Any]] = {
    "state": {"state": bytes(MAX_STATE_BYTES + 1)},
    "log": {"log": bytes(MAX_STATE_BYTES + 1)},
    "reply": {"reply": bytes(MAX_PAYLOAD_BYTES + 1)},
    "effects": {"effects": tuple(job(f"j{number}") for number in range(MAX_EFFECTS + 1))},
    "payload": {"effects": (Effect(id="r1", kind=EffectKind.REPLY, payload=bytes(MAX_PAYLOAD_BYTES + 1)),)},
    "part": {"parts": (Part(id="p", data=bytes(MAX_PART_BYTES + 1)),)},
    "parts": {"parts": tuple(Part(id=f"p{number}", data=b"") for number in range(MAX_PARTS + 1))},
    "parts together": {
        "parts": tuple(Part(id=f"p{number}", data=b"") for number in range(MAX_PARTS - 1)),
        "adopted": ("a",),
        "retired": ("b",),
    },
}
"""Changes of a commit that are one above a limit."""

AS_MUCH: dict[str, dict[str, Any]] = {
    "state": {"state": bytes(MAX_STATE_BYTES)},
    "log": {"log": bytes(MAX_STATE_BYTES)},
    "reply": {"reply": bytes(MAX_PAYLOAD_BYTES)},
    "effects": {"effects": tuple(job(f"j{number}") for number in range(MAX_EFFECTS))},
    "payload": {"effects": (Effect(id="r1", kind=EffectKind.REPLY, payload=bytes(MAX_PAYLOAD_BYTES)),)},
    "part": {"parts": (Part(id="p", data=bytes(MAX_PART_BYTES)),)},
    "parts": {"parts": tuple(Part(id=f"p{number}", data=b"") for number in range(MAX_PARTS))},
    "parts together": {
        "parts": tuple(Part(id=f"p{number}", data=b"") for number in range(MAX_PARTS - 2)),
        "adopted": ("a",),
        "retired": ("b",),
    },
}
"""Changes of a commit that are just within a limit."""


class CommitPromises(Backend):
    """Applying a turn."""

    async def test_a_commit_writes_state_and_version(self, talk: Talk) -> None:
        """The next grant starts from what was committed."""
        grant = await talk.take("m1")

        committed = await talk.apply(replace(talk.draft(grant), state=b"\x00\xff state"))

        assert committed == Committed(version=1)
        after = await talk.take("m2")
        assert (after.state, after.version, after.lost) == (b"\x00\xff state", 1, False)

    async def test_no_state_leaves_state_version_and_status(self, talk: Talk) -> None:
        """The turn changed nothing that is stored, but it is done with its message."""
        await talk.turn("m1")
        grant = await talk.take("m2")

        committed = await talk.apply(replace(talk.draft(grant), state=None, status=""))

        (summary,) = (await talk.store.catalog.find(person=talk.conversation.person)).items
        assert (committed.version, summary.version, summary.status) == (1, 1, "open")
        assert await talk.begin("m2") == Duplicate(done=True)
        assert (await talk.take("m3")).state == b"v1"

    async def test_an_empty_state_is_a_state(self, talk: Talk) -> None:
        """No bytes are not the same as nothing."""
        await talk.apply(replace(talk.draft(await talk.take("m1")), state=b""))

        grant = await talk.take("m2")

        assert (grant.state, grant.lost, grant.version) == (b"", False, 1)

    async def test_a_commit_takes_as_many_messages_as_it_says(self, talk: Talk) -> None:
        """The others stay first in line."""
        await talk.post("m1", "m2", "m3")
        grant = await talk.take(hand_out=3)

        committed = await talk.apply(replace(talk.draft(grant), take=2, reply=b"both"))

        assert committed.next is not None
        assert [waiting.id for waiting in committed.next.messages] == ["m3"]
        assert await talk.begin("m1") == Duplicate(done=True, reply=b"both")
        assert await talk.begin("m2") == Duplicate(done=True, reply=b"both")

    async def test_a_commit_cannot_take_what_was_not_handed_out(self, talk: Talk) -> None:
        """A message that nobody looked at is not lost; nothing is written."""
        await talk.post("m1", "m2")
        grant = await talk.take(hand_out=1)

        with pytest.raises(LimitError):
            await talk.commit(replace(talk.draft(grant), take=2))
        assert await talk.waiting() == ["m1", "m2"]
        assert (await talk.apply(talk.draft(grant))).version == 1

    async def test_a_commit_that_takes_nothing_leaves_the_message_first_in_line(self, talk: Talk) -> None:
        """The state moves on, and the ended grant does not count as an attempt."""
        grant = await talk.take("m1")

        committed = await talk.apply(replace(talk.draft(grant), take=0))

        assert committed.next is not None
        assert (committed.next.messages, committed.next.attempts) == (grant.messages, 1)
        assert committed.next.state == b"v1"

    async def test_a_message_queued_while_a_turn_runs_is_handed_out_by_its_commit(self, talk: Talk) -> None:
        """The next turn comes in the same call: same token, its own fence, the new state."""
        grant = await talk.take("m1", token="a")
        await talk.begin("m2")
        talk.clock.advance(SECOND)

        following = (await talk.apply(replace(talk.draft(grant), lease_ms=LEASE_MS))).next

        assert following is not None
        assert (following.token, following.fence > grant.fence) == ("a", True)
        assert [waiting.id for waiting in following.messages] == ["m2"]
        assert (following.state, following.version, following.active_ms) == (b"v1", 1, talk.now)
        assert (following.attempts, following.errors, following.more) == (1, 0, 0)
        assert following.lease_until_ms == talk.now + LEASE_MS

    async def test_the_next_grant_hands_out_as_asked(self, talk: Talk) -> None:
        """`hand_out` of the commit is for the next turn."""
        await talk.post("m1", "m2", "m3", "m4")
        grant = await talk.take()

        following = (await talk.apply(replace(talk.draft(grant), hand_out=2))).next

        assert following is not None
        assert ([waiting.id for waiting in following.messages], following.more) == (["m2", "m3"], 1)

    async def test_a_commit_without_next_gives_the_lease_back(self, talk: Talk) -> None:
        """What waits is for whoever comes first, at once."""
        grant = await talk.take("m1")
        await talk.begin("m2")

        committed = await talk.apply(replace(talk.draft(grant), next=False))

        due = await talk.store.deliveries.due()
        assert committed.next is None
        assert [(item.conversation, item.lane) for item in due.items] == [(talk.conversation, None)]
        assert (await talk.take()).messages[0].id == "m2"

    async def test_a_commit_with_nothing_waiting_gives_the_lease_back(self, talk: Talk) -> None:
        """The next message is granted to whoever brings it."""
        committed = await talk.turn("m1")

        assert committed.next is None
        assert await talk.begin() == Idle()
        assert (await talk.take("m2")).attempts == 1

    async def test_only_an_active_commit_renews_the_activity(self, talk: Talk) -> None:
        """A timer's turn does not look as if the person had spoken."""
        await talk.turn("m1")
        spoke = talk.now
        talk.clock.advance(SECOND)
        await talk.apply(replace(talk.draft(await talk.take("timer")), active=False))

        grant = await talk.take("m2")

        assert (grant.active_ms, grant.version) == (spoke, 2)

    async def test_a_commit_starts_the_next_message_with_clean_attempts(self, talk: Talk) -> None:
        """Attempts, errors and memos belong to the message that is done."""
        grant = await talk.take("m1")
        await talk.begin("m2")
        await talk.release(grant, Outcome.ERROR)
        grant = await talk.take()
        await talk.renew(grant, memo=("step", b"result"))

        following = (await talk.apply(talk.draft(grant))).next

        assert following is not None
        assert (following.attempts, following.errors, following.memos) == (1, 0, {})

    @pytest.mark.parametrize("what", list(AS_MUCH))
    async def test_a_commit_may_be_as_large_as_the_limits(self, talk: Talk, what: str) -> None:
        """At every limit it is applied."""
        grant = await talk.take("m1")

        assert (await talk.apply(replace(talk.draft(grant), **AS_MUCH[what]))).version == 1

    @pytest.mark.parametrize("what", list(TOO_MUCH))
    async def test_a_commit_above_a_limit_writes_nothing(self, talk: Talk, what: str) -> None:
        """It is refused whole, and the lease is still there for a smaller one."""
        draft = talk.draft(await talk.take("m1"))

        with pytest.raises(LimitError):
            await talk.commit(replace(draft, **TOO_MUCH[what]))
        exported = await talk.store.catalog.export(talk.conversation)
        assert exported is not None
        assert (exported.version, exported.state, exported.deliveries, exported.log) == (0, None, (), ())
        assert await talk.store.documents.get(part_key(talk.conversation, "p0")) is None
        assert await talk.apply(draft) == Committed(version=1)
