"""`Records`: what a document's JSON looks like. An object of the users' own members, and the times that we stamp on it.

Members that the declared type does not know are kept by every change, so that two programs can share a document.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Raw, inspect

from turnkeeper.codecs.json import TypedJson, type_name
from turnkeeper.codecs.misfit import MisfitError
from turnkeeper.codecs.shapes import bare
from turnkeeper.codecs.walk import Naive
from turnkeeper.errors import ConfigurationError, InvalidStateError, StateUndecodableError

T = TypeVar("T")

Members = dict[str, Raw]
"""A JSON object whose values were not looked into: big integers, empty lists and unknown members stay as they are."""

_object = msgspec.json.Decoder(Members)
_encode = msgspec.json.Encoder().encode
_NULL = b"null"


class Records(Generic[T]):
    """Encodes and decodes the documents of one collection. Safe to share between threads."""

    def __init__(self, type_: type[T], *, stamps: Iterable[str], naive: Naive) -> None:
        """Analyse the type, once.

        Args:
            type_: A Struct, dataclass, TypedDict or `dict[str, …]`.
            stamps: Members that we write; where the type declares one, it must be a datetime or a string.
            naive: What a datetime without a time zone is.

        Raises:
            InvalidStateError: The type cannot be stored as a JSON object; the field is named.
            ConfigurationError: The type has no room for a stamp, or declares it as something else than a time.
        """
        self._typed: TypedJson[T] = TypedJson(type_, name=type_name(type_), naive=naive)
        self._member: dict[str, TypedJson[Any]] = {}
        self._other: TypedJson[Any] | None = None
        self._known: frozenset[str] | None = None
        if (get_origin(type_) or type_) is dict:
            value_type = get_args(type_)[1] if get_args(type_) else Any
            self._other = TypedJson(value_type, name=f"{self.name}[...]", naive=naive)
            _check_room(self._other, self.name, stamps)
            return
        declared = _declared(self._typed, type_, frozenset(stamps))
        self._known = frozenset(declared) | frozenset(stamps)
        self._member = {
            name: TypedJson(member, name=f"{self.name}.{name}", naive=naive) for name, member in declared.items()
        }

    @property
    def name(self) -> str:
        """Return how errors call the type."""
        return self._typed.name

    def members(self, value: T) -> Members:
        """Return the members of a value.

        Raises:
            InvalidStateError: It does not fit its type. Nothing was written.
        """
        data, _ = self._typed.encode(value)
        return _object.decode(data)

    def read(self, data: bytes) -> tuple[T, Members]:
        """Return the typed value and every member that is stored.

        Raises:
            StateUndecodableError: It is no JSON object, or does not fit the type. It stays as it is.
        """
        return self.value(data), self.split(data)

    def split(self, data: bytes) -> Members:
        """Return every member that is stored, without a look at its value.

        Raises:
            StateUndecodableError: It is no JSON object. It stays as it is.
        """
        try:
            return _object.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StateUndecodableError(what=self.name, reason=str(error)) from error

    def value(self, data: bytes) -> T:
        """Return the typed value.

        Raises:
            StateUndecodableError: It is no JSON object, or does not fit the type. It stays as it is.
        """
        try:
            return self._typed.decode(data).value
        except MisfitError as misfit:
            raise StateUndecodableError(what=self.name, reason=f"{misfit.reason} at ${misfit.path}") from misfit

    def merged(self, stored: Members, changes: Mapping[str, object]) -> Members:
        """Return the stored members with some of them replaced.

        Raises:
            InvalidStateError: A changed member does not fit the type, or the type has none of that name.
        """
        written = {name: Raw(self._typed_member(name).encode(value)[0]) for name, value in changes.items()}
        return {**stored, **written}

    def _typed_member(self, name: str) -> TypedJson[Any]:
        try:
            name.encode()
        except (UnicodeEncodeError, AttributeError):  # a number has no `encode`
            raise InvalidStateError(what=self.name, reason=f"the name {name!r} is no Unicode text") from None
        typed = self._member.get(name, self._other)
        if typed is None:
            known = ", ".join(sorted(self._member))
            raise InvalidStateError(what=self.name, reason=f"has no member {name!r}; it has: {known}")
        return typed

    def rewritten(self, stored: Members, value: T) -> Members:
        """Return the members of a whole new value, and those of the stored ones that the type does not know."""
        if self._known is None:
            return self.members(value)
        unknown = {name: raw for name, raw in stored.items() if name not in self._known}
        return {**self.members(value), **unknown}

    def encode(self, members: Members) -> tuple[bytes, T]:
        """Return the JSON to store, and the value that a reader will get from it.

        Raises:
            InvalidStateError: It does not fit the type. Nothing was written.
        """
        data = _encode(members)
        try:
            return data, self._typed.decode(data).value
        except MisfitError as misfit:
            raise self._typed.invalid(misfit) from misfit


def stamp(now_ms: int) -> Raw:
    """Return a time as a JSON member: UTC, ISO 8601."""
    return Raw(_encode(datetime.fromtimestamp(now_ms / 1000, tz=UTC)))


def is_missing(members: Members, name: str) -> bool:
    """Return whether a member is not there, or null."""
    return name not in members or bytes(members[name]) == _NULL


def _check_room(values: TypedJson[Any], name: str, stamps: Iterable[str]) -> None:
    """Refuse a dict whose values cannot be the times that are written into it."""
    try:
        values.decode(bytes(stamp(0)))
    except MisfitError as misfit:
        raise ConfigurationError(
            f"{name} has no room for {' and '.join(stamps)}, which are written too; use dict[str, Any]"
        ) from misfit


def _declared(typed: TypedJson[Any], type_: type[object], stamps: frozenset[str]) -> dict[str, Any]:
    """Return the members that a type declares, by the names that they have in JSON, with their types."""
    node = typed.node
    if not isinstance(node, (inspect.StructType, inspect.DataclassType, inspect.TypedDictType)):
        raise InvalidStateError(what=typed.name, reason="a document is a Struct, a dataclass, a TypedDict or a dict")
    if isinstance(node, inspect.StructType) and node.array_like:
        raise InvalidStateError(what=typed.name, reason="a document is a JSON object; leave array_like out")
    for field in node.fields:
        if field.encode_name in stamps and not _may_be_time(field.type):
            raise ConfigurationError(
                f"{typed.name}.{field.encode_name} is written by Turnkeeper as a time; declare it as "
                "`datetime | None = None`, or give it another name"
            )
    hints = get_type_hints(get_origin(type_) or type_, include_extras=True)
    return {field.encode_name: hints[field.name] for field in node.fields}


def _may_be_time(node: inspect.Type) -> bool:
    kinds = node.types if isinstance(node, inspect.UnionType) else (node,)
    times = (inspect.DateTimeType, inspect.StrType, inspect.AnyType)
    return any(isinstance(bare(kind), times) for kind in kinds)
