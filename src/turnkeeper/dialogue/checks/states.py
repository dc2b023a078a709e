"""Can a conversation begin: is there an empty state, and is it nobody else's?

A default value that can be changed is shared by every state that is made with it, and would carry one person's words
into another one's conversation. msgspec copies empty lists, dicts and sets and refuses the plain cases; it does not
look into what is frozen only on the outside.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from turnkeeper.codecs.shapes import describe, find
from turnkeeper.codecs.state import StateCodec
from turnkeeper.dialogue.checks.problem import Problem
from turnkeeper.dialogue.declaring.declarations import Gathered
from turnkeeper.errors import InvalidStateError

STATUS_FIELD = "status"
"""A field of this name follows the dialogue's status."""


def field_names(state_type: type[Any]) -> tuple[str, ...]:
    """Return the fields of a state; empty if it cannot be one."""
    return tuple(getattr(state_type, "__struct_fields__", getattr(state_type, "__dataclass_fields__", ())))


def state_problems(flow: Gathered) -> Iterator[Problem]:
    """Find what keeps a new conversation from getting a state of its own."""
    state_type = flow.state_type
    name = getattr(state_type, "__name__", repr(state_type))
    try:
        StateCodec(state_type)
        node = describe(state_type, name=name)
    except InvalidStateError as error:
        yield Problem(where=flow.where, text=f"the state cannot be stored: {error}")
        return
    if not isinstance(node, inspect.StructType | inspect.DataclassType):
        yield Problem(where=flow.where, text=f"the state {name} is no class of its own; write `class {name}(Struct)`")
        return
    required = [f"{name}.{field.name}" for field in node.fields if field.required]
    if required:
        text = f"a new conversation begins with an empty {name}, so every field needs a default"
        yield Problem(where=flow.where, text=f"{text}; give one to {', '.join(required)}")
    else:
        yield from _not_made(flow, name)
    yield from _shared_defaults(flow, node, name)
    yield from _status_field(flow, node, name)


def _shared_defaults(flow: Gathered, node: inspect.Type, name: str) -> Iterator[Problem]:
    for path, place in find(node, lambda found: isinstance(found, inspect.StructType | inspect.DataclassType)):
        if not isinstance(place, inspect.StructType | inspect.DataclassType):
            continue
        for field in place.fields:
            if field.default is not msgspec.NODEFAULT and is_changeable(field.default):
                kind = type(field.default).__name__
                text = (
                    f"{name}{path}.{field.name} has one {kind} as default, which all conversations would share; "
                    "write `= msgspec.field(default_factory=lambda: …)`"
                )
                yield Problem(where=flow.where, text=text)


def is_changeable(value: object) -> bool:
    """Tell whether a value, or anything in it, can be changed in place."""
    match value:
        case list() | dict() | set() | bytearray():
            return True
        case tuple() | frozenset():
            return any(map(is_changeable, value))
        case msgspec.Struct():
            is_frozen = value.__struct_config__.frozen
        case _ if dataclasses.is_dataclass(value):
            is_frozen = getattr(type(value), "__dataclass_params__").frozen  # noqa: B009 - typeshed does not know it
        case _:
            return False
    return not is_frozen or any(is_changeable(getattr(value, name)) for name in field_names(type(value)))


def _status_field(flow: Gathered, node: inspect.StructType | inspect.DataclassType, name: str) -> Iterator[Problem]:
    for field in node.fields:
        if field.name == STATUS_FIELD and not isinstance(field.type, inspect.StrType):
            text = f"{name}.{STATUS_FIELD} follows the dialogue's status and must be a plain `str`"
            yield Problem(where=flow.where, text=f"{text}; rename it if it means something else")


def _not_made(flow: Gathered, name: str) -> Iterator[Problem]:
    try:
        flow.state_type()
    except Exception as error:  # noqa: BLE001 - a default factory or __post_init__ is the user's own: it raises anything
        text = f"a new conversation begins with {name}(), which raises {type(error).__name__}: {error}"
        yield Problem(where=flow.where, text=text)
