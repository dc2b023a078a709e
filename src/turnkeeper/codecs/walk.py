"""Steps over a value: each returns the object it got, or another one in its place. Nothing handed over is changed.

A container is copied only when something in it is replaced. A value of another type than declared is passed by: the
check that follows every walk names it.
"""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any, Literal, NamedTuple

import msgspec

from turnkeeper.codecs.misfit import MisfitError

Step = Callable[[object], object]
Read = Callable[[Any, str, None], object]
"""`getattr` or `dict.get`."""

Replace = Callable[[Any, dict[str, object]], object]
"""Copies an object with other values in some fields."""

FieldSteps = Sequence[tuple[str, str, Step]]
"""Attribute or key, its part of the path, and the step for what stands there."""

Moment = Callable[[datetime], datetime]
"""Makes a datetime aware, or raises `MisfitError`."""

Naive = Literal["utc", "refuse"]
"""What a datetime without a time zone is: `utc` reads it as UTC, `refuse` raises."""

PLAIN = frozenset({str, int, bool, NoneType})
"""Exact types that JSON keeps as they are: no step has anything to do with them."""

_ONE_MINUTE = timedelta(minutes=1)


def aware_utc(moment: datetime) -> datetime:
    """Return an aware datetime; a naive one is read as UTC."""
    offset = moment.utcoffset()
    if offset is None:
        return moment.replace(tzinfo=UTC)
    # RFC 3339 knows whole minutes: msgspec would cut the seconds of a historical offset and so move the instant.
    return moment.astimezone(UTC) if offset % _ONE_MINUTE else moment


def aware_only(moment: datetime) -> datetime:
    """Return an aware datetime.

    Raises:
        MisfitError: It has no time zone.
    """
    if moment.utcoffset() is None:
        raise MisfitError("a datetime without a time zone is refused; give it one, for example tzinfo=UTC")
    return aware_utc(moment)


def moment_step(naive: Naive) -> Moment:
    """Return what makes datetimes aware under this policy.

    Raises:
        ValueError: There is no such policy.
    """
    if naive not in ("utc", "refuse"):
        raise ValueError(f"naive={naive!r} is no policy; use 'utc' or 'refuse'")
    return aware_utc if naive == "utc" else aware_only


def step_moment(moment: Moment, value: object) -> object:
    """Step on a datetime."""
    if isinstance(value, datetime) and value.tzinfo is not UTC:
        return moment(value)
    return value


def step_values(value: dict[Any, Any], step: Step) -> dict[Any, Any]:
    """Step over the values of a dict."""
    changed: dict[Any, Any] | None = None
    for key, old in value.items():
        if type(old) in PLAIN:
            continue
        try:
            new = step(old)
        except MisfitError as misfit:
            raise misfit.under("[...]") from None
        if new is not old:
            changed = dict(value) if changed is None else changed
            changed[key] = new
    return value if changed is None else changed


def step_items(value: Collection[object], step: Step) -> Collection[object]:
    """Step over the items of a list, tuple or set; the copy, if one is needed, is a list."""
    changed: list[object] | None = None
    for index, old in enumerate(value):
        if type(old) in PLAIN:
            continue
        try:
            new = step(old)
        except MisfitError as misfit:
            raise misfit.under(f"[{index}]") from None
        if new is not old:
            changed = list(value) if changed is None else changed
            changed[index] = new
    return value if changed is None else changed


def step_series(built: type, step: Step, value: object) -> object:
    """Step over the items of a list, tuple or set; the copy is `built`."""
    if not isinstance(value, (list, tuple, set, frozenset)):
        return value
    changed = step_items(value, step)
    return value if changed is value else built(changed)


def step_sorted(step: Step | None, value: object) -> object:
    """Step over the items of a set of scalars; two or more are returned sorted, as a list."""
    if not isinstance(value, (set, frozenset)) or not value:
        return value
    try:
        items = sorted(value)
    except TypeError:  # a member of another type: the check after the walk names it
        return value
    return items if step is None else step_items(items, step)


def step_row(built: type, steps: Sequence[Step | None], value: object) -> object:
    """Step over a tuple whose positions have types of their own; the copy is `built`."""
    if not isinstance(value, (list, tuple)) or len(value) != len(steps):
        return value
    changed = list(value)
    for index, step in enumerate(steps):
        if step is not None:
            try:
                changed[index] = step(value[index])
            except MisfitError as misfit:
                raise misfit.under(f"[{index}]") from None
    return value if all(new is old for new, old in zip(changed, value, strict=True)) else built(changed)


def step_dict(keys: Step | None, values: Step | None, value: object) -> object:
    """Step over keys and values of a dict."""
    if not isinstance(value, dict):
        return value
    changed = value if values is None else step_values(value, values)
    if keys is None:
        return changed
    renamed = {keys(key): below for key, below in changed.items()}
    return changed if all(new is old for new, old in zip(renamed, changed, strict=False)) else renamed


def step_union(by_class: Mapping[type, Step], value: object) -> object:
    """Step on a value of one of several types."""
    kind = type(value)
    if kind in PLAIN:
        return value
    step = by_class.get(kind)
    if step is None:
        step = next((found for cls, found in by_class.items() if isinstance(value, cls)), None)
    return value if step is None else step(value)


def step_fields(cls: type, read: Read, replace: Replace, steps: FieldSteps, value: object) -> object:
    """Step over the fields of an object; `read` and `replace` know what kind of object it is."""
    if not isinstance(value, cls):
        return value
    changed: dict[str, object] = {}
    for name, path, step in steps:
        old = read(value, name, None)
        if type(old) in PLAIN:
            continue
        try:
            new = step(old)
        except MisfitError as misfit:
            raise misfit.under(path) from None
        if new is not old:
            changed[name] = new
    return replace(value, changed) if changed else value


def replace_in_struct(value: msgspec.Struct, changed: dict[str, Any]) -> msgspec.Struct:
    """Copy a Struct with other values in some fields, without running `__post_init__`; frozen ones too."""
    changed_copy = copy.copy(value)
    for name, new in changed.items():
        msgspec.structs.force_setattr(changed_copy, name, new)
    return changed_copy


def replace_in_dataclass(value: object, changed: dict[str, Any]) -> object:
    """Copy a dataclass instance with other values in some fields, without running `__post_init__`; frozen ones too."""
    changed_copy = copy.copy(value)
    for name, new in changed.items():
        object.__setattr__(changed_copy, name, new)
    return changed_copy


def replace_in_dict(value: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """Copy a dict with other values under some keys."""
    return value | changed


def replace_in_named_tuple(value: "NamedTuple", changed: dict[str, Any]) -> "NamedTuple":
    """Copy a named tuple with other values in some fields."""
    return value._replace(**changed)
