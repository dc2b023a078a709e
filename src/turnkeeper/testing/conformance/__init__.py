"""The suite that a store passes, or is none.

Subclass `StoreConformance` in a test file, say how your store is made and what it is able to do, and run pytest:

    class TestMyStore(StoreConformance):
        abilities = frozenset({"restart"})

        def make_store(self, clock: ManualClock, path: Path) -> Store:
            return MyStore(path / "store", clock=clock)

The pytest plugin `turnkeeper.testing.plugin` (active once Turnkeeper is installed) deselects the tests of abilities
that a backend does not declare. The tests are `async` and use anyio's pytest plugin.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnkeeper.testing.conformance.suite import StoreConformance

__all__ = ["StoreConformance"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - it stands for the class above
    """Load the suite only when it is used: every pytest run imports this package for its plugin."""
    if name != "StoreConformance":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("turnkeeper.testing.conformance.suite").StoreConformance
