"""Where in a type something stands that JSON and msgspec alone do not keep: found once, when a codec is made.

Such places are datetimes, untyped places, sets (written sorted, so that an equal state gives the same bytes) and
optional floats (a NaN would become null). A type without any of them is not walked at all: its step is None.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, get_origin

import msgspec
from msgspec import inspect

from turnkeeper.codecs import walk
from turnkeeper.codecs.shapes import ObjectType, SeriesType, SetType, bare, classes, find, is_untyped
from turnkeeper.codecs.tags import pack, pack_values, step_number, unpack, unpack_values
from turnkeeper.codecs.walk import Moment, Step

_BUILT_AS: dict[type[inspect.Type], type] = {
    inspect.VarTupleType: tuple,
    inspect.TupleType: tuple,
    inspect.SetType: set,
    inspect.FrozenSetType: frozenset,
}
_SORTABLE = (inspect.StrType, inspect.IntType, inspect.FloatType, inspect.DateType, inspect.UUIDType)


class Visits(msgspec.Struct, frozen=True, kw_only=True):
    """What to do at which places; None passes by.

    Attributes:
        moment: At a datetime.
        untyped: At an untyped place.
        untyped_values: At a `dict[str, Any]`.
        number: At a float that may be null as well.
        sort: At a set of scalars.
        rebuild: Make changed tuples and sets what they were; False leaves them lists, which is all that JSON has.
    """

    moment: Step | None = None
    untyped: Step | None = None
    untyped_values: Step | None = None
    number: Step | None = None
    sort: bool = False
    rebuild: bool = False


SORTED_SETS = Visits(sort=True)
"""Makes a value that was just read write the bytes that it was read from."""


def outgoing(moment: Moment) -> Visits:
    """Return what a value needs before it is written."""
    return Visits(
        moment=partial(walk.step_moment, moment),
        untyped=partial(pack, moment, 0),
        untyped_values=partial(pack_values, moment, 0),
        number=step_number,
        sort=True,
    )


def incoming(moment: Moment) -> Visits:
    """Return what a value needs after it was read."""
    return Visits(
        moment=partial(walk.step_moment, moment),
        untyped=partial(unpack, moment),
        untyped_values=partial(unpack_values, moment),
        rebuild=True,
    )


def restored(moment: Moment) -> Visits:
    """Return what a value needs after it was read with its tags already undone."""
    return Visits(moment=partial(walk.step_moment, moment), rebuild=True)


class StepBuilder:
    """Builds the steps of one root type for one kind of visit; a recursive type meets its own step again."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._built: dict[int, Step | None] = {}

    def step(self, node: inspect.Type) -> Step | None:
        """Return the step for a type, None if nothing in or below it is visited."""
        if id(node) not in self._built:
            is_needed = any(True for _ in find(node, self._is_visited))
            self._built[id(node)] = self._build(node) if is_needed else None
        return self._built[id(node)]

    def _is_visited(self, node: inspect.Type) -> bool:
        visits = self._visits
        match node:
            case inspect.DateTimeType(tz=tz):
                return visits.moment is not None and tz is not False
            case inspect.SetType() | inspect.FrozenSetType() if visits.sort and _is_sortable(node):
                return True
            case inspect.UnionType(types=types) if visits.number is not None:
                return any(isinstance(bare(member), inspect.FloatType) for member in types)
            case _:
                return visits.untyped is not None and is_untyped(node)

    def _build(self, node: inspect.Type) -> Step | None:
        step: Step | None = None
        match node:
            case _ if self._visits.untyped is not None and is_untyped(node):
                step = self._visits.untyped
            case inspect.Metadata(type=inner):
                step = self.step(inner)
            case inspect.DateTimeType():
                step = self._visits.moment
            case inspect.UnionType():
                step = self._union(node)
            case inspect.DictType():
                step = self._dict(node)
            case inspect.TupleType(item_types=items):
                step = partial(walk.step_row, self._built_as(node), [self.step(item) for item in items])
            case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
                step = self._series(node)
            case inspect.StructType() | inspect.DataclassType() | inspect.TypedDictType() | inspect.NamedTupleType():
                step = self._fields(node)
        return step

    def _union(self, node: inspect.UnionType) -> Step:
        by_class: dict[type, Step] = {}
        for member in map(bare, node.types):
            step = self._visits.number if isinstance(member, inspect.FloatType) else self.step(member)
            if step is not None:
                by_class.update(dict.fromkeys(classes(member), step))
        return partial(walk.step_union, by_class)

    def _dict(self, node: inspect.DictType) -> Step | None:
        keys, values = bare(node.key_type), bare(node.value_type)
        if is_untyped(values) and (is_untyped(keys) or isinstance(keys, inspect.StrType)):
            return self._visits.untyped_values
        return partial(walk.step_dict, self.step(keys), self.step(values))

    def _series(self, node: SeriesType) -> Step | None:
        step = self.step(node.item_type)
        if self._visits.sort and isinstance(node, SetType) and _is_sortable(node):
            return partial(walk.step_sorted, step)
        return None if step is None else partial(walk.step_series, self._built_as(node), step)

    def _built_as(self, node: inspect.Type) -> type:
        return _BUILT_AS.get(type(node), list) if self._visits.rebuild else list

    def _fields(self, node: ObjectType | inspect.NamedTupleType) -> Step:
        steps: list[tuple[str, str, Step]] = []
        whole = partial(walk.step_fields, *_access(node), steps)
        self._built[id(node)] = whole  # before its fields: they may be of this type again
        for field in node.fields:
            step = self.step(field.type)
            if step is not None:
                steps.append((field.name, f".{field.encode_name}", step))
        return whole


def _access(node: ObjectType | inspect.NamedTupleType) -> tuple[type, Callable[..., Any], Callable[..., Any]]:
    cls = get_origin(node.cls) or node.cls
    match node:
        case inspect.StructType():
            return cls, getattr, walk.replace_in_struct
        case inspect.DataclassType():
            return cls, getattr, walk.replace_in_dataclass
        case inspect.NamedTupleType():
            return cls, getattr, walk.replace_in_named_tuple
        case _:
            return dict, dict.get, walk.replace_in_dict


def _is_sortable(node: SetType) -> bool:
    return isinstance(bare(node.item_type), _SORTABLE)
