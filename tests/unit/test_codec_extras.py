"""Members that the code does not know survive a round trip, at any depth, letter by letter."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkeeper.codecs import Decoded, Envelope, StateCodec
from turnkeeper.codecs.json import TypedJson
from turnkeeper.model.struct import Struct

ENVELOPE = Envelope(generation=1, version=2, fence=3, commit_id="c")


class Item(Struct):
    name: str = ""
    parts: list["Item"] = []


class Cut(msgspec.Struct, tag="cut", frozen=True):
    at: datetime | None = None


class Slice(msgspec.Struct, tag="slice"):
    n: int = 0


@dataclass
class Vendor:
    name: str = ""
    items: list[Item] = field(default_factory=list)


class Stop(TypedDict, total=False):
    name: str


class Pair(NamedTuple):
    left: Item
    right: Item


class Row(msgspec.Struct, array_like=True, tag="row"):
    n: int = 0
    item: Item | None = None


class Order(Struct):
    name: str = ""
    item: Item | None = None
    items: list[Item] = []
    by_name: dict[str, Item] = {}
    by_number: dict[int, Item] = {}
    tools: list[Cut | Slice | None] = []
    vendor: Vendor | None = None
    stop: Stop | None = None
    pair: Pair | None = None
    both: tuple[int, Item] | None = None
    rows: tuple[Row, ...] = ()
    anything: dict[str, Any] = {}
    days: set[str] = set()
    renamed: Item | None = msgspec.field(default=None, name="renamedItem")


CODEC = StateCodec(Order)


def again(decoded: Decoded[Order]) -> Any:
    """Return what a reader of the store sees after the state was encoded again."""
    return json.loads(CODEC.encode(decoded.state, decoded.envelope, decoded.extras).data)


def decode(body: dict[str, Any]) -> Decoded[Order]:
    """Return what the code gets of a body that newer code stored."""
    stored: dict[str, Any] = json.loads(CODEC.encode(Order(), ENVELOPE).data) | body
    return CODEC.decode(json.dumps(stored, ensure_ascii=False, separators=(",", ":")).encode())


UNKNOWN: dict[str, Any] = {"x": {"deep": [1, 1.0, None, "é"]}, "y": None}


@pytest.mark.parametrize(
    "body",
    [
        UNKNOWN,
        {"item": {"name": "", "parts": []} | UNKNOWN},
        {"items": [{"name": "a", "parts": [{"name": "b", "parts": []} | UNKNOWN]}]},
        {"by_name": {"k": {"name": "", "parts": []} | UNKNOWN}},
        {"by_number": {"1": {"name": "a", "parts": []}, "-7": {"name": "", "parts": []} | UNKNOWN}},
        {"tools": [{"type": "slice", "n": 1, "z": 1}, None, {"type": "cut", "at": None, "z": 2}]},
        {"vendor": {"name": "v", "items": [{"name": "", "parts": [], "q": 1}]} | UNKNOWN},
        {"stop": {"name": "s"} | UNKNOWN},
        {"stop": UNKNOWN},
        {"pair": [{"name": "l", "parts": []}, {"name": "r", "parts": []} | UNKNOWN]},
        {"both": [1, {"name": "r", "parts": []} | UNKNOWN]},
        {"rows": [["row", 1, {"name": "", "parts": [], "q": 1}], ["row", 2, None, "new", {"newer": 1}]]},
        {"renamedItem": {"name": "", "parts": []} | UNKNOWN},
        {"anything": {"a": {"$$x": 1}, "b": {"$date": "2026-01-01"}, "c": {"y": {"z": 1}}}, "x": 1},
        {"days": ["fri", "mon"], "x": 1},
    ],
    ids=lambda body: next(iter(body)),
)
def test_unknown_members_survive_wherever_they_stand(body: dict[str, Any]) -> None:
    """Newer code wrote them; this code reads the state, and writes it back whole."""
    decoded = decode(body)

    stored = again(decoded)

    assert decoded.extras is not None
    assert stored == json.loads(CODEC.encode(Order(), ENVELOPE).data) | body
    assert next(iter(stored)) == "_"


def test_unknown_members_keep_their_letters() -> None:
    """A number with more digits than a float holds is not this code's to round."""
    body = CODEC.encode(Order(name="n"), ENVELOPE).data
    newer = body[:-1] + b',"pi":3.14159265358979323846,"price":1.10,"n":1e400,"text":"\\u00e9"}'

    decoded = CODEC.decode(newer)

    assert CODEC.encode(decoded.state, decoded.envelope, decoded.extras).data == newer


def test_unknown_members_follow_their_object() -> None:
    """Reordering a list, moving an object elsewhere and changing its known fields keep them."""
    decoded = decode(
        {"items": [{"name": "a", "parts": [], "x": 1}, {"name": "b", "parts": [], "x": 2}, {"name": "c", "parts": []}]}
    )
    state = decoded.state
    state.items.reverse()
    state.item = state.items.pop()
    state.item.name = "changed"

    stored = again(decoded)

    assert stored["items"] == [{"name": "c", "parts": []}, {"name": "b", "parts": [], "x": 2}]
    assert stored["item"] == {"name": "changed", "parts": [], "x": 1}


def test_an_object_that_was_removed_takes_its_unknown_members_along() -> None:
    """And one that the code made anew has none: they described another thing."""
    decoded = decode({"items": [{"name": "a", "parts": [], "x": 1}], "item": {"name": "b", "parts": [], "x": 2}})
    decoded.state.items.clear()
    decoded.state.item = Item(name="new")

    stored = again(decoded)

    assert stored["items"] == []
    assert stored["item"] == {"name": "new", "parts": []}


