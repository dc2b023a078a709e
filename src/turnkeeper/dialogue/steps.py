"""Steps of a turn: what is too expensive to be done again when the turn has to run again.

The value that a handler gets is always the stored one read back. A type that would be lost on the way is refused in the
first run, and not discovered in the first crash.
"""

import typing
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from turnkeeper.codecs.json import decode_value, encode_value, type_name
from turnkeeper.codecs.walk import Naive
from turnkeeper.dialogue.ledger import Ledger
from turnkeeper.errors import HandlerError, InvalidStateError
from turnkeeper.ports.faults import reach
from turnkeeper.ports.limits import MAX_MEMOS

T = TypeVar("T")


async def run_step(ledger: Ledger[Any], name: str, call: Callable[[], Awaitable[T]], of: type[T] | None) -> T:
    """Return the remembered result of a step, or run it and remember what it returns. See `Turn.step`.

    Raises:
        HandlerError: The name was used before in this turn, there are too many steps, or the result does not survive.
    """
    if name in ledger.steps:
        raise HandlerError(f"turn.step({name!r}) ran already in this turn; give each step its own name")
    if len(ledger.steps) >= MAX_MEMOS:
        raise HandlerError(f"a turn may have {MAX_MEMOS} steps; remember several results in one")
    ledger.steps.add(name)
    type_ = of if of is not None else _returned(call)
    naive = ledger.plan.naive
    known = ledger.input.memos.get(name)
    if known is not None:
        remembered: T = _read(name, known, type_, naive)
        return remembered
    value = await call()
    try:
        data = encode_value(value, as_type=type_, naive=naive)
    except InvalidStateError as error:
        raise HandlerError(f"the result of turn.step({name!r}) cannot be stored: {error}") from error
    stored: T = _read(name, data, type_, naive)
    if type_ in {None, Any} and type(stored) is not type(value):
        raise HandlerError(
            f"turn.step({name!r}) returned {type(value).__name__} and would come back as {type(stored).__name__}; "
            f"annotate what the call returns, or pass of={type(value).__name__}"
        )
    reach("before_step_kept")
    await ledger.tools.remember(name, data)
    reach("after_step_kept")
    return stored


def _returned(call: Callable[..., Any]) -> Any:  # noqa: ANN401 - any type
    """Return the type that an async function says it returns; None if it does not say."""
    try:
        return typing.get_type_hints(call).get("return")
    except (NameError, TypeError):  # a forward reference that is not there, or no function
        return None


def _read(name: str, data: bytes, type_: Any, naive: Naive) -> Any:  # noqa: ANN401 - the step's type
    wanted = Any if type_ is None else type_
    try:
        return decode_value(data, wanted, naive=naive)
    except InvalidStateError as error:
        raise HandlerError(
            f"the remembered result of turn.step({name!r}) does not fit {type_name(wanted)}: {error.reason}"
        ) from error
