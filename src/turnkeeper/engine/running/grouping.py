"""Decides which of the waiting messages one turn is about. Pure."""

from collections.abc import Sequence

import msgspec

from turnkeeper.model.message import PERSONAL, Kind, Message


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The first `take` waiting messages; the first `superseded` of them are overtaken by the last."""

    take: int
    superseded: int = 0


def group(messages: Sequence[Message], *, policy: str, interrupted: bool) -> Group:
    """Return what the next turn takes.

    Only messages that a person caused are joined or overtaken: a timer or a result is always a turn of its own, and
    is run before what was said after it. STOP overtakes everything that waits before it.

    Args:
        messages: Handed out, in order of acceptance; at least one.
        policy: The flow's policy for a busy conversation.
        interrupted: The lease was taken from a running turn.
    """
    for index, message in enumerate(messages):
        if message.kind is Kind.OPT_OUT:
            return Group(take=index + 1, superseded=index)
    run = 0
    for message in messages:
        if message.kind not in PERSONAL:
            break
        run += 1
    if run <= 1:
        return Group(take=1)
    if policy == "coalesce":
        return Group(take=_leading_texts(messages[:run]) or 1)
    if policy == "interrupt" or interrupted:
        return Group(take=run, superseded=run - 1)
    return Group(take=1)


def _leading_texts(messages: Sequence[Message]) -> int:
    """Count the texts at the front: a button or STOP among words is not part of a burst."""
    count = 0
    for message in messages:
        if message.kind is not Kind.TEXT:
            break
        count += 1
    return count
