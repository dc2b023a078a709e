"""Whatever a person says, in whatever order: no error, no silence, and a log that rebuilds what was committed."""

from datetime import timedelta

import anyio
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.flow_dinners import STATUSES, dinners
from tests.unit.flow_harness import Talk, World

WORDS = (
    *"plan|swap salmon for tofu|skip monday|confirm|yes|no|👍|oops|undo|actually, make it chicken|wait".split("|"),
    *"how much is it?|help|START|start over|continue|new|This is Ana|this is me|blah|🎉|STOP".split("|"),
    *"|yes but skip friday|skip monday and confirm|the pricing thing about my neighbour".split("|"),
)
SAID = st.one_of(st.sampled_from(WORDS), st.text(max_size=40))
DONE = st.sampled_from(["job ends", "job fails", "timers", "an hour", "a day", "crash", "admin undo"])
STEPS = st.lists(st.one_of(SAID.map(lambda text: ("says", text)), DONE.map(lambda what: ("does", what))), max_size=25)
FLOW = dinners()


async def live(steps: list[tuple[str, str]]) -> None:
    """Go through the steps; the harness checks the log after each."""
    world = World(FLOW)
    for kind, what in steps:
        if kind == "says" and not world.opted_out:
            replies = await world.says(what)
            assert replies, what
            assert all(reply.strip() for reply in replies)
        elif kind == "does":
            await happen(world, what)
        for talk in world.talks.values():
            check(talk)


def check(talk: Talk) -> None:
    """Compare what the thread takes for alive with what is."""
    if talk.state is not None:
        assert talk.status in STATUSES
        assert {job.id for job in talk.thread.jobs} == {job.id for job in talk.jobs()}
        assert {timer.id for timer in talk.thread.timers} == {timer.id for timer in talk.timers().values()}


async def happen(world: World, what: str) -> None:
    """Let something happen that nobody said."""
    jobs = world.talk.jobs()
    match what:
        case "job ends" if jobs:
            await world.works(jobs[0])
        case "job fails" if jobs:
            await world.fails(jobs[0])
        case "timers":
            await world.fires_timers()
        case "an hour":
            world.pass_time(timedelta(hours=1))
        case "a day":
            world.pass_time(timedelta(days=1))
        case "crash":
            await world.talk.turn(world.message("plan"), commit=False)
        case "admin undo":
            await world.admin("undo")


@given(STEPS)
def test_no_conversation_ends_in_an_error_or_in_silence(steps: list[tuple[str, str]]) -> None:
    """Every text is answered, every committed state can be rebuilt, every live job is really there."""
    anyio.run(live, steps)
