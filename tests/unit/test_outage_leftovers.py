"""What a process left on this machine: the next one with that store and flow takes it, others say that it is there."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.outage_bench import ANA, SETTINGS, Bench, SwitchedStore, counting_flow
from turnkeeper import App, Flow, Outage, Struct, Turn
from turnkeeper.policy.outage import OutagePolicy

pytestmark = pytest.mark.anyio

WITHIN = timedelta(seconds=20)
POLICIES: Sequence[OutagePolicy] = ("queue", "carry_on")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a store, a clock and a folder."""
    return Bench(tmp_path / "local")


def other_flow() -> Flow[Struct]:
    """Return a flow of another name."""
    flow = Flow("other", Struct, start="idle")

    @flow.unknown
    async def listen(turn: Turn[Struct]) -> None:
        """Say something."""
        turn.reply("Yes?")

    return flow


def server(bench: Bench, policy: OutagePolicy, *flows: Flow[Any]) -> App:
    """Return an application with some flows, over a store that works."""
    outage = Outage(policy=policy, folder=str(bench.folder))
    return App(*flows, store=SwitchedStore(bench.store), settings=SETTINGS, clock=bench.clock, outage=outage)


async def leave_a_message(bench: Bench, policy: OutagePolicy) -> None:
    """Accept a message while the store is away, and end before it is back."""
    app, switch = bench.server(policy)
    async with app.running():
        await bench.away(app, switch)
        await app.accept(ANA, app.message("one", id="m1"))


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_deploy_that_adds_a_flow_takes_it(bench: Bench, policy: OutagePolicy) -> None:
    """Whoever serves its flow takes it, whatever else it serves."""
    await leave_a_message(bench, policy)

    app = server(bench, policy, counting_flow(), other_flow())
    async with app.running():
        await bench.until(lambda: app.health().status == "ok")
        assert await app.at_rest(ANA, flow="counting", within=WITHIN)
        view = await app.inspect(app.conversation(ANA, flow="counting"))

    assert view is not None
    assert view.exported.version == 1


@pytest.mark.parametrize("policy", POLICIES)
async def test_what_is_of_a_flow_that_is_not_served_is_left_and_told_once(
    bench: Bench, policy: OutagePolicy, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays for who serves it."""
    await leave_a_message(bench, policy)
    caplog.set_level(logging.WARNING, "turnkeeper.outage")

    async with server(bench, policy, other_flow()).running():
        looks = bench.clock.now_ms() + 35_000
        await bench.until(lambda: bench.clock.now_ms() > looks)
    told = [record.__dict__["flows"] for record in caplog.records if record.msg == "left_alone"]
    own, _ = bench.server(policy)
    async with own.running():
        await bench.until_heard(own, ["one"])

    assert told == ["counting"]


async def test_password_and_parameters_of_a_url_are_not_the_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same database with another level of durability is the same store; another database is not."""
    caplog.set_level(logging.WARNING, "turnkeeper.outage")

    def app(url: str) -> App:
        outage = Outage(policy="queue", folder=str(tmp_path))
        return App(counting_flow(), store=url, settings=SETTINGS, outage=outage)

    first = app("redis://127.0.0.1:1/0")
    async with first.running():
        await first.accept(ANA, first.message("one", id="m1"))
    async with app("redis://127.0.0.1:1/1").running() as elsewhere:
        standing = elsewhere.health()
    async with app("redis://:secret@127.0.0.1:1/0?durability=replica").running() as again:
        taken = again.health()

    told = [record.__dict__["reason"] for record in caplog.records if record.msg == "left_alone"]
    assert (standing.journal, taken.journal) == (0, 1)
    assert told == ["messages of another store"]
