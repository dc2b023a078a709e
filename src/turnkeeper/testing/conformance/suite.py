"""`StoreConformance`: every promise of the ports as one class of tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# Asserts of these modules explain themselves only if pytest rewrites them before they are imported.
pytest.register_assert_rewrite(
    "turnkeeper.testing.conformance.catalog",
    "turnkeeper.testing.conformance.deliveries",
    "turnkeeper.testing.conformance.documents",
    "turnkeeper.testing.conformance.forgetting",
    "turnkeeper.testing.conformance.races",
    "turnkeeper.testing.conformance.retention",
    "turnkeeper.testing.conformance.scenario",
    "turnkeeper.testing.conformance.turns",
)

from turnkeeper.ports.store import Store
from turnkeeper.testing.clock import ManualClock
from turnkeeper.testing.conformance.catalog.find import CatalogPromises
from turnkeeper.testing.conformance.catalog.migration import MigrationPromises
from turnkeeper.testing.conformance.catalog.watch import WatchPromises
from turnkeeper.testing.conformance.deliveries.claims import ClaimPromises
from turnkeeper.testing.conformance.deliveries.committed import CommittedClaimPromises
from turnkeeper.testing.conformance.deliveries.dead import DeadLetterPromises
from turnkeeper.testing.conformance.deliveries.due import DuePromises
from turnkeeper.testing.conformance.deliveries.optout import OptOutPromises
from turnkeeper.testing.conformance.deliveries.redrive import RedrivePromises
from turnkeeper.testing.conformance.deliveries.schedule import SchedulePromises
from turnkeeper.testing.conformance.deliveries.verdicts import VerdictPromises
from turnkeeper.testing.conformance.documents.parts import PartPromises
from turnkeeper.testing.conformance.documents.scans import ScanPromises
from turnkeeper.testing.conformance.documents.values import DocumentPromises
from turnkeeper.testing.conformance.forgetting import ForgettingPromises
from turnkeeper.testing.conformance.races import RacePromises
from turnkeeper.testing.conformance.retention import RetentionPromises
from turnkeeper.testing.conformance.scenario import Talk
from turnkeeper.testing.conformance.selection import undeclared
from turnkeeper.testing.conformance.turns.begin import BeginPromises
from turnkeeper.testing.conformance.turns.commits import CommitPromises
from turnkeeper.testing.conformance.turns.erasure import ErasurePromises
from turnkeeper.testing.conformance.turns.fencing import FencingPromises
from turnkeeper.testing.conformance.turns.history import HistoryPromises
from turnkeeper.testing.conformance.turns.leases import LeasePromises
from turnkeeper.testing.conformance.turns.modes import ModePromises
from turnkeeper.testing.conformance.turns.receipts import ReceiptPromises


class StoreConformance(
    BeginPromises,
    ReceiptPromises,
    ModePromises,
    CommitPromises,
    FencingPromises,
    LeasePromises,
    RetentionPromises,
    ForgettingPromises,
    HistoryPromises,
    ErasurePromises,
    ClaimPromises,
    CommittedClaimPromises,
    VerdictPromises,
    SchedulePromises,
    DuePromises,
    OptOutPromises,
    DeadLetterPromises,
    RedrivePromises,
    DocumentPromises,
    ScanPromises,
    PartPromises,
    CatalogPromises,
    WatchPromises,
    MigrationPromises,
    RacePromises,
):
    """Subclass it, name it `Test…`, and override `make_store` and `abilities` (see `scenario.Backend`)."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Run on asyncio only."""
        return "asyncio"

    @pytest.fixture(autouse=True)
    def _only_declared_abilities(self, request: pytest.FixtureRequest) -> None:
        """Say what is wrong if the tests of undeclared abilities were not deselected."""
        missing = undeclared(request.function, type(self))
        assert not missing, f"{missing!r} is not declared: load the pytest plugin turnkeeper.testing.plugin"

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Return the clock of the store under test."""
        return ManualClock()

    @pytest.fixture
    async def store(self, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Store]:
        """Give the test an empty store, and close it afterwards."""
        store = self.make_store(clock, tmp_path)
        yield store
        await store.close()

    @pytest.fixture
    def talk(self, store: Store, clock: ManualClock) -> Talk:
        """Return a conversation on the store under test."""
        return Talk(store, clock)
