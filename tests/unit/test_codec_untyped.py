"""Untyped places: what JSON has no type for comes back as it was, and nothing is guessed."""

import copy
import enum
import json
import uuid
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkeeper.codecs import StateCodec
from turnkeeper.errors import InvalidStateError, StateUndecodableError
from turnkeeper.model.ref import Ref
from turnkeeper.model.struct import Struct


class Order(Struct):
    details: dict[str, Any] = {}
    anything: Any = None
    thing: object = None
    bare_dict: dict = {}  # type: ignore[type-arg]
    bare_list: list = []  # type: ignore[type-arg]
    history: list[dict[str, Any]] = []
    maybe: dict[str, Any] | None = None
    pairs: tuple[Any, ...] = ()


CODEC = StateCodec(Order)
NOON = datetime(2026, 11, 20, 12, 0, 0, 250, tzinfo=UTC)

TAGGED = [
    NOON,
    NOON.astimezone(timezone(timedelta(hours=-5, minutes=-30))),
    date(2026, 2, 28),
    time(14, 35),
    time(14, 35, tzinfo=UTC),
    timedelta(days=-3, microseconds=1),
    Decimal("10.10"),
    Decimal("NaN"),
    uuid.UUID(int=5866),
    b"\x00\xff",
]


def stored(order: Order) -> dict[str, Any]:
    """Return what a reader of the store sees."""
    seen: dict[str, Any] = json.loads(CODEC.encode(order, None).data)
    return seen


def trip(order: Order) -> Order:
    """Return what the next turn gets."""
    return CODEC.decode(CODEC.encode(order, None).data).state


@pytest.mark.parametrize("value", TAGGED, ids=repr)
def test_values_without_json_type_come_back_as_they_were(value: object) -> None:
    """In every kind of untyped place, at any depth."""
    deep = {"a": [1, {"b": value}]}
    order = Order(
        details={"at": value, "deep": deep},
        anything=value,
        thing=[value],
        bare_dict={"x": value},
        bare_list=[value],
        history=[{"time": value}],
        maybe={"x": [value]},
        pairs=(value, 1),
    )

    back = trip(order)

    assert repr(back) == repr(order)


def test_a_tag_names_the_type_and_is_readable() -> None:
    """`redis-cli` shows a datetime as text under its type's name."""
    seen = stored(Order(details={"at": NOON, "day": date(2026, 11, 20), "price": Decimal("9.90")}))

    assert seen["details"] == {
        "at": {"$datetime": "2026-11-20T12:00:00.000250Z"},
        "day": {"$date": "2026-11-20"},
        "price": {"$decimal": "9.90"},
    }


@pytest.mark.parametrize("text", ["2026-11-20T12:00:00Z", "2026-11-20", "12:00:00", "P1D", "9.90", "$datetime"])
def test_a_string_is_never_guessed_at(text: str) -> None:
    """A string that looks like a datetime stays a string."""
    order = Order(details={"note": text}, anything=text, bare_list=[text])

    back = trip(order)

    assert back == order
    assert stored(order)["details"] == {"note": text}


@pytest.mark.parametrize(
    "own",
    [
        {"$datetime": "2026-11-20T12:00:00Z"},
        {"$datetime": {"$datetime": "2026-11-20T12:00:00Z"}},
        {"$$datetime": "2026-11-20T12:00:00Z"},
        {"$$$": 1},
        {"$": 1},
        {"$set": {"x": 1}},
        {"$date": 5},
        {"$datetime": NOON},
        {"$x": [NOON, {"$y": NOON}]},
        {"$datetime": "2026-11-20T12:00:00Z", "other": 1},
    ],
    ids=repr,
)
def test_a_dict_of_the_users_own_that_looks_like_a_tag_survives(own: dict[str, Any]) -> None:
    """Their dict is escaped, not turned into a datetime."""
    order = Order(details={"own": own} | own, anything=own, bare_list=[own], bare_dict=own, history=[own])

    assert trip(order) == order


