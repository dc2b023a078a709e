"""What a handler or job takes is checked before it is called, and its types are read from its annotations."""

import functools
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct

from turnkeeper.dialogue.declaring.jobtype import MAX_ATTEMPTS, Retry
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.turn import Job, Turn
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.errors import ConfigurationError, InvalidFlowError
from turnkeeper.model.message import JobFailed
from turnkeeper.policy.durations import seconds

if TYPE_CHECKING:
    from decimal import Decimal


class Meals(Struct):
    """A state with nothing to complain about."""

    swaps: list[str] = []


class Unstorable:
    """A class without a JSON form."""


def new_flow() -> Flow[Meals]:
    """Return a flow with one intent."""
    return Flow("mealplan", Meals, start="idle", intents=(Intent("plan", phrases=("plan",)),))


def refusal(flow: Flow[Meals]) -> str:
    """Return why the flow is refused."""
    with pytest.raises(InvalidFlowError) as caught:
        flow.check()
    return str(caught.value)


def untyped(call: Callable[..., Any]) -> Any:
    """Return a function as the type checker must not see it."""
    return call


async def nothing(turn: Turn[Meals]) -> None:
    """Handle anything by doing nothing."""


def test_a_handler_must_be_async() -> None:
    """It is awaited."""
    flow = new_flow()

    def plan(turn: Turn[Meals]) -> None:
        turn.reply("")

    flow.on("plan")(untyped(plan))

    assert "plan must be `async def`, because it is awaited" in refusal(flow)


def test_a_wrapped_handler_is_as_async_as_what_it_wraps() -> None:
    """Decorators of the users' own come in between."""
    flow = new_flow()

    def logged(call: Callable[[Turn[Meals]], Awaitable[None]]) -> Callable[[Turn[Meals]], Awaitable[None]]:
        @functools.wraps(call)
        def wrapper(turn: Turn[Meals]) -> Awaitable[None]:
            return call(turn)

        return wrapper

    @flow.on("plan")
    @logged
    async def plan(turn: Turn[Meals]) -> None:
        turn.reply("")

    assert flow.check().handlers[0].name.endswith("plan")


def test_what_has_no_line_cannot_be_a_handler() -> None:
    """Errors and the log name a handler by its function."""
    flow = new_flow()

    with pytest.raises(InvalidFlowError, match="is no function; declare a plain `async def`"):
        flow.on("plan")(functools.partial(nothing))


@pytest.mark.parametrize("kind", ["on", "on_quiet", "unknown", "each"])
def test_a_handler_that_takes_too_much_is_refused(kind: str) -> None:
    """The text shows what it takes and how it is called."""
    flow = new_flow()

    async def plan(turn: Turn[Meals], extra: str) -> None:
        turn.reply(extra)

    declare = {"on": flow.on("plan"), "on_quiet": flow.on_quiet, "unknown": flow.unknown(), "each": flow.each}[kind]
    declare(untyped(plan))

    assert "takes (turn, extra) but is called with (turn)" in refusal(flow)


def test_a_result_handler_takes_turn_and_result() -> None:
    """One that forgets the result is told."""
    flow = new_flow()

    @flow.job()
    async def analyze(job: Job) -> str:
        return job.peer

    flow.result(analyze)(untyped(nothing))
    flow.failed(analyze)(untyped(nothing))

    text = refusal(flow)

    assert "takes (turn) but is called with (turn, result)" in text
    assert "takes (turn) but is called with (turn, error)" in text


def test_values_are_decoded_as_annotated() -> None:
    """Results by the job's return type, failures as `JobFailed`, timers and actions by the handler's own annotation."""
    flow = new_flow()
    flow.on("plan")(nothing)

    @flow.job()
    async def analyze(job: Job, phone: str, *, since: datetime) -> list[int]:
        return [len(job.peer), len(phone), since.year]

    @flow.result(analyze)
    async def analyzed(turn: Turn[Meals], counts: list[int]) -> None:
        turn.reply(str(counts))

    @flow.failed(analyze)
    async def failed(turn: Turn[Meals], error: JobFailed) -> None:
        turn.reply(error.reason)

    @flow.timer("reminder")
    async def remind(turn: Turn[Meals], text: "str") -> None:
        turn.reply(text)

    flow.action("thanks")(nothing)

    plan = flow.check()

    assert {handler.triggers[0].kind: handler.value_type for handler in plan.handlers} == {
        "intent": None,
        "result": list[int],
        "failure": JobFailed,
        "timer": str,
        "action": None,
    }
    assert plan.jobs["analyze"].arguments == {"phone": str, "since": datetime}
    assert plan.timers == {"reminder"}


def test_the_turn_may_be_known_to_the_type_checker_only() -> None:
    """Only types of values are read; a linter may move the others behind `if TYPE_CHECKING`."""
    flow = new_flow()

    async def plan(turn: "Nowhere", text: str) -> None:  # type: ignore[name-defined]  # noqa: F821 - that is the point
        turn.reply(text)

    flow.on("plan")(nothing)
    flow.timer("reminder")(untyped(plan))

    assert flow.check().handlers[1].value_type is str


