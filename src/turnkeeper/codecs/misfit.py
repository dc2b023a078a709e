"""`MisfitError`: a value does not fit its type, and where.

It never leaves `turnkeeper.codecs`: whoever knows whether the value was being written or read turns it into the error
of the public tree. Dictionary keys are not part of the path: they may be what a person said.
"""

import re

import msgspec

_AT_PATH = re.compile(r"^(?P<reason>.*) - at `(?P<path>[^`]*)`$", re.DOTALL)


class MisfitError(Exception):
    """A value does not fit.

    Attributes:
        reason: What is wrong, without the value itself.
        path: Where, from the root outwards: `.items[2].price`, `.notes[...]` for a member of a dict; empty: the root.
    """

    def __init__(self, reason: str, *, path: str = "") -> None:
        self.reason = reason
        self.path = path
        super().__init__(reason)

    def under(self, step: str) -> "MisfitError":
        """Put a step in front of the path while the error travels outwards."""
        self.path = step + self.path
        return self


def misfit_of(error: Exception) -> MisfitError:
    """Take reason and path out of msgspec's error text; text without a path concerns the root."""
    if isinstance(error, RecursionError):
        return MisfitError("nested too deeply, or it contains itself")
    if isinstance(error, UnicodeDecodeError):
        return MisfitError(f"not UTF-8 at byte {error.start}")
    text = str(error)
    found = _AT_PATH.match(text) if isinstance(error, msgspec.ValidationError) else None
    if found is None:
        return MisfitError(text)
    return MisfitError(found["reason"], path=found["path"].replace("$", "", 1))
