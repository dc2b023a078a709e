"""What a type looks like to msgspec: its parts, where they stand, and whether all of it can be stored.

Types may be recursive: whoever goes down must remember where it was, as `find` does.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect

from turnkeeper.errors import InvalidStateError
from turnkeeper.model.ref import Ref

ObjectType = inspect.StructType | inspect.DataclassType | inspect.TypedDictType
"""JSON objects with named fields (a Struct with `array_like` is an array of them)."""

SetType = inspect.SetType | inspect.FrozenSetType
SeriesType = inspect.ListType | inspect.VarTupleType | SetType


def describe(type_: object, *, name: str) -> inspect.Type:
    """Return what msgspec knows about a type, after checking that all of it can be stored.

    Raises:
        InvalidStateError: A field cannot be stored, or an annotation names something unknown; the field is named.
    """
    try:
        node = inspect.type_info(type_)
    except (TypeError, NameError) as error:
        path, cause = _culprit(type_, error, seen=set()) or ("", error)
        raise InvalidStateError(what=name + path, reason=str(cause)) from error
    for path, place in find(node, _is_unknown):
        kind = getattr(place.cls, "__name__", place.cls) if isinstance(place, inspect.CustomType) else "Ext"
        reason = f"`{kind}` has no JSON form; use a Struct, a dataclass or plain types, or Ref for a large part"
        raise InvalidStateError(what=name + path, reason=reason)
    return node


def is_untyped(node: inspect.Type) -> bool:
    """Tell whether anything may stand here."""
    match node:
        case inspect.Metadata(type=inner):
            return is_untyped(inner)
        case inspect.UnionType(types=types):
            return any(is_untyped(member) for member in types)
        case inspect.CustomType(cls=cls):
            return cls is object
        case _:
            return isinstance(node, inspect.AnyType)


def bare(node: inspect.Type) -> inspect.Type:
    """Return a type without the metadata around it."""
    return bare(node.type) if isinstance(node, inspect.Metadata) else node


def classes(node: inspect.Type) -> tuple[type, ...]:
    """Return the classes under which a member of a union is met in memory, where that matters to a walk."""
    match node:
        case inspect.DateTimeType():
            return (datetime,)
        case inspect.FloatType():
            return (float,)
        case inspect.DictType() | inspect.TypedDictType():
            return (dict,)
        case inspect.StructType() | inspect.DataclassType() | inspect.NamedTupleType():
            return (get_origin(node.cls) or node.cls,)
        case inspect.ListType() | inspect.VarTupleType() | inspect.TupleType():
            return (list, tuple)
        case inspect.SetType() | inspect.FrozenSetType():
            return (set, frozenset)
        case _:
            return ()


def members(node: inspect.Type) -> Iterator[tuple[str, inspect.Type]]:
    """Yield the types directly below a type, each with its part of the path."""
    match node:
        case inspect.Metadata(type=inner):
            yield "", inner
        case inspect.UnionType(types=types):
            yield from (("", member) for member in types)
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
            yield "[...]", node.item_type
        case inspect.TupleType(item_types=items):
            yield from ((f"[{index}]", item) for index, item in enumerate(items))
        case inspect.DictType(key_type=key, value_type=value):
            yield from (("[key]", key), ("[...]", value))
        case inspect.StructType() | inspect.DataclassType() | inspect.TypedDictType() | inspect.NamedTupleType():
            yield from ((f".{field.encode_name}", field.type) for field in node.fields)
        case _:
            return


def find(node: inspect.Type, wanted: Callable[[inspect.Type], bool]) -> Iterator[tuple[str, inspect.Type]]:
    """Yield path and type of the wanted places in and below a type, each type once: types may be recursive."""
    seen: set[int] = set()
    waiting = [("", node)]
    while waiting:
        path, place = waiting.pop()
        if id(place) in seen:
            continue
        seen.add(id(place))
        if wanted(place):
            yield path, place
        waiting.extend((path + part, below) for part, below in members(place))


def objects(node: inspect.Type) -> Iterator[ObjectType]:
    """Yield the types with named fields in and below a type, each once."""
    for _, place in find(node, lambda _: True):
        if isinstance(place, ObjectType):
            yield place


def is_ref(node: inspect.Type) -> bool:
    """Tell whether a reference stands here."""
    return isinstance(node, inspect.CustomType) and (get_origin(node.cls) or node.cls) is Ref


def _is_unknown(node: inspect.Type) -> bool:
    if isinstance(node, inspect.CustomType):
        return node.cls not in (object, msgspec.UnsetType) and not is_ref(node)
    return isinstance(node, inspect.ExtType)


def _culprit(type_: object, error: Exception, *, seen: set[object]) -> tuple[str, Exception] | None:
    """Find the innermost field that msgspec refuses and its error; None if this type is being searched already."""
    cls = get_origin(type_) or type_
    hints = _hints(cls)
    if hints and cls in seen:
        return None
    if hints:
        seen.add(cls)
    found: tuple[str, Exception] | None = "", error
    for argument in get_args(type_):
        below = _culprit(argument, error, seen=seen)
        if below is not None and below[0]:
            return below
        found = None if below is None else found
    for field, hint in hints.items():
        try:
            inspect.type_info(hint)
        except (TypeError, NameError) as refused:
            below = _culprit(hint, refused, seen=seen)
            if below is not None:  # else it is refused because of a field that is still to come
                return f".{field}{below[0]}", below[1]
    return found


def _hints(cls: object) -> dict[str, object]:
    if not isinstance(cls, type) or cls.__module__ == "builtins":
        return {}
    try:
        return get_type_hints(cls, include_extras=True)
    except NameError:  # the error at hand names what is unknown
        return {}
