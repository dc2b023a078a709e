"""The transitions of deliveries: put, cancel, claim, settle, bury.

A lane is claimed as a whole. Whoever claims it after a claim ran out marks every entry of that claim as perhaps sent;
an expired claim is a new attempt for its old owner too.
"""

from collections.abc import Callable, Iterable

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.deliveries import Claim, Claimed, DeadLetter, Lane, Settled, Settlement, Verdict
from turnkeeper.ports.turns import Commit, Effect, EffectKind, Waiting
from turnkeeper.stores.memory.tables import Buried, Entry, Head, Line, Tables, key_of


def put_effect(tables: Tables, head: Head, now: int, effect: Effect) -> None:
    """Put a new effect at the end of its lane; a timer takes the place of one with its name."""
    if effect.kind is EffectKind.TIMER and effect.name:
        cancel(head, [effect.name])
    entry = Entry(
        effect=msgspec.structs.replace(effect, payload=bytes(effect.payload)),
        order=tables.serial(),
        committed_ms=now,
        due_ms=effect.due_ms,
        opt_outs=tables.wish(head.conversation).count,
    )
    put_entry(tables, head, entry)


def put_entry(tables: Tables, head: Head, entry: Entry) -> None:
    """Put an entry at the end of its lane."""
    name = "" if entry.effect.kind is EffectKind.REPLY else entry.effect.id
    head.lanes.setdefault(name, Line()).entries.append(entry)
    tables.busy.add(key_of(head.conversation))


def cancel(head: Head, names: Iterable[str], *, unless_claimed_at: int | None = None) -> int:
    """Remove effects by id or timer name, but not those that a claim covers at a time; return how many were."""
    wanted = frozenset(names)

    def is_meant(line: Line, entry: Entry) -> bool:
        effect = entry.effect
        if unless_claimed_at is not None and _is_claimed(line, entry, unless_claimed_at):
            return False
        return effect.id in wanted or (effect.kind is EffectKind.TIMER and effect.name in wanted)

    return _remove(head, is_meant)


def cancel_person(tables: Tables, conversation: ConversationId, now: int) -> None:
    """Remove everything of a person in a flow that is not handed out."""
    for key in tables.of_person(conversation):
        if (head := tables.heads.get(key)) is not None:
            _remove(head, lambda line, entry: not _is_claimed(line, entry, now))


def _is_claimed(line: Line, entry: Entry, now: int) -> bool:
    return entry.claimed and line.is_held(now)


def _remove(head: Head, is_meant: Callable[[Line, Entry], bool]) -> int:
    count = 0
    for name, line in tuple(head.lanes.items()):
        kept = [entry for entry in line.entries if not is_meant(line, entry)]
        count += len(line.entries) - len(kept)
        line.entries = kept
        _tidy(head, name, line)
    return count


def _tidy(head: Head, name: str, line: Line) -> None:
    """Free a lane without claimed entries, and drop an empty one."""
    if not any(entry.claimed for entry in line.entries):
        line.free()
    if not line.entries:
        del head.lanes[name]


def may_claim(head: Head, now: int, request: Commit) -> bool:
    """Return whether a commit's replies may be claimed for its sender: nothing may stand unclaimed before them.

    To be asked before the replies are in the lane.
    """
    line = head.lanes.get("")
    if line is None:
        return bool(request.lane_token)
    return line.is_held(now) and line.token == request.lane_token and all(entry.claimed for entry in line.entries)


def claim_replies(head: Head, now: int, request: Commit) -> bool:
    """Claim the replies that a commit put into the lane, all of them or, if one is not due yet, none."""
    replies = {effect.id for effect in request.effects if effect.kind is EffectKind.REPLY}
    line = head.lanes.get("")
    if line is None or not replies:
        return False
    entries = [entry for entry in line.entries if entry.effect.id in replies]
    if any(entry.due_ms > now for entry in entries):
        return False
    _hand_over(line, entries, request.lane_token, now + request.lane_ms)
    return True


def _hand_over(line: Line, entries: Iterable[Entry], token: str, until_ms: int) -> None:
    line.token = token
    line.until_ms = max(line.until_ms, until_ms)
    for entry in entries:
        entry.claimed = True
        entry.attempts += 1


