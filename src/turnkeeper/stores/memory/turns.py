"""The `Turns` port in memory, and its small transitions: renew, release, history, forget."""

from collections.abc import Sequence

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.checks import check_batch, check_memos, check_payload, page_size
from turnkeeper.ports.turns import (
    Begin,
    Begun,
    Commit,
    CommitAnswer,
    Forgotten,
    LogRecord,
    Outcome,
    Release,
    Renewal,
    Renewed,
)
from turnkeeper.stores.memory.begin import begin, free_lease
from turnkeeper.stores.memory.commit import commit
from turnkeeper.stores.memory.lifetime import erase
from turnkeeper.stores.memory.medium import Medium
from turnkeeper.stores.memory.migration import export
from turnkeeper.stores.memory.tables import Head, Tables, key_of


class MemoryTurns:
    """See `turnkeeper.ports.turns.Turns`."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium

    async def begin(self, request: Begin, /) -> Begun:
        """See `Turns.begin`."""
        return self._medium.change(lambda tables, now: begin(tables, now, request))

    async def commit(self, request: Commit, /) -> CommitAnswer:
        """See `Turns.commit`."""
        return self._medium.change(lambda tables, now: commit(tables, now, request))

    async def renew(self, requests: Sequence[Renewal], /) -> Sequence[Renewed]:
        """See `Turns.renew`."""
        check_batch(len(requests))
        return self._medium.change(lambda tables, now: _renew_all(tables, now, requests))

    async def release(self, request: Release, /) -> bool:
        """See `Turns.release`."""
        return self._medium.change(lambda tables, now: _release(tables, now, request))

    async def history(
        self, conversation: ConversationId, /, *, before: int | None = None, limit: int = 100
    ) -> Sequence[LogRecord]:
        """See `Turns.history`."""
        return self._medium.read(lambda tables, now: _history(tables, now, conversation, before, limit))

    async def forget(
        self, conversation: ConversationId, /, *, person: bool = False, mark: str | None = None
    ) -> Forgotten:
        """See `Turns.forget`."""
        return self._medium.change(lambda tables, now: _forget(tables, now, conversation, person=person, mark=mark))


def _held(tables: Tables, conversation: ConversationId, token: str) -> Head | None:
    """Return the head whose lease a token has; an expired one that nobody took is still its own."""
    head = tables.heads.get(key_of(conversation))
    return head if head is not None and head.token and head.token == token else None


def _renew_all(tables: Tables, now: int, requests: Sequence[Renewal]) -> tuple[Renewed, ...]:
    for request in requests:
        head = _held(tables, request.conversation, request.token)
        if head is not None and request.memo is not None:
            name, data = request.memo
            check_payload(data)
            check_memos(len(head.memos.keys() | {name}))
    return tuple(_renew(tables, now, request) for request in requests)


def _renew(tables: Tables, now: int, request: Renewal) -> Renewed:
    head = _held(tables, request.conversation, request.token)
    if head is None:
        return Renewed(held=False)
    head.lease_until_ms = max(head.lease_until_ms, now + request.lease_ms)
    if request.memo is not None:
        name, data = request.memo
        head.memos[name] = bytes(data)
    return Renewed(held=True, waiting=len(head.inbox) - head.handed)


def _release(tables: Tables, now: int, request: Release) -> bool:
    head = _held(tables, request.conversation, request.token)
    if head is None:
        return False
    if request.outcome is Outcome.RETURNED:
        head.attempts -= 1
    else:
        head.errors += 1
    head.ready_ms = max(head.ready_ms, now + request.wait_ms)
    free_lease(head)
    return True


def _history(
    tables: Tables, now: int, conversation: ConversationId, before: int | None, limit: int
) -> tuple[LogRecord, ...]:
    log = tables.logs.get(key_of(conversation))
    if log is None:
        return ()
    wanted = [entry for entry in log.kept(now) if before is None or entry.seq < before]
    return tuple(wanted[::-1][: page_size(limit)])


def _forget(tables: Tables, now: int, conversation: ConversationId, *, person: bool, mark: str | None) -> Forgotten:
    if mark is not None:
        found = export(tables, now, conversation)
        if found is not None and found.mark != mark:
            return Forgotten(changed=True)
    keys = tables.of_person(conversation) if person else [key_of(conversation)]
    return sum((erase(tables, key, now) for key in keys), Forgotten())
