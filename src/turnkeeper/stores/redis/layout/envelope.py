"""What stands around a state in its key: which generation and version it is, in the first member of its JSON.

So the value stays readable JSON in `redis-cli`, however large. What is no JSON object gets a header line instead. Pure
bytes: the state itself is parsed only where somebody else wrote it again.
"""

import re

import msgspec

_MEMBER = b'{"turnkeeper":"'
_NAME = b'"turnkeeper"'
_HEADER = b"turnkeeper:"
_PLAIN = re.compile(r"[A-Za-z0-9_:+@/-]*").fullmatch

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Envelope(msgspec.Struct, frozen=True):
    """A stored state and what its envelope says."""

    generation: int
    version: int
    fence: int
    status: str
    commit_id: str
    state: bytes


def seal(state: bytes, *, generation: int, version: int, fence: int, status: str, commit_id: str) -> bytes:
    """Return a state as it is stored."""
    facts = b"%d.%d.%d.%b.%b" % (generation, version, fence, _quoted(status), _quoted(commit_id))
    if state.startswith(b'{"'):
        return b'%b%b",%b' % (_MEMBER, facts, state[1:])
    return b"%b-%b\n%b" % (_HEADER, facts, state)


def unseal_one(value: bytes, *, generation: int, version: int) -> bytes | None:
    """Return the state that was sealed with these two numbers, None if the value holds anything else."""
    facts = b"%d.%d." % (generation, version)
    if value.startswith(_MEMBER + facts):
        end = value.find(b'",', len(_MEMBER))
        return None if end < 0 else b"{" + value[end + 2 :]
    if value.startswith(_HEADER + b"-" + facts):
        return value.partition(b"\n")[2]
    found = unseal(value)
    return found.state if found is not None and (found.generation, found.version) == (generation, version) else None


def unseal(value: bytes) -> Envelope | None:
    """Return what was sealed, or None for a value that is none of ours: somebody else wrote it."""
    try:
        if value.startswith(_MEMBER):
            facts, _, rest = value[len(_MEMBER) :].partition(b'",')
            return _envelope(facts, b"{" + rest)
        if value.startswith(_HEADER):
            line, _, rest = value[len(_HEADER) :].partition(b"\n")
            return _envelope(line[1:], rest)
        if _NAME in value:  # a tool read the JSON and wrote it again, with spaces or in another order
            members = _object.decode(value)
            facts = msgspec.json.decode(members.pop("turnkeeper"), type=str).encode()
            return _envelope(facts, msgspec.json.encode(members))
    except (ValueError, KeyError, RecursionError):
        return None
    return None


def _envelope(facts: bytes, state: bytes) -> Envelope:
    generation, version, fence, status, commit_id = facts.split(b".")
    return Envelope(int(generation), int(version), int(fence), _unquoted(status), _unquoted(commit_id), state)


def _quoted(name: str) -> bytes:
    """Return a name without a dot or a quotation mark; what is not plain stands in hexadecimal digits."""
    return name.encode() if _PLAIN(name) else b"=" + name.encode().hex().encode()


def _unquoted(name: bytes) -> str:
    return (bytes.fromhex(name[1:].decode()) if name.startswith(b"=") else name).decode()
