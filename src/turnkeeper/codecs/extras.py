"""Members of stored objects that the code does not know: kept from decoding to encoding, letter by letter.

Newer code may have written them, or somebody else's. Those of the root always survive. Those of a nested object
survive with that instance, wherever it is moved to; an instance that the code put in its place starts without any.
Members of objects in a set are not kept: a set does not say which stored object became which member.
"""

import operator
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any

import msgspec
from msgspec import Raw, inspect

from turnkeeper.codecs.shapes import ObjectType, bare, classes, is_untyped, objects

Stored = dict[str, Raw]
Visit = Callable[[object, Stored, frozenset[str]], bool]
"""Sees an object, its stored members and the names its type knows; tells whether it changed the members."""

_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
_encode = msgspec.json.Encoder().encode


class Extras:
    """Unknown members of one decoded state; hand it to `encode` together with that state."""

    __slots__ = ("below", "root")

    def __init__(self, root: Stored, below: dict[int, tuple[object, Stored]]) -> None:
        self.root = root
        self.below = below  # by id(); the object beside it keeps that id from being given to another one


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Of one object type: names in stored order, and the fields that have objects below them."""

    names: tuple[str, ...]
    known: frozenset[str]
    fields: tuple[inspect.Field, ...]
    is_array: bool


class ExtrasFinder:
    """Finds and adds the unknown members of one root type."""

    def __init__(self, node: inspect.Type) -> None:
        self._node = node
        self._plans: dict[int, _Plan] = {}
        for place in objects(node):
            self._plans[id(place)] = _plan(place)

    def collect(self, data: bytes, *, value: object) -> Extras | None:
        """Return the members of the JSON that the value's type does not know, None if there are none."""
        root: Stored = {}
        below: dict[int, tuple[object, Stored]] = {}

        def keep(found: object, stored: Stored, known: frozenset[str]) -> bool:
            unknown = {name: raw for name, raw in stored.items() if name not in known}
            if unknown and found is value:
                root.update(unknown)
            elif unknown:
                below[id(found)] = (found, unknown)
            return False

        self._pair(self._node, value, Raw(data), keep)
        return Extras(root, below) if root or below else None

    def add(self, extras: Extras, data: bytes, *, value: object) -> bytes:
        """Return the JSON of the value with the unknown members behind the known ones."""

        def put(found: object, stored: Stored, _known: frozenset[str]) -> bool:
            _, unknown = extras.below.get(id(found), (None, {}))
            stored.update(unknown)
            return bool(unknown)

        if extras.below:
            data = bytes(self._pair(self._node, value, Raw(data), put))
        if not extras.root:
            return data
        root = _encode(extras.root)
        return root if data == b"{}" else data[:-1] + b"," + root[1:]

    def _pair(self, node: inspect.Type, value: object, raw: Raw, visit: Visit) -> Raw:
        """Go through a value and its JSON side by side; return the JSON, rewritten where a visit added to it."""
        node = _chosen(node, value)
        plan = self._plans.get(id(node))
        if plan is not None:
            return self._pair_object(plan, value, raw, visit)
        match node:
            case inspect.DictType(value_type=below) if isinstance(value, dict):
                return self._pair_dict(below, value, raw, visit)
            case inspect.ListType(item_type=below) | inspect.VarTupleType(item_type=below):
                return self._pair_array(repeat(below), value, raw, visit)
            case inspect.TupleType(item_types=items):
                return self._pair_array(items, value, raw, visit)
            case inspect.NamedTupleType(fields=fields):
                return self._pair_array([field.type for field in fields], value, raw, visit)
            case _:
                return raw

    def _pair_object(self, plan: _Plan, value: object, raw: Raw, visit: Visit) -> Raw:
        stored = _by_position(plan.names, _array.decode(raw)) if plan.is_array else _object.decode(raw)
        is_changed = visit(value, stored, plan.known)
        for field in plan.fields:
            old = stored.get(field.encode_name)
            if old is None:
                continue
            part = value.get(field.name) if isinstance(value, dict) else getattr(value, field.name, None)
            stored[field.encode_name] = new = self._pair(field.type, part, old, visit)
            is_changed = is_changed or new is not old
        if not is_changed:
            return raw
        return Raw(_encode(list(stored.values()) if plan.is_array else stored))

    def _pair_dict(self, below: inspect.Type, value: dict[Any, object], raw: Raw, visit: Visit) -> Raw:
        stored = _object.decode(raw)
        if len(stored) != len(value):  # two keys became one on the way in: nothing says which is whose
            return raw
        both = zip(stored.items(), value.values(), strict=True)
        changed = {name: self._pair(below, part, old, visit) for (name, old), part in both}
        return _rewritten(raw, stored.values(), changed.values(), changed)

    def _pair_array(self, nodes: Iterable[inspect.Type], value: object, raw: Raw, visit: Visit) -> Raw:
        if not isinstance(value, (list, tuple)):
            return raw
        stored = _array.decode(raw)
        changed = [self._pair(node, part, old, visit) for node, part, old in zip(nodes, value, stored, strict=False)]
        return _rewritten(raw, stored, changed, changed)


def _plan(node: ObjectType) -> _Plan:
    struct = node if isinstance(node, inspect.StructType) else None
    tag = (struct.tag_field,) if struct is not None and struct.tag_field else ()
    names = tag + tuple(field.encode_name for field in node.fields)
    below = tuple(field for field in node.fields if any(True for _ in objects(field.type)))
    is_array = struct is not None and struct.array_like
    return _Plan(names=names, known=frozenset(names), fields=below, is_array=is_array)


def _chosen(node: inspect.Type, value: object) -> inspect.Type:
    """Return the type that a value has among those that may stand here."""
    node = bare(node)
    if isinstance(node, inspect.UnionType) and not is_untyped(node):
        return next((member for member in map(bare, node.types) if isinstance(value, classes(member))), node)
    return node


def _rewritten(raw: Raw, old: Iterable[Raw], new: Iterable[Raw], whole: object) -> Raw:
    """Return the JSON of the whole if a part of it is another one now, else the JSON that it was."""
    return Raw(_encode(whole)) if any(map(operator.is_not, old, new)) else raw


def _by_position(names: tuple[str, ...], items: list[Raw]) -> Stored:
    """Name the items of an `array_like` Struct; its unknown members stand behind the known ones."""
    return {names[index] if index < len(names) else f"+{index}": raw for index, raw in enumerate(items)}
