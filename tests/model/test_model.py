"""The model test: any order of rules on the ports keeps the promises, and every store answers as the model does."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conformance.redis_servers import RedisServer
from tests.model.machine import MakeStores, PortsMachine
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.sqlite import SqliteStore

STEPS = 50
"""Rules of one example: enough for a conversation to be forgotten and begun anew."""

EXAMPLES = {"memory": 300, "sqlite": 60, "redis": 60}
"""Of every run; the nightly profile tells its own number."""


def attack(make: MakeStores, kind: str) -> None:
    """Run examples on these stores."""

    class Machine(PortsMachine):
        make_stores = staticmethod(make)

    is_nightly = settings().max_examples > 1_000
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=settings().max_examples if is_nightly else EXAMPLES[kind],
            stateful_step_count=STEPS,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),  # explaining traces every line, which takes minutes here
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_order_of_steps_keeps_the_promises() -> None:
    """The memory store, which is the model, is judged by its history."""
    attack(lambda clock: [MemoryStore(clock=clock)], "memory")


def test_sqlite_is_as_the_model(tmp_path: Path) -> None:
    """SQLite gives the same answers, and its history is as clean."""
    files = itertools.count()

    attack(
        lambda clock: [
            MemoryStore(clock=clock),
            SqliteStore(tmp_path / f"{next(files)}.db", clock=clock, durability="memory"),
        ],
        "sqlite",
    )


@pytest.fixture(name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Bring a server; each example has a database of its own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


def test_redis_is_as_the_model(server: RedisServer) -> None:
    """Redis gives the same answers, and its history is as clean."""
    attack(lambda clock: [MemoryStore(clock=clock), RedisStore(server.url(server.fresh()), clock=clock)], "redis")
