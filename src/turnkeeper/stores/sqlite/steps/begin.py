"""`Turns.begin`: accept a message, take the lease, or both.

An ordinary message costs four statements: the row, unless its head is kept, the message, the row again, the state.
"""

from turnkeeper.ports.checks import check_begin
from turnkeeper.ports.limits import MAX_HAND_OUT, MAX_INBOX
from turnkeeper.ports.turns import Begin, Begun, Busy, Duplicate, Full, Granted, Idle, Incoming, Mode, Queued, Waiting
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.steps import inbox
from turnkeeper.stores.sqlite.steps.heads import Head, load, new_head, save, save_turn
from turnkeeper.stores.sqlite.steps.lifetime import begin_if_over, outlive_if_over

_STATE = "SELECT bytes FROM state WHERE conversation = ?"
_MEMOS = "SELECT name, bytes FROM memo WHERE conversation = ?"
_FORGET_MEMOS = "DELETE FROM memo WHERE conversation = ?"


def begin(transaction: Transaction, request: Begin) -> Begun:
    """See `Turns.begin`."""
    check_begin(request)
    head = load(transaction, request.conversation)
    now_ms = transaction.now_ms
    if head is not None and head.token and head.token == request.token:
        head.lease_until_ms = max(head.lease_until_ms, now_ms + request.lease_ms)
        save_turn(transaction, head)
        return granted(transaction, head)
    if request.message is None:
        return _take_over(transaction, head, request)
    if head is None or not head.is_known or head.is_outlived(now_ms):
        transaction.require_room()
        head = _introduce(transaction, head, request)
        _append(transaction, head, request.message, inbox.digest_of(request.message.id))
    elif (refused := _append_or_refuse(transaction, head, request, request.message)) is not None:
        return refused
    return _run_or_queue(transaction, head, request, request.message)


def _introduce(transaction: Transaction, head: Head | None, request: Begin) -> Head:
    """Return the row of a conversation that was not known, begun and written."""
    head = head or new_head(transaction, request.conversation)
    outlive_if_over(transaction, head)
    head.state_key = request.conversation.state_key
    begin_if_over(transaction, head)
    save(transaction, head)
    return head


def _append_or_refuse(transaction: Transaction, head: Head, request: Begin, message: Incoming) -> Begun | None:
    """Append the message and return None; or the answer to one that is known or cannot be taken."""
    digest = inbox.digest_of(message.id)
    is_full = head.waiting >= MAX_INBOX
    is_busy = request.mode is Mode.REJECT and head.waiting > 0
    is_over = head.created_ms == 0 or head.is_over(transaction.now_ms)
    may_append = not (is_full or is_busy or is_over or transaction.is_short_of_room)
    if may_append and _append(transaction, head, message, digest):
        return None
    receipt = inbox.find_receipt(transaction, head, digest)
    if receipt is not None:
        if not receipt.is_done and _may_run(transaction, head, request):
            return _take_over(transaction, head, request)
        return Duplicate(done=receipt.is_done, reply=receipt.reply)
    if is_full:
        return Full(waiting=head.waiting)
    if is_busy:
        return Busy()
    transaction.require_room()
    if is_over:
        begin_if_over(transaction, head)
        save(transaction, head)
    inbox.drop_receipt(transaction, head, digest)
    _append(transaction, head, message, digest)
    return None


def _append(transaction: Transaction, head: Head, message: Incoming, digest: int) -> bool:
    return inbox.append(transaction, head, message_id=message.id, digest=digest, payload=message.payload)


def _run_or_queue(transaction: Transaction, head: Head, request: Begin, message: Incoming) -> Begun:
    """Grant the lease if it may be taken now, else leave the message to others."""
    now_ms = transaction.now_ms
    is_leased = head.is_leased(now_ms)
    if message.wait_ms > 0:
        running = head.handed if is_leased else 0
        first_ms = inbox.accepted_ms(transaction, head, running)
        head.ready_ms = max(head.ready_ms, min(now_ms + message.wait_ms, first_ms + message.max_wait_ms))
    if request.mode is Mode.INTERRUPT and request.run:
        head.ready_ms = 0
    interrupts = is_leased and request.mode is Mode.INTERRUPT
    if (is_leased and not interrupts) or head.ready_ms > now_ms or not request.run:
        save_turn(transaction, head)
        return Queued(position=head.waiting, ready_ms=head.ready_ms)
    if interrupts:
        head.attempts = head.errors = 0
        forget_memos(transaction, head)
    only = None
    if head.waiting == 1:
        only = (Waiting(seq=head.first_seq, id=message.id, payload=message.payload, accepted_ms=now_ms),)
    return _grant(transaction, head, request, interrupted=interrupts, messages=only)


def _may_run(transaction: Transaction, head: Head, request: Begin) -> bool:
    return request.run and not head.is_leased(transaction.now_ms) and head.ready_ms <= transaction.now_ms


def _take_over(transaction: Transaction, head: Head | None, request: Begin) -> Begun:
    if head is None or not head.waiting:
        return Idle()
    if not _may_run(transaction, head, request):
        leased_until_ms = head.lease_until_ms if head.is_leased(transaction.now_ms) else 0
        return Idle(ready_ms=max(leased_until_ms, head.ready_ms))
    return _grant(transaction, head, request)


def _grant(
    transaction: Transaction,
    head: Head,
    request: Begin,
    *,
    interrupted: bool = False,
    messages: tuple[Waiting, ...] | None = None,
) -> Granted:
    hand_out = MAX_HAND_OUT if request.mode is Mode.INTERRUPT else request.hand_out
    take_lease(transaction, head, token=request.token, lease_ms=request.lease_ms, hand_out=hand_out)
    head.interrupted = int(interrupted)
    save_turn(transaction, head)
    return granted(transaction, head, messages)


def take_lease(transaction: Transaction, head: Head, *, token: str, lease_ms: int, hand_out: int) -> None:
    """Give the lease away. The fence outgrows the clock's milliseconds, so that it grows even over a purge."""
    head.token = token
    head.fence = max(transaction.now_ms, head.fence + 1)
    head.lease_until_ms = transaction.now_ms + lease_ms
    head.handed = min(hand_out, head.waiting)
    head.interrupted = 0
    head.attempts += 1


def granted(transaction: Transaction, head: Head, messages: tuple[Waiting, ...] | None = None) -> Granted:
    """Describe the grant that stands; `messages` is what was handed out, if that is known without asking the file."""
    row = transaction.execute(_STATE, (head.id,)).fetchone() if head.version else None
    state: bytes | None = None if row is None else row[0]
    return Granted(
        token=head.token,
        fence=head.fence,
        version=head.version,
        generation=head.generation,
        state=state,
        messages=inbox.hand_out(transaction, head, head.handed) if messages is None else messages,
        more=head.waiting - head.handed,
        now_ms=transaction.now_ms,
        lease_until_ms=head.lease_until_ms,
        created_ms=head.created_ms,
        active_ms=head.active_ms,
        attempts=head.attempts,
        errors=head.errors,
        lost=head.version > 0 and state is None,
        interrupted=bool(head.interrupted),
        opted_out=bool(head.opted_out),
        memos=dict(transaction.execute(_MEMOS, (head.id,))) if head.memos else {},
    )


def forget_memos(transaction: Transaction, head: Head) -> None:
    """Drop what earlier attempts remembered."""
    if head.memos:
        transaction.execute(_FORGET_MEMOS, (head.id,))
        head.memos = 0
