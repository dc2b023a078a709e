"""An engine over a memory store whose clock the test moves."""

from datetime import timedelta

import msgspec

from tests.unit.echo_program import WHO, EchoProgram, rest, text
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.settings import Settings
from turnkeeper.ports.store import Store
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing.channel import FakeChannel
from turnkeeper.testing.clock import ManualClock

SETTINGS = Settings(work=False, heartbeat=False)


class Bench:
    """One process: its engine, its program, and a fake SMS gateway unless it has no channels."""

    def __init__(
        self,
        program: EchoProgram,
        *,
        store: Store | None = None,
        clock: ManualClock | None = None,
        settings: Settings = SETTINGS,
        channels: bool = True,
    ) -> None:
        """Take the program; a store and a clock where several processes share them."""
        self.clock = clock or ManualClock()
        self.store = store or MemoryStore(clock=self.clock)
        self.sms = FakeChannel("sms")
        self.program = program
        self.settings = settings
        self._has_channels = channels
        self.engine = self.another_engine()

    def another_engine(self) -> Engine:
        """Return a further engine with the same parts."""
        channels = {"sms": self.sms} if self._has_channels else {}
        return Engine(store=self.store, programs={"echo": self.program}, channels=channels, settings=self.settings)

    async def say(self, words: str, *, id: str | None = None) -> None:  # noqa: A002 - the field's name
        """Send a text and let everything come to rest."""
        await self.engine.accept(WHO, text(words, id=id))
        await rest(self.engine)

    async def heard(self) -> list[str]:
        """Return the committed state."""
        exported = await self.store.catalog.export(WHO)
        assert exported is not None
        return msgspec.json.decode(exported.state or b"[]", type=list[str])

    async def later(self, *, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Move the clock and let everything come to rest."""
        self.clock.advance(timedelta(hours=hours, minutes=minutes, seconds=seconds))
        await rest(self.engine)
