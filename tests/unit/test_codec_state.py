"""The stored form of a state: envelope first, readable, typed, and never applied in part."""

import json
from typing import Any, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkeeper.codecs import Envelope, StateCodec
from turnkeeper.errors import InvalidStateError, StateNewerError, StateUndecodableError
from turnkeeper.model.ref import Ref
from turnkeeper.model.struct import Struct


class Analysis(Struct):
    dinners: list[str] = []


class MealPlan(Struct):
    phone: str = ""
    analysis: Ref[Analysis] | None = None
    older: list[Ref[Analysis]] = []
    swaps: list[str] = []
    servings: int = 2
    weight: float = 0.0


ENVELOPE = Envelope(
    generation=3, version=41, fence=7, commit_id="c-1", status="modifying", engine=msgspec.Raw(b'{"ask":"which day?"}')
)


def test_the_envelope_is_the_first_member_and_the_rest_are_the_users_own_fields() -> None:
    """`redis-cli GET` shows plain JSON: the envelope, then the fields by their names, non-ASCII as it is."""
    data = StateCodec(MealPlan).encode(MealPlan(phone="+15550100", swaps=["Lachs → Hähnchen"]), ENVELOPE).data

    assert data.decode() == (
        '{"_":{"g":3,"v":41,"f":7,"c":"c-1","at":"modifying","e":{"ask":"which day?"}},'
        '"phone":"+15550100","analysis":null,"older":[],"swaps":["Lachs → Hähnchen"],"servings":2,"weight":0.0}'
    )


def test_what_was_encoded_comes_back_with_its_envelope() -> None:
    """State, envelope and references survive the trip."""
    codec = StateCodec(MealPlan)
    state = MealPlan(phone="+1", swaps=["a"], analysis=Ref("p7", size_bytes=9_000, of=Analysis))

    decoded = codec.decode(codec.encode(state, ENVELOPE).data)

    assert decoded.state == state
    assert decoded.envelope == ENVELOPE
    assert decoded.extras is None


def test_a_state_without_members_is_an_envelope_alone() -> None:
    """No comma is left over where there is nothing to separate."""

    class Empty(Struct):
        pass

    codec = StateCodec(Empty)
    data = codec.encode(Empty(), ENVELOPE).data

    assert json.loads(data).keys() == {"_"}
    assert codec.decode(data).state == Empty()
    assert codec.encode(Empty(), None).data == b"{}"


def test_the_codec_writes_its_own_schema_whatever_the_envelope_says() -> None:
    """An envelope carried over from an upgraded state must not claim the old schema."""
    codec = StateCodec(MealPlan, schema=5)

    data = codec.encode(MealPlan(), ENVELOPE).data

    assert codec.decode(data).envelope == msgspec.structs.replace(ENVELOPE, schema=5)


def test_a_value_that_the_users_code_wrote_needs_no_envelope() -> None:
    """Data from before Turnkeeper are read by their names."""
    decoded = StateCodec(MealPlan).decode(b' {"phone": "+1", "swaps": ["a"]} ')

    assert decoded.state == MealPlan(phone="+1", swaps=["a"])
    assert decoded.envelope is None


def test_a_member_named_underscore_deep_inside_is_no_envelope() -> None:
    """Only the root's member is the envelope."""

    class Notes(Struct):
        texts: dict[str, str] = {}

    decoded = StateCodec(Notes).decode(b'{"texts":{"_":"x"}}')

    assert decoded.envelope is None
    assert decoded.state.texts == {"_": "x"}


def test_an_envelope_written_again_by_another_tool_is_still_found() -> None:
    """A person edits a state with a script that dumps JSON with spaces and in its own order."""
    codec = StateCodec(MealPlan)
    stored = json.loads(codec.encode(MealPlan(phone="+1"), ENVELOPE).data)
    edited = json.dumps({"servings": 9} | {name: stored[name] for name in reversed(stored) if name != "servings"})

    decoded = codec.decode(edited.encode())

    assert decoded.envelope is not None
    assert decoded.envelope.version == ENVELOPE.version
    assert decoded.state == MealPlan(phone="+1", servings=9)


@pytest.mark.parametrize("indent", [None, 2])
def test_an_envelope_with_spaces_around_it_is_still_found(indent: int | None) -> None:
    """`json.dumps` puts a space behind each colon, and keeps the order."""
    codec = StateCodec(MealPlan)
    stored = json.loads(codec.encode(MealPlan(phone="+1", servings=9), ENVELOPE).data)

    decoded = codec.decode(json.dumps(stored, indent=indent).encode())

    assert decoded.envelope is not None
    assert decoded.envelope.version == ENVELOPE.version
    assert decoded.state == MealPlan(phone="+1", servings=9)


