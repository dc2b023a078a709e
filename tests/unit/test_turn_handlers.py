"""What a handler may do with its turn, and how it is told when it cannot work."""

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.flow_harness import World
from turnkeeper.dialogue.declaring.jobtype import JobType
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.turn import MAX_BUTTONS, MAX_REPLY_CHARACTERS, Job, Turn
from turnkeeper.errors import HandlerError
from turnkeeper.model.message import Button
from turnkeeper.model.struct import Struct

pytestmark = pytest.mark.anyio

Body = Callable[[Turn["Box"]], Awaitable[Any]]


class Box(Struct):
    """A state."""

    status: str = ""
    items: list[str] = []


def flow_with(body: Body, *, to: tuple[str, ...] = (), aside: bool = False) -> Flow[Box]:
    """Return a flow whose action `go` runs the body."""
    flow = Flow("box", Box, start="start")

    @flow.action("go", to=to, aside=aside)
    async def go(turn: Turn[Box]) -> None:
        await body(turn)

    @flow.action("there", to=("a", "b", "c"))
    async def there(turn: Turn[Box]) -> None:
        turn.go("b")

    @flow.timer("bell")
    async def bell(turn: Turn[Box]) -> None:
        turn.reply("Ding.")

    return flow


async def run(body: Body, *, to: tuple[str, ...] = (), aside: bool = False) -> World:
    """Run the body as a handler and return what came of it."""
    world = World(flow_with(body, to=to, aside=aside))
    await world.presses("go")
    return world


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (lambda turn: turn.reply(None), "takes text, got NoneType"),
        (lambda turn: turn.reply("  "), "empty text"),
        (lambda turn: turn.reply("x" * (MAX_REPLY_CHARACTERS + 1)), "may have 10000 characters, got 10001"),
        (lambda turn: turn.reply("x", buttons=["yes"]), "Button"),
        (lambda turn: turn.reply("x", buttons=[Button(text="y", data="y")] * (MAX_BUTTONS + 1)), "at most 100"),
        (lambda turn: turn.go("moon"), "declares to=nothing"),
        (lambda turn: turn.after(timedelta(hours=1), "gong"), "declared are: bell"),
        (lambda turn: turn.after(timedelta(hours=-1), "bell"), "0 or more"),
        (lambda turn: turn.after(3600, "bell"), "timedelta"),
        (lambda turn: turn.after(timedelta(0), "bell", object()), "cannot be stored"),
        (lambda turn: turn.after(timedelta(0), "bell", "x" * 300_000), "300"),
        (lambda turn: turn.after(timedelta(0), "bell", name="_mine"), "begin with '_'"),
        (lambda turn: turn.at(datetime(2027, 1, 1), "bell"), "time zone"),  # noqa: DTZ001 - it is what is refused
        (lambda turn: turn.at("tomorrow", "bell"), "datetime"),
        (lambda turn: turn.ask("Sure?", question=""), "question name"),
        (lambda turn: turn.ask("Sure?", question="_x"), "begin with '_'"),
        (lambda turn: turn.ask("Which?", question="q", kind="choice"), "options"),
        (lambda turn: turn.ask("Sure?", question="q", options=("a",)), "options"),
        (lambda turn: turn.ask("Sure?", question="q", kind="guess"), "kinds"),
        (lambda turn: setattr(turn, "state", {"items": []}), "must be a Box, got dict"),
        (lambda turn: turn.ref(object()), "cannot be stored"),
        (lambda turn: [turn.reply(str(number)) for number in range(100)], "replies, jobs and timers"),
        (lambda turn: [turn.count(str(number)) for number in range(100)], "64 counters"),
        (lambda turn: [turn.ref(Box()) for _ in range(100)], "16 large values"),
    ],
)
async def test_what_cannot_work_is_refused_with_a_reason(body: Callable[[Any], Any], text: str) -> None:
    """And nothing of the turn is committed."""

    async def wrong(turn: Turn[Box]) -> None:
        body(turn)

    world = World(flow_with(wrong))

    with pytest.raises(HandlerError, match=text.replace("'", ".")):
        await world.presses("go")
    assert world.talk.state is None


async def test_an_aside_cannot_ask() -> None:
    """It would lose the pending question that it promises to keep."""

    async def ask(turn: Turn[Box]) -> None:
        turn.ask("Sure?", question="q")

    with pytest.raises(HandlerError, match="aside"):
        await run(ask, aside=True)


async def test_a_turn_is_over_when_its_handler_returns() -> None:
    """What a left-behind task does with it would be lost, so it is refused."""
    kept: list[Turn[Box]] = []

    async def keep(turn: Turn[Box]) -> None:
        kept.append(turn)

    await run(keep)

    uses: list[Callable[[], object]] = [
        lambda: kept[0].reply("too late"),
        lambda: kept[0].state,
        lambda: kept[0].go("start"),
        kept[0].cancel_jobs,
        lambda: kept[0].count("x"),
        kept[0].forget,
    ]
    for use in uses:
        with pytest.raises(HandlerError, match="over"):
            use()
    with pytest.raises(HandlerError, match="over"):
        await kept[0].undo()


async def test_sys_exit_in_a_handler_is_an_ordinary_error() -> None:
    """It must not end the worker."""

    async def leave(turn: Turn[Box]) -> None:
        sys.exit(f"bye {turn.peer}")

    with pytest.raises(HandlerError, match=r"sys\.exit"):
        await run(leave)


