"""Takes one conversation out whole, and brings one in: `Catalog.export` and `Catalog.restore`.

Bringing in writes everything under names of its own first, so that the one script that makes it visible only renames.
"""

import uuid
from collections.abc import Mapping
from datetime import timedelta

import msgspec

from turnkeeper.errors import StoreFullError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Exported, ExportedDead, ExportedDelivery, ExportedReceipt, first_commit_of
from turnkeeper.ports.documents import part_key
from turnkeeper.ports.turns import EffectKind
from turnkeeper.stores.redis.committing import WINDOW_MS
from turnkeeper.stores.redis.deliveries import Letter
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply
from turnkeeper.stores.redis.layout import codes
from turnkeeper.stores.redis.layout import keys as names
from turnkeeper.stores.redis.layout.compressing import packed, unpacked
from turnkeeper.stores.redis.layout.envelope import seal, unseal
from turnkeeper.stores.redis.layout.heads import TICKS, Head, head_of, packed_head, packed_records, records
from turnkeeper.stores.redis.layout.keys import KIND_OF
from turnkeeper.stores.redis.layout.parsing import Reply, inbox_element, log_element, pairs, record, text, waiting
from turnkeeper.stores.redis.medium import Medium, Place
from turnkeeper.stores.redis.scripts import Call
from turnkeeper.stores.redis.turns import digest_of

_STAGE_MS = timedelta(minutes=10) // timedelta(milliseconds=1)
"""How long what was to be restored lives if the last command never comes."""

_SCORE = 4096
"""A receipt's score is its time with twelve bits of order behind it."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An unsettled effect as the scripts pack it."""

    kind: str
    order: int
    committed_ms: int
    due_ms: int
    attempts: int
    maybe_sent: int
    claimed: int
    tick: int
    name: str


async def export(medium: Medium, conversation: ConversationId) -> Exported | None:
    """See `Catalog.export`."""
    place = await medium.place(conversation)
    mine, partition = place.keys, place.partition
    wish = partition.wish(conversation.flow, conversation.person)
    call = Call(
        "export",
        partition,
        (
            mine.head, mine.inbox, mine.receipts, mine.answers, mine.memos, mine.effects, mine.log, mine.parts, wish,
            mine.state, mine.letters, partition.dead_bodies,
        ),
        (),
    )  # fmt: skip
    reply: Reply = (await medium.scripts.run(call))[0]
    _, now, packed, inbox, older, answers, memos, effects, log, parts, out, value, dead, mark = reply
    head = head_of(packed)
    if head is None:
        return None
    kept = [record(element) for element in log[-head.log_keep :]]
    return Exported(
        conversation=conversation,
        generation=head.generation,
        version=head.version,
        fence=head.fence,
        status=head.status,
        state=None if head.is_over(now) else _state(head, value),
        created_ms=head.created_ms,
        changed_ms=head.changed_ms,
        active_ms=head.active_ms or None,
        expires_ms=head.expires_ms or None,
        ready_ms=head.ready_ms,
        attempts=head.attempts,
        errors=head.errors,
        last_commit_id=head.last_commit_id,
        inbox=tuple(waiting(element) for element in inbox),
        next_seq=head.next_seq,
        receipts=_receipts(head, older, dict(pairs(answers)), now),
        deliveries=_deliveries(dict(pairs(effects))),
        parts=await _parts(medium, place, conversation, [text(part) for part in parts]),
        memos={text(name): result for name, result in pairs(memos)},
        log=tuple(one for one in kept if not head.log_keep_ms or one.at_ms + head.log_keep_ms > now),
        opted_out=out == b"1",
        first_commit_ms=head.first_ms or None,
        log_keep_ms=head.log_keep_ms or None,
        dead=tuple(_dead(msgspec.msgpack.decode(packed, type=Letter), payload) for packed, payload in pairs(dead)),
        mark=text(mark),
    )


def _dead(letter: Letter, payload: bytes) -> ExportedDead:
    return ExportedDead(
        source_id=letter.source_id,
        kind=KIND_OF.get(letter.kind),
        payload=payload,
        error=letter.error,
        attempts=letter.attempts,
        version=letter.version,
        at_ms=letter.at_ms,
        name=letter.name,
        maybe_sent=bool(letter.maybe_sent),
        committed_ms=letter.committed_ms,
    )


def _state(head: Head, value: bytes | None) -> bytes | None:
    found = None if value is None or head.version == 0 else unseal(value)
    if found is None or (found.generation, found.version) != (head.generation, head.version):
        return None
    return found.state