def test_only_the_names_of_tags_are_escaped() -> None:
    """Other members that begin with `$` are stored as they are."""
    seen = stored(Order(anything={"$set": 1}, thing={"$date": 1}, bare_list=[{"$$date": 1}]))

    assert (seen["anything"], seen["thing"], seen["bare_list"]) == ({"$set": 1}, {"$$date": 1}, [{"$$$date": 1}])


def test_a_tag_that_somebody_else_wrote_wrongly_stays_their_dict() -> None:
    """MongoDB's `{"$date": {"$numberLong": "1"}}` is no date of ours; it survives further trips unchanged."""
    foreign = {"a": {"$date": {"$numberLong": "1"}}, "b": {"$datetime": "soon"}, "c": {"$oid": "5f"}}
    first = CODEC.decode(json.dumps({"details": foreign}).encode()).state

    assert first.details == foreign
    assert trip(first).details == foreign


def test_a_naive_datetime_is_read_as_utc() -> None:
    """In an untyped place as in a typed one."""
    back = trip(Order(details={"at": [NOON.replace(tzinfo=None)]}))

    assert back.details == {"at": [NOON]}
    assert CODEC.decode(b'{"anything":{"$datetime":"2026-11-20T12:00:00"}}').state.anything == NOON.replace(
        microsecond=0
    )


def test_a_naive_datetime_is_refused_by_policy() -> None:
    """With its path, when writing and when reading."""
    codec = StateCodec(Order, naive="refuse")

    with pytest.raises(InvalidStateError, match="without a time zone") as raised:
        codec.encode(Order(history=[{}, {"time": NOON.replace(tzinfo=None)}]), None)
    with pytest.raises(StateUndecodableError, match=r"without a time zone.* at \$\.bare_list\[1\]"):
        codec.decode(b'{"bare_list":[0,{"$datetime":"2026-11-20T12:00:00"}]}')

    assert raised.value.what == "Order.history[1][...]"
    assert codec.decode(codec.encode(Order(anything=NOON), None).data).state.anything == NOON


class Shade(enum.Enum):
    RED = "red"


class Word(enum.StrEnum):
    YES = "yes"


class Rank(enum.IntEnum):
    FIRST = 1


@dataclass
class Point:
    x: int = 0


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ((1, 2), "tuple"),
        ({1, 2}, "set"),
        (frozenset({1}), "frozenset"),
        (Shade.RED, "Shade"),
        (Point(), "Point"),
        (Order(), "Order"),
        (Ref("p", size_bytes=1, of=Order), "Ref"),
        (1j, "complex"),
        (object(), "object"),
        (Order, "StructMeta"),
    ],
)
def test_what_would_not_come_back_equal_is_refused(value: object, kind: str) -> None:
    """A tuple would come back as a list and an object as a dict: the error says so before it happens."""
    with pytest.raises(InvalidStateError, match=f"`{kind}` would not come back as one") as raised:
        CODEC.encode(Order(details={"a": [0, value]}), None)

    assert raised.value.what == "Order.details[...][1]"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, float("-inf")], {"a": 1.0, "b": float("nan")}])
def test_numbers_that_json_does_not_have_are_refused(value: object) -> None:
    """Msgspec writes them as null."""
    with pytest.raises(InvalidStateError, match="NaN"):
        CODEC.encode(Order(anything=value), None)


@pytest.mark.parametrize("key", [1, 1.5, None, (1, 2), NOON, uuid.UUID(int=1)])
def test_keys_that_are_no_strings_are_refused(key: object) -> None:
    """They would come back as strings. `dict[int, X]` as a declared type keeps its keys."""
    for order in (Order(details={key: 1}), Order(bare_dict={key: 1}), Order(anything=[{"x": 1, key: 1}])):  # type: ignore[dict-item]
        with pytest.raises(InvalidStateError, match="would come back as a string"):
            CODEC.encode(order, None)


