"""A conversation begins with an empty state of its own, under names that can be keys."""

from dataclasses import dataclass, field
from typing import Any, TypedDict

import msgspec
import pytest
from msgspec import Struct

from turnkeeper.dialogue.declaring.router import Router
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.plan import LogRetention
from turnkeeper.dialogue.turn import Job, Turn
from turnkeeper.errors import InvalidFlowError
from turnkeeper.policy.durations import seconds
from turnkeeper.ports.program import Busyness


class Address(Struct):
    """Something that can be changed in place."""

    street: str = ""


@dataclass
class Card:
    """Something that can be changed in place, and that msgspec lets pass as a default."""

    number: str = ""

    __hash__ = object.__hash__


class Fixed(Struct, frozen=True):
    """Something that cannot."""

    street: str = ""


class Deceptive(Struct, frozen=True):
    """Something that looks as if it could not."""

    streets: list[str]


class Meals(Struct):
    """A state with nothing to complain about."""

    swaps: list[str] = []


def refusal(state: type[Any] = Meals, name: str = "mealplan", **settings: Any) -> str:
    """Return why a flow is refused."""
    with pytest.raises(InvalidFlowError) as caught:
        Flow(name, state, start=settings.pop("start", "idle"), **settings).check()
    return str(caught.value)


def test_every_field_needs_a_default() -> None:
    """The fields without one are named."""

    class Order(Struct):
        name: str
        total: int
        status: str = ""

    text = refusal(Order)

    assert "a new conversation begins with an empty Order" in text
    assert "give one to Order.name, Order.total" in text


def test_a_default_that_can_be_changed_would_be_everybodys() -> None:
    """One person's words must not appear in another one's conversation."""

    class Order(Struct):
        card: Card = Card()

    assert "Order.card has one Card as default, which all conversations would share" in refusal(Order)


def test_a_changeable_default_deep_inside_is_found() -> None:
    """States are made of states."""

    class Customer(Struct):
        cards: tuple[Card, ...] = (Card(),)
        deceptive: Deceptive = Deceptive(streets=[])

    class Order(Struct):
        customers: list[Customer] = []

    text = refusal(Order)

    assert "Order.customers[...].cards has one tuple as default" in text
    assert "Order.customers[...].deceptive has one Deceptive as default" in text


def test_defaults_that_nobody_shares_are_accepted() -> None:
    """Empty lists are copied, factories make new ones, frozen values cannot be changed."""

    class Order(Struct):
        lines: list[str] = []
        totals: dict[str, int] = {}
        address: Address = msgspec.field(default_factory=Address)
        shop: Fixed = Fixed()
        days: tuple[str, ...] = ("monday",)

    assert Flow("orders", Order, start="new").check().state_type is Order


def test_a_dataclass_can_be_a_state() -> None:
    """It has fields and defaults as well."""

    @dataclass
    class Order:
        lines: list[str] = field(default_factory=list)

    assert Flow("orders", Order, start="new").check().state_type is Order


def test_a_state_is_a_class_of_its_own() -> None:
    """A dict has no fields that a check could know."""

    class Order(TypedDict):
        name: str

    assert "the state Order is no class of its own" in refusal(Order)
    assert "the state cannot be stored" in refusal(dict)


def test_a_state_that_cannot_be_stored_names_the_field() -> None:
    """Better at import than at the first commit."""

    class Order(Struct):
        lock: object | None = None
        call: type | None = None

    assert "the state cannot be stored: Order.call" in refusal(Order)


def test_an_empty_state_that_raises_is_reported() -> None:
    """The first message of every new person would fail."""

    class Order(Struct):
        total: int = 0

        def __post_init__(self) -> None:
            if not self.total:
                raise ValueError("an order without a total")

    assert "Order(), which raises ValueError: an order without a total" in refusal(Order)


def test_a_field_called_status_follows_the_dialogue() -> None:
    """So it must be able to hold one."""

    class Order(Struct):
        status: int = 0

    assert "Order.status follows the dialogue's status and must be a plain `str`" in refusal(Order)


@pytest.mark.parametrize("name", ["", "meal plan", "meal:plan", "-plan", "x" * 65])
def test_a_name_that_cannot_be_part_of_a_key_is_refused(name: str) -> None:
    """A colon would mix up flow and person."""
    assert f"{name!r} cannot name a flow" in refusal(name=name)
    assert f"{name!r} cannot name a status" in refusal(start=name)