def _receipts(head: Head, older: list[bytes], answers: Mapping[bytes, bytes], now: int) -> tuple[ExportedReceipt, ...]:
    """Return what is known of every message, the newest fact of each: it waits, or it is done and within its window."""
    done: dict[bytes, int] = {digest: int(float(score)) // _SCORE for digest, score in pairs(older)}
    for digest, at_ms in records(head.receipts):
        done[digest] = max(at_ms, done.get(digest, 0))
    pending = dict(records(head.pending))
    receipts = [
        ExportedReceipt(digest=digest.hex(), at_ms=at_ms, done=True, reply=answers.get(digest))
        for digest, at_ms in done.items()
        if digest not in pending and at_ms + WINDOW_MS > now
    ]
    return (
        *receipts,
        *(ExportedReceipt(digest=one.hex(), at_ms=at_ms, done=False, reply=None) for one, at_ms in pending.items()),
    )


def _deliveries(effects: Mapping[bytes, bytes]) -> tuple[ExportedDelivery, ...]:
    entries = [
        (field[1:], msgspec.msgpack.decode(packed, type=Entry))
        for field, packed in effects.items()
        if field.startswith(b"e")
    ]
    return tuple(
        ExportedDelivery(
            id=effect_id.decode(),
            kind=KIND_OF[entry.kind],
            payload=effects[b"p" + effect_id],
            due_ms=entry.due_ms,
            name=entry.name,
            attempts=entry.attempts,
            maybe_sent=bool(entry.maybe_sent or entry.claimed),
            committed_ms=entry.committed_ms,
        )
        for effect_id, entry in sorted(entries, key=lambda each: each[1].order)
    )


async def _parts(medium: Medium, place: Place, conversation: ConversationId, parts: list[str]) -> dict[str, bytes]:
    keys = await medium.keys()
    reads: list[Command] = [("GET", keys.document(part_key(conversation, part))[0]) for part in sorted(parts)]
    values = await medium.scripts.read(reads, place.partition) if reads else []
    found = zip(sorted(parts), values, strict=True)
    return {part: await unpacked(value) for part, value in found if isinstance(value, bytes)}


async def restore(medium: Medium, exported: Exported) -> bool:
    """See `Catalog.restore`. Nobody has the lease or a lane."""
    keys, place = await medium.keys(), await medium.place(exported.conversation)
    partition, flow = place.partition, exported.conversation.flow
    mark = f":restore:{uuid.uuid4().hex}"
    written = _contents(exported, place)
    for part in exported.parts:
        value, etag = keys.document(part_key(exported.conversation, part))
        written += [
            ("SET", value, await packed(exported.parts[part])),
            ("HSET", etag, "e", exported.changed_ms, "x", ""),
        ]
    stages: list[Command] = []
    renamed: list[str] = []
    for name, key, *arguments in written:
        stage = str(key) + mark
        # Unlinked first: the whole batch is sent again when the server does not know the script.
        stages += [("UNLINK", stage), (name, stage, *arguments), ("PEXPIRE", stage, _STAGE_MS)]
        renamed += [stage, str(key)]
    due = [each for at_ms, member in _due(exported, place) for each in (at_ms, member)]
    call = Call(
        "restore",
        partition,
        (
            partition.due(flow), partition.shelf(flow, exported.status), partition.statuses(flow),
            partition.gone(flow), partition.tick, place.planned,
            partition.wish(flow, exported.conversation.person), partition.people(exported.conversation.person),
            partition.flows, partition.dead(flow), partition.dead_bodies, place.keys.letters, place.keys.state,
            place.keys.receipts, place.keys.answers, place.keys.log, *renamed,
        ),
        (
            len(written), place.ref, place.member, int(place.is_only), flow, exported.status,
            "" if exported.expires_ms is None else exported.expires_ms, int(exported.created_ms > 0),
            int(exported.version > 0), int(exported.opted_out), WINDOW_MS,
            len(exported.dead), *(each for one in exported.dead for each in (_letter(one, place), one.payload)), *due,
        ),
    )  # fmt: skip
    replies = await medium.scripts.run(call, before=stages)
    for refusal in replies[:-1]:
        if isinstance(refusal, ErrorReply):
            raise StoreFullError(f"there is no room and nothing was restored: {refusal.text}")
    reply: Reply = replies[-1]
    if reply[0] == codes.NOSTAGE:
        raise StoreFullError("the server evicted what was to be restored at once; nothing was restored, make room")
    return bool(reply[0] == codes.OK)


def _letter(dead: ExportedDead, place: Place) -> bytes:
    """Return a dead letter as the scripts pack it."""
    letter = Letter(
        ref=place.ref,
        source_id=dead.source_id,
        kind="" if dead.kind is None else names.letter_of(dead.kind),
        error=dead.error,
        attempts=dead.attempts,
        version=dead.version,
        at_ms=dead.at_ms,
        name=dead.name,
        maybe_sent=int(dead.maybe_sent),
        committed_ms=dead.committed_ms,
        tick=0,
    )
    return msgspec.msgpack.encode(letter)


def _contents(exported: Exported, place: Place) -> list[Command]:
    """Return the commands that write a conversation's keys, the head first."""
    mine = place.keys
    commands: list[Command] = [("SET", mine.head, packed_head(_head(exported)))]
    if exported.state is not None and exported.version > 0:
        sealed = seal(
            exported.state,
            generation=exported.generation,
            version=exported.version,
            fence=exported.fence,
            status=exported.status,
            commit_id=exported.last_commit_id,
        )
        commands.append(("SET", mine.state, sealed))
    if exported.inbox:
        commands.append(("RPUSH", mine.inbox, *(inbox_element(one) for one in _inbox(exported))))
    done = sorted((one for one in exported.receipts if one.done), key=lambda one: one.at_ms)
    if done:
        scores = [
            each
            for at, one in enumerate(done)
            for each in (one.at_ms * _SCORE + at % _SCORE, bytes.fromhex(one.digest))
        ]
        commands.append(("ZADD", mine.receipts, *scores))
    answers = [each for one in done if one.reply is not None for each in (bytes.fromhex(one.digest), one.reply)]
    if answers:
        commands.append(("HSET", mine.answers, *answers))
    if exported.memos:
        commands.append(("HSET", mine.memos, *(each for memo in exported.memos.items() for each in memo)))
    if exported.deliveries:
        commands += _effects(exported, place)
    if exported.log:
        records = sorted(exported.log, key=lambda one: one.seq)
        commands.append(("RPUSH", mine.log, *(log_element(one) for one in records)))
    if exported.parts:
        commands.append(("ZADD", mine.parts, *(each for part in exported.parts for each in (0, part))))
    return commands


def _inbox(exported: Exported) -> list[Reply]:
    return sorted(exported.inbox, key=lambda one: one.seq)


def _head(exported: Exported) -> Head:
    done = sum(one.done for one in exported.receipts)
    return Head(
        generation=exported.generation,
        version=exported.version,
        fence=exported.fence,
        created_ms=exported.created_ms,
        changed=exported.changed_ms * TICKS,
        active_ms=exported.active_ms or 0,
        first_ms=first_commit_of(exported) or 0,
        expires_ms=exported.expires_ms or 0,
        attempts=exported.attempts,
        errors=exported.errors,
        ready_ms=exported.ready_ms,
        next_seq=exported.next_seq,
        log_keep_ms=exported.log_keep_ms or 0,
        log_seq=max((one.seq for one in exported.log), default=0),
        planned_ms=exported.expires_ms or 0,
        has_memos=int(bool(exported.memos)),
        has_older=int(done > 0),
        has_answers=int(any(one.reply is not None for one in exported.receipts)),
        taken=done,
        effects=len(exported.deliveries),
        timers=sum(one.kind is EffectKind.TIMER for one in exported.deliveries),
        order=len(exported.deliveries),
        replies=sum(one.kind is EffectKind.REPLY for one in exported.deliveries),
        status=exported.status,
        last_commit_id=exported.last_commit_id,
        pending=packed_records([(digest_of(one.id), one.accepted_ms) for one in _inbox(exported)]),
    )


def _effects(exported: Exported, place: Place) -> list[Command]:
    fields: list[str | bytes | int] = []
    timers: dict[str, list[str]] = {}
    for order, one in enumerate(exported.deliveries, 1):
        letter = names.letter_of(one.kind)
        entry = Entry(
            kind=letter,
            order=order,
            committed_ms=one.committed_ms,
            due_ms=one.due_ms,
            attempts=one.attempts,
            maybe_sent=int(one.maybe_sent),
            claimed=0,
            tick=0,
            name=one.name,
        )
        fields += (f"e{one.id}", msgspec.msgpack.encode(entry), f"p{one.id}", one.payload)
        if letter == "t" and one.name:
            timers.setdefault(one.name, []).append(one.id)
        if letter == "r":
            fields += (f"r{order}", one.id)
    for name, ids in timers.items():
        fields += (f"n{name}", "\n".join(ids))
    return [("HSET", place.keys.effects, *fields)]


def _due(exported: Exported, place: Place) -> list[tuple[int, bytes]]:
    """Return when somebody must look at its inbox and at each of its lanes."""
    due: dict[bytes, int] = {}
    if exported.inbox:
        due[place.turn.encode()] = max(_inbox(exported)[0].accepted_ms, exported.ready_ms)
    for one in exported.deliveries:
        lane = "" if names.letter_of(one.kind) == "r" else one.id
        due.setdefault(names.lane_member(place.ref.encode(), one.kind, lane), max(one.due_ms, one.committed_ms))
    return [(at_ms, member) for member, at_ms in due.items()]