def claim(tables: Tables, now: int, lane: Lane, *, token: str, lease_ms: int, limit: int) -> Claim | None:
    """See `Deliveries.claim`."""
    head = tables.heads.get(key_of(lane.conversation))
    line = None if head is None else head.lanes.get(lane.name)
    if line is None:
        return None
    if line.is_held(now):
        if line.token != token:
            return None
        line.until_ms = max(line.until_ms, now + lease_ms)
        return _claim(tables, now, lane, line)
    due = _due(line, now)[:limit]
    if not due:
        return None
    for entry in line.entries:
        entry.maybe_sent = entry.maybe_sent or entry.claimed
    line.free()
    _hand_over(line, due, token, now + lease_ms)
    return _claim(tables, now, lane, line)


def _due(line: Line, now: int) -> list[Entry]:
    """Return the entries that may go now: those before the first that may not."""
    for index, entry in enumerate(line.entries):
        if entry.due_ms > now:
            return line.entries[:index]
    return line.entries


def _claim(tables: Tables, now: int, lane: Lane, line: Line) -> Claim:
    wish = tables.wish(lane.conversation)
    entries = tuple(
        Claimed(
            id=entry.effect.id,
            kind=entry.effect.kind,
            payload=entry.effect.payload,
            attempt=entry.attempts,
            committed_ms=entry.committed_ms,
            maybe_sent=entry.maybe_sent,
            suppressed=entry.effect.kind is EffectKind.REPLY and wish.is_out and wish.count > entry.opt_outs,
            name=entry.effect.name,
        )
        for entry in line.entries
        if entry.claimed
    )
    return Claim(lane=lane, token=line.token, entries=entries, until_ms=line.until_ms, now_ms=now)


def settle(tables: Tables, now: int, settlement: Settlement) -> Settled:
    """See `Deliveries.settle`."""
    lane = settlement.lane
    head = tables.heads.get(key_of(lane.conversation))
    line = None if head is None else head.lanes.get(lane.name)
    if head is None or line is None or not line.token or line.token != settlement.token:
        return Settled(held=False)
    for entry in line.entries:
        if entry.claimed and entry.effect.id == settlement.id:
            _apply(tables, head, line, entry, settlement, now)
            _tidy(head, lane.name, line)
            break
    is_extended = settlement.verdict is Verdict.EXTEND
    return Settled(held=True, more=bool(_due(line, now)) and not is_extended)


def _apply(tables: Tables, head: Head, line: Line, entry: Entry, settlement: Settlement, now: int) -> None:
    match settlement.verdict:
        case Verdict.DONE:
            line.entries.remove(entry)
        case Verdict.DEAD:
            line.entries.remove(entry)
            bury_entry(tables, head, now, entry, error=settlement.error)
        case Verdict.EXTEND:
            line.until_ms = max(line.until_ms, now + settlement.wait_ms)
        case Verdict.RETRY | Verdict.UNCERTAIN | Verdict.RETURN:
            entry.due_ms = now + settlement.wait_ms
            entry.maybe_sent = entry.maybe_sent or settlement.verdict is Verdict.UNCERTAIN
            was_tried = settlement.verdict is not Verdict.RETURN
            for other in line.entries:
                if other.claimed and not (was_tried and other is entry):
                    other.attempts -= 1
            line.free()


def bury_message(tables: Tables, head: Head, now: int, waiting: Waiting, *, error: str) -> None:
    """Write a message to the dead letters; taking it off the inbox is the caller's."""
    _bury(tables, head, now, waiting.id, None, waiting.payload, error=error, attempts=head.attempts)


def bury_entry(tables: Tables, head: Head, now: int, entry: Entry, *, error: str) -> None:
    """Write a delivery to the dead letters; taking it off its lane is the caller's."""
    effect = entry.effect
    _bury(tables, head, now, effect.id, entry, effect.payload, error=error, attempts=entry.attempts)


def _bury(
    tables: Tables,
    head: Head,
    now: int,
    source_id: str,
    entry: Entry | None,
    payload: bytes,
    *,
    error: str,
    attempts: int,
) -> None:
    letter = DeadLetter(
        id=str(tables.serial()),
        conversation=head.conversation,
        source_id=source_id,
        kind=None if entry is None else entry.effect.kind,
        payload=payload,
        error=error,
        attempts=attempts,
        version=head.version,
        at_ms=now,
    )
    tables.dead[letter.id] = Buried(letter=letter, entry=entry)
