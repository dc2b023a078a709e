"""The `Turns` port on SQLite: every transition is one operation of the writer; only the log is read beside it."""

from collections.abc import Sequence

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.checks import check_batch, page_size
from turnkeeper.ports.turns import Begin, Begun, Commit, CommitAnswer, Forgotten, LogRecord, Release, Renewal, Renewed
from turnkeeper.stores.sqlite.file.readers import View
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.medium import Medium
from turnkeeper.stores.sqlite.migration import export
from turnkeeper.stores.sqlite.steps.begin import begin
from turnkeeper.stores.sqlite.steps.commit import commit
from turnkeeper.stores.sqlite.steps.leases import release, renew
from turnkeeper.stores.sqlite.steps.lifetime import forget

_HISTORY = (
    "SELECT l.seq, l.version, l.generation, l.at_ms, l.bytes FROM conversation c JOIN log l ON l.conversation = c.id "
    "WHERE c.person = ? AND c.flow = ? AND c.member = ? AND l.seq < ? AND l.at_ms > ? - c.log_keep_ms "
    "ORDER BY l.seq DESC LIMIT ?"
)
_NEWEST = (1 << 63) - 1
"""Greater than every sequence number."""


class SqliteTurns:
    """See `turnkeeper.ports.turns.Turns`."""

    def __init__(self, medium: Medium) -> None:
        """Take the open file."""
        self._medium = medium

    async def begin(self, request: Begin, /) -> Begun:
        """See `Turns.begin`."""
        return await self._medium.write(lambda transaction: begin(transaction, request))

    async def commit(self, request: Commit, /) -> CommitAnswer:
        """See `Turns.commit`."""
        return await self._medium.write(lambda transaction: commit(transaction, request))

    async def renew(self, requests: Sequence[Renewal], /) -> Sequence[Renewed]:
        """See `Turns.renew`."""
        check_batch(len(requests))
        return await self._medium.write(lambda transaction: renew(transaction, requests))

    async def release(self, request: Release, /) -> bool:
        """See `Turns.release`."""
        return await self._medium.write(lambda transaction: release(transaction, request))

    async def history(
        self, conversation: ConversationId, /, *, before: int | None = None, limit: int = 100
    ) -> Sequence[LogRecord]:
        """See `Turns.history`."""
        name = (conversation.person, conversation.flow, conversation.member)
        newest = _NEWEST if before is None else before

        def read(view: View) -> tuple[LogRecord, ...]:
            rows = view.execute(_HISTORY, (*name, newest, view.now_ms, page_size(limit)))
            return tuple(
                LogRecord(seq=seq, version=version, generation=generation, at_ms=at_ms, data=entry)
                for seq, version, generation, at_ms, entry in rows
            )

        return await self._medium.read(read)

    async def forget(
        self, conversation: ConversationId, /, *, person: bool = False, mark: str | None = None
    ) -> Forgotten:
        """See `Turns.forget`. The bytes are overwritten with zeros at the next checkpoint."""

        def erase(transaction: Transaction) -> Forgotten:
            found = None if mark is None else export(transaction, conversation)
            if found is not None and found.mark != mark:
                return Forgotten(changed=True)
            return forget(transaction, conversation, person=person)

        return await self._medium.write(erase)