def test_references_are_reported_on_both_ways() -> None:
    """The engine must know which parts a state holds to keep, adopt and retire them."""
    codec = StateCodec(MealPlan)
    state = MealPlan(
        analysis=Ref("new", size_bytes=10, of=Analysis), older=[Ref("old", size_bytes=5, of=Analysis)], servings=4
    )

    encoded = codec.encode(state, None)
    decoded = codec.decode(encoded.data)

    assert encoded.refs == {"new", "old"}
    assert decoded.refs == {"new": Analysis, "old": Analysis}
    assert codec.encode(MealPlan(), None).refs == frozenset()


def test_references_of_one_state_do_not_show_up_in_another() -> None:
    """A codec keeps nothing between two calls."""
    codec = StateCodec(MealPlan)
    codec.decode(codec.encode(MealPlan(analysis=Ref("p", size_bytes=1, of=Analysis)), None).data)

    later = codec.encode(MealPlan(), None)

    assert later.refs == frozenset()
    assert codec.decode(later.data).refs == {}


def test_newer_state_is_left_alone() -> None:
    """Old code that meets newer state says so; the message waits for a newer worker."""
    data = StateCodec(MealPlan, schema=4).encode(MealPlan(), ENVELOPE).data

    with pytest.raises(StateNewerError) as raised:
        StateCodec(MealPlan, schema=3).decode(data)

    assert (raised.value.what, raised.value.found, raised.value.known) == ("MealPlan", 4, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (b'{"swaps":[1]}', "Expected `str`, got `int` at $.swaps[0]"),
        (b'{"swaps":["a"', "truncated"),
        (b'{"phone":"a"} x', "trailing characters"),
        (b"[]", "Expected `object`, got `array` at $"),
        (b'["_"]', "Expected `object`, got `array` at $"),
        (b'{"phone":"\xff"}', "no UTF-8"),
        (b'{"servings":1.5}', "Expected `int`, got `float` at $.servings"),
        (b'{"analysis":{"ref":7}}', "Expected a reference"),
        (b'{"_":{"g":1,"v":"x"},"phone":""}', "Expected `int`, got `str` at $._.v"),
        (b'{"_":{"g":1},"phone":""}', "missing required field"),
        (b'{"_":3}', "Expected `object`, got `int` at $._"),
        (b'{"_":{"g":1,"v":1,"f":1,"c":""},"_":{},"phone":""}', "two envelopes"),
        (b'{"_": {"g":1,"v":1,"f":1,"c":""}, "_": {},"phone":""}', "two envelopes"),
        (b'{"older":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "Expected `Ref`, got `array`|Expected a reference|deeply"),
    ],
)
def test_what_cannot_be_decoded_is_reported_with_path_and_reason(data: bytes, reason: str) -> None:
    """Nothing is guessed and nothing is applied in part; the bytes stay as they are."""
    with pytest.raises(StateUndecodableError) as raised:
        StateCodec(MealPlan).decode(data)

    assert raised.value.what == "MealPlan"
    assert any(part in raised.value.reason for part in reason.split("|"))


def test_a_wrong_value_is_refused_before_it_is_stored_and_named() -> None:
    """Msgspec writes wrong types without a word; the next turn would be the one to fail."""
    state = MealPlan()
    state.swaps.append(7)  # type: ignore[arg-type]

    with pytest.raises(InvalidStateError) as raised:
        StateCodec(MealPlan).encode(state, ENVELOPE)

    assert raised.value.what == "MealPlan.swaps[0]"
    assert raised.value.reason == "Expected `str`, got `int`"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_does_not_have_are_refused(number: float) -> None:
    """Msgspec writes NaN as null; the reason must not leave the reader with a null that nobody stored."""
    with pytest.raises(InvalidStateError, match="NaN") as raised:
        StateCodec(MealPlan).encode(MealPlan(weight=number), None)

    assert raised.value.what == "MealPlan.weight"


def test_a_lone_surrogate_is_refused_and_named() -> None:
    """UTF-8 has no form for half a character."""
    with pytest.raises(InvalidStateError, match="surrogate") as raised:
        StateCodec(MealPlan).encode(MealPlan(swaps=["fine", "\ud83c"]), None)

    assert raised.value.what == "MealPlan.swaps[1]"


def test_integers_of_any_length_that_python_prints_survive() -> None:
    """Beyond 64 bits JSON numbers are exact here, though other languages may round them."""
    codec = StateCodec(MealPlan)
    long = 10**400 + 7

    assert codec.decode(codec.encode(MealPlan(servings=long), None).data).state.servings == long
    with pytest.raises(InvalidStateError, match="digits"):
        codec.encode(MealPlan(servings=10**5_000), None)


