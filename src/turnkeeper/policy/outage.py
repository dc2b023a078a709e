"""What an application does while its store is away: the operator's choice, in one value.

`fail` refuses, `queue` accepts into a journal on this machine, `carry_on` goes on talking here. None of them is silent.
"""

from datetime import timedelta
from typing import Literal, get_args

import msgspec

from turnkeeper.errors import ConfigurationError

OutagePolicy = Literal["fail", "queue", "carry_on"]

LONGEST_WAIT = timedelta(seconds=2)
"""Between two probes of a store that is away: longer, and people wait for a store that is back."""


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """See `App(outage=…)`; a policy's name alone takes these defaults.

    Attributes:
        policy: `fail`: a message is refused, with an error that says whether anything was written. `queue`: it is
            accepted durably into a journal on this machine and applied, in order, once the store is back. `carry_on`:
            its turn runs here, on what this process last knew, and is written back.
        folder: Where journal and local conversations are kept, on a disk that survives this process. Relative to the
            working directory.
        failures: How many times in a row the store must fail before calls to it fail at once. One message is tried
            four times: its bad luck alone is no outage.
        first_wait: Between the moment at which it counts as away and the first probe; doubled up to `longest_wait`.
        longest_wait: At most 2 s.
        journal_messages: Messages that the journal holds at most; beyond it they are refused as under `fail`.
        carried_conversations: Conversations that live here at most (`carry_on`); beyond it messages are refused.
        remembered: Conversations of which this process remembers what it last knew (`carry_on`).
        remembered_bytes: Memory for their states and parts.
    """

    policy: OutagePolicy = "fail"
    folder: str = ".turnkeeper"
    failures: int = 5
    first_wait: timedelta = timedelta(milliseconds=50)
    longest_wait: timedelta = LONGEST_WAIT
    journal_messages: int = 100_000
    carried_conversations: int = 100_000
    remembered: int = 10_000
    remembered_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.policy not in get_args(OutagePolicy):
            known = ", ".join(get_args(OutagePolicy))
            raise ConfigurationError(f"there is no outage policy {self.policy!r}; choose one of: {known}")
        if not timedelta(0) < self.first_wait <= self.longest_wait <= LONGEST_WAIT:
            raise ConfigurationError(
                f"first_wait ({self.first_wait}) must be longer than nothing and at most longest_wait "
                f"({self.longest_wait}), which is at most {LONGEST_WAIT}"
            )
        for name in ("failures", "journal_messages", "carried_conversations", "remembered", "remembered_bytes"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.folder:
            raise ConfigurationError("folder must name a folder on this machine's disk")


def outage_of(wish: OutagePolicy | Outage) -> Outage:
    """Return the whole value of a policy that may be given by its name.

    Raises:
        ConfigurationError: There is no such policy.
    """
    return wish if isinstance(wish, Outage) else Outage(policy=wish)
