"""`Ref[T]`: names a part, knows its type, and has a small JSON form."""

from typing import Any

import pytest

from turnkeeper.codecs import StateCodec
from turnkeeper.errors import StateUndecodableError
from turnkeeper.model.ref import Ref
from turnkeeper.model.struct import Struct


class Analysis(Struct):
    dinners: list[str] = []


class Plan(Struct):
    analysis: Ref[Analysis] | None = None
    carts: dict[str, list[Ref[list[str]]]] = {}
    any: Ref | None = None  # type: ignore[type-arg]
    whatever: Ref[Any] | None = None


def test_a_reference_has_a_small_json_form() -> None:
    """Id and length, for people who read the store."""
    plan = Plan(analysis=Ref("p1", size_bytes=20_480, of=Analysis))

    assert b'"analysis":{"ref":"p1","bytes":20480}' in StateCodec(Plan).encode(plan, None).data


def test_the_type_of_a_part_comes_from_the_annotation() -> None:
    """Inside `| None`, lists and dicts too; without one it is `Any`."""
    reference: dict[str, Any] = {"size_bytes": 1, "of": str}
    plan = Plan(
        analysis=Ref("a", **reference),
        carts={"x": [Ref("c", **reference)]},
        any=Ref("b", **reference),
        whatever=Ref("w", **reference),
    )
    codec = StateCodec(Plan)

    decoded = codec.decode(codec.encode(plan, None).data)

    assert decoded.state.analysis is not None
    assert decoded.state.analysis.type is Analysis
    assert decoded.state.analysis.size_bytes == 1
    assert decoded.refs == {"a": Analysis, "c": list[str], "b": Any, "w": Any}


def test_references_are_equal_when_they_name_the_same_part() -> None:
    """A part is immutable: the same id is the same value."""
    same = {Ref("a", size_bytes=1, of=str), Ref("a", size_bytes=2, of=int), Ref("b", size_bytes=1, of=str)}

    assert len(same) == 2
    assert Ref("a", size_bytes=1, of=str) != "a"


@pytest.mark.parametrize(("part_id", "size_bytes"), [("", 1), ("a", -1)])
def test_a_reference_to_nothing_is_refused(part_id: str, size_bytes: int) -> None:
    """An empty id would name every part and none."""
    with pytest.raises(ValueError, match="needs a part id"):
        Ref(part_id, size_bytes=size_bytes, of=str)


@pytest.mark.parametrize(
    "stored", ["7", '"p1"', "{}", '{"ref":""}', '{"ref":"p","bytes":-1}', '{"ref":"p","bytes":1.5}']
)
def test_a_stored_reference_must_be_one(stored: str) -> None:
    """The error names the place."""
    with pytest.raises(StateUndecodableError, match=r"Expected a reference, .* at \$\.analysis"):
        StateCodec(Plan).decode(f'{{"analysis":{stored}}}'.encode())


def test_a_reference_shows_what_it_names() -> None:
    """In a debugger and in a failed assertion."""
    assert repr(Ref("p1", size_bytes=3, of=Analysis)) == "Ref('p1', size_bytes=3, of=Analysis)"
