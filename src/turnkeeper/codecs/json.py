"""JSON of one declared type: readable, typed and checked in both directions, and `encode_value` / `decode_value`.

Whatever was encoded here can be decoded again: every encoding is read back before it is handed out, because msgspec
itself writes a wrong type without a word and only the next reader would notice.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar, get_args, get_origin, overload

import msgspec

from turnkeeper.codecs import places
from turnkeeper.codecs.misfit import MisfitError, misfit_of
from turnkeeper.codecs.places import StepBuilder
from turnkeeper.codecs.shapes import describe, find, is_ref
from turnkeeper.codecs.tags import plain_type, unpack
from turnkeeper.codecs.walk import Naive, moment_step
from turnkeeper.errors import InvalidStateError
from turnkeeper.model.ref import Ref

T = TypeVar("T")

MAX_CACHED_TYPES = 512
"""Types whose codec is kept; an application has one per job argument, result and part."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_UNWRITABLE = (TypeError, ValueError, AttributeError, OverflowError, RecursionError)
_NULL = "a NaN or an Infinity is written as null too: JSON has neither"


class Read(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What was read.

    Attributes:
        value: The typed value.
        refs: References in it: part id to the type of the part.
        is_whole: Writing the value again gives the same bytes: nothing in them was unknown to the type.
    """

    value: T
    refs: Mapping[str, Any]
    is_whole: bool


class TypedJson(Generic[T]):
    """Encodes and decodes one type. Safe to share between threads."""

    def __init__(self, type_: Any, *, name: str, naive: Naive = "utc") -> None:
        """Analyse the type, once.

        Raises:
            InvalidStateError: It cannot be stored; the field is named.
        """
        self.name = name
        self.node = describe(type_, name=name)
        self._type = type_
        self._moment = moment_step(naive)
        self._before_write = StepBuilder(places.outgoing(self._moment)).step(self.node)
        self._after_read = StepBuilder(places.incoming(self._moment)).step(self.node)
        self._after_restore = StepBuilder(places.restored(self._moment)).step(self.node)
        # A dict where a Struct is declared is written as it is, so what the next reader would refuse is found here.
        self._check = self._after_restore if naive == "refuse" else None
        self._sort = StepBuilder(places.SORTED_SETS).step(self.node)
        self._has_refs = any(True for _ in find(self.node, is_ref))
        self._encoder = msgspec.json.Encoder(enc_hook=_write_hook(None))
        self._decoder = msgspec.json.Decoder(type_, dec_hook=_read_hook(None))

    def encode(self, value: T) -> tuple[bytes, frozenset[str]]:
        """Return the JSON and the part ids of the references in it.

        Raises:
            InvalidStateError: The value does not fit the type.
        """
        refs: list[str] | None = [] if self._has_refs else None
        try:
            ready = value if self._before_write is None else self._before_write(value)
            data = self._write(ready, refs)
            checked = self._decoder.decode(data)
            if self._check is not None:
                self._check(checked)
        except (MisfitError, *_UNREADABLE) as error:
            raise self.invalid(error) from error
        return data, frozenset(refs or ())

    def decode(self, data: bytes, *, compare: bool = False) -> Read[T]:
        """Read a value, skipping members that the type does not know; `compare` finds out whether there were any.

        Raises:
            MisfitError: It is no JSON, or does not fit the type.
        """
        refs: dict[str, Any] = {}
        try:
            decoder = msgspec.json.Decoder(self._type, dec_hook=_read_hook(refs)) if self._has_refs else self._decoder
            value, after = decoder.decode(data), self._after_read if _may_hold_tags(data) else self._after_restore
        except msgspec.ValidationError as error:
            value, after = self._decode_tagged(data, error, refs), self._after_restore
        except _UNREADABLE as error:
            raise misfit_of(error) from error
        whole: Any = value if after is None else after(value)
        is_whole = compare and self._write(value if self._sort is None else self._sort(value), None) == data
        return Read(value=whole, refs=refs, is_whole=is_whole)

    def invalid(self, error: Exception) -> InvalidStateError:
        """Return the public error for a value that does not fit."""
        misfit = misfit_of(error)
        reason = f"{misfit.reason} ({_NULL})" if misfit.reason.endswith("got `null`") else misfit.reason
        return InvalidStateError(what=self.name + misfit.path, reason=reason)

    def _write(self, ready: object, refs: list[str] | None) -> bytes:
        try:
            if refs is None:
                return self._encoder.encode(ready)
            return msgspec.json.encode(ready, enc_hook=_write_hook(refs))
        except _UNWRITABLE as error:
            raise _locate(ready, error) from error

    def _decode_tagged(self, data: bytes, error: msgspec.ValidationError, refs: dict[str, Any]) -> Any:
        """Read tags that stand at typed places: the place was untyped when they were written."""
        try:
            plain = unpack(self._moment, msgspec.json.decode(data)) if _may_hold_tags(data) else None
            if plain is not None:
                return msgspec.convert(plain, self._type, str_keys=True, dec_hook=_read_hook(refs))
        except _UNREADABLE:
            raise misfit_of(error) from error
        raise misfit_of(error) from error


def encode_value(value: object, *, as_type: object = None, naive: Naive = "utc") -> bytes:
    """Return the JSON of any value: a job's argument or result, a part, what a timer carries.

    Args:
        value: What to encode.
        as_type: Its declared type, where there is one. Without it, an instance of a class with fields is encoded as
            its class and anything else as an untyped value: datetimes in it are tagged, tuples and sets refused.
        naive: What a datetime without a time zone is.

    Raises:
        InvalidStateError: The value does not fit its type.
    """
    if as_type is None:
        as_type = type(value) if isinstance(value, msgspec.Struct) or is_dataclass(value) else Any
    return _typed(as_type, naive).encode(value)[0]


@overload
def decode_value(data: bytes, type_: type[T], *, naive: Naive = "utc") -> T: ...
@overload
def decode_value(data: bytes, type_: object, *, naive: Naive = "utc") -> Any: ...
def decode_value(data: bytes, type_: object, *, naive: Naive = "utc") -> object:
    """Return what `encode_value` encoded, as this type. Members that the type does not know are dropped.

    Tags are undone at typed places too, so a value that was encoded without its type can be read with it.

    Raises:
        InvalidStateError: The bytes are no JSON, or do not fit the type.
    """
    typed = _typed(type_, naive)
    try:
        return typed.decode(data).value
    except MisfitError as error:
        raise typed.invalid(error) from error


def type_name(type_: object) -> str:
    """Return how errors call a type."""
    if isinstance(type_, type) and not get_args(type_):
        return type_.__name__
    return str(type_).replace("typing.", "")


def _may_hold_tags(data: bytes) -> bool:
    """Return whether a tag may be in there. Looking for one byte first costs a tenth of looking for two."""
    return b"$" in data and b'"$' in data


@lru_cache(maxsize=MAX_CACHED_TYPES)
def _typed(type_: object, naive: Naive) -> TypedJson[Any]:
    return TypedJson(type_, name=type_name(type_), naive=naive)


def _write_hook(refs: list[str] | None) -> Callable[[object], object]:
    def write(value: object) -> object:
        if isinstance(value, Ref):
            if refs is not None:
                refs.append(value.id)
            return {"ref": value.id, "bytes": value.size_bytes}
        plain = plain_type(value)
        if plain is value:
            raise TypeError(f"`{type(value).__name__}` has no JSON form")
        return plain

    return write


def _read_hook(refs: dict[str, Any] | None) -> Callable[[Any, object], object]:
    def read(type_: Any, value: object) -> object:
        if (get_origin(type_) or type_) is not Ref:
            return value  # `object`: an untyped place
        match value:
            case {"ref": str(part_id), "bytes": int(size_bytes)} if part_id and size_bytes >= 0:
                (of,) = get_args(type_) or (Any,)
                if refs is not None:
                    refs[part_id] = of
                return Ref(part_id, size_bytes=size_bytes, of=of)
            case _:
                raise ValueError('Expected a reference, `{"ref": id, "bytes": length}`')

    return read


def _locate(value: object, error: Exception) -> MisfitError:
    """Find the innermost part of a value that cannot be written, so that the error can name it."""
    if isinstance(error, RecursionError):
        return misfit_of(error)
    for path, part in _parts(value):
        try:
            msgspec.json.encode(part, enc_hook=_write_hook(None))
        except _UNWRITABLE as inner:
            return _locate(part, inner).under(path)
    return misfit_of(error)


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        yield from ((f".{path}", getattr(value, name)) for name, path in names if hasattr(value, name))
    elif is_dataclass(value):
        yield from ((f".{field.name}", getattr(value, field.name, None)) for field in fields(value))
    elif isinstance(value, dict):
        yield from (("[key]", {key: None}) for key in value if len(value) > 1)
        yield from (("[...]", below) for below in value.values())
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from ((f"[{index}]", below) for index, below in enumerate(value))
