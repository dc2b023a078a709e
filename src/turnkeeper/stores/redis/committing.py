"""Turns a `Commit` into the call of `commit.lua` and its stages.

What is large never passes through a script: it is written under a key of this commit's own, and renamed.
"""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from turnkeeper.ports.documents import part_key
from turnkeeper.ports.limits import DEDUP_WINDOW, PART_GRACE, RECEIPTS_KEPT
from turnkeeper.ports.turns import Commit
from turnkeeper.stores.redis import keys as names
from turnkeeper.stores.redis.envelope import seal
from turnkeeper.stores.redis.keys import Keys
from turnkeeper.stores.redis.medium import Place
from turnkeeper.stores.redis.scripts import Call
from turnkeeper.stores.redis.wire import Command

GIVEN_BYTES = 4096
"""Up to here a state goes as an argument: at 2 KB it costs the same as a stage, and one command less."""

STAGE_MS = timedelta(days=1) // timedelta(milliseconds=1)
"""How long a stage lives whose commit never came."""

WINDOW_MS = DEDUP_WINDOW // timedelta(milliseconds=1)
GRACE_MS = PART_GRACE // timedelta(milliseconds=1)


class Draft(msgspec.Struct, frozen=True):
    """A commit ready to be sent: what is staged first, and the script's call."""

    stages: list[Command]
    call: Call


def draft(
    request: Commit, keys: Keys, place: Place, *, old_status: str, all_parts: Sequence[str], given: bool
) -> Draft:
    """Return a commit as it is sent.

    Args:
        request: Within the limits.
        keys: Of the store.
        place: Of the conversation.
        old_status: What its status is thought to be; the script says if it is not.
        all_parts: For a commit that forgets, every part of the conversation.
        given: Send the state along however large it is, because its stage was lost.
    """
    mine = place.keys
    partition = place.partition
    flow = request.conversation.flow
    has_state = request.state is not None and not request.forget
    value = _sealed(request) if has_state else b""
    how = "none" if not has_state else "given" if given or len(value) <= GIVEN_BYTES else "staged"
    stage = mine.stage(request.commit_id)
    new_status = request.status if has_state or not request.forget else ""
    retired = request.retired
    if request.forget:
        retired = tuple(dict.fromkeys([*retired, *all_parts, *(part.id for part in request.parts)]))
    stages: list[Command] = [("SET", stage, value, "PX", STAGE_MS)] if how == "staged" else []
    part_keys: list[str] = []
    for part in request.parts:
        part_stage = mine.stage(request.commit_id, part.id)
        stages.append(("SET", part_stage, part.data, "PX", STAGE_MS))
        part_keys += (part_stage, *keys.document(part_key(request.conversation, part.id)))
    for part_id in (*request.adopted, *retired):
        part_keys += keys.document(part_key(request.conversation, part_id))
    call = Call(
        "commit",
        partition,
        (
            mine.head, mine.state, stage, mine.inbox, mine.receipts, mine.answers, mine.memos, mine.effects, mine.queue,
            partition.due(flow), partition.recent(flow), partition.shelf(flow, old_status),
            partition.shelf(flow, new_status), partition.statuses(flow), partition.feed(flow), partition.tick,
            partition.planned, partition.wish(flow, request.conversation.person), mine.log, mine.parts,
            partition.dead(flow), partition.dead_bodies, mine.letters, *part_keys,
        ),
        (*_facts(request, how, value, new_status, old_status, len(retired)), *_lists(request, retired)),
    )  # fmt: skip
    return Draft(stages, call)


def _sealed(request: Commit) -> bytes:
    return seal(
        bytes(request.state or b""),
        generation=request.generation,
        version=request.version + 1,
        fence=request.fence,
        commit_id=request.commit_id,
    )


def _facts(
    request: Commit, how: str, value: bytes, new_status: str, old_status: str, retired: int
) -> tuple[str | bytes | int, ...]:
    """Return the arguments that every commit has, in the order of the script's header."""
    ref = names.ref(request.conversation)
    return (
        request.token, request.fence, request.version, request.generation, request.commit_id, request.take, how,
        value if how == "given" else b"", new_status, _flag(is_set=request.forget), _flag(is_set=request.active),
        _optional(request.retain_ms), _flag(is_set=request.slide), _flag(is_set=request.log is not None),
        request.log or b"", request.log_keep, request.log_keep_ms, _flag(is_set=request.reply is not None),
        request.reply or b"", request.lane_token, request.lane_ms, _optional(request.opt_out),
        _flag(is_set=request.dead is not None), request.dead or "", _flag(is_set=request.next), request.hand_out,
        request.lease_ms, ref, names.lane_ref(ref), old_status, WINDOW_MS, RECEIPTS_KEPT, GRACE_MS,
        len(request.effects), len(request.cancel), len(request.parts), len(request.adopted), retired,
    )  # fmt: skip


def _lists(request: Commit, retired: Sequence[str]) -> list[str | bytes | int]:
    """Return the arguments that there may be any number of."""
    lists: list[str | bytes | int] = []
    for effect in request.effects:
        lists += (effect.id, names.letter_of(effect.kind), effect.due_ms, effect.name, effect.payload)
    return [*lists, *request.cancel, *(part.id for part in request.parts), *request.adopted, *retired]


def _flag(*, is_set: bool) -> int:
    return int(is_set)


def _optional(value: int | bool | None) -> int | str:  # noqa: FBT001 - the opt-out is one
    return "" if value is None else int(value)