def test_a_value_type_that_is_unknown_at_run_time_is_refused() -> None:
    """The text says where to import it."""
    flow = new_flow()

    @flow.timer("reminder")
    async def remind(turn: Turn[Meals], amount: "Decimal") -> None:
        turn.reply(str(amount))

    text = refusal(flow)

    assert "annotates its parameter 'amount' with 'Decimal', but 'Decimal' is unknown when the program runs" in text
    assert "outside of `if TYPE_CHECKING`" in text


def test_values_must_be_annotated() -> None:
    """Without a type nothing can be decoded."""
    flow = new_flow()

    async def remind(turn: Turn[Meals], text) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - that is the point
        turn.reply(text)

    flow.timer("reminder")(untyped(remind))

    assert "must annotate its parameter 'text'" in refusal(flow)


def test_a_job_must_say_what_it_takes_and_returns() -> None:
    """Arguments and result are stored by their types."""
    flow = new_flow()

    async def analyze(job: Job, phone):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - that is the point
        return job.peer + phone

    flow.job()(untyped(analyze))

    text = refusal(flow)

    assert "job analyze must annotate its parameter 'phone'" in text
    assert "job analyze must annotate what it returns" in text


def test_a_job_must_take_and_return_what_can_be_stored() -> None:
    """The type at fault is named."""
    flow = new_flow()

    @flow.job()
    async def analyze(job: Job, what: Unstorable) -> list[Unstorable]:
        return [what] * job.attempt

    text = refusal(flow)

    assert "job analyze cannot store its parameter 'what': Unstorable" in text
    assert "job analyze cannot store what it returns: list[" in text


def test_a_job_takes_the_job_first_and_names_its_arguments() -> None:
    """What is passed on without a name has no type."""
    flow = new_flow()

    async def lonely() -> None:
        """Take nothing."""

    async def greedy(job: Job, *phones: str) -> None:
        """Take anything."""

    flow.job()(untyped(lonely))
    flow.job()(untyped(greedy))

    text = refusal(flow)

    assert "job lonely takes (); its first parameter must be the Job" in text
    assert "job greedy takes *phones: str; name each argument" in text


def test_guards_and_upgrades_are_plain_functions() -> None:
    """They look and answer; an async one would always be true."""
    flow = Flow("mealplan", Meals, start="idle", intents=(Intent("plan", phrases=("plan",)),), schema=2)

    async def is_hungry(turn: Turn[Meals]) -> bool:
        return turn.is_new

    def is_full() -> bool:
        return True

    async def upgrade(old: dict[str, Any]) -> dict[str, Any]:
        return old

    flow.on("plan", guard=untyped(is_hungry))(nothing)
    flow.on("plan", guard=untyped(is_full))(nothing)
    flow.upgrade(from_version=1)(untyped(upgrade))

    text = refusal(flow)

    assert "the guard of handler nothing must be a plain `def`" in text
    assert "the guard of handler nothing takes () but is called with (turn)" in text
    assert "upgrade must be a plain `def`" in text


def test_a_reminder_is_a_plain_function_of_the_turn() -> None:
    """It returns text."""
    flow = new_flow()
    flow.on("plan")(nothing)

    async def remind(turn: Turn[Meals]) -> str:
        return turn.status

    flow.late_reply(resting="idle", reminder=untyped(remind), continue_intent="plan", new_intent="plan")

    assert "the reminder of late_reply must be a plain `def`" in refusal(flow)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"attempts": 0}, "attempts must be 1 to"),
        ({"attempts": MAX_ATTEMPTS + 1}, "attempts must be 1 to"),
        ({"factor": 0.5}, "factor must be 1 or more"),
        ({"delay": timedelta(hours=1)}, "between 0 and max_delay"),
    ],
)
def test_a_retry_out_of_range_is_refused_where_it_is_written(settings: dict[str, Any], reason: str) -> None:
    """A wrong number does not wait for the first failure."""
    with pytest.raises(ConfigurationError, match=reason):
        Retry(**settings)


def test_a_job_carries_its_rules() -> None:
    """The engine retries by them."""
    flow = new_flow()

    @flow.job(retry=Retry(attempts=5, factor=3), timeout=seconds(60), result_dropped=True, name="cart")
    async def analyze(job: Job) -> None:
        """Read the cart."""

    flow.on("plan")(nothing)

    rules = flow.check().jobs["cart"].rules

    assert (rules.attempts, rules.factor, rules.timeout) == (5, 3, seconds(60))
    assert analyze.name == "cart"


def test_a_job_that_could_never_end_in_time_is_refused() -> None:
    """A timeout of nothing is a slip."""
    flow = new_flow()

    @flow.job(timeout=seconds(0), result_dropped=True)
    async def analyze(job: Job) -> None:
        """Read the cart."""

    assert "job analyze: timeout is 0:00:00" in refusal(flow)