def test_an_object_that_is_no_json_is_named_where_it_stands() -> None:
    """The path leads to the innermost culprit."""

    class Deep(Struct):
        plans: dict[str, list[MealPlan]] = {}

    state = Deep(plans={"ana": [MealPlan(), MealPlan(swaps=[object()])]})  # type: ignore[list-item]

    with pytest.raises(InvalidStateError, match="`object` has no JSON form") as raised:
        StateCodec(Deep).encode(state, None)

    assert raised.value.what == "Deep.plans[...][1].swaps[0]"


def test_a_field_that_was_deleted_is_named() -> None:
    """`del state.phone` leaves a hole that must not be stored."""
    state = MealPlan()
    del state.phone

    with pytest.raises(InvalidStateError, match="phone"):
        StateCodec(MealPlan).encode(state, None)


def test_a_state_is_an_object() -> None:
    """Arrays and scalars have no place for an envelope; a field named `_` would collide with it."""

    class Row(msgspec.Struct, array_like=True):
        x: int = 0

    class Taken(msgspec.Struct):
        underscore: int = msgspec.field(name="_", default=0)

    with pytest.raises(InvalidStateError, match="JSON object"):
        StateCodec(Row)
    with pytest.raises(InvalidStateError, match="a Struct, a dataclass or a TypedDict"):
        StateCodec(list)
    with pytest.raises(InvalidStateError, match="envelope") as raised:
        StateCodec(Taken)

    assert raised.value.what == "Taken._"


def test_a_state_type_may_forbid_unknown_members() -> None:
    """The envelope is cut off before the users' type sees the rest."""

    class Strict(Struct, forbid_unknown_fields=True):
        x: int = 0

    codec = StateCodec(Strict)

    assert codec.decode(codec.encode(Strict(x=1), ENVELOPE).data).state == Strict(x=1)
    with pytest.raises(StateUndecodableError, match="unknown field `y`"):
        codec.decode(b'{"x":1,"y":2}')


def test_a_typed_dict_is_a_state_too() -> None:
    """Users who keep dicts keep them."""

    class Order(TypedDict, total=False):
        name: str
        total: float

    codec = StateCodec(Order)
    order: Order = {"name": "dishbee #26", "total": 12.5}

    assert codec.decode(codec.encode(order, ENVELOPE).data).state == order


def test_equal_states_give_equal_bytes() -> None:
    """Sets are written sorted: digests and differences do not depend on the process that wrote."""

    class Week(Struct):
        skipped: set[str] = set()
        numbers: frozenset[int] = frozenset()

    codec = StateCodec(Week)
    data = codec.encode(Week(skipped={"weds", "mon", "thu"}, numbers=frozenset({30, 4, 17})), None).data

    assert data == b'{"skipped":["mon","thu","weds"],"numbers":[4,17,30]}'
    assert codec.decode(data).state == Week(skipped={"weds", "mon", "thu"}, numbers=frozenset({30, 4, 17}))


@given(
    st.builds(
        MealPlan,
        phone=st.text(),
        analysis=st.none()
        | st.builds(Ref, st.text(min_size=1), size_bytes=st.integers(0, 2**40), of=st.just(Analysis)),
        swaps=st.lists(st.text()),
        servings=st.integers(),
        weight=st.floats(allow_nan=False, allow_infinity=False),
    ),
    st.builds(
        Envelope,
        generation=st.integers(0, 2**63),
        version=st.integers(0, 2**63),
        fence=st.integers(0, 2**63),
        commit_id=st.text(),
        status=st.text(),
        engine=st.dictionaries(st.text(), st.integers() | st.text()).map(
            lambda facts: msgspec.Raw(msgspec.json.encode(facts))
        ),
    ),
)
def test_every_state_survives_the_trip(state: MealPlan, envelope: Envelope) -> None:
    """Encode and decode are inverse, and encoding again gives the same bytes."""
    codec = StateCodec(MealPlan)
    data = codec.encode(state, envelope).data

    decoded = codec.decode(data)

    assert decoded.state == state
    assert decoded.envelope == envelope
    assert decoded.extras is None
    assert codec.encode(decoded.state, decoded.envelope, decoded.extras).data == data


@given(st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(msgspec.json.encode))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    """Whatever a store gives back, the answer is a state or one of the two errors."""
    codec: StateCodec[Any] = StateCodec(MealPlan)

    try:
        answer: object = codec.decode(data).state
    except StateUndecodableError as error:
        answer = error

    assert isinstance(answer, (MealPlan, StateUndecodableError))