def test_a_wrong_type_where_a_dict_is_declared_is_refused() -> None:
    """`dict[str, Any]` is typed itself."""
    with pytest.raises(InvalidStateError, match="Expected `object`, got `array`") as raised:
        CODEC.encode(Order(details=[1]), None)  # type: ignore[arg-type]

    assert raised.value.what == "Order.details"


def test_subclasses_come_back_as_what_they_are_equal_to() -> None:
    """Enums of strings and numbers, dicts with defaults, byte arrays."""
    counts: defaultdict[str, int] = defaultdict(int, a=1)
    order = Order(bare_list=[Word.YES, Rank.FIRST, counts, OrderedDict(b=NOON), bytearray(b"x")], details=counts)

    back = trip(order)

    assert back.bare_list == [Word.YES, Rank.FIRST, counts, {"b": NOON}, b"x"]
    assert [type(value) for value in back.bare_list] == [str, int, dict, dict, bytes]
    assert back.details == {"a": 1}


def test_a_datetime_class_of_a_library_comes_back_equal() -> None:
    """Date libraries and clock-freezing tools derive from datetime."""

    class Moment(datetime):
        pass

    class Day(date):
        pass

    order = Order(anything=Moment(2026, 11, 20, 12, tzinfo=UTC), thing=Day(2026, 1, 2))

    back = trip(order)

    assert back.anything == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert back.thing == date(2026, 1, 2)


def test_nesting_has_a_limit_and_a_cycle_is_found() -> None:
    """The limit is far below Python's own, so that a stored state can be read from any depth of calls."""
    deep: list[Any] = []
    for _ in range(98):
        deep = [deep]
    circle: dict[str, Any] = {"n": 1}
    circle["self"] = circle

    assert trip(Order(anything=deep)).anything == deep
    for value in ([[[deep]]], circle):
        with pytest.raises(InvalidStateError, match="nested deeper than 100"):
            CODEC.encode(Order(anything=value), None)


def test_the_handed_over_state_is_not_changed() -> None:
    """Tags, escapes and time zones go into copies."""
    order = Order(
        details={"at": NOON.replace(tzinfo=None), "own": {"$date": 1}},
        bare_list=[[NOON], {"x": b"y"}],
        pairs=(NOON, [NOON]),
    )
    before = copy.deepcopy(order)

    CODEC.encode(order, None)

    assert repr(order) == repr(before)


moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=13, minutes=45))]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | moments
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.binary(),
    lambda below: (
        st.lists(below)
        | st.dictionaries(st.text(), below)
        | st.dictionaries(
            st.sampled_from(["$", "$$", "$x", "$date", "$datetime", "$$datetime", "a"]), below, max_size=2
        )
    ),
    max_leaves=20,
)


def exact(value: Any) -> Any:
    """Return a form in which 1, 1.0 and True differ, and so do types that compare equal."""
    if isinstance(value, dict):
        return {key: exact(below) for key, below in value.items()}
    if isinstance(value, list):
        return [exact(below) for below in value]
    return type(value), repr(value) if isinstance(value, float) else value


@given(values, st.dictionaries(st.text(), values))
def test_every_untyped_value_survives_the_trip(value: Any, details: dict[str, Any]) -> None:
    """Same value, same type, at any depth, and the handed-over objects stay as they were."""
    order = Order(anything=value, bare_list=[value], details=details)
    before = exact([order.anything, order.bare_list, order.details])

    back = trip(order)

    assert exact([back.anything, back.bare_list, back.details]) == before
    assert exact([order.anything, order.bare_list, order.details]) == before


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda below: st.lists(below) | st.dictionaries(st.text("$ad"), below)
    )
)
def test_foreign_json_in_an_untyped_place_settles(value: Any) -> None:
    """Whatever somebody else wrote there is read without error, and from then on survives every trip."""
    first = CODEC.decode(json.dumps({"anything": value}).encode()).state

    assert trip(first) == first
