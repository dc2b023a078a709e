"""`StateCodec`: the stored form of a conversation's state, an envelope and the users' own fields in one JSON object.

The envelope is the first member, `_`; the rest are the users' fields by their own names, so that the value can be
read by eye. Encoding checks: what was encoded can be decoded again. Decoding never applies a part of a state.
"""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from turnkeeper.codecs.extras import Extras, ExtrasFinder
from turnkeeper.codecs.json import TypedJson, type_name
from turnkeeper.codecs.misfit import MisfitError, misfit_of
from turnkeeper.codecs.upgrades import Upgrade, Upgrades
from turnkeeper.codecs.walk import Naive
from turnkeeper.errors import InvalidStateError, StateNewerError, StateUndecodableError

T = TypeVar("T")

_MEMBER = "_"
_FIRST = b'{"_":'
_NO_FACTS = msgspec.Raw(b"null")  # msgspec decodes no `Raw | None`


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the engine keeps beside the users' fields.

    Attributes:
        generation: Changes when the conversation was forgotten and began anew.
        version: Commits of this generation.
        fence: Of the turn that wrote this.
        commit_id: Of the commit that wrote this.
        schema: Of the code that wrote this; `StateCodec.encode` puts its own in.
        status: Where the dialogue stands.
        engine: JSON of the engine's own facts about the conversation; `null` where there are none, and then not stored.
    """

    generation: int = msgspec.field(name="g")
    version: int = msgspec.field(name="v")
    fence: int = msgspec.field(name="f")
    commit_id: str = msgspec.field(name="c")
    schema: int = msgspec.field(name="s", default=1)
    status: str = msgspec.field(name="at", default="")
    engine: msgspec.Raw = msgspec.field(name="e", default=_NO_FACTS)


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """An encoded state; `refs` are the ids of the parts that it refers to."""

    data: bytes
    refs: frozenset[str]


class Decoded(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A decoded state.

    Attributes:
        state: The typed state, nobody else's.
        envelope: As stored, its schema too; None where there was none.
        extras: Members that the code does not know, for the next `encode`; None where there are none.
        refs: Id and type of each part that the state refers to.
    """

    state: T
    envelope: Envelope | None
    extras: Extras | None
    refs: Mapping[str, Any]


class _Head(msgspec.Struct):
    envelope: msgspec.Raw = msgspec.field(name=_MEMBER)


_head = msgspec.json.Decoder(_Head)
_envelope = msgspec.json.Decoder(Envelope)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class StateCodec(Generic[T]):
    """Encodes and decodes one type of state. Does no I/O; safe to share between threads."""

    def __init__(
        self,
        state_type: type[T],
        *,
        schema: int = 1,
        upgrades: Mapping[int, Upgrade] | None = None,
        naive: Naive = "utc",
    ) -> None:
        """Analyse the type, once.

        Args:
            state_type: A Struct, dataclass or TypedDict.
            schema: Number of the type's shape, from 1; raise it together with an upgrade.
            upgrades: By the schema that each starts from.
            naive: What a datetime without a time zone is: read as UTC, or refused.

        Raises:
            InvalidStateError: The type cannot be stored; the field is named.
            ValueError: Schema and upgrades do not fit each other.
        """
        self._typed: TypedJson[T] = TypedJson(state_type, name=type_name(state_type), naive=naive)
        self._schema = schema
        self._upgrades = Upgrades(upgrades or {}, schema=schema)
        self._extras = ExtrasFinder(self._typed.node)
        _check_root(self._typed)

    def encode(self, state: T, envelope: Envelope | None, extras: Extras | None = None) -> Encoded:
        """Return the JSON of a state.

        Args:
            state: Is only read, also where a datetime in it is naive.
            envelope: Written as the first member, with the schema of this codec; None writes none.
            extras: What `decode` found beside the state.

        Raises:
            InvalidStateError: The state does not fit its type. Nothing was written.
        """
        body, refs = self._typed.encode(state)
        if extras is not None:
            body = self._extras.add(extras, body, value=state)
        if envelope is None:
            return Encoded(data=body, refs=refs)
        if envelope.schema != self._schema:
            envelope = msgspec.structs.replace(envelope, schema=self._schema)
        rest = b"}" if body == b"{}" else b"," + body[1:]
        return Encoded(data=_FIRST + _encode(envelope) + rest, refs=refs)

    def decode(self, data: bytes, *, for_writing: bool = True) -> Decoded[T]:
        """Return the typed state and what stood beside it. A value without envelope is read in today's schema.

        Args:
            data: As stored.
            for_writing: Whether to collect extras; who only looks needs none, and saves writing the state once.

        Raises:
            StateNewerError: It was written with a newer schema.
            StateUndecodableError: It is no JSON, no upgrade leads from it, or it does not fit the type.
        """
        try:
            envelope, body = _split(data)
            if envelope is not None and envelope.schema > self._schema:
                raise StateNewerError(what=self._typed.name, found=envelope.schema, known=self._schema)
            if envelope is not None and envelope.schema < self._schema:
                body = self._upgrades.run(body, found=envelope.schema)
            read = self._typed.decode(body, compare=for_writing)
        except MisfitError as misfit:
            raise StateUndecodableError(what=self._typed.name, reason=f"{misfit.reason} at ${misfit.path}") from misfit
        extras = None if read.is_whole or not for_writing else self._extras.collect(body, value=read.value)
        return Decoded(state=read.value, envelope=envelope, extras=extras, refs=read.refs)


def _split(data: bytes) -> tuple[Envelope | None, bytes]:
    """Separate the envelope from the users' own fields."""
    try:
        if data.startswith(_FIRST):
            raw = _head.decode(data).envelope
            rest = data[len(_FIRST) :].lstrip()  # json.dumps puts a space there
            if not rest.startswith(bytes(raw)):
                raise MisfitError("has two envelopes", path=f".{_MEMBER}")
            body = b"{" + rest[len(bytes(raw)) :].lstrip().removeprefix(b",")
        # Other tools keep the members but write them with spaces or in another order. One byte is found in no time.
        elif b"_" in data and b'"_"' in data:
            stored = _object.decode(data)
            if _MEMBER not in stored:
                return None, data
            raw = stored.pop(_MEMBER)
            body = _encode(stored)
        else:
            return None, data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise misfit_of(error) from error
    try:
        return _envelope.decode(raw), body
    except msgspec.DecodeError as error:
        raise misfit_of(error).under(f".{_MEMBER}") from error


def _check_root(typed: TypedJson[Any]) -> None:
    node = typed.node
    if not isinstance(node, (inspect.StructType, inspect.DataclassType, inspect.TypedDictType)):
        raise InvalidStateError(what=typed.name, reason="a state is a Struct, a dataclass or a TypedDict")
    if isinstance(node, inspect.StructType) and node.array_like:
        raise InvalidStateError(what=typed.name, reason="a state is a JSON object; leave array_like out")
    if any(field.encode_name == _MEMBER for field in node.fields):
        raise InvalidStateError(what=f"{typed.name}._", reason="the stored state keeps its envelope there; rename it")
