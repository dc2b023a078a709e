"""State of an older schema is upgraded step by step, or left alone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from turnkeeper.codecs import Envelope, StateCodec, Upgrade
from turnkeeper.errors import StateUndecodableError
from turnkeeper.model.struct import Struct

ENVELOPE = Envelope(generation=1, version=2, fence=3, commit_id="c")


class Plan(Struct):
    first_name: str
    last_name: str
    since: datetime | None = None


def split_name(state: dict[str, Any]) -> dict[str, Any]:
    """Lead from schema 1 to schema 2."""
    first, _, last = state.pop("name").partition(" ")
    return state | {"first": first, "last": last}


def rename(state: dict[str, Any]) -> dict[str, Any]:
    """Lead from schema 2 to schema 3."""
    state["first_name"], state["last_name"] = state.pop("first"), state.pop("last")
    return state


CODEC = StateCodec(Plan, schema=3, upgrades={1: split_name, 2: rename})


def test_every_older_schema_is_brought_to_the_codes_own() -> None:
    """Schema 1 takes both steps, schema 2 the last one; the envelope still says where it came from."""
    one = CODEC.decode(b'{"_":{"g":1,"v":2,"f":3,"c":"c"},"name":"Ana Lima"}')
    two = CODEC.decode(b'{"_":{"g":1,"v":2,"f":3,"c":"c","s":2},"first":"Ana","last":"Lima"}')

    assert one.state == two.state == Plan(first_name="Ana", last_name="Lima")
    assert one.envelope is not None
    assert one.envelope.schema == 1
    assert b'"s":3' in CODEC.encode(one.state, one.envelope).data


def test_state_of_the_codes_own_schema_is_not_upgraded() -> None:
    """Steps run once."""
    state = Plan(first_name="Ana", last_name="Lima", since=datetime(2026, 1, 1, tzinfo=UTC))

    assert CODEC.decode(CODEC.encode(state, ENVELOPE).data).state == state


def test_members_that_an_upgrade_leaves_and_the_code_does_not_know_survive() -> None:
    """An upgrade and unknown members do not get in each other's way."""
    decoded = CODEC.decode(b'{"_":{"g":1,"v":2,"f":3,"c":"c","s":2},"first":"A","last":"L","new":[1.0]}')

    data = CODEC.encode(decoded.state, None, decoded.extras).data

    assert data == b'{"first_name":"A","last_name":"L","since":null,"new":[1.0]}'


def test_a_value_without_envelope_is_read_in_the_codes_schema() -> None:
    """Nobody says which schema it has; whoever imports it maps it before."""
    assert CODEC.decode(b'{"first_name":"A","last_name":"L"}').state == Plan(first_name="A", last_name="L")


@pytest.mark.parametrize(
    ("upgrade", "reason"),
    [
        (lambda state: state["missing"], "the upgrade from schema 2 raised KeyError"),
        (lambda _state: None, "the upgrade from schema 2 returned `NoneType`, not a dict"),
        (lambda state: state | {"first_name": "A", "last_name": 7}, "Expected `str`, got `int` at $.last_name"),
        (lambda state: state | {"first_name": ("A",)}, "what JSON does not hold"),
        (lambda state: state | {"first_name": datetime(2026, 1, 1, tzinfo=UTC)}, "what JSON does not hold"),
        (lambda state: state | {"first_name": float("nan")}, "what JSON does not hold"),
        (lambda state: state | {"first_name": object()}, "unsupported"),
        (lambda state: state | {"first_name": "\ud800"}, "surrogate"),
    ],
)
def test_an_upgrade_that_fails_leaves_the_state_alone(upgrade: Upgrade, reason: str) -> None:
    """The error names the step; nothing was applied in part."""
    codec = StateCodec(Plan, schema=3, upgrades={2: upgrade})

    with pytest.raises(StateUndecodableError) as raised:
        codec.decode(b'{"_":{"g":1,"v":2,"f":3,"c":"c","s":2},"first":"A","last":"L"}')

    assert reason in raised.value.reason


def test_a_schema_from_before_the_first_upgrade_is_reported() -> None:
    """The upgrades for it were deleted too early; the state waits for a fix."""
    codec = StateCodec(Plan, schema=3, upgrades={2: rename})

    with pytest.raises(StateUndecodableError, match="there is no upgrade from schema 1"):
        codec.decode(b'{"_":{"g":1,"v":2,"f":3,"c":"c"},"name":"Ana Lima"}')


def test_broken_json_is_reported_before_any_upgrade_runs() -> None:
    """An upgrade never sees half a state."""
    seen: list[object] = []

    def upgrade(state: dict[str, Any]) -> dict[str, Any]:
        seen.append(state)
        return state

    codec = StateCodec(Plan, schema=2, upgrades={1: upgrade})

    for data in (b'{"_":{"g":1,"v":2,"f":3,"c":"c"},"name":"Ana', b'{"_":{"g":1,"v":2,"f":3,"c":"c"},"name":"\xff"}'):
        with pytest.raises(StateUndecodableError):
            codec.decode(data)

    assert seen == []


@pytest.mark.parametrize(
    ("schema", "steps", "reason"),
    [
        (0, [], "count from 1"),
        (3, [1], "needs one from each of 1 to 2"),
        (4, [1, 3], "needs one from each of 1 to 3"),
        (2, [2], "below 2"),
        (2, [1, 2], "needs one from each of 1 to 1"),
        (3, [0, 1, 2], "below 3"),
    ],
)
def test_schema_and_upgrades_must_fit_each_other(schema: int, steps: list[int], reason: str) -> None:
    """A missing step is told while the application is imported."""
    with pytest.raises(ValueError, match=reason):
        StateCodec(Plan, schema=schema, upgrades=dict.fromkeys(steps, rename))