async def test_a_handler_that_returns_something_is_told() -> None:
    """It probably wanted to reply."""
    flow = Flow("box", Box, start="start")

    @flow.action("go")
    async def go(turn: Turn[Box]) -> None:
        return "hello"  # type: ignore[return-value] # it is what the test is about

    with pytest.raises(HandlerError, match=r"use turn\.reply"):
        await World(flow).presses("go")


async def test_one_declared_status_is_led_to_by_itself() -> None:
    """Unless the handler says otherwise."""

    async def nothing(turn: Turn[Box]) -> None:
        turn.reply("ok")

    async def stay(turn: Turn[Box]) -> None:
        turn.go("start")

    led = await run(nothing, to=("next",))
    stayed = await run(stay, to=("next",))

    assert (led.talk.status, stayed.talk.status) == ("next", "start")


async def test_of_several_declared_statuses_the_handler_chooses_or_stays() -> None:
    """And the last choice counts."""

    async def nothing(turn: Turn[Box]) -> None:
        turn.reply("ok")

    async def choose(turn: Turn[Box]) -> None:
        turn.go("a")
        turn.go("c")
        assert turn.status == "c"

    stayed = await run(nothing, to=("a", "b", "c"))
    chosen = await run(choose, to=("a", "b", "c"))

    assert (stayed.talk.status, chosen.talk.status) == ("start", "c")


async def test_a_status_field_follows_the_status() -> None:
    """In the stored state and in the envelope alike."""

    async def nothing(turn: Turn[Box]) -> None:
        assert turn.state.status == ""

    world = await run(nothing, to=("next",))

    assert world.talk.model.status == "next"
    assert world.talk.decoded.envelope.status == "next"


async def test_the_status_history_holds_the_last_ten() -> None:
    """Oldest first; the last one is the current one."""
    seen: list[str] = []

    async def look(turn: Turn[Box]) -> None:
        seen[:] = [passed.status for passed in turn.status_history]

    world = World(flow_with(look, to=("start",)))
    for _ in range(8):
        await world.presses("there")
        await world.presses("go")

    assert seen == ["start", "b"] * 5


async def test_the_exception_of_a_handler_commits_nothing() -> None:
    """It leaves the program as it is, for the engine to count."""

    async def fail(turn: Turn[Box]) -> None:
        turn.state.items.append("half")
        turn.reply("half")
        raise ZeroDivisionError

    world = World(flow_with(fail))

    with pytest.raises(ZeroDivisionError):
        await world.presses("go")
    assert world.talk.state is None


async def test_counters_appear_in_the_log() -> None:
    """With what they were counted to."""

    async def count(turn: Turn[Box]) -> None:
        assert turn.count("meal_plan_generated") == 1
        assert turn.count("tokens", 250) == 250

    world = await run(count)

    assert world.talk.last.counters == {"meal_plan_generated": 1, "tokens": 250}


async def test_what_a_turn_knows() -> None:
    """Person, message, time, attempt, and what is alive."""
    known: dict[str, object] = {}

    async def look(turn: Turn[Box]) -> None:
        known.update(
            peer=turn.peer,
            member=turn.member,
            text=turn.text,
            id=turn.message.id,
            count=len(turn.messages),
            now=turn.now,
            is_new=turn.is_new,
            attempt=turn.attempt,
            lost=turn.lost,
            late=turn.late,
            jobs=turn.jobs,
            hint=turn.hint(),
            question=turn.question,
            confidence=turn.confidence,
        )

    world = await run(look)

    assert known == {
        "peer": "+15551234567",
        "member": "",
        "text": "go",
        "id": "m1",
        "count": 1,
        "now": datetime.fromtimestamp(world.now_ms / 1000, tz=UTC),
        "is_new": True,
        "attempt": 1,
        "lost": False,
        "late": False,
        "jobs": (),
        "hint": "",
        "question": None,
        "confidence": 1.0,
    }


async def test_forget_drops_the_state_and_says_a_last_word() -> None:
    """Timers and jobs go with it."""

    async def leave(turn: Turn[Box]) -> None:
        turn.reply("Goodbye.")
        turn.forget()

    world = World(flow_with(leave))
    await world.presses("there")

    replies = await world.presses("go")

    assert replies == ["Goodbye."]
    assert world.talk.state is None
    assert world.talk.timers() == {}


async def test_replies_on_a_screen_are_logged_and_not_sent() -> None:
    """Its client reads the log."""

    async def talk(turn: Turn[Box]) -> None:
        turn.reply("hello", buttons=[Button(text="Yes", data="yes")])

    world = World(flow_with(talk), screens=("sms",))

    replies = await world.presses("go")

    assert replies == ["hello"]
    assert world.sent == []
    logged = world.talk.last.replies[0]
    assert (logged.text, logged.channel, logged.to) == ("hello", "sms", "+15551234567")
    assert logged.id == "box:+15551234567:1:1:0"


async def test_a_job_of_another_flow_cannot_be_started() -> None:
    """Nobody would know how to run it."""
    other = Flow("other", Box, start="start")

    @other.job(result_dropped=True)
    async def alien(job: Job) -> None:
        del job

    stranger: JobType[[], None] = alien

    async def start(turn: Turn[Box]) -> None:
        turn.start(stranger)

    with pytest.raises(HandlerError, match="include it"):
        await run(start)
