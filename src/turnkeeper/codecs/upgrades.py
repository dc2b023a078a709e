"""Upgrades: state of an older schema is changed step by step before it is read as the type of today.

An upgrade works on JSON as it is stored, not on typed values: a datetime is text in it, and a reference is
`{"ref": id, "bytes": length}`. It may change the dict that it gets or return another one.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from turnkeeper.codecs.misfit import MisfitError, misfit_of

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes a state of one schema a state of the next."""


class Upgrades:
    """The way from every readable schema to the one of the code."""

    def __init__(self, steps: Mapping[int, Upgrade], *, schema: int) -> None:
        """Take the upgrades by the schema that they start from, and the schema of the code.

        Raises:
            ValueError: A schema is below 1, or between the oldest upgrade and the code's schema one is missing.
        """
        if schema < 1:
            raise ValueError(f"schema={schema}: schemas count from 1")
        oldest = min(steps, default=schema)
        if sorted(steps) != list(range(oldest, schema)) or oldest < 1:
            wanted = f"{oldest} to {schema - 1}" if 1 <= oldest < schema else f"below {schema}"
            raise ValueError(f"upgrades start from {sorted(steps)}; schema {schema} needs one from each of {wanted}")
        self._steps = dict(steps)
        self._schema = schema

    def run(self, data: bytes, *, found: int) -> bytes:
        """Return the JSON of a state in the schema of the code.

        Args:
            data: JSON of the state.
            found: The schema that it was written in, older than the code's.

        Raises:
            MisfitError: No upgrade starts from there, one failed, or one returned what JSON does not hold.
        """
        state = _read(data)
        for start in range(found, self._schema):
            step = self._steps.get(start)
            if step is None:
                raise MisfitError(f"there is no upgrade from schema {start}; the code has schema {self._schema}")
            try:
                state = step(state)
            except Exception as error:  # the users' own code: whatever it raises, the state stays as it is
                raise MisfitError(f"the upgrade from schema {start} raised {type(error).__name__}") from error
            if not isinstance(state, dict):
                raise MisfitError(f"the upgrade from schema {start} returned `{type(state).__name__}`, not a dict")
        return _write(state)


def _read(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise misfit_of(error) from error


def _write(state: dict[str, Any]) -> bytes:
    try:
        data = msgspec.json.encode(state)
        is_json = msgspec.json.decode(data) == state
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise misfit_of(error) from error
    if not is_json:
        raise MisfitError("an upgrade returned what JSON does not hold; give datetimes as text and tuples as lists")
    return data
