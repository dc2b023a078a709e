"""`MisfitError`: a value does not fit its type, and where.

It never leaves `turnkeeper.codecs`: whoever knows whether the value was being written or read turns it into the error
of the public tree. Dictionary keys are not part of the path: they may be what a person said.
"""

import re

import msgspec

_AT_PATH = re.compile(r"^(?P<reason>.*) - at (?P<key>`key` in )?`\$(?P<path>.*)`$", re.DOTALL)


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
    """Take reason and path out of an error of msgspec; an error without a path concerns the root."""
    if isinstance(error, MisfitError):
        return error
    if isinstance(error, RecursionError):
        return MisfitError("nested too deeply, or it contains itself")
    if isinstance(error, UnicodeDecodeError):
        return MisfitError(f"no UTF-8 at byte {error.start}")
    if isinstance(error, UnicodeEncodeError):
        return MisfitError(f"text with a lone surrogate at character {error.start}, which UTF-8 cannot hold")
    found = _AT_PATH.match(str(error)) if isinstance(error, msgspec.ValidationError) else None
    if found is None:
        return MisfitError(str(error))
    return MisfitError(found["reason"], path=found["path"] + ("[key]" if found["key"] else ""))
