"""A job's arguments on their way through the store: checked when it is started, read again when it runs.

Arguments are stored by name, so that parameters with defaults may be added while calls wait. A call that an older
process stored and that does not fit any more fails for good, with a text that names the argument.
"""

import inspect
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from turnkeeper.codecs.json import decode_value, encode_value, type_name
from turnkeeper.codecs.walk import Naive
from turnkeeper.dialogue.declaring.declared import DeclaredJob
from turnkeeper.errors import HandlerError, InvalidStateError
from turnkeeper.model.message import JobCall

_encode = msgspec.json.Encoder().encode
_BY_PLACE = inspect.Parameter.POSITIONAL_ONLY


@lru_cache(maxsize=512)  # an application has some dozens of jobs; the signature costs more than the rest of a start
def _signature(call: Any) -> inspect.Signature:  # noqa: ANN401 - any job
    whole = inspect.signature(call)
    return whole.replace(parameters=list(whole.parameters.values())[1:])


def pack_call(
    job: DeclaredJob, args: Sequence[object], kwargs: Mapping[str, object], *, naive: Naive = "utc"
) -> JobCall:
    """Return the stored form of a call.

    Raises:
        HandlerError: An argument is missing, unknown or of a wrong type; the text names it.
    """
    signature = _signature(job.call)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise HandlerError(f"turn.start({job.name}): {error}; it takes {signature}") from error
    placed: list[msgspec.Raw] = []
    named: dict[str, msgspec.Raw] = {}
    for name, value in bound.arguments.items():
        type_ = job.arguments.get(name, Any)
        try:
            data = msgspec.Raw(encode_value(value, as_type=type_, naive=naive))
        except InvalidStateError as error:
            raise HandlerError(
                f"turn.start({job.name}): argument {name!r} must be {type_name(type_)}, "
                f"got {type(value).__name__} ({error.reason})"
            ) from error
        if signature.parameters[name].kind is _BY_PLACE:
            placed.append(data)
        else:
            named[name] = data
    return JobCall(name=job.name, args=msgspec.Raw(_encode(placed)), kwargs=msgspec.Raw(_encode(named)))


def unpack_call(job: DeclaredJob, call: JobCall, *, naive: Naive = "utc") -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a stored call as the job takes them.

    Raises:
        HandlerError: They do not fit the job as it is declared now.
    """
    signature = _signature(job.call)
    names = [name for name, parameter in signature.parameters.items() if parameter.kind is _BY_PLACE]
    try:
        placed = msgspec.json.decode(call.args, type=list[msgspec.Raw])
        named = msgspec.json.decode(call.kwargs, type=dict[str, msgspec.Raw])
        args = [_read(job, name, data, naive) for name, data in zip(names, placed, strict=True)]
        kwargs = {name: _read(job, name, data, naive) for name, data in named.items()}
        signature.bind(*args, **kwargs)
    except (msgspec.DecodeError, TypeError, ValueError, InvalidStateError) as error:
        raise HandlerError(
            f"job {job.name} was started by other code and its arguments do not fit: {error}; "
            "add parameters with defaults, and rename the job when their meaning changes"
        ) from error
    return args, kwargs


def _read(job: DeclaredJob, name: str, data: msgspec.Raw, naive: Naive) -> object:
    return decode_value(bytes(data), job.arguments.get(name, Any), naive=naive)
