"""What a mirror says of itself. Plain facts, read without asking the store."""

from datetime import datetime, timedelta

import msgspec


class MirrorHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether what is in memory is in the store.

    Attributes:
        status: `ok`, or `degraded`: the store does not answer and changes wait in memory, or values cannot be written.
        reason: Why, empty if all is well.
        since: Since when, None if all is well.
        unsaved: Values that changed and are not written.
        restored: Whether what was in the store is here.
        window: What a process that is killed may lose, while the store answers.
    """

    status: str
    reason: str
    since: datetime | None
    unsaved: int
    restored: bool
    window: timedelta
