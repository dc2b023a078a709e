"""Where in the users' code something was declared, as `file:line`: what an editor opens and an error text names."""

import inspect
from collections.abc import Callable
from typing import Any

from turnkeeper.errors import InvalidFlowError

OWN_PACKAGE = "turnkeeper.dialogue"
"""Frames of this package and those in it are not where the user declared anything."""


def origin_of(call: Callable[..., Any]) -> str:
    """Return where a function stands; of a decorated one, the line of its first decorator.

    Raises:
        InvalidFlowError: It is no function, so that no line and no name could be given for it.
    """
    function = inspect.unwrap(call)
    if inspect.ismethod(function):
        function = function.__func__
    if not inspect.isfunction(function) or not hasattr(call, "__qualname__"):
        raise InvalidFlowError(
            f"{origin_of_caller()}: {call!r} is no function; declare a plain `async def`, and let it call the rest"
        )
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"


def origin_of_caller() -> str:
    """Return the nearest line on the stack outside of this package."""
    frame = inspect.currentframe()
    while frame is not None and f"{frame.f_globals.get('__package__')}.".startswith(f"{OWN_PACKAGE}."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "?:0"
