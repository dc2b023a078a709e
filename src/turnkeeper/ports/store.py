"""A store: the four ports over one medium."""

from typing import Protocol

from turnkeeper.ports.catalog import Catalog
from turnkeeper.ports.deliveries import Deliveries
from turnkeeper.ports.documents import Documents
from turnkeeper.ports.turns import Turns


class Store(Protocol):
    """The four ports. Opening is lazy: the first operation opens, `open` only does it early."""

    @property
    def turns(self) -> Turns:
        """Conversations."""
        ...

    @property
    def deliveries(self) -> Deliveries:
        """Outbox, jobs, timers, recovery, dead letters."""
        ...

    @property
    def documents(self) -> Documents:
        """Values beside conversations."""
        ...

    @property
    def catalog(self) -> Catalog:
        """Looking from outside."""
        ...

    async def open(self) -> None:
        """Connect and check. Safe to call twice.

        Raises:
            ConfigurationError: The store cannot be ours; it was not touched.
            StoreUnavailableError: It does not answer.
        """
        ...

    async def close(self) -> None:
        """Finish what was sent and let go. Safe to call twice."""
        ...
