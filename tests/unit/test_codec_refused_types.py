"""A type that cannot be stored is refused when a codec is made for it, by the field at fault."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
import pytest

from turnkeeper.codecs import StateCodec
from turnkeeper.errors import InvalidStateError
from turnkeeper.model.struct import Struct

T = TypeVar("T")


class Box(msgspec.Struct, Generic[T]):
    content: T


class Inner(Struct):
    price: complex = 0j


class Outer(Struct):
    fine: int = 0
    inner: dict[str, list[Inner]] = {}


class Call(Struct):
    back: Callable[[], int] | None = None


class Ambiguous(Struct):
    either: str | datetime = ""


class Around(Struct):
    fine: int = 0
    below: list[Ambiguous] = []


class Unknown(Struct):
    other: "Nowhere" = 0  # type: ignore[name-defined]  # noqa: F821


class Loop(Struct):
    loops: "list[Loop]" = []
    wrong: "set[str] | list[str]" = []


@pytest.mark.parametrize(
    ("type_", "what", "reason"),
    [
        (Outer, "Outer.inner[...][...].price", "`complex` has no JSON form"),
        (Call, "Call.back", "not supported|no JSON form"),
        (Ambiguous, "Ambiguous.either", "more than one str-like type"),
        (Around, "Around.below.either", "more than one str-like type"),
        (Unknown, "Unknown", "Nowhere"),
        (Loop, "Loop.wrong", "more than one array-like"),
        (Box[complex], "content", "`complex` has no JSON form"),
    ],
)
def test_a_type_that_cannot_be_stored_is_refused_at_construction_by_field(type_: Any, what: str, reason: str) -> None:
    """While the application is imported, not in its first turn."""
    with pytest.raises(InvalidStateError) as raised:
        StateCodec(type_)

    assert raised.value.what.endswith(what)
    assert any(part in raised.value.reason for part in reason.split("|"))
