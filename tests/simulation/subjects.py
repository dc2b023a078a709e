"""What a run attacks: a plain program that does whatever words say, or a flow of the dialogue layer."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Protocol

from tests.simulation import teahouse
from tests.simulation.bot import RARE_WORDS, WORDS, Bot, applied_in, turn_of
from tests.simulation.chronicle import Chronicled, turns_of
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.program import Program
from turnkeeper.ports.turns import LogRecord
from turnkeeper.testing.history import Turn

FLOW_EVERY = 4
"""One seed in so many attacks the flow; the others, whose program does more with the store, are the larger part."""


class Subject(Protocol):
    """A program, what people say to it, and how its log and state are read."""

    program: Program

    @property
    def words(self) -> Sequence[str]:
        """What people say often."""
        ...

    @property
    def rare_words(self) -> Sequence[str]:
        """What each of them says once, perhaps."""
        ...

    def applied(self, state: bytes) -> tuple[str, ...] | None:
        """Return the messages that a state says were applied, None if it does not tell of all of them."""
        ...

    def turns(self, conversation: str, records: Sequence[LogRecord]) -> Iterator[Turn]:
        """Read a log, oldest entry first."""
        ...

    def disagreements(self, state: bytes | None, records: Sequence[LogRecord]) -> Iterator[str]:
        """Tell where a state is not what its log says, as far as the checker cannot see it."""
        ...


class Echo:
    """The plain program. See `Subject`."""

    words = WORDS
    rare_words = RARE_WORDS

    def __init__(self, *, clock: Clock, chance: random.Random, policy: str, retain_ms: int) -> None:
        """Take what decides how long things take."""
        self.program: Program = Bot(clock=clock, chance=chance, policy=policy, retain_ms=retain_ms)

    def applied(self, state: bytes) -> tuple[str, ...]:
        """See `Subject.applied`."""
        return applied_in(state)

    def turns(self, conversation: str, records: Sequence[LogRecord]) -> Iterator[Turn]:
        """See `Subject.turns`."""
        return (turn_of(conversation, record) for record in records)

    def disagreements(self, _state: bytes | None, _records: Sequence[LogRecord]) -> Iterator[str]:
        """See `Subject.disagreements`: the checker sees all of it."""
        return iter(())


class Tea:
    """The flow. See `Subject`."""

    words = teahouse.WORDS
    rare_words = teahouse.RARE_WORDS

    def __init__(self, *, chance: random.Random, policy: str, retain_ms: int) -> None:
        """Take what decides how long things take."""
        teahouse.be_lucky(chance)
        self._flow = teahouse.open_house(policy, timedelta(milliseconds=retain_ms))
        self.program: Program = Chronicled(self._flow.program())

    def applied(self, _state: bytes) -> None:
        """See `Subject.applied`: what no handler was run for is in the log only."""

    def turns(self, conversation: str, records: Sequence[LogRecord]) -> Iterator[Turn]:
        """See `Subject.turns`."""
        return turns_of(conversation, records)

    def disagreements(self, state: bytes | None, records: Sequence[LogRecord]) -> Iterator[str]:
        """See `Subject.disagreements`."""
        return teahouse.disagreements(self._flow, state, records)


def subject_of(seed: int, *, clock: Clock, chance: random.Random, policy: str, retain_ms: int) -> Subject:
    """Return what a seed attacks."""
    if seed % FLOW_EVERY == FLOW_EVERY - 1:
        return Tea(chance=chance, policy=policy, retain_ms=retain_ms)
    return Echo(clock=clock, chance=chance, policy=policy, retain_ms=retain_ms)
