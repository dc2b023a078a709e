"""Untyped places (`Any`, `object`, `dict[str, Any]`): what JSON has no type for is written tagged, `{"$date": "…"}`.

A string is never guessed at: only a tag makes a datetime. A dict of the users' own that looks like a tag (one member
of that name) is written with one `$` more and read with one less. What would not come back equal is refused.
"""

import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from turnkeeper.codecs.misfit import MisfitError
from turnkeeper.codecs.walk import PLAIN, Moment, Step, step_items, step_values

MAX_UNTYPED_DEPTH = 100
"""Levels of dicts and lists below an untyped place: ten times what people nest, a tenth of Python's recursion limit."""

_STRINGS = frozenset({str})
_TAGGED = {
    "$datetime": datetime,
    "$date": date,
    "$time": time,
    "$timedelta": timedelta,
    "$decimal": Decimal,
    "$uuid": UUID,
    "$bytes": bytes,
}


_PLAIN_FORMS: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (datetime, lambda moment: datetime.combine(moment.date(), moment.timetz())),
    (date, lambda day: date(day.year, day.month, day.day)),
    (time, lambda clock: time.fromisoformat(clock.isoformat())),
    (timedelta, lambda span: timedelta(days=span.days, seconds=span.seconds, microseconds=span.microseconds)),
    (Decimal, Decimal),
    (bytes, bytes),
    (bytearray, bytes),
    (dict, dict),
    (list, list),
)
"""In this order: a datetime is a date as well."""


def plain_number(value: float) -> float:
    """Return the number if JSON can hold it.

    Raises:
        MisfitError: NaN or infinite; msgspec would write null.
    """
    if not math.isfinite(value):
        raise MisfitError("JSON has no NaN and no Infinity; store None or a finite number")
    return value


def step_number(value: object) -> object:
    """Step on a number that may be NaN or infinite."""
    return plain_number(value) if isinstance(value, float) else value


def plain_type(value: object) -> object:
    """Return an instance of a subclass as what it derives from, which is equal to it; anything else unchanged.

    Covers `StrEnum`, `IntEnum`, `defaultdict`, numpy's float64, the datetimes of date libraries.
    """
    plain = next((as_plain for kind, as_plain in _PLAIN_FORMS if isinstance(value, kind)), None)
    return value if plain is None else plain(value)


def pack(moment: Moment, depth: int, value: object) -> object:
    """Make a value ready for JSON; `depth` counts the levels above it.

    Raises:
        MisfitError: Something in it would not come back equal, or is nested deeper than `MAX_UNTYPED_DEPTH`.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if isinstance(value, float) and kind is float:
        return plain_number(value)
    if isinstance(value, dict) and kind is dict:
        if _is_plain_dict(value) and _STRINGS.issuperset(map(type, value)):
            return value
        packed = pack_values(moment, depth, value)
        return {f"${key}": packed[key] for key in packed} if _looks_tagged(packed) else packed
    if isinstance(value, list) and kind is list:
        return step_items(value, _one_deeper(moment, depth))
    return _pack_other(moment, depth, value)


def pack_values(moment: Moment, depth: int, value: Any) -> Any:
    """Pack the values of a `dict[str, Any]`. It is typed itself: no escape for it."""
    if not isinstance(value, dict):
        return value
    for key in value:
        if not isinstance(key, str):
            raise MisfitError(f"a key of type `{type(key).__name__}` would come back as a string; use strings")
    return step_values(value, _one_deeper(moment, depth))


def unpack(moment: Moment, value: object) -> object:
    """Undo `pack`. A tag whose content is none (somebody else's `$date`) stays the dict that it is.

    Raises:
        MisfitError: A tagged datetime is naive and the policy refuses that.
    """
    if isinstance(value, list):
        return step_items(value, partial(unpack, moment))
    if not isinstance(value, dict) or _is_plain_dict(value):
        return value
    if not _looks_tagged(value):
        return unpack_values(moment, value)
    ((key, content),) = value.items()
    return _unpack_tag(moment, key, content) if key in _TAGGED else {key[1:]: unpack(moment, content)}


def unpack_values(moment: Moment, value: Any) -> Any:
    """Undo `pack_values`."""
    return step_values(value, partial(unpack, moment)) if isinstance(value, dict) else value


def _pack_other(moment: Moment, depth: int, value: object) -> object:
    if isinstance(value, datetime):
        return {"$datetime": moment(value)}
    for tag, kind in _TAGGED.items():
        if isinstance(value, kind):
            return {tag: value}
    plain = plain_type(value)
    if plain is value:
        kind_name = type(value).__name__
        raise MisfitError(f"`{kind_name}` would not come back as one; store plain JSON, or declare the field's type")
    return pack(moment, depth, plain)


def _unpack_tag(moment: Moment, tag: str, content: object) -> object:
    try:
        found: object = msgspec.convert(content, _TAGGED[tag])
    except msgspec.ValidationError:
        return {tag: content}
    return moment(found) if isinstance(found, datetime) else found


def _is_plain_dict(value: dict[Any, object]) -> bool:
    """Tell whether a dict has no value to step on; asking for all at once is three times as fast as stepping."""
    return len(value) > 1 and PLAIN.issuperset(map(type, value.values()))


def _looks_tagged(value: dict[str, Any]) -> bool:
    """Tell whether a dict is a tag, or a tag's look-alike: one member, named as a tag with one `$` or more."""
    if len(value) != 1:
        return False
    (key,) = value
    return key.startswith("$") and f"${key.lstrip('$')}" in _TAGGED


def _one_deeper(moment: Moment, depth: int) -> Step:
    if depth == MAX_UNTYPED_DEPTH:
        raise MisfitError(f"nested deeper than {MAX_UNTYPED_DEPTH} levels, or it contains itself")
    return partial(pack, moment, depth + 1)
