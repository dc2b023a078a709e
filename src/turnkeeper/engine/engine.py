"""One process's engine: the inbox, the turns, the outbox, jobs, timers and the worker, over one store.

It knows nothing of flows or providers beyond the ports, and keeps nothing that the store does not have.
"""

import random
import time
from collections.abc import Mapping
from datetime import timedelta

from turnkeeper.engine.delivering.jobs import Jobs
from turnkeeper.engine.delivering.outbox import Outbox
from turnkeeper.engine.delivering.timers import Timers
from turnkeeper.engine.heartbeat import Heartbeat
from turnkeeper.engine.inbox import Inbox
from turnkeeper.engine.results import Accepted, Handled
from turnkeeper.engine.running.commit import Committer
from turnkeeper.engine.running.turn import TurnRunner
from turnkeeper.engine.settings import Settings
from turnkeeper.engine.tokens import Tokens
from turnkeeper.engine.worker import Worker
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Message
from turnkeeper.ports.channel import Channel
from turnkeeper.ports.program import Program
from turnkeeper.ports.store import Store

_LAST_SENDS = timedelta(seconds=1)
"""What the outbox has at least, since turns that used up the grace have only just committed their replies."""


class Engine:
    """Accepts messages, runs turns, delivers what they ask for."""

    def __init__(
        self,
        *,
        store: Store,
        programs: Mapping[str, Program],
        channels: Mapping[str, Channel],
        settings: Settings | None = None,
        entropy: random.Random | None = None,
    ) -> None:
        """Take a store, the flows' programs by name and the channels by name.

        Args:
            store: Where everything durable is.
            programs: What runs.
            channels: Ways out of this process.
            settings: See `Settings`.
            entropy: Source of tokens and jitter; the operating system's, unless a simulation brings its own.
        """
        self.settings = settings or Settings()
        chance = entropy or random.SystemRandom()
        tokens = Tokens(chance)
        self._store = store
        self._heartbeat = Heartbeat(
            store, lease=self.settings.lease, every=self.settings.renew_every, enabled=self.settings.heartbeat
        )
        self._outbox = Outbox(store=store, channels=channels, settings=self.settings, entropy=chance, tokens=tokens)
        self._inbox = Inbox(
            store=store,
            programs=programs,
            heartbeat=self._heartbeat,
            outbox=self._outbox,
            settings=self.settings,
            tokens=tokens,
        )
        committer = Committer(
            store=store,
            outbox=self._outbox,
            settings=self.settings,
            entropy=chance,
            on_committed=self._inbox.committed,
        )
        self._inbox.runner = TurnRunner(store=store, committer=committer, settings=self.settings, entropy=chance)
        jobs = Jobs(
            store=store,
            inbox=self._inbox,
            heartbeat=self._heartbeat,
            settings=self.settings,
            entropy=chance,
            tokens=tokens,
        )
        timers = Timers(store=store, inbox=self._inbox, settings=self.settings, tokens=tokens)
        self._worker = Worker(
            store=store,
            inbox=self._inbox,
            outbox=self._outbox,
            jobs=jobs,
            timers=timers,
            settings=self.settings,
            flows=tuple(programs),
        )

    async def start(self) -> None:
        """Open the store and start working. Safe to call twice."""
        await self._store.open()
        self._inbox.start()
        self._outbox.start()
        if self.settings.work:
            self._worker.start()

    async def stop(self) -> None:
        """Take nothing more, finish or give back what runs, send what is claimed. Safe to call twice.

        Given-back turns and jobs do not count as attempts: a deploy does not look like a crash. It takes the grace,
        and some seconds more if something does not end when it is cut off.
        """
        until = time.monotonic() + self.settings.grace.total_seconds()

        def left() -> timedelta:
            return timedelta(seconds=max(until - time.monotonic(), 0))

        self._inbox.close()
        try:
            await self._worker.stop(left())
            await self._inbox.stop(left())
            await self._outbox.stop(max(left(), _LAST_SENDS))
        finally:
            await self._heartbeat.stop()

    async def accept(self, conversation: ConversationId, message: Message) -> Accepted:
        """See `Inbox.accept`."""
        return await self._inbox.accept(conversation, message)

    async def handle(self, conversation: ConversationId, message: Message, *, within: timedelta) -> Handled:
        """See `Inbox.handle`."""
        return await self._inbox.handle(conversation, message, within=within)

    async def look(self) -> bool:
        """Start what is due now; True if anything was, or is still under way. For tests that move the clock."""
        was_busy = self.is_busy  # what ends during the look may have left something due that the look did not see
        started = await self._worker.look()
        return bool(started) or was_busy or self.is_busy

    @property
    def is_busy(self) -> bool:
        """Return whether this process is running or sending anything."""
        return bool(self._inbox.running or self._worker.busy or self._outbox.sending)
