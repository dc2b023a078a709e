"""Differences between encoded states: applying one gives the new state back, letter for letter."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkeeper.codecs import Envelope, StateCodec
from turnkeeper.codecs.delta import apply, diff
from turnkeeper.errors import StateUndecodableError
from turnkeeper.model.struct import Struct

PADDING = "x" * 2_000
"""Makes the full state longer than any difference here, so that there is one."""


def encode(state: dict[str, Any]) -> bytes:
    """Return the state in the form that the codecs write."""
    return msgspec.json.encode({"padding": PADDING} | state)


def edit_between(old: dict[str, Any], new: dict[str, Any]) -> Any:
    """Return the edit between two states, after checking that it leads from one to the other."""
    delta = diff(encode(old), encode(new))
    assert delta is not None
    assert apply(encode(old), delta) == encode(new)
    return json.loads(delta)["edit"]


@pytest.mark.parametrize(
    ("old", "new", "edit"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"=": {"a": 2}}),
        ({"a": 1}, {"a": 1, "b": None}, {"=": {"b": None}}),
        ({"a": 1, "b": None}, {"a": 1}, {"-": ["b"]}),
        ({"a": 1}, {"a": True}, {"=": {"a": True}}),
        ({"a": 1}, {"a": 1.0}, {"=": {"a": 1.0}}),
        ({"a": 0.0}, {"a": -0.0}, {"=": {"a": -0.0}}),
        ({"a": []}, {"a": {}}, {"=": {"a": {}}}),
        ({"a": ["first entry"]}, {"a": ["first entry", "2nd"]}, {"~": {"a": [["+", ["2nd"]]]}}),
        (
            {"a": ["the oldest", "the second", "the third", "d"]},
            {"a": ["the second", "the third", "d", "e"]},
            {"~": {"a": [["-", 0, 1, []], ["+", ["e"]]]}},
        ),
        (
            {"a": ["front", 1, "the long back"]},
            {"a": ["front", 2, 3, "the long back"]},
            {"~": {"a": [["-", 1, 1, [2, 3]]]}},
        ),
        ({"a": ["front", 1, "the long back"]}, {"a": ["front", "the long back"]}, {"~": {"a": [["-", 1, 1, []]]}}),
        (
            {"a": [{"n": 1, "text": "a long text here"}, {"n": 1, "text": "another one here"}]},
            {"a": [{"n": 1, "text": "a long text here"}, {"n": 2, "text": "another one here"}]},
            {"~": {"a": [["~", 1, {"=": {"n": 2}}]]}},
        ),
        (
            {"o": {"keep": "a long text here", "go": 1, "in": {"keep": "a long text here", "x": 1}}},
            {"o": {"keep": "a long text here", "in": {"keep": "a long text here", "x": None}, "new": []}},
            {"~": {"o": {"-": ["go"], "~": {"in": {"=": {"x": None}}}, "=": {"new": []}}}},
        ),
    ],
)
def test_a_difference_holds_what_changed(old: dict[str, Any], new: dict[str, Any], edit: Any) -> None:
    """Types count: 1, 1.0 and true are three values, and null is not absent."""
    found = edit_between(old, new)

    assert repr(found) == repr(edit)


def test_several_items_changed_in_place_are_patched_one_by_one() -> None:
    """Where that is shorter than putting the whole stretch again."""
    old = {"a": [{"n": n, "text": "a text of some length"} for n in range(9)]}
    new = {"a": [{"n": n * (1 if n % 4 else -1), "text": "a text of some length"} for n in range(9)]}

    edit = edit_between(old, new)

    assert edit == {"~": {"a": [["~", 4, {"=": {"n": -4}}], ["~", 8, {"=": {"n": -8}}]]}}


def test_a_list_that_did_not_move_on_is_not_taken_for_one() -> None:
    """A first item that occurs later in the old list is no proof; what has little in common is put whole."""
    assert edit_between({"a": [1, 2, 3, 4]}, {"a": [3, 5, 6]}) == {"=": {"a": [3, 5, 6]}}
    long = ["a text of some length", "another one"]
    assert edit_between({"a": ["x", *long, "z"]}, {"a": ["z", *long, "z"]}) == {"~": {"a": [["-", 0, 1, ["z"]]]}}
    assert edit_between({"a": ["x", "z", *long]}, {"a": ["z", "z", *long]}) == {"~": {"a": [["-", 0, 1, ["z"]]]}}
    assert edit_between({"a": []}, {"a": [1]}) == {"=": {"a": [1]}}
    assert edit_between({"a": [1]}, {"a": []}) == {"=": {"a": []}}


def test_no_old_state_or_no_gain_means_the_full_state() -> None:
    """None says: store the new state itself."""
    assert diff(None, encode({"a": 1})) is None
    assert diff(b'{"a":1}', b'{"a":2}') is None


def test_members_in_another_order_mean_the_full_state() -> None:
    """An edit keeps the old order; below the root the object that was reordered is put whole."""
    old, new = {"o": {"a": 1, "b": 2}}, {"o": {"b": 2, "a": 1}}

    assert edit_between(old, new) == {"=": {"o": {"b": 2, "a": 1}}}
    assert diff(msgspec.json.encode({"p": PADDING, "a": 1}), msgspec.json.encode({"a": 1, "p": PADDING})) is None


def test_foreign_letters_are_kept_or_the_full_state_is() -> None:
    """Unknown members may have been written by others: their whitespace and escapes come back too."""
    old = encode({"u": 0, "n": 0})
    inside = old.replace(b'"u":0', b'"u":{ "a": [1,  1.10],"\\u0062":1}')
    listed = old.replace(b'"u":0', b'"u":[1,2,3,"a text of some length"]')
    spaced = old.replace(b'"u":0', b'"u":[1,2,3,"a text of some length", 4]')
    around = old.replace(b'"u":0', b'"u": 0')
    delta = diff(old, inside)

    assert delta is not None
    assert apply(old, delta) == inside
    assert diff(old, around) is None
    longer = diff(listed, spaced)
    assert longer is not None
    assert apply(listed, longer) == spaced
    back = diff(around, old)
    assert back is not None
    assert apply(around, back) == old


def test_an_envelope_is_a_member_like_any_other() -> None:
    """A state rebuilt from the log has the status and the schema that it had then."""

    class Plan(Struct):
        swaps: list[str] = []
        note: str = PADDING

    codec = StateCodec(Plan)
    envelope = Envelope(generation=1, version=7, fence=9, commit_id="c7", status="modifying")
    later = msgspec.structs.replace(envelope, version=8, commit_id="c8", status="confirmed")
    old, new = codec.encode(Plan(), envelope).data, codec.encode(Plan(swaps=["kale"]), later).data

    delta = diff(old, new)

    assert delta is not None
    assert len(delta) < 120
    assert codec.decode(apply(old, delta)).envelope == later


def test_a_difference_is_refused_on_another_base() -> None:
    """A missing log entry must not give a state that never was."""
    delta = diff(encode({"a": 1}), encode({"a": 2}))
    assert delta is not None

    with pytest.raises(StateUndecodableError, match="starts from another state"):
        apply(encode({"a": 3}), delta)


@pytest.mark.parametrize("delta", [b"", b"{}", b"[]", b'{"base":1,"edit":', b"\xff"])
def test_what_is_no_difference_is_refused(delta: bytes) -> None:
    """A damaged entry is reported as one."""
    with pytest.raises(StateUndecodableError, match="log entry"):
        apply(encode({}), delta)


@pytest.mark.parametrize(
    "edit", ["[]", "7", '{"-":["b"]}', '{"~":{"b":{}}}', '{"~":{"a":[["~",9,{}]]}}', '{"~":{"a":[["?",1]]}}']
)
def test_an_edit_that_does_not_fit_its_base_is_refused(edit: str) -> None:
    """Even with the right checksum."""
    base = encode({"a": [{}]})
    checksum = json.loads(diff(base, encode({"a": [{}], "b": 1})) or b"{}")["base"]

    with pytest.raises(StateUndecodableError, match="log entry"):
        apply(base, f'{{"base":{checksum},"edit":{edit}}}'.encode())


@pytest.mark.parametrize("broken", [b"", b"[]", b"{", b"7"])
def test_what_is_no_state_is_refused(broken: bytes) -> None:
    """On either side."""
    with pytest.raises(StateUndecodableError):
        diff(broken, encode({}))
    with pytest.raises(StateUndecodableError):
        diff(encode({}), broken)


names = st.sampled_from(["a", "b", "é", '"', "_", ""])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([0.0, -0.0, 1.0, 1e300, 10**30])
    | st.text(max_size=3)
    | st.just("a text of some length")
)
trees = st.recursive(
    scalars, lambda below: st.lists(below, max_size=6) | st.dictionaries(names, below, max_size=5), max_leaves=30
)
states = st.dictionaries(names, trees, max_size=5)


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """Return a value that has much in common with another one: what turns do to a state."""
    action = draw(st.sampled_from(["keep", "below", "below", "below", "new"]))
    if action == "keep" or (action == "below" and not isinstance(value, (dict, list))):
        return value
    if action == "new":
        return draw(trees)
    if isinstance(value, dict):
        kept = {name: draw(changed(below)) for name, below in value.items() if draw(st.integers(0, 5))}
        return kept | draw(st.dictionaries(names, scalars, max_size=1))
    kept_items = [draw(changed(below)) for below in value[draw(st.integers(0, 2)) :]]
    return kept_items + draw(st.lists(scalars, max_size=2))


@given(st.data(), states)
def test_every_difference_leads_to_the_new_state_exactly(data: st.DataObject, old: dict[str, Any]) -> None:
    """For states that have much in common, as consecutive turns have."""
    new = {name: data.draw(changed(value)) for name, value in old.items()} | data.draw(
        st.dictionaries(names, scalars, max_size=2)
    )

    delta = diff(encode(old), encode(new))

    assert delta is not None
    assert apply(encode(old), delta) == encode(new)


@given(states, states)
def test_a_difference_between_strangers_is_exact_or_none(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Whatever the two have in common, None or the exact way."""
    before, after = encode(old), encode(new)

    delta = diff(before, after)

    assert (after if delta is None else apply(before, delta)) == after
    assert delta is None or len(delta) < len(after)


@given(st.lists(states, min_size=2, max_size=6))
def test_a_log_of_differences_rebuilds_every_turn(turns: list[dict[str, Any]]) -> None:
    """A full state and the differences after it: each turn's state comes back as it was."""
    encoded = [encode(turn) for turn in turns]
    log = [diff(before, after) or after for before, after in zip([None, *encoded], encoded, strict=False)]

    rebuilt, state = [], b""
    for entry in log:
        state = entry if b'"base"' not in entry[:8] else apply(state, entry)
        rebuilt.append(state)

    assert rebuilt == encoded