def test_names_of_the_flows_own_are_refused() -> None:
    """Timers and questions with an underscore in front belong to the flow."""
    flow = Flow("mealplan", Meals, start="idle")

    async def nothing(turn: Turn[Meals]) -> None:
        turn.reply("")

    flow.timer("_quiet")(nothing)
    flow.on("affirmative", question="_guess")(nothing)
    flow.action(" ")(nothing)

    with pytest.raises(InvalidFlowError) as caught:
        flow.check()

    assert "timer '_quiet': names that begin with '_' are the flow's own" in str(caught.value)
    assert "question '_guess': names that begin with '_' are the flow's own" in str(caught.value)
    assert "takes an action without a name" in str(caught.value)


@pytest.mark.parametrize("key", ["order", "order:{}", "order:{id}:{other}", "order:{id", "order:{id!r}"])
def test_a_state_key_has_one_place_for_the_person(key: str) -> None:
    """Without it all people would share one state."""
    assert "needs exactly one placeholder, where the person goes" in refusal(state_key=key)


def test_names_are_given_once() -> None:
    """The second place is the error, the first is named with it."""
    flow = Flow("mealplan", Meals, start="idle")
    flow.status("idle", help="say PLAN")
    flow.status("idle")

    async def analyze(job: Job) -> None:
        """Read the cart."""

    flow.job(result_dropped=True)(analyze)
    flow.job(result_dropped=True)(analyze)

    with pytest.raises(InvalidFlowError) as caught:
        flow.check()

    assert "status 'idle' is declared twice, first at" in str(caught.value)
    assert "job 'analyze' is declared twice, first at" in str(caught.value)


def same(old: dict[str, Any]) -> dict[str, Any]:
    """Change nothing."""
    return old


@pytest.mark.parametrize(
    ("schema", "versions", "reason"),
    [
        (0, (), "schemas count from 1"),
        (1, (1,), "leads beyond schema=1 of the flow; raise that to 2"),
        (2, (0, 1), "upgrade from version 0, but schemas count from 1"),
        (4, (1, 3), "none goes on to schema 4; add @flow.upgrade(from_version=2)"),
        (2, (1, 1), "upgrade from version '1' is declared twice"),
    ],
)
def test_upgrades_lead_to_the_schema_step_by_step(schema: int, versions: tuple[int, ...], reason: str) -> None:
    """A gap would strand every state before it."""
    flow = Flow("mealplan", Meals, start="idle", schema=schema)
    for version in versions:
        flow.upgrade(from_version=version)(same)

    with pytest.raises(InvalidFlowError) as caught:
        flow.check()

    assert reason in str(caught.value)


def test_upgrades_reach_the_codec() -> None:
    """A state of an old schema is read through them."""
    flow = Flow("mealplan", Meals, start="idle", schema=2)

    @flow.upgrade(from_version=1)
    def rename(old: dict[str, Any]) -> dict[str, Any]:
        return {"swaps": old["changes"]}

    stored = b'{"_":{"g":1,"v":1,"f":1,"c":"c","s":1},"changes":["kale"]}'

    assert flow.check().codec.decode(stored).state == Meals(swaps=["kale"])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"naive": "local"}, "naive='local' is unknown; use 'utc' or 'refuse'"),
        ({"retention": "never"}, "retention='never' is unknown; use 'sliding' or 'fixed'"),
        ({"on_lost": "cry"}, "on_lost='cry' is unknown; use 'rebuild' or 'restart' or 'fail'"),
        ({"busy": Busyness(policy="wait")}, "busy.policy='wait' is unknown"),
        ({"busy": Busyness(wait=seconds(-1))}, "busy.wait is -1 day"),
        ({"log": LogRetention(entries=0)}, "log.entries is 0; use 1 to 10000"),
        ({"turn_timeout": seconds(0)}, "turn_timeout is 0:00:00"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(settings: dict[str, Any], reason: str) -> None:
    """The text says what is accepted."""
    assert reason in refusal(**settings)


def test_a_router_is_part_of_a_flow_once_and_for_its_state() -> None:
    """Twice would make every handler ambiguous; another state would not fit its handlers."""
    flow = Flow("mealplan", Meals, start="idle")
    router, foreign = Router(Meals), Router(Address)
    flow.include(router)
    flow.include(router)
    wrong: Any = foreign
    flow.include(wrong)

    with pytest.raises(InvalidFlowError) as caught:
        flow.check()

    assert "this router is part of the flow already; include it once" in str(caught.value)
    assert "this router is for Address, the flow for Meals; make it Router(Meals)" in str(caught.value)


def test_routers_may_not_include_each_other() -> None:
    """A circle is found, not followed."""
    flow = Flow("mealplan", Meals, start="idle")
    one, other = Router(Meals), Router(Meals)
    one.include(other)
    other.include(one)
    flow.include(one)

    with pytest.raises(InvalidFlowError, match="this router is part of the flow already"):
        flow.check()
