"""What a store keeps that hangs on no conversation it lists: needed to leave a store, and for nothing else."""

import msgspec

OWN = ("turnkeeper.", "part")
"""How collections begin that are the engine's: `turnkeeper.` anything, and the parts of conversations."""


class OptOut(msgspec.Struct, frozen=True, kw_only=True):
    """A person who does not want to hear from a flow; it outlives every conversation."""

    flow: str
    person: str


class Remains(msgspec.Struct, frozen=True, kw_only=True):
    """The users' collections of documents, and everybody who opted out."""

    collections: tuple[str, ...]
    opt_outs: tuple[OptOut, ...]


def is_own(collection: str) -> bool:
    """Return whether a collection is the engine's and not the users'."""
    return collection.startswith(OWN[0]) or collection == OWN[1]
