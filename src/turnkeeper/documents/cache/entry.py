"""An entry of a cache: the users' own members, `cached_at`, and what the cache must remember beside them.

The envelope `_` is only written where an option needs it, so that a plain cache holds plain JSON.
"""

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from turnkeeper.documents.records import Members, Records, stamp
from turnkeeper.errors import StateUndecodableError

T = TypeVar("T")

CACHED = "cached_at"
"""Member with the time at which the value was loaded."""

TOKEN_BITS = 64
"""Of what tells one invalidation from another one of the same entry within its minute."""

_ENVELOPE = "_"


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an entry says of itself.

    Attributes:
        fresh_ms: Until when it is fresh; 0: for as long as it lives.
        is_none: The loader found nothing, and that is remembered.
        groups: What each of its groups was when it was loaded.
    """

    fresh_ms: int = msgspec.field(name="f", default=0)
    is_none: bool = msgspec.field(name="none", default=False)
    groups: Mapping[str, str] = msgspec.field(name="g", default_factory=dict)


_NULL = b"null"

_PLAIN = Envelope()
_envelope = msgspec.json.Decoder(Envelope)
_encode = msgspec.json.Encoder().encode


class Entry(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """An entry as it was read. `etag` changes with every other content; `value` None: nothing was found there."""

    value: T | None
    envelope: Envelope
    cached_at: str
    etag: str

    def is_fresh(self, now_ms: int) -> bool:
        """Return whether it may be handed out without asking the source."""
        return not self.envelope.fresh_ms or now_ms < self.envelope.fresh_ms


def encode_entry(records: Records[T], value: T | None, envelope: Envelope, *, now_ms: int) -> bytes:
    """Return the JSON of an entry.

    Raises:
        InvalidStateError: The value does not fit its type.
    """
    members: Members = {}
    if envelope != _PLAIN:
        members[_ENVELOPE] = msgspec.Raw(_encode(envelope))
    if value is not None:
        members.update(records.members(value))
    members[CACHED] = stamp(now_ms)
    return _encode(members)


def tombstone(token: int) -> bytes:
    """Return the JSON of an entry that was invalidated: a load that began before must not write over this.

    It is null, which any other code takes for "there is none"; the white space after it makes each one another.
    """
    return _NULL + f"{token:0{TOKEN_BITS}b}".translate({ord("0"): " ", ord("1"): "\t"}).encode()


def decode_entry(records: Records[T], data: bytes, etag: str) -> Entry[T] | None:
    """Return an entry, None if it was invalidated.

    Raises:
        StateUndecodableError: It is no JSON object, or does not fit the type.
    """
    if data.startswith(_NULL) and len(data) == len(_NULL) + TOKEN_BITS and data.rstrip() == _NULL:
        return None
    members = records.split(data)
    try:
        envelope = _envelope.decode(members[_ENVELOPE]) if _ENVELOPE in members else _PLAIN
        cached = msgspec.json.decode(members[CACHED]) if CACHED in members else ""
    except msgspec.DecodeError as exc:
        raise StateUndecodableError(what=records.name, reason=f"{exc} in _ or {CACHED}") from exc
    cached_at = "" if cached is None else str(cached)  # other programs also write seconds since 1970
    value = None if envelope.is_none else records.value(data)
    return Entry(value=value, envelope=envelope, cached_at=cached_at, etag=etag)
