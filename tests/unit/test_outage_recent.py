"""What a process remembers of its conversations: bounded, and nothing that somebody else has moved on."""

import pytest

from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage.carry.recent import RECEIPTS_REMEMBERED, Recent
from turnkeeper.outage.carry.seeding import UNCLAIMED_FOR_MS, seed
from turnkeeper.ports.deliveries import Lane, Settled
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.turns import (
    Begin,
    Commit,
    CommitAnswer,
    Committed,
    Effect,
    EffectKind,
    Fenced,
    Granted,
    Incoming,
    Part,
    Queued,
    Waiting,
)

NOW_MS = 1_767_603_600_000
ANA = ConversationId(flow="flow", person="ana")
BEN = ConversationId(flow="flow", person="ben/2")


@pytest.fixture
def recent() -> Recent:
    """Return an empty memory for two conversations."""
    return Recent(conversations=2, size_bytes=1_000_000)


def grant(recent: Recent, who: ConversationId, *ids: str, state: bytes | None = b"{}", version: int = 1) -> Granted:
    """Let a begin of `who` be granted with these messages."""
    granted = Granted(
        token="t",
        fence=1,
        version=version,
        generation=7,
        state=state,
        messages=tuple(Waiting(seq=n, id=one, payload=b"p", accepted_ms=NOW_MS) for n, one in enumerate(ids)),
        more=0,
        now_ms=NOW_MS,
        lease_until_ms=NOW_MS + 1,
        created_ms=NOW_MS,
        active_ms=None,
        attempts=1,
    )
    recent.begun(Begin(conversation=who, token="t", lease_ms=1), granted)
    return granted


def commit(recent: Recent, who: ConversationId, answer: CommitAnswer | None, *effects: Effect) -> Commit:
    """Let a commit of `who` be answered, or not."""
    request = Commit(
        conversation=who,
        token="t",
        fence=1,
        version=1,
        generation=7,
        commit_id="c",
        take=1,
        state=b'{"a":1}',
        status="there",
        effects=effects,
        parts=(Part(id=f"{who.key}:7:0:0", data=b"large"),),
    )
    recent.committing(request)
    if answer is not None:
        recent.committed(request, answer, now_ms=NOW_MS)
    return request


def reply(effect_id: str) -> Effect:
    """Return a reply."""
    return Effect(id=effect_id, kind=EffectKind.REPLY, payload=b"{}")


def test_it_knows_what_was_committed(recent: Recent) -> None:
    """State, version, status, parts and the message's id; nothing is under way any more."""
    grant(recent, ANA, "m1")
    commit(recent, ANA, Committed(version=2, claimed=True))

    note, exported = seed(ANA, recent, write_id="w", now_ms=NOW_MS)

    assert (note.generation, note.version) == (7, 2)
    assert (exported.state, exported.status, exported.inbox) == (b'{"a":1}', "there", ())
    assert exported.parts == {f"{ANA.key}:7:0:0": b"large"}
    assert len(exported.receipts) == 1
    assert list(recent.under_way()) == []


def test_the_oldest_goes_first(recent: Recent) -> None:
    """Beyond the number of conversations, the one that was seen longest ago is forgotten."""
    third = ConversationId(flow="flow", person="third")
    grant(recent, ANA, "m")
    grant(recent, BEN, "m")
    grant(recent, ANA, "m")
    grant(recent, third, "m")

    assert recent.get(BEN) is None
    assert recent.get(ANA) is not None


def test_large_states_and_parts_count(recent: Recent) -> None:
    """Beyond the size the oldest is forgotten too, with its parts."""
    grant(recent, ANA, "m", state=b"x" * 400_000)
    recent.note_part(part_key(ANA, f"{ANA.key}:7:0:1"), b"y" * 400_000)
    grant(recent, BEN, "m", state=b"z" * 400_000)

    assert recent.get(ANA) is None
    assert recent.parts(ANA) == {}
    assert recent.get(BEN) is not None


def test_a_part_is_found_under_a_name_with_slashes(recent: Recent) -> None:
    """A person's address may hold what separates names in a key."""
    grant(recent, BEN, "m")
    part_id = f"{BEN.key}:7:0:1"
    recent.note_part(part_key(BEN, part_id), b"data")

    assert recent.parts(BEN) == {part_id: b"data"}


