"""A crash that a test asks for is no news; what went wrong by itself still is."""

import pytest

from turnkeeper import Flow, Job, JobFailed, Struct, Turn
from turnkeeper.ports import faults
from turnkeeper.testing import FakeChannel, Simulator


class Count(Struct):
    said: int = 0


flow = Flow("counter", Count, start="open", max_attempts=2)


@flow.job()
async def work(job: Job) -> str:
    """Bring something home."""
    return "done"


@flow.unknown
async def count(turn: Turn[Count]) -> None:
    """Count, or fail if asked to."""
    if turn.text == "fail":
        raise RuntimeError("a mistake of the bot's own")
    turn.state.said += 1
    turn.start(work)
    turn.reply("counted")


@flow.result(work)
async def worked(turn: Turn[Count], what: str) -> None:
    """Say what came home."""
    turn.reply(what)


@flow.failed(work)
async def failed(turn: Turn[Count], error: JobFailed) -> None:
    """Say that nothing came."""
    turn.reply("nothing")


@pytest.mark.parametrize("point", sorted(point for point in faults.POINTS if "." not in point))
def test_a_simulated_crash_is_silent(point: str, caplog: pytest.LogCaptureFixture) -> None:
    """Wherever the worker dies: a test that passes prints no traceback."""
    with Simulator(flow, channels=[FakeChannel("sms")]) as sim:
        sim.crash(at=point)
        sim.say("one", channel="sms")
        sim.restart()
        state = sim.state()

    assert state is None or state.said == 1
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


def test_a_mistake_of_the_bot_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Only the crash is held back: the author still sees why a handler failed."""
    with Simulator(flow) as sim:
        sim.say("fail")

    assert "a mistake of the bot's own" in caplog.text