def test_unknown_members_of_the_root_survive_another_state_object() -> None:
    """A handler may replace the whole state; the conversation is still the same one."""
    decoded = decode({"x": 1})

    stored = json.loads(CODEC.encode(Order(name="fresh"), ENVELOPE, decoded.extras).data)

    assert stored["name"] == "fresh"
    assert stored["x"] == 1


def test_unknown_members_of_objects_with_naive_datetimes_survive() -> None:
    """Making a datetime aware copies its object; the copy is still that object."""
    decoded = decode({"tools": [{"type": "cut", "at": "2026-01-01T10:00:00", "z": 1}]})

    stored = again(decoded)

    assert decoded.state.tools == [Cut(at=datetime(2026, 1, 1, 10, tzinfo=UTC))]
    assert stored["tools"] == [{"type": "cut", "at": "2026-01-01T10:00:00Z", "z": 1}]


def test_a_state_without_unknown_members_has_no_extras() -> None:
    """Also where it was written in another order, with whitespace, or before a field with a default was added."""
    canonical = CODEC.encode(Order(name="é", days={"fri", "mon"}, item=Item(name="a")), ENVELOPE).data
    loose = json.dumps(dict(reversed(json.loads(canonical).items())), indent=1).encode()

    assert CODEC.decode(canonical).extras is None
    assert CODEC.decode(loose).extras is None
    assert CODEC.decode(b'{"name":"a"}').extras is None


def test_dict_keys_that_became_one_cost_their_objects_the_unknown_members() -> None:
    """`1` and `1.0` are one key of a `dict[float, …]`: which object it stands for cannot be told any more."""

    class Shelf(Struct):
        by_weight: dict[float, Item] = {}

    codec = StateCodec(Shelf)
    decoded = codec.decode(b'{"by_weight":{"1":{"name":"a"},"1.0":{"name":"b","x":1}},"y":1}')

    assert codec.encode(decoded.state, None, decoded.extras).data == (
        b'{"by_weight":{"1.0":{"name":"b","parts":[]}},"y":1}'
    )


def test_a_state_that_changed_its_kind_keeps_what_can_be_kept() -> None:
    """A list where there was an object, another member of a union, an object that is gone: nothing is put astray."""
    decoded = decode({"tools": [{"type": "slice", "n": 1, "z": 1}], "item": {"name": "a", "parts": [], "y": 1}, "x": 1})
    decoded.state.tools = [Cut(), *decoded.state.tools, None]
    decoded.state.items = [decoded.state.item] if decoded.state.item else []
    decoded.state.item = None

    stored = again(decoded)

    assert stored["tools"] == [{"type": "cut", "at": None}, {"type": "slice", "n": 1, "z": 1}, None]
    assert stored["items"] == [{"name": "a", "parts": [], "y": 1}]
    assert stored["item"] is None
    assert stored["x"] == 1


def test_a_set_in_the_place_of_a_list_does_not_keep_them() -> None:
    """A set has an order of its own, so nothing says which stored object is which member."""
    decoded = decode({"tools": [{"type": "cut", "at": None, "z": 1}]})
    decoded.state.tools = set(decoded.state.tools)  # type: ignore[assignment]

    assert again(decoded)["tools"] == [{"type": "cut", "at": None}]


def test_what_the_codec_wrote_itself_is_recognised_at_once() -> None:
    """Only other data are searched for unknown members; sets, tags and datetimes are no reason to."""
    typed: TypedJson[Order] = TypedJson(Order, name="Order")
    order = Order(
        days={"mon", "tue", "wed", "thu", "fri", "sat", "sun"},
        anything={"at": datetime(2026, 1, 1, tzinfo=UTC), "own": {"$date": 1}, "x": 0.1},
        tools=[Cut(at=datetime(2026, 1, 1, tzinfo=UTC)), None],
        by_number={2: Item(), 1: Item()},
    )
    data, _ = typed.encode(order)

    assert typed.decode(data, compare=True).is_whole
    assert not typed.decode(data[:-1] + b',"x":1}', compare=True).is_whole


def test_a_type_that_has_only_unknown_members_keeps_them() -> None:
    """No comma is left over."""

    class Empty(Struct):
        pass

    codec = StateCodec(Empty)
    data = b'{"_":{"g":1,"v":2,"f":3,"c":"c"},"x":1}'
    decoded = codec.decode(data)

    assert codec.encode(decoded.state, decoded.envelope, decoded.extras).data == data
    assert codec.encode(decoded.state, None, decoded.extras).data == b'{"x":1}'


def test_the_next_decode_knows_nothing_of_the_last_one() -> None:
    """Extras belong to one decoded state."""
    decode({"x": 1, "item": {"name": "", "parts": [], "y": 1}})

    assert decode({}).extras is None


texts = st.text(max_size=5)
unknown = st.dictionaries(texts.map("new_{}".format), st.none() | st.integers() | texts | st.lists(texts), max_size=2)
items = st.recursive(
    unknown.map(lambda more: {"name": "leaf", "parts": []} | more),
    lambda below: st.builds(
        lambda parts, more: {"name": "n", "parts": parts} | more, st.lists(below, max_size=3), unknown
    ),
    max_leaves=5,
)


@given(unknown, st.none() | items, st.lists(items, max_size=3), st.dictionaries(texts, items, max_size=3))
def test_newer_data_survive_older_code(
    root: dict[str, Any], item: Any, listed: list[Any], by_name: dict[str, Any]
) -> None:
    """Decode and encode lose nothing, whatever newer code added anywhere."""
    body = {"item": item, "items": listed, "by_name": by_name} | root
    expected = json.loads(CODEC.encode(Order(), ENVELOPE).data) | body

    stored = again(decode(body))

    assert stored == expected