def test_a_lost_lease_leaves_what_was_known_before(recent: Recent) -> None:
    """Somebody else moves it on: the message is theirs, and old knowledge is better than none."""
    grant(recent, ANA, "m1")
    commit(recent, ANA, Fenced(), reply("r1"))

    _, exported = seed(ANA, recent, write_id="w", now_ms=NOW_MS)

    assert (exported.version, exported.state) == (1, b"{}")
    assert (exported.inbox, exported.deliveries) == ((), ())


def test_queued_behind_somebody_else_is_not_run_here(recent: Recent) -> None:
    """This process has no lease, so the message waits for another one's turn."""
    grant(recent, ANA, "m1")
    commit(recent, ANA, Committed(version=2, claimed=True))
    incoming = Incoming(id="m2", payload=b"p")
    recent.begun(Begin(conversation=ANA, token="u", lease_ms=1, message=incoming), Queued(position=1, ready_ms=0))

    _, exported = seed(ANA, recent, write_id="w", now_ms=NOW_MS)

    assert (exported.version, exported.inbox) == (2, ())


def test_queued_behind_this_process_is_in_the_inbox(recent: Recent) -> None:
    """It goes on here, in its place."""
    grant(recent, ANA, "m1")
    incoming = Incoming(id="m2", payload=b"p")
    recent.begun(Begin(conversation=ANA, token="u", lease_ms=1, message=incoming), Queued(position=1, ready_ms=0))

    note, exported = seed(ANA, recent, write_id="w", now_ms=NOW_MS)

    assert [waiting.id for waiting in exported.inbox] == ["m1", "m2"]
    assert note.seeds == ("m1", "m2")


def test_a_commit_without_an_answer_counts_as_applied_here(recent: Recent) -> None:
    """Its state stands, its message is done, its replies are to be sent; the way back knows of the doubt."""
    grant(recent, ANA, "m1")
    request = commit(recent, ANA, None, reply("r1"))

    note, exported = seed(ANA, recent, write_id="w", now_ms=NOW_MS)

    assert (exported.state, exported.version) == (request.state, 2)
    assert (note.version, note.limbo_version, note.limbo_id) == (1, 2, "c")
    assert [delivery.id for delivery in exported.deliveries] == ["r1"]
    assert exported.inbox == ()
    assert note.seeds == ("m1",)


def test_a_refused_commit_is_no_doubt(recent: Recent) -> None:
    """Nothing was written: the message is still to be run."""
    grant(recent, ANA, "m1")
    request = commit(recent, ANA, None)
    recent.refused(request, None)

    note, exported = seed(ANA, recent, write_id="w", now_ms=NOW_MS)

    assert note.limbo_id == ""
    assert [waiting.id for waiting in exported.inbox] == ["m1"]


def test_replies_that_nobody_has_in_hand_are_sent_here_for_a_while(recent: Recent) -> None:
    """Their lane was taken; older ones were sent by whoever had it."""
    grant(recent, ANA, "m1")
    commit(recent, ANA, Committed(version=2, claimed=False), reply("r1"))

    _, soon = seed(ANA, recent, write_id="w", now_ms=NOW_MS + UNCLAIMED_FOR_MS - 1)
    _, late = seed(ANA, recent, write_id="w", now_ms=NOW_MS + UNCLAIMED_FOR_MS)

    assert [delivery.id for delivery in soon.deliveries] == ["r1"]
    assert late.deliveries == ()


def test_only_replies_behind_a_sender_of_this_process_are_under_way(recent: Recent) -> None:
    """Those behind another server's sender are sent by it; those that were sent are nobody's."""
    lane = Lane(conversation=ANA)
    grant(recent, ANA, "m1")
    commit(recent, ANA, Committed(version=2, claimed=False), reply("r1"))
    behind_another = [known.conversation for known in recent.under_way()]
    recent.settled(lane, Settled(held=True, more=True))
    behind_ours = [known.conversation for known in recent.under_way()]
    recent.settled(lane, Settled(held=True, more=False))
    after_ours = [known.conversation for known in recent.under_way()]

    assert (behind_another, behind_ours, after_ours) == ([], [ANA], [])


def test_only_the_last_ids_are_remembered(recent: Recent) -> None:
    """A provider repeats what it sent lately."""
    for number in range(RECEIPTS_REMEMBERED + 5):
        grant(recent, ANA, f"m{number}")
        commit(recent, ANA, Committed(version=1, claimed=True))

    known = recent.get(ANA)

    assert known is not None
    assert next(iter(known.receipts)) == "m5"
    assert len(known.receipts) == RECEIPTS_REMEMBERED
