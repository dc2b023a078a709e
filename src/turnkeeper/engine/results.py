"""What the engine tells whoever brought a message."""

import enum

import msgspec


class Taken(enum.StrEnum):
    """What became of a message on arrival."""

    ACCEPTED = "accepted"
    """Durable. It will be applied once, in order, or end in the dead letters."""

    DUPLICATE = "duplicate"
    """Durable since earlier; nothing is done again."""

    FULL = "full"
    """Not taken: too many wait in this conversation. Answer 503."""

    BUSY = "busy"
    """Not taken: a turn runs and the flow rejects what comes meanwhile."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `accept`. `replies` are the recorded ones of a duplicate whose turn is `done`."""

    outcome: Taken
    done: bool = False
    replies: tuple[str, ...] = ()

    @property
    def durable(self) -> bool:
        """Whether the message is safe: a webhook may answer 2xx."""
        return self.outcome is Taken.ACCEPTED or self.outcome is Taken.DUPLICATE


class Handled(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `handle`. `done` False: durable, but its turn was not committed in time."""

    outcome: Taken
    done: bool
    replies: tuple[str, ...] = ()
