"""`Turns.commit`: everything that one turn changes, at once or not at all.

All checks come before the first write. Only the last commit of a conversation can be repeated: an older one finds its
fence outgrown.
"""

from turnkeeper.errors import LimitError
from turnkeeper.ports.checks import check_commit
from turnkeeper.ports.documents import Document, part_key
from turnkeeper.ports.turns import Commit, CommitAnswer, Committed, Conflict, EffectKind, Fenced, Granted, LogRecord
from turnkeeper.stores.memory.begin import free_lease, grant, granted
from turnkeeper.stores.memory.lanes import bury_message, cancel, cancel_person, claim_replies, may_claim, put_effect
from turnkeeper.stores.memory.lifetime import begin_if_over, forget_state, put_document, retain, retire_part
from turnkeeper.stores.memory.tables import Head, Log, Tables, key_of


def commit(tables: Tables, now: int, request: Commit) -> CommitAnswer:
    """See `Turns.commit`."""
    check_commit(request)
    head = tables.heads.get(key_of(request.conversation))
    if head is None:
        return Fenced()
    if head.last_commit_id == request.commit_id:
        return _repeat(tables, head, now, request)
    if not head.token or head.token != request.token or head.fence != request.fence:
        return Fenced()
    if head.version != request.version or head.generation != request.generation:
        return Conflict(version=head.version)
    if not 0 <= request.take <= head.handed:
        raise LimitError(limit="take", found=request.take, allowed=head.handed)
    _take_messages(tables, head, now, request)
    claimed = _apply_effects(tables, head, now, request)
    _apply_state(tables, head, request)
    _write_log(tables, head, now, request)
    _apply_parts(tables, head, now, request)
    retain(tables, head, request, now)
    if request.forget:
        forget_state(tables, head, now)
    head.changed_ms = now
    head.last_commit_id = request.commit_id
    return Committed(version=head.version, claimed=claimed, next=_next(tables, head, now, request))


def _repeat(tables: Tables, head: Head, now: int, request: Commit) -> Committed:
    line = head.lanes.get("")
    replies = {effect.id for effect in request.effects if effect.kind is EffectKind.REPLY}
    claimed = (
        line is not None
        and line.is_held(now)
        and line.token == request.lane_token
        and any(entry.claimed and entry.effect.id in replies for entry in line.entries)
    )
    held = bool(head.token) and head.token == request.token
    return Committed(
        version=head.version,
        claimed=claimed,
        next=granted(tables, head, now) if held else None,
        repeated=True,
    )


def _take_messages(tables: Tables, head: Head, now: int, request: Commit) -> None:
    """Take the messages off the inbox; the attempts and memos of the first one go with it."""
    taken = head.inbox[: request.take]
    if not taken:
        head.attempts -= 1
        return
    if request.dead is not None:
        bury_message(tables, head, now, taken[0], error=request.dead)
    del head.inbox[: request.take]
    for waiting in taken:
        receipt = head.receipt(waiting.id, now)
        if receipt is not None:
            receipt.done = True
            receipt.reply = None if request.reply is None else bytes(request.reply)
    head.attempts = head.errors = 0
    head.memos = {}


def _apply_effects(tables: Tables, head: Head, now: int, request: Commit) -> bool:
    """Cancel, note the person's wish, put the new effects in their lanes; True if the replies are claimed."""
    cancel(head, request.cancel)
    if request.cancel_all:
        cancel_person(tables, head.conversation, now)
    if request.opt_out is not None:
        tables.note_wish(head.conversation, is_out=request.opt_out)
    may = may_claim(head, now, request)
    for effect in request.effects:
        put_effect(tables, head, now, effect)
    return may and claim_replies(head, now, request)


def _apply_state(tables: Tables, head: Head, request: Commit) -> None:
    if request.state is not None and not request.forget:
        head.version += 1
        head.state = bytes(request.state)
        head.status = request.status
        tables.publish(head.conversation)


def _write_log(tables: Tables, head: Head, now: int, request: Commit) -> None:
    log = tables.logs.setdefault(key_of(head.conversation), Log())
    if request.log is not None:
        record = LogRecord(
            seq=log.next_seq, version=head.version, generation=head.generation, at_ms=now, data=bytes(request.log)
        )
        log.entries.append(record)
        log.next_seq += 1
    log.keep_ms = request.log_keep_ms
    kept = log.kept(now)
    log.entries = kept[len(kept) - min(len(kept), max(request.log_keep, 0)) :]


def _apply_parts(tables: Tables, head: Head, now: int, request: Commit) -> None:
    for part in request.parts:
        document = Document(data=bytes(part.data), version=str(tables.serial()), expires_ms=None)
        put_document(tables, part_key(head.conversation, part.id), document)
        head.parts.add(part.id)
    for part_id in request.adopted:
        key = part_key(head.conversation, part_id)
        found = tables.documents.get(key)
        if found is not None:
            put_document(tables, key, Document(data=found.data, version=found.version, expires_ms=None))
    for part_id in request.retired:
        retire_part(tables, part_key(head.conversation, part_id), now)


def _next(tables: Tables, head: Head, now: int, request: Commit) -> Granted | None:
    free_lease(head)
    if not head.inbox:
        return None
    begin_if_over(tables, head, now)
    if not request.next or head.ready_ms > now:
        return None
    return grant(tables, head, now, token=request.token, lease_ms=request.lease_ms, hand_out=request.hand_out)
