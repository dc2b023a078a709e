"""Differences between encoded states, for the event log: an entry holds a state in full or what changed since.

The promise is about bytes: `apply(old, diff(old, new))` is `new`, letter for letter, so that 1, 1.0 and true, null and
absent, and the order of members stay apart. Members are compared as text; unchanged ones are never parsed. The
envelope is a member like any other: status and schema of an earlier turn come back with its state.

A delta is `{"base": checksum, "edit": edit}`. An object's edit is `{"-": [removed], "~": {name: edit}, "=": {name:
value}}`; new members go last. An array's edit is a list of `["+", [items]]` (append), `["-", at, cut, [items]]` (cut
out, put in) and `["~", at, edit]`, whose positions count in the array as the edits before left it.
"""

import zlib

import msgspec
from msgspec import Raw

from turnkeeper.errors import StateUndecodableError


class _Members(msgspec.Struct, omit_defaults=True):
    removed: list[str] = msgspec.field(name="-", default_factory=list)
    edits: dict[str, Raw] = msgspec.field(name="~", default_factory=dict)
    values: dict[str, Raw] = msgspec.field(name="=", default_factory=dict)


class _Append(msgspec.Struct, array_like=True, tag="+"):
    items: list[Raw]


class _Splice(msgspec.Struct, array_like=True, tag="-"):
    at: int
    cut: int
    items: list[Raw]


class _Patch(msgspec.Struct, array_like=True, tag="~"):
    at: int
    edit: Raw


class _Delta(msgspec.Struct):
    base: int
    edit: Raw


_ItemEdits = list[_Append | _Splice | _Patch]

_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
_delta = msgspec.json.Decoder(_Delta)
_members_edit = msgspec.json.Decoder(_Members)
_items_edit = msgspec.json.Decoder(_ItemEdits)
_encode = msgspec.json.Encoder().encode

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_OBJECT, _ARRAY = b"{"[0], b"["[0]


def diff(old: bytes | None, new: bytes) -> bytes | None:
    """Return the delta from one encoded state to another, None where the full state is the better entry.

    That is where there is no old state, where the delta would not be smaller, and where the new state is not in the
    form that the codecs write (no whitespace, members of the root in the old order).

    Raises:
        StateUndecodableError: One of them is no JSON object.
    """
    if old is None:
        return None
    try:
        edit = _diff_object(Raw(old), Raw(new))
    except _UNREADABLE as error:
        raise StateUndecodableError(what="a state to compare", reason=str(error)) from error
    if edit is None:
        return None
    delta = _encode(_Delta(base=zlib.crc32(old), edit=edit))
    return delta if len(delta) < len(new) else None


def apply(base: bytes, delta: bytes) -> bytes:
    """Return the state that `diff` was given as the new one.

    Raises:
        StateUndecodableError: The delta belongs to another base, or is none.
    """
    try:
        found = _delta.decode(delta)
        if found.base != zlib.crc32(base):
            raise StateUndecodableError(what="a log entry", reason="its difference starts from another state")
        return bytes(_apply(Raw(base), found.edit))
    except (*_UNREADABLE, KeyError, IndexError) as error:
        raise StateUndecodableError(what="a log entry", reason=str(error)) from error


def _diff(old: Raw, new: Raw) -> Raw | None:
    """Return the edit of a member that changed, None if its new value is shorter."""
    kinds = memoryview(old)[0], memoryview(new)[0]
    edit = None
    if kinds == (_OBJECT, _OBJECT):
        edit = _diff_object(old, new)
    elif kinds == (_ARRAY, _ARRAY):
        edit = _diff_array(old, new)
    return edit if edit is not None and _size(edit) < _size(new) else None


def _diff_object(old: Raw, new: Raw) -> Raw | None:
    before, after = _object.decode(old), _object.decode(new)
    if list(before) == list(after):
        removed = []
    else:
        removed = [name for name in before if name not in after]
        kept = [name for name in before if name in after]
        if kept != list(after)[: len(kept)]:
            return None
    if _encode(after) != bytes(new):  # whitespace, escapes: an edit would give the same members in other letters
        return None
    edit = _Members(removed=removed)
    for name, value in after.items():
        earlier = before.get(name)
        if earlier == value:
            continue
        below = None if earlier is None else _diff(earlier, value)
        if below is None:
            edit.values[name] = value
        else:
            edit.edits[name] = below
    return Raw(_encode(edit))


def _diff_array(old: Raw, new: Raw) -> Raw | None:
    before, after = _array.decode(old), _array.decode(new)
    if _encode(after) != bytes(new):
        return None
    edits: _ItemEdits = []
    dropped = _dropped_in_front(before, after)
    if dropped:
        edits.append(_Splice(at=0, cut=dropped, items=[]))
        before = before[dropped:]
    if after[: len(before)] == before:
        edits.append(_Append(items=after[len(before) :]))
        return Raw(_encode(edits))
    shorter = min(len(before), len(after))
    start = next((index for index in range(shorter) if before[index] != after[index]), shorter)
    same_behind = (index for index in range(shorter - start) if before[-1 - index] != after[-1 - index])
    end = next(same_behind, shorter - start)
    cut, items = before[start : len(before) - end], after[start : len(after) - end]
    edits.append(_Splice(at=start, cut=len(cut), items=items))
    whole = Raw(_encode(edits))
    if len(cut) != len(items):
        return whole
    edits[-1:] = [
        _item_edit(start + index, *pair)
        for index, pair in enumerate(zip(cut, items, strict=True))
        if pair[0] != pair[1]
    ]
    single = Raw(_encode(edits))
    return min(whole, single, key=_size)


def _item_edit(at: int, old: Raw, new: Raw) -> _Splice | _Patch:
    edit = _diff(old, new)
    return _Splice(at=at, cut=1, items=[new]) if edit is None else _Patch(at=at, edit=edit)


def _dropped_in_front(before: list[Raw], after: list[Raw]) -> int:
    """Return how many items went in front, as where only the newest entries of a history are kept; 0 if not so."""
    if not before or not after or before[0] == after[0] or after[0] not in before:
        return 0
    dropped = before.index(after[0])
    if dropped > len(before) // 2:  # too little is left to believe that the list moved on
        return 0
    return dropped if after[: len(before) - dropped] == before[dropped:] else 0


def _apply(base: Raw, edit: Raw) -> Raw:
    return _apply_members(base, edit) if memoryview(edit)[0] == _OBJECT else _apply_items(base, edit)


def _apply_members(base: Raw, edit: Raw) -> Raw:
    members, change = _object.decode(base), _members_edit.decode(edit)
    for name in change.removed:
        del members[name]
    for name, below in change.edits.items():
        members[name] = _apply(members[name], below)
    return Raw(_encode(members | change.values))


def _apply_items(base: Raw, edit: Raw) -> Raw:
    items = _array.decode(base)
    for change in _items_edit.decode(edit):
        match change:
            case _Append(items=added):
                items.extend(added)
            case _Splice(at=at, cut=cut, items=added):
                items[at : at + cut] = added
            case _Patch(at=at, edit=below):
                items[at] = _apply(items[at], below)
    return Raw(_encode(items))


def _size(raw: Raw) -> int:
    return memoryview(raw).nbytes
