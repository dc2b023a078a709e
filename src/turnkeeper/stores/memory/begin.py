"""`Turns.begin`: accept a message, take the lease, or both. See `accept` and `grant`, which other transitions share."""

from turnkeeper.ports.checks import check_begin
from turnkeeper.ports.limits import MAX_HAND_OUT, MAX_INBOX
from turnkeeper.ports.turns import Begin, Begun, Busy, Duplicate, Full, Granted, Idle, Incoming, Mode, Queued, Waiting
from turnkeeper.stores.memory.lifetime import begin_if_over, open_head
from turnkeeper.stores.memory.tables import Head, Tables, key_of


def begin(tables: Tables, now: int, request: Begin) -> Begun:
    """See `Turns.begin`."""
    check_begin(request)
    head = tables.heads.get(key_of(request.conversation))
    if head is not None and head.token and head.token == request.token:
        head.lease_until_ms = max(head.lease_until_ms, now + request.lease_ms)
        return granted(tables, head, now)
    if request.message is None:
        return _take_over(tables, head, now, request)
    if head is not None and (refused := _refuse(tables, head, now, request, request.message)) is not None:
        return refused
    head = open_head(tables, request.conversation, now)
    accept(tables, head, now, message_id=request.message.id, payload=request.message.payload)
    _hold(head, now, request.message)
    leased = head.is_leased(now)
    if request.mode is Mode.INTERRUPT and request.run:
        head.ready_ms = 0
    interrupts = leased and request.mode is Mode.INTERRUPT
    if (leased and not interrupts) or head.ready_ms > now or not request.run:
        return Queued(position=len(head.inbox), ready_ms=head.ready_ms)
    if interrupts:
        head.attempts = head.errors = 0
        head.memos = {}
    return _grant(tables, head, now, request, interrupted=interrupts)


def _refuse(tables: Tables, head: Head, now: int, request: Begin, message: Incoming) -> Begun | None:
    """Answer a message that is known or cannot be taken; None if it is to be appended."""
    receipt = head.receipt(message.id, now)
    if receipt is not None:
        if not receipt.done and _may_run(head, now, request):
            return _take_over(tables, head, now, request)
        return Duplicate(done=receipt.done, reply=receipt.reply)
    if len(head.inbox) >= MAX_INBOX:
        return Full(waiting=len(head.inbox))
    if request.mode is Mode.REJECT and head.inbox:
        return Busy()
    return None


def _may_run(head: Head, now: int, request: Begin) -> bool:
    return request.run and not head.is_leased(now) and head.ready_ms <= now


def _take_over(tables: Tables, head: Head | None, now: int, request: Begin) -> Begun:
    if head is None or not head.inbox:
        return Idle()
    if not _may_run(head, now, request):
        leased_until = head.lease_until_ms if head.is_leased(now) else 0
        return Idle(ready_ms=max(leased_until, head.ready_ms))
    return _grant(tables, head, now, request)


def _grant(tables: Tables, head: Head, now: int, request: Begin, *, interrupted: bool = False) -> Granted:
    hand_out = MAX_HAND_OUT if request.mode is Mode.INTERRUPT else request.hand_out
    return grant(
        tables, head, now, token=request.token, lease_ms=request.lease_ms, hand_out=hand_out, interrupted=interrupted
    )


def accept(tables: Tables, head: Head, now: int, *, message_id: str, payload: bytes) -> None:
    """Append a message to the inbox with its receipt; a conversation that is over begins anew."""
    begin_if_over(tables, head, now)
    head.inbox.append(Waiting(seq=head.next_seq, id=message_id, payload=bytes(payload), accepted_ms=now))
    head.next_seq += 1
    head.add_receipt(message_id, now)
    tables.busy.add(key_of(head.conversation))


def _hold(head: Head, now: int, message: Incoming) -> None:
    """Hold the inbox back for what may follow. It never shortens a hold that stands, such as a back-off."""
    if message.wait_ms > 0:
        running = head.handed if head.is_leased(now) else 0
        first = head.inbox[running]
        head.ready_ms = max(head.ready_ms, min(now + message.wait_ms, first.accepted_ms + message.max_wait_ms))


def grant(
    tables: Tables, head: Head, now: int, *, token: str, lease_ms: int, hand_out: int, interrupted: bool = False
) -> Granted:
    """Give the lease away. The fence outgrows the clock's milliseconds, so that it grows even over an erasure."""
    head.token = token
    head.fence = max(now, head.fence + 1)
    head.lease_until_ms = now + lease_ms
    head.handed = min(hand_out, len(head.inbox))
    head.interrupted = interrupted
    head.attempts += 1
    return granted(tables, head, now)


def granted(tables: Tables, head: Head, now: int) -> Granted:
    """Describe the grant that stands."""
    return Granted(
        token=head.token,
        fence=head.fence,
        version=head.version,
        generation=head.generation,
        state=head.state,
        messages=tuple(head.inbox[: head.handed]),
        more=len(head.inbox) - head.handed,
        now_ms=now,
        lease_until_ms=head.lease_until_ms,
        created_ms=head.created_ms,
        active_ms=head.active_ms,
        attempts=head.attempts,
        errors=head.errors,
        lost=head.is_lost(),
        interrupted=head.interrupted,
        opted_out=tables.wish(head.conversation).is_out,
        memos=dict(head.memos),
    )


def free_lease(head: Head) -> None:
    """Let go of the lease; what was handed out waits again."""
    head.token = ""
    head.lease_until_ms = 0
    head.handed = 0
    head.interrupted = False
