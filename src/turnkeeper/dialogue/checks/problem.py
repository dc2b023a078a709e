"""`Problem`: one contradiction in a flow, with the line to go to and what to do there."""

import difflib
from collections.abc import Iterable

import msgspec

LISTED = 8
"""Names shown when something unknown was named; a longer list is no longer read."""

ALIKE = 0.75
"""Similarity (0 to 1) from which another name is suggested: one or two slips in a word of ordinary length."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, where, and what to do about it."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant."""
    return next(
        iter(difflib.get_close_matches(name, [other for other in known if other != name], n=1, cutoff=ALIKE)), None
    )


def does_not_exist(what: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, and which was probably meant or which there are."""
    names = list(known)
    meant = nearest(name, names)
    if meant is not None:
        return f"{what} {name!r} does not exist; did you mean {meant!r}?"
    if not names:
        return f"{what} {name!r} does not exist, and no other does"
    listed = ", ".join(map(repr, names[:LISTED])) + (", …" if len(names) > LISTED else "")
    return f"{what} {name!r} does not exist; there are {listed}"
