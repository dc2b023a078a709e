"""Watches a worker's turns from beside its store: every grant, hand-back and report of a commit becomes an event.

Events go through a pipe to whoever conducts the run, so that neither a kill nor a full disk loses or tears one.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from turnkeeper.errors import RetryableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import (
    Begin,
    Begun,
    Commit,
    CommitAnswer,
    Committed,
    Conflict,
    Forgotten,
    Granted,
    LogRecord,
    Release,
    Renewal,
    Renewed,
    Turns,
)
from turnkeeper.testing.history import AnyEvent, Ending, Grant, Handback, Reported, to_line

NOT_YET = 0
"""When a commit was answered that is only being asked for. Who is killed meanwhile never learns how it ended."""


def without_answered(history: Iterable[AnyEvent]) -> Iterator[AnyEvent]:
    """Leave out that a commit was asked for where its answer follows; what is left has an unknown ending."""
    asked: dict[str, list[Reported]] = {}
    for event in history:
        if not isinstance(event, Reported):
            yield event
        elif event.answered_ms == NOT_YET:
            asked.setdefault(event.commit, []).append(event)
        else:
            if asked.get(event.commit):
                asked[event.commit].pop()
            yield event
    for events in asked.values():
        yield from events


def now_ms() -> int:
    """Return the time that every process and server of this machine agrees on."""
    return time.time_ns() // 1_000_000  # noqa: TID251 - the stores of this run follow the machine's clock


class Witness:
    """The end of the pipe in one worker."""

    def __init__(self, pipe: Path) -> None:
        """Open it; somebody must be reading."""
        self._pipe = os.open(pipe, os.O_WRONLY)

    def tell(self, event: AnyEvent) -> None:
        """Write an event at once, in one piece: it is shorter than what a pipe writes atomically."""
        os.write(self._pipe, to_line(event))


class WitnessedStore:
    """A store whose turns are watched."""

    def __init__(self, store: Store, witness: Witness) -> None:
        """Take both."""
        self._store = store
        self.turns: Turns = WitnessedTurns(store.turns, witness)
        self.deliveries = store.deliveries
        self.documents = store.documents
        self.catalog = store.catalog

    async def open(self) -> None:
        """See `Store.open`."""
        await self._store.open()

    async def close(self) -> None:
        """See `Store.close`."""
        await self._store.close()


class WitnessedTurns:
    """See `turnkeeper.ports.turns.Turns`."""

    def __init__(self, turns: Turns, witness: Witness) -> None:
        """Take both."""
        self._turns = turns
        self._witness = witness
        self._fences: dict[str, int] = {}

    def _granted(self, conversation: ConversationId, granted: Granted) -> None:
        self._fences[conversation.key] = granted.fence
        self._witness.tell(
            Grant(
                conversation=conversation.key,
                fence=granted.fence,
                owner=granted.token,
                granted_ms=granted.now_ms,
                until_ms=granted.lease_until_ms,
                interrupted=granted.interrupted,
            )
        )

    async def begin(self, request: Begin, /) -> Begun:
        """See `Turns.begin`."""
        answer = await self._turns.begin(request)
        if isinstance(answer, Granted):
            self._granted(request.conversation, answer)
        return answer

    async def commit(self, request: Commit, /) -> CommitAnswer:
        """See `Turns.commit`."""
        key = request.conversation.key
        self._witness.tell(Handback(conversation=key, fence=request.fence, at_ms=now_ms()))
        self._witness.tell(
            Reported(conversation=key, commit=request.commit_id, ending=Ending.UNKNOWN, answered_ms=NOT_YET)
        )
        try:
            answer = await self._turns.commit(request)
        except BaseException as exc:
            ending = Ending.REFUSED if isinstance(exc, RetryableError) else Ending.UNKNOWN
            self._witness.tell(
                Reported(conversation=key, commit=request.commit_id, ending=ending, answered_ms=now_ms())
            )
            raise
        ending = Ending.COMMITTED if isinstance(answer, Committed) else Ending.FENCED
        if isinstance(answer, Conflict):
            ending = Ending.CONFLICT
        version = answer.version if isinstance(answer, Committed) else None
        self._witness.tell(
            Reported(conversation=key, commit=request.commit_id, ending=ending, answered_ms=now_ms(), version=version)
        )
        if isinstance(answer, Committed) and answer.next is not None:
            self._granted(request.conversation, answer.next)
        return answer

    async def renew(self, requests: Sequence[Renewal], /) -> Sequence[Renewed]:
        """See `Turns.renew`."""
        return await self._turns.renew(requests)

    async def release(self, request: Release, /) -> bool:
        """See `Turns.release`."""
        key = request.conversation.key
        self._witness.tell(Handback(conversation=key, fence=self._fences[key], at_ms=now_ms()))
        return await self._turns.release(request)

    async def history(
        self, conversation: ConversationId, /, *, before: int | None = None, limit: int = 100
    ) -> Sequence[LogRecord]:
        """See `Turns.history`."""
        return await self._turns.history(conversation, before=before, limit=limit)

    async def forget(
        self, conversation: ConversationId, /, *, person: bool = False, mark: str | None = None
    ) -> Forgotten:
        """See `Turns.forget`."""
        return await self._turns.forget(conversation, person=person, mark=mark)
