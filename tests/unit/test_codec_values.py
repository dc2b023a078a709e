"""`encode_value` and `decode_value`: job arguments, results, parts and what timers carry."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkeeper.codecs import decode_value, encode_value
from turnkeeper.errors import InvalidStateError
from turnkeeper.model.ref import Ref
from turnkeeper.model.struct import Struct

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Analysis(Struct):
    dinners: list[str] = []
    made: datetime | None = None
    source: Ref[bytes] | None = None


@dataclass
class Call:
    sid: str
    at: datetime


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (None, None),
        (True, bool),
        (1, int),
        (1.0, float),
        ("é", str),
        (b"\x00", bytes),
        (NOON, datetime),
        (date(2026, 1, 1), date),
        (Decimal("1.10"), Decimal),
        ([NOON], list[datetime]),
        ((1, NOON), tuple[int, datetime]),
        ({1: NOON}, dict[int, datetime]),
        ({"a"}, set[str]),
        ("a", Literal["a", "b"]),
        (None, datetime | None),
        (Analysis(dinners=["x"], made=NOON), Analysis),
        ([Analysis(made=NOON)], list[Analysis]),
        (Call(sid="CA1", at=NOON), Call),
        ({"x": [NOON, {"$date": "1"}]}, Any),
        ({"x": NOON}, dict),
        ([{"x": NOON}], list[dict[str, Any]]),
    ],
    ids=repr,
)
def test_a_value_comes_back_as_its_declared_type(value: object, type_: Any) -> None:
    """With the type on both sides."""
    assert decode_value(encode_value(value, as_type=type_), type_) == value


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        (NOON, datetime, NOON),
        ([NOON], list[datetime], [NOON]),
        ({"at": NOON}, dict[str, datetime], {"at": NOON}),
        ({"at": [date(2026, 1, 1)]}, dict[str, set[date]], {"at": {date(2026, 1, 1)}}),
        ([NOON, b"x"], tuple[datetime, bytes], (NOON, b"x")),
        ({"5": NOON}, dict[int, datetime], {5: NOON}),
        ({"dinners": [], "made": NOON}, Analysis, Analysis(made=NOON)),
        ({"sid": "CA1", "at": NOON}, Call, Call(sid="CA1", at=NOON)),
        ({"$x": 1}, dict[str, int], {"$x": 1}),
    ],
    ids=repr,
)
def test_a_value_encoded_without_its_type_can_be_read_with_it(value: object, type_: Any, expected: object) -> None:
    """Tags are undone at typed places too: a place may have been untyped when its value was written."""
    assert decode_value(encode_value(value), type_) == expected


def test_an_untyped_datetime_that_became_typed_is_read() -> None:
    """`details: dict[str, Any]` became a Struct with a datetime; what was stored before is still readable."""
    stored = encode_value({"dinners": ["a"], "made": datetime(2026, 11, 20, 12)}, as_type=dict[str, Any])  # noqa: DTZ001

    assert decode_value(stored, Analysis) == Analysis(dinners=["a"], made=NOON)


def test_tags_are_undone_once() -> None:
    """A dict of the users' own that looks like a tag stays one beside a tag that was undone at a typed place."""

    class Entry(Struct):
        at: datetime
        own: Any = None

    stored = encode_value({"at": NOON, "own": {"$date": "2026-01-01"}})

    assert decode_value(stored, Entry) == Entry(at=NOON, own={"$date": "2026-01-01"})


def test_a_struct_is_encoded_as_its_class() -> None:
    """No type has to be named for it, and no tag is written."""
    assert encode_value(Analysis(made=NOON)) == b'{"dinners":[],"made":"2026-11-20T12:00:00Z","source":null}'


def test_references_keep_their_type() -> None:
    """A part may refer to another part."""
    back = decode_value(encode_value(Analysis(source=Ref("p", size_bytes=3, of=bytes))), Analysis)

    assert back.source == Ref("p", size_bytes=3, of=bytes)
    assert back.source is not None
    assert back.source.type is bytes


@pytest.mark.parametrize(
    ("data", "type_", "what", "reason"),
    [
        (b'{"dinners":[1]}', Analysis, "Analysis.dinners[0]", "Expected `str`, got `int`"),
        (b'{"$date":"2026-01-01"}', int, "int", "Expected `int`, got `object`"),
        (b'[{"dinners":{}}]', list[Analysis], "Analysis][0].dinners", "Expected `array`, got `object`"),
        (b'"x"', Literal["a"], "Literal['a']", "Invalid enum value"),
        (b"{", Analysis, "Analysis", "truncated"),
        (b'"\xff"', str, "str", "no UTF-8"),
        (b"1", complex, "complex", "no JSON form"),
    ],
)
def test_a_wrong_type_is_named_when_reading(data: bytes, type_: Any, what: str, reason: str) -> None:
    """The error leads to the member."""
    with pytest.raises(InvalidStateError) as raised:
        decode_value(data, type_)

    assert raised.value.what.endswith(what)
    assert reason in raised.value.reason


def test_a_wrong_type_is_named_when_writing() -> None:
    """A job started with wrong arguments fails where it is started."""
    with pytest.raises(InvalidStateError, match=r"list\[int\]\[1\]: Expected `int`, got `str`"):
        encode_value([1, "2"], as_type=list[int])
    with pytest.raises(InvalidStateError, match="`tuple` would not come back as one"):
        encode_value({"pair": (1, 2)})
    with pytest.raises(InvalidStateError, match="without a time zone"):
        encode_value(datetime(2026, 1, 1), naive="refuse")  # noqa: DTZ001


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.datetimes(timezones=st.just(UTC)),
        lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    )
)
def test_any_json_value_survives_without_a_type(value: Any) -> None:
    """Encoded and decoded as `Any`."""
    assert decode_value(encode_value(value), Any) == value
