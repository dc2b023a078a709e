"""Turns a `Commit` into the call of `commit.lua` and its stages.

What is large never passes through a script: it is written under a key of this commit's own, and renamed.
"""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.limits import DEDUP_WINDOW, PART_GRACE, RECEIPTS_KEPT
from turnkeeper.ports.turns import Commit
from turnkeeper.stores.redis.deployments.wire import Command
from turnkeeper.stores.redis.layout import keys as names
from turnkeeper.stores.redis.layout.envelope import seal
from turnkeeper.stores.redis.layout.keys import Keys
from turnkeeper.stores.redis.medium import Place
from turnkeeper.stores.redis.scripts import Call, facts

GIVEN_BYTES = 4096
"""Up to here a state goes as an argument: at 2 KB it costs the same as a stage, and one command less."""

STAGE_MS = timedelta(days=1) // timedelta(milliseconds=1)
"""How long a stage lives whose commit never came."""

WINDOW_MS = DEDUP_WINDOW // timedelta(milliseconds=1)
_RECEIPTS_LIFE = str(WINDOW_MS + 60_000)
"""How long old receipts and answers live, in milliseconds: as text, which a script need not print."""

GRACE_MS = PART_GRACE // timedelta(milliseconds=1)


class Draft(msgspec.Struct, frozen=True):
    """A commit ready to be sent: what is staged first, and the script's call."""

    stages: list[Command]
    call: Call


class Known(msgspec.Struct, frozen=True):
    """What is thought to be stored, because a script must declare its keys; the script says if it is otherwise.

    Attributes:
        status: Of the conversation.
        parts: All of them, for a commit that forgets.
        others: The members of the person's index, for a commit that silences.
    """

    status: str
    parts: Sequence[str] = ()
    others: Sequence[bytes] = ()


def draft(request: Commit, keys: Keys, place: Place, *, known: Known, given: bool) -> Draft:
    """Return a commit as it is sent.

    Args:
        request: Within the limits.
        keys: Of the store.
        place: Of the conversation.
        known: What its keys depend on.
        given: Send the state along however large it is, because its stage was lost.
    """
    has_state = request.state is not None and not request.forget
    value = _sealed(request) if has_state else b""
    how = "none" if not has_state else "given" if given or len(value) <= GIVEN_BYTES else "staged"
    said: list[object] = [
        request.token, request.fence, request.version, request.generation, request.commit_id, request.take, how,
        request.status, request.active, False if request.retain_ms is None else request.retain_ms, request.slide,
        request.log is not None, request.log_keep, request.log_keep_ms, request.reply is not None, request.lane_token,
        request.lane_ms, request.next, request.hand_out, request.lease_ms, place.member, place.ref, place.lane,
        known.status, WINDOW_MS, _RECEIPTS_LIFE, RECEIPTS_KEPT,
        [fact for one in request.effects for fact in (one.id, names.letter_of(one.kind), one.due_ms, one.name)],
    ]  # fmt: skip
    shelves = place.shelves(known.status, "" if request.forget else request.status)
    stages: list[Command] = []
    more: list[str | bytes] = []
    if how == "staged":
        more.append(place.keys.stage(request.commit_id))
        stages.append(("SET", more[0], value, "PX", STAGE_MS))
    if _is_rare(request):
        said.append(_rare(request, keys, place, known=known, stages=stages, more=more))
    arguments = (
        facts(*said), value if how == "given" else b"", _log(request, has_state=has_state), request.reply or b"",
        *[one.payload for one in request.effects],
    )  # fmt: skip
    if more:
        return Draft(stages, Call("commit", place.partition, (*shelves.keys, *more), arguments))
    return Draft(stages, Call("commit", place.partition, shelves.keys, arguments, shelves.opening))


def _is_rare(request: Commit) -> bool:
    """Return whether a commit says what few do, and needs more keys."""
    return bool(
        request.parts or request.retired or request.adopted or request.cancel or request.forget or request.cancel_all
        or request.opt_out is not None or request.dead is not None
    )  # fmt: skip


def _rare(
    request: Commit, keys: Keys, place: Place, *, known: Known, stages: list[Command], more: list[str | bytes]
) -> tuple[object, ...]:
    """Return what few commits say; the stages and keys that this takes are added to the given ones."""
    retired = request.retired
    if request.forget:
        retired = tuple(dict.fromkeys([*retired, *known.parts, *(part.id for part in request.parts)]))
    if not more:
        more.append(place.keys.stage(request.commit_id))
    more += place.rare_keys
    for part in request.parts:
        part_stage = place.keys.stage(request.commit_id, part.id)
        stages.append(("SET", part_stage, part.data, "PX", STAGE_MS))
        more += (part_stage, *keys.document(part_key(request.conversation, part.id)))
    for part_id in (*request.adopted, *retired):
        more += keys.document(part_key(request.conversation, part_id))
    silenced: list[tuple[str, str]] = []
    for other in _silenced(request, known.others) if request.cancel_all else ():
        its, ref = keys.conversation(place.partition, other), names.ref(other)
        more += (its.head, its.state, its.effects, its.receipts)
        silenced.append((ref.decode(), names.lane_ref(ref).decode()))
    return (
        request.forget, "" if request.opt_out is None else str(int(request.opt_out)),
        False if request.dead is None else request.dead, GRACE_MS, request.cancel,
        [part.id for part in request.parts], request.adopted, retired, request.cancel_all, len(known.others),
        len(known.parts), silenced,
    )  # fmt: skip


def _silenced(request: Commit, others: Sequence[bytes]) -> list[ConversationId]:
    """Return the person's other conversations in the flow: the one without a further name needs no index."""
    mine, indexed = request.conversation, [names.conversation_of(member) for member in others]
    return [one for one in names.of_person([mine.flow], mine.person, indexed) if one.key != mine.key]


def _log(request: Commit, *, has_state: bool) -> bytes:
    """Return a log entry as it is sent: its number and time are put before it."""
    if request.log is None:
        return b""
    return b"%d %d %b" % (request.version + has_state, request.generation, request.log)


def _sealed(request: Commit) -> bytes:
    return seal(
        bytes(request.state or b""),
        generation=request.generation,
        version=request.version + 1,
        fence=request.fence,
        status=request.status,
        commit_id=request.commit_id,
    )
